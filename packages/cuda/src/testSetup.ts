/**
 * Before the tests: builds the addon and the emulated driver, where there are tools to build them with. Without them the
 * tests that need the addon are skipped, and this says so.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAddon } from "./native/build.ts";

const has = (command: string): boolean => spawnSync(command, ["--version"]).status === 0;

/** A folder for compiled kernels that goes with the tests, unless the environment names one. */
function useOwnCache(): () => void {
  if (process.env.THALWEG_CUDA_CACHE) return () => {};
  const folder = mkdtempSync(join(tmpdir(), "thalweg-cuda-tests-"));
  process.env.THALWEG_CUDA_CACHE = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Gives what to do after the tests. */
export default async function setup(): Promise<() => void> {
  const missing = ["cmake", "c++"].filter((command) => !has(command));
  if (missing.length > 0) {
    console.warn(`cuda: no ${missing.join(", no ")}: the addon is not built, and what needs it is not tested`);
    return () => {};
  }
  await buildAddon();
  return useOwnCache();
}
