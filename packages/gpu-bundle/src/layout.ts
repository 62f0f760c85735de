/**
 * Where things lie in the bundle: as an installation would put them. Packages find each other, their child processes and
 * their files by URLs relative to their own modules. So what is exported or started has a file in its place, all else is
 * joined into chunks, and a module that asks for its own URL is told its place in its package.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** A package of the workspace that the bundle holds. */
export interface BundledPackage {
  /** Below `packages`. */
  readonly folder: string;
  /** Modules that are started by their paths, without extension. */
  readonly started?: readonly string[];
  /** Files and folders that its modules read, below its folder. */
  readonly files?: readonly string[];
}

export const bundledPackages: readonly BundledPackage[] = [
  { folder: "core" },
  { folder: "nn" },
  { folder: "train" },
  { folder: "cpu-js" },
  { folder: "wasm" },
  { folder: "cuda", files: ["device"] },
  { folder: "conformance", files: ["golden"] },
  {
    folder: "bench",
    started: ["runners/child", "runners/firstRun", "limits/main"],
    files: ["src/runners/pytorch.py", "src/runners/torch_runner"],
  },
  { folder: "cli", started: ["main"], files: ["bin"] },
];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports?: Readonly<Record<string, unknown>>;
}

export const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

type Conditions = Readonly<Record<string, string>>;

/** Where what `src` holds lies once it is built. */
const built = (module: string): string => `dist/${module.replace(/\.ts$/, ".js")}`;

/** Where a source module of one of the packages belongs in the bundle; undefined for any other. */
export function placeOf(root: string, source: string): string | undefined {
  const [parent, folder, src, ...rest] = below(root, source).split("/");
  if (parent !== "packages" || src !== "src" || !bundledPackages.some((bundled) => bundled.folder === folder))
    return undefined;
  const { name } = readManifest(join(root, parent, folder as string));
  return `node_modules/${name}/${built(rest.join("/"))}`;
}

/** The modules of a package that have files of their own: what it exports, and what is started by its path. Source by place. */
export function entriesOf(root: string, { folder, started = [] }: BundledPackage): Map<string, string> {
  const source = join(root, "packages", folder);
  const { name, exports = {} } = readManifest(source);
  const exported = Object.values(exports).flatMap((conditions) => {
    const path = typeof conditions === "object" ? (conditions as Conditions)["@thalweg/source"] : undefined;
    return path === undefined ? [] : [path.replace(/^\.\/src\//, "")];
  });
  const modules = new Set([...exported, ...started.map((module) => `${module}.ts`)]);
  return new Map([...modules].map((module) => [join(source, "src", module), `node_modules/${name}/${built(module)}`]));
}

/** A package's manifest as the bundle needs it: no sources, no types, nothing to install. */
export function bundledManifest({ name, version, exports = {} }: Manifest): object {
  const kept = Object.fromEntries(
    Object.entries(exports).map(([path, target]) => [
      path,
      typeof target === "object" ? (target as Conditions).default : target,
    ]),
  );
  return { name, version, type: "module", exports: kept };
}

/** Path from a folder to one of the files below it, as JavaScript writes it. */
export const below = (folder: string, path: string): string => relative(folder, path).split(sep).join("/");

/** Bytes of a folder's files. */
export function bytesBelow(folder: string, size: (path: string) => number): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + size(join(entry.parentPath, entry.name)), 0);
}
