/** Finds and loads the addon, and through it the libraries. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { BackendError } from "@thalweg/core/backend";
import type { Addon, LoadedLibrary, NativeLibraries } from "./addon.ts";
import { type LibraryPaths, libraryCandidates } from "./candidates.ts";

/** The addon's interface that this package speaks. */
export const interfaceVersion = 1;

const require = createRequire(import.meta.url);

/** The package of the binary that was built beforehand for this platform. */
export const platformPackage = `@thalweg/cuda-${process.platform}-${process.arch}`;
export const addonFile = "thalweg_cuda.node";
export const emulationFile = "libthalweg_emulated_cuda.so";

export interface AddonPaths extends LibraryPaths {
  /** Path of the addon. */
  readonly addon?: string;
}

export interface Attempt {
  readonly path: string;
  readonly error: string;
}

/** What there is to say about a search that found nothing. */
export class CudaUnavailableError extends BackendError {
  /** What was looked for and where, and what each place answered. */
  readonly tried: readonly Attempt[];

  constructor(message: string, tried: readonly Attempt[]) {
    // The loader begins what it says with the path itself.
    const lines = tried.map(({ path, error }) => (error.startsWith(path) ? `  ${error}` : `  ${path}: ${error}`));
    super("cuda", [message, ...lines].join("\n"));
    this.tried = tried;
  }
}

const resolved = (specifier: string): string | undefined => {
  try {
    return require.resolve(specifier);
  } catch {
    return undefined;
  }
};

/** Folder of the sources that a local build is made from and put in; undefined where they are not installed. */
export function nativeFolder(): string | undefined {
  const manifest = resolved("@thalweg/cuda-native/package.json");
  return manifest && dirname(manifest);
}

/** Where a local build puts what it makes. */
export const buildFolder = (native: string): string => join(native, "build", "Release");

interface Place {
  readonly path: string;
  /** Said when there is nothing. */
  readonly missing: string;
}

function addonPlaces(asked: string | undefined): Place[] {
  if (asked) return [{ path: asked, missing: "no such file" }];
  const places: Place[] = [];
  const prebuilt = resolved(`${platformPackage}/${addonFile}`);
  places.push({ path: prebuilt ?? platformPackage, missing: "not installed" });
  const native = nativeFolder();
  places.push({
    path: native ? join(buildFolder(native), addonFile) : "@thalweg/cuda-native",
    missing: native ? "not built; `npx thalweg build-cuda` builds it" : "not installed",
  });
  return places;
}

interface LoadedAddon {
  readonly addon: Addon;
  readonly path: string;
}

function loadAddon(asked: string | undefined): LoadedAddon {
  const tried: Attempt[] = [];
  for (const { path, missing } of addonPlaces(asked)) {
    if (!existsSync(path)) {
      tried.push({ path, error: missing });
      continue;
    }
    try {
      const addon = require(path) as Addon;
      if (addon.interfaceVersion !== interfaceVersion) {
        tried.push({ path, error: `speaks interface ${addon.interfaceVersion}, expected ${interfaceVersion}` });
        continue;
      }
      return { addon, path };
    } catch (error) {
      tried.push({ path, error: (error as Error).message });
    }
  }
  throw new CudaUnavailableError("the addon was not found. Looked for", tried);
}

export interface Loaded {
  readonly libraries: NativeLibraries;
  /** Path of the addon. */
  readonly addon: string;
}

/** The emulated driver is beside the addon, unless that is a prebuilt one: it comes with local builds alone. */
function emulationPath(addon: string): string {
  const native = nativeFolder();
  const folders = [dirname(addon), ...(native ? [buildFolder(native)] : [])];
  const paths = folders.map((folder) => join(folder, emulationFile));
  return paths.find((path) => existsSync(path)) ?? (paths.at(-1) as string);
}

/**
 * Loads the addon and asks it for the libraries; what of them is missing stands in the answer. Throws CudaUnavailableError
 * without an addon.
 */
export function loadLibraries(options: AddonPaths = {}, environment: NodeJS.ProcessEnv = process.env): Loaded {
  const { addon, path } = loadAddon(options.addon ?? (environment.THALWEG_CUDA_ADDON || undefined));
  const emulation = emulationPath(path);
  const candidates = libraryCandidates(options, environment, emulation);
  if (candidates.driver[0] === emulation && !existsSync(emulation)) {
    const tried = [{ path: emulation, error: "not built; `npx thalweg build-cuda` builds it" }];
    throw new CudaUnavailableError("the emulated driver was not found. Looked for", tried);
  }
  return { libraries: addon.open(candidates), addon: path };
}

/** Kernels convert to bfloat16, compare with NaN and use tensor cores by instructions that older devices lack. */
const leastArchitecture = 80;

const attempts = ({ tried }: LoadedLibrary): readonly Attempt[] => tried;

/** Throws CudaUnavailableError unless there are a driver, NVRTC and a device. */
export function requireDevice({ libraries, addon }: Loaded, ordinal: number): void {
  const { driver, nvrtc } = libraries;
  if (driver.path === undefined) {
    throw new CudaUnavailableError(
      `there is no NVIDIA driver that can be used here (the addon is ${addon}). Looked for`,
      attempts(driver),
    );
  }
  if (nvrtc.path === undefined) {
    throw new CudaUnavailableError(
      `NVRTC, which compiles kernels, was not found; it is part of every CUDA toolkit and of \`pip install nvidia-cuda-nvrtc\` (option nvrtc, or THALWEG_NVRTC, names its file). Looked for`,
      attempts(nvrtc),
    );
  }
  const devices = libraries.devices();
  if (devices.length === 0) {
    throw new CudaUnavailableError(`the driver (${driver.path}) sees no device`, attempts(driver));
  }
  const device = devices.find((candidate) => candidate.ordinal === ordinal);
  if (device === undefined) {
    const names = devices.map(({ ordinal: number, name }) => `${number} (${name})`).join(", ");
    throw new CudaUnavailableError(`there is no device ${ordinal}; there are ${names}`, []);
  }
  if (device.architecture < leastArchitecture) {
    const [has, needs] = [device.architecture, leastArchitecture].map((number) => (number / 10).toFixed(1));
    throw new CudaUnavailableError(`${device.name} has compute capability ${has}, kernels need ${needs}`, []);
  }
}
