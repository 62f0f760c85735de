/** For tests: the backend on the emulated driver, through the real addon. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Backend } from "@thalweg/core/backend";
import { CudaBackend } from "./backend.ts";
import { type CudaOptions, cuda } from "./index.ts";
import type { DeviceInfo, NativeContext, NativeLibraries } from "./native/addon.ts";
import { addonFile, buildFolder, emulationFile, loadLibraries, nativeFolder } from "./native/load.ts";
import { DiskCache, defaultCacheFolder } from "./program/diskCache.ts";

const folder = buildFolder(nativeFolder() as string);

/** Whether addon and emulated driver are built (testSetup.ts does it where there are tools) and kernels can be compiled. */
export const canEmulate =
  [addonFile, emulationFile].every((file) => existsSync(join(folder, file))) &&
  spawnSync("c++", ["--version"]).status === 0;

/** A backend on an emulated device. */
export const emulatedCuda = (options: CudaOptions = {}): Promise<Backend> => cuda({ ...options, driver: "emulated" });

/** Environment of the emulated driver, which it asks at each call. */
export const modeVariable = "THALWEG_CUDA_EMULATION";
export const memoryVariable = "THALWEG_CUDA_EMULATION_MEMORY";
export const orderVariable = "THALWEG_CUDA_EMULATION_ORDER";

/**
 * How the emulated driver goes about its work. `eager`: at once. `lazy`: when something waits for it, which shows up memory
 * of the host that is reused too early. `hasty`: as lazy, but copies to the device overtake all they were not told to wait
 * for, which shows up memory of the device that is overwritten too early.
 */
export const emulationModes = ["eager", "lazy", "hasty"] as const;
export type EmulationMode = (typeof emulationModes)[number];

/** What `modeVariable` is in a mode; for `hasty`, contexts and backends must come from here too. */
export const modeValue = (mode: EmulationMode): string => (mode === "hasty" ? "lazy" : mode);

export const emulatedLibraries = (): NativeLibraries => loadLibraries({ driver: "emulated" }).libraries;

/** `object` with another method in place of its own. */
const replaced = <Self extends object, Name extends keyof Self & string>(
  object: Self,
  name: Name,
  by: Self[Name],
): Self => Object.defineProperty(object, name, { value: by });

export function emulatedContext(mode: EmulationMode, libraries: NativeLibraries = emulatedLibraries()): NativeContext {
  const context = libraries.createContext(0);
  if (mode !== "hasty") return context;
  const createStream = context.createStream.bind(context);
  return replaced(context, "createStream", (forCopies) => {
    const stream = createStream(forCopies);
    if (!forCopies) return stream;
    const copyToDevice = stream.copyToDevice.bind(stream);
    return replaced(stream, "copyToDevice", (to, from, bytes) => {
      copyToDevice(to, from, bytes);
      stream.synchronize();
    });
  });
}

/** A backend in a mode, by other libraries or with another cache than its own if need be. */
export function emulatedBackend(
  mode: EmulationMode,
  libraries: NativeLibraries = emulatedLibraries(),
  cache = new DiskCache(defaultCacheFolder()),
): Backend {
  return new CudaBackend({
    libraries,
    context: emulatedContext(mode, libraries),
    device: libraries.devices()[0] as DeviceInfo,
    precision: "highest",
    useCublasLt: true,
    compilerThreads: 1,
    cache,
  });
}
