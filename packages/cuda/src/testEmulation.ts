/** For tests: the backend on the emulated driver, through the real addon. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Backend } from "@thalweg/core/backend";
import { type CudaOptions, cuda } from "./index.ts";
import { addonFile, buildFolder, emulationFile, nativeFolder } from "./native/load.ts";

const folder = buildFolder(nativeFolder() as string);

/** Whether addon and emulated driver are built (testSetup.ts does it where there are tools) and kernels can be compiled. */
export const canEmulate =
  [addonFile, emulationFile].every((file) => existsSync(join(folder, file))) &&
  spawnSync("c++", ["--version"]).status === 0;

/** A backend on an emulated device. */
export const emulatedCuda = (options: CudaOptions = {}): Promise<Backend> => cuda({ ...options, driver: "emulated" });
