/** Where the CUDA libraries are looked for, in order: option, environment, toolkits, Python's wheels, the loader. */
import { existsSync, readdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { LibraryCandidates } from "./addon.ts";

export interface LibraryPaths {
  /** Path of the driver's library, or `emulated` for the emulation on the host. */
  readonly driver?: string;
  readonly nvrtc?: string;
  readonly cublasLt?: string;
}

/** Versions of the libraries that can be used, newest first. */
const majors = [13, 12] as const;

const list = (folder: string): string[] => {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
};

/** Folders of toolkits: what the environment names, then the usual places, newest first. */
function toolkitFolders(environment: NodeJS.ProcessEnv): string[] {
  const named = [environment.CUDA_HOME, environment.CUDA_PATH].filter((path) => path !== undefined && path !== "");
  const versions = list("/usr/local")
    .filter((name) => /^cuda(-\d+(\.\d+)?)?$/.test(name))
    .reverse()
    .map((name) => join("/usr/local", name));
  return [...named, ...versions].flatMap((root) => [
    join(root as string, "lib64"),
    join(root as string, "targets/x86_64-linux/lib"),
    join(root as string, "targets/sbsa-linux/lib"),
  ]);
}

/** Folders in which pip puts NVIDIA's wheels: of the active environment, and of the Python on the path. */
function wheelFolders(environment: NodeJS.ProcessEnv): string[] {
  const pythons = (environment.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "" && existsSync(join(folder, "python3")))
    .map((folder) => dirname(folder));
  const roots = [environment.VIRTUAL_ENV, environment.CONDA_PREFIX, ...pythons].filter(
    (root) => root !== undefined && root !== "",
  );
  const sites = [...new Set(roots as string[])].flatMap((root) =>
    list(join(root, "lib"))
      .filter((name) => name.startsWith("python3"))
      .flatMap((name) => [join(root, "lib", name, "site-packages"), join(root, "lib", name, "dist-packages")]),
  );
  return sites.flatMap((site) => list(join(site, "nvidia")).map((name) => join(site, "nvidia", name, "lib")));
}

/** A library's candidates: what was asked for alone, else every file there is in the folders, else the loader's. */
function candidates(asked: string | undefined, folders: readonly string[], name: string): string[] {
  if (asked) return [asked];
  const files = majors.map((major) => `${name}.so.${major}`);
  const found = folders.flatMap((folder) => files.map((file) => join(folder, file))).filter((path) => existsSync(path));
  return [...new Set([...found, ...files, `${name}.so`])];
}

/** Places of the driver that some systems keep out of the loader's path: containers, and Windows' Linux. */
const driverPlaces = ["/usr/local/nvidia/lib64/libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"];

/** `emulation`: path of the emulated driver's library, taken for all three where the driver is `emulated`. */
export function libraryCandidates(
  options: LibraryPaths,
  environment: NodeJS.ProcessEnv,
  emulation: string,
): LibraryCandidates {
  const driver = options.driver ?? (environment.THALWEG_CUDA_DRIVER || undefined);
  const nvrtc = options.nvrtc ?? (environment.THALWEG_NVRTC || undefined);
  const cublasLt = options.cublasLt ?? (environment.THALWEG_CUBLASLT || undefined);
  if (driver === "emulated") {
    return { driver: [emulation], nvrtc: [nvrtc ?? emulation], cublasLt: [cublasLt ?? emulation] };
  }
  const folders = [...toolkitFolders(environment), ...wheelFolders(environment)];
  return {
    driver: driver ? [driver] : ["libcuda.so.1", "libcuda.so", ...driverPlaces],
    nvrtc: candidates(nvrtc, folders, "libnvrtc"),
    cublasLt: candidates(cublasLt, folders, "libcublasLt"),
  };
}
