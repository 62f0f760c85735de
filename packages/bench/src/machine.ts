/** The machine that a benchmark ran on. */
import { arch, availableParallelism, cpus, release, totalmem, type } from "node:os";
import type { MachineLimits, MachineReport } from "./benchReport.ts";

export function machineReport(limits: readonly MachineLimits[]): MachineReport {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
    limits,
  };
}
