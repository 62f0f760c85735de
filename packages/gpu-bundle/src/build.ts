/** Puts the bundle together. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Plugin, rolldown } from "rolldown";
import { below, bundledManifest, bundledPackages, bytesBelow, entriesOf, placeOf, readManifest } from "./layout.ts";

export interface BuildOptions {
  /** Of the repository. */
  readonly root: string;
  /** Where the bundle goes: what is there is removed. */
  readonly folder: string;
  /** The addon for CUDA; without one the bundle runs on other backends only. */
  readonly addon?: string;
  /** A Node to carry. */
  readonly node?: string;
  /** A folder of golden files to carry, beside those of the suite. */
  readonly golden?: string;
}

/** Makes the bundle and resolves to its size in bytes. */
export async function build({ root, folder, addon, node, golden }: BuildOptions): Promise<number> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const command = join(root, "packages", "gpu-bundle", "src", "run", "main.ts");
  const entries = new Map([[command, "run.js"]]);
  for (const bundled of bundledPackages)
    for (const [source, path] of entriesOf(root, bundled)) entries.set(source, path);
  await bundleModules(root, entries, folder);
  for (const { folder: name, files = [] } of bundledPackages) {
    const source = join(root, "packages", name);
    const manifest = readManifest(source);
    const target = join(folder, "node_modules", manifest.name);
    for (const file of files) {
      cpSync(join(source, file), join(target, file), {
        recursive: true,
        filter: (path) => basename(path) !== "__pycache__",
      });
    }
    writeFileSync(join(target, "package.json"), `${JSON.stringify(bundledManifest(manifest), null, 2)}\n`);
  }
  if (addon !== undefined) placeAddon(root, folder, addon);
  if (golden !== undefined) cpSync(golden, join(folder, "golden"), { recursive: true });
  if (node !== undefined) compressNode(node, join(folder, "node.xz"));
  const { version } = readManifest(join(root, "packages", "cli"));
  const manifest = { name: "thalweg-gpu", version, private: true, type: "module" };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const script = join(folder, "run.sh");
  cpSync(join(root, "packages", "gpu-bundle", "src", "run.sh"), script);
  chmodSync(script, 0o755);
  return bytesBelow(folder, (path) => statSync(path).size);
}

/** Joins modules into files: those of `entries` where it says, what they share in chunks. Built-in modules stay imports. */
async function bundleModules(root: string, entries: ReadonlyMap<string, string>, folder: string): Promise<void> {
  const bundle = await rolldown({
    input: Object.fromEntries([...entries].map(([source, path]) => [below(folder, join(folder, path)), source])),
    platform: "node",
    resolve: { conditionNames: ["@thalweg/source", "node", "import", "default"] },
    plugins: [ownUrls(root)],
  });
  const { output } = await bundle.write({
    dir: folder,
    format: "esm",
    entryFileNames: "[name]",
    chunkFileNames: "chunks/[name]-[hash].js",
    // In a chunk of its own: its URL is what all others go by.
    codeSplitting: { groups: [{ name: "bundleRoot", test: (id) => id === bundleRoot }] },
  });
  await bundle.close();
  const home = output.find((part) => part.type === "chunk" && part.moduleIds.includes(bundleRoot));
  if (!home?.fileName.startsWith("chunks/")) throw new Error(`the bundle's root is told by ${home?.fileName}`);
}

/** The module that knows where the bundle is. */
const bundleRoot = "\0bundleRoot";
const importedRoot = "bundle:root";

/** Tells modules that ask for their own URL their place in an installation, not that of the chunk they are in. */
const ownUrls = (root: string): Plugin => ({
  name: "own-urls",
  resolveId: (id) => (id === importedRoot ? bundleRoot : undefined),
  load: (id) => (id === bundleRoot ? `export const bundleRoot = new URL("../", import.meta.url);` : undefined),
  transform(code, id) {
    const place = placeOf(root, id);
    if (place === undefined || !code.includes("import.meta.url")) return undefined;
    const own = `new URL(${JSON.stringify(place)}, bundleRoot).href`;
    return `import { bundleRoot } from "${importedRoot}";\n${code.replaceAll("import.meta.url", own)}`;
  },
});

/** The addon, where the backend looks for a local build. */
function placeAddon(root: string, folder: string, addon: string): void {
  const source = join(root, "native", "cuda");
  const manifest = readManifest(source);
  const target = join(folder, "node_modules", manifest.name);
  const release = join(target, "build", "Release");
  mkdirSync(release, { recursive: true });
  cpSync(addon, join(release, basename(addon)));
  writeFileSync(join(target, "package.json"), `${JSON.stringify(bundledManifest(manifest), null, 2)}\n`);
}

function compressNode(node: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  const compressed = execFileSync("xz", ["--compress", "--stdout", "-T0", "-9", node], { maxBuffer: 2 ** 30 });
  writeFileSync(target, compressed);
}
