/** The machine that a benchmark ran on. */
import { arch, availableParallelism, cpus, release, totalmem, type } from "node:os";
import type { DeviceLimits, MachineLimits, MachineReport } from "./benchReport.ts";

export function machineReport(limits: readonly MachineLimits[], devices: readonly DeviceLimits[] = []): MachineReport {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
    limits,
    ...(devices.length === 0 ? {} : { devices }),
  };
}
