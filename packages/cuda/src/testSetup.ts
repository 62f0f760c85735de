/**
 * Before the tests: builds the addon and the emulated driver, where there are tools to build them with. Without them the
 * tests that need the addon are skipped, and this says so.
 */
import { spawnSync } from "node:child_process";
import { buildAddon } from "./native/build.ts";

const has = (command: string): boolean => spawnSync(command, ["--version"]).status === 0;

export default async function setup(): Promise<void> {
  const missing = ["cmake", "c++"].filter((command) => !has(command));
  if (missing.length > 0) {
    console.warn(`cuda: no ${missing.join(", no ")}: the addon is not built, and what needs it is not tested`);
    return;
  }
  await buildAddon();
}
