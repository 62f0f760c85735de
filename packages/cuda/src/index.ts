/**
 * `@thalweg/cuda`: a backend for NVIDIA GPUs. Programs become CUDA C that NVRTC compiles for the device at hand, products go
 * to cuBLASLt where it is faster, and a Program that runs again is replayed as one CUDA graph. Driver, NVRTC and cuBLASLt are
 * found at run time: installing this package needs neither a GPU nor a toolkit.
 */
import { availableParallelism } from "node:os";
import { ArgumentError, type Backend } from "@thalweg/core/backend";
import { CudaBackend } from "./backend.ts";
import { cudaErrorAsBackendError } from "./cudaError.ts";
import type { DeviceInfo } from "./native/addon.ts";
import { type AddonPaths, loadLibraries, requireDevice } from "./native/load.ts";
import { DiskCache, defaultCacheFolder } from "./program/diskCache.ts";
import type { Precision } from "./target.ts";

export type { DeviceInfo, LoadedLibrary } from "./native/addon.ts";
export { buildAddon } from "./native/build.ts";
export { type AddonPaths, type Attempt, CudaUnavailableError } from "./native/load.ts";
export type { Precision } from "./target.ts";

export interface CudaOptions extends AddonPaths {
  /** Ordinal of the device. Default 0. Backends on one device share nothing either. */
  readonly device?: number;
  /**
   * How products and convolutions of float32 are computed: `highest` in float32, `tf32` on tensor cores with operands
   * rounded to 10 bits of fraction (PyTorch's `allow_tf32`). Sums are float32 either way. Default `highest`, as in PyTorch.
   */
  readonly precision?: Precision;
  /** Whether products may go to cuBLASLt where there is one. Default true. */
  readonly useCublasLt?: boolean;
  /** Folder for compiled kernels; `false`: none. Default `THALWEG_CUDA_CACHE`, else `thalweg/cuda` in the user's cache folder. */
  readonly cache?: string | false;
}

const precisions: readonly Precision[] = ["highest", "tf32"];

/**
 * A CUDA backend. Rejects with CudaUnavailableError, which says what was looked for and where, if there is no addon, driver,
 * NVRTC or device; with ArgumentError for an option that is none; with BackendError if the driver fails.
 */
export async function cuda(options: CudaOptions = {}): Promise<Backend> {
  const { device: ordinal = 0, precision = "highest", useCublasLt = true } = options;
  if (!Number.isInteger(ordinal) || ordinal < 0)
    throw new ArgumentError("cuda", `device must be a whole number from 0, got ${ordinal}`);
  if (!precisions.includes(precision))
    throw new ArgumentError("cuda", `precision must be one of ${precisions.join(", ")}, got ${String(precision)}`);
  return cudaErrorAsBackendError("cuda", () => {
    const loaded = loadLibraries(options);
    requireDevice(loaded, ordinal);
    const { libraries } = loaded;
    const folder = options.cache === false ? undefined : (options.cache ?? defaultCacheFolder());
    const cache = folder === undefined ? undefined : new DiskCache(folder);
    cache?.prune();
    const context = libraries.createContext(ordinal);
    try {
      return new CudaBackend({
        libraries,
        context,
        device: libraries.devices().find((device) => device.ordinal === ordinal) as DeviceInfo,
        precision,
        useCublasLt,
        compilerThreads: availableParallelism(),
        cache,
      });
    } catch (error) {
      context.dispose();
      throw error;
    }
  });
}
