/**
 * Where things lie in the bundle: as an installation would put them. Packages find each other, their child processes and
 * their files by URLs relative to their own modules, so each module that does so keeps its place in its package, and
 * everything else is joined into chunks.
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
    started: ["runners/child", "limits/main"],
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

/** Every source module of a package but its tests, relative to `src`. */
function modulesOf(folder: string): string[] {
  return readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts") && !/(^|[\\/])test[A-Z]/.test(path))
    .map((path) => path.split(sep).join("/"));
}

/** Where what `src` holds lies once it is built. */
const built = (module: string): string => `dist/${module.replace(/\.ts$/, ".js")}`;

/**
 * The modules of a package that stay files of their own: what it exports, what is started by its path, and what asks for its
 * own URL. Source path by path in the bundle.
 */
export function entriesOf(root: string, { folder, started = [] }: BundledPackage): Map<string, string> {
  const source = join(root, "packages", folder);
  const { name, exports = {} } = readManifest(source);
  const exported = Object.values(exports).flatMap((conditions) => {
    const path = typeof conditions === "object" ? (conditions as Conditions)["@thalweg/source"] : undefined;
    return path === undefined ? [] : [path.replace(/^\.\/src\//, "")];
  });
  const located = modulesOf(source).filter((module) =>
    /\bimport\.meta\b/.test(readFileSync(join(source, "src", module), "utf8")),
  );
  const modules = new Set([...exported, ...started.map((module) => `${module}.ts`), ...located]);
  return new Map([...modules].map((module) => [join(source, "src", module), join("node_modules", name, built(module))]));
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
