/** What devices with memory of their own can do, as the runners that compute on them find it. */
import type { DeviceLimits } from "../benchReport.ts";
import type { Runner } from "../measure.ts";
import { RunnerProcess } from "../process.ts";
import type { DevicePeaks } from "../protocol.ts";
import type { Arithmetic } from "../spec.ts";

/** For each device the first backend and the first peer that are on it: a figure that one of them misses, the other may reach. */
export function measuringRunners(
  runners: readonly Runner[],
  devices: Readonly<Record<string, string>>,
): readonly Runner[] {
  const seen = new Set<string>();
  return runners.filter(({ name, kind }) => {
    const device = devices[name];
    const key = `${kind} ${device}`;
    if (device === undefined || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

export interface MeasuredDevices {
  readonly limits: readonly DeviceLimits[];
  /** Runners that could not tell, and why. */
  readonly missing: readonly { readonly runner: string; readonly reason: string }[];
}

/** One after the other, each in a process of its own, since they share the device. */
export async function measureDevices(
  runners: readonly Runner[],
  devices: Readonly<Record<string, string>>,
): Promise<MeasuredDevices> {
  let limits: readonly DeviceLimits[] = [];
  const missing: { runner: string; reason: string }[] = [];
  for (const { name, launch, options } of measuringRunners(runners, devices)) {
    const process = new RunnerProcess(launch);
    try {
      await process.load(options);
      limits = bestDevices(limits, [{ device: devices[name] as string, ...(await process.limits()) }]);
    } catch (error) {
      missing.push({ runner: name, reason: error instanceof Error ? error.message : String(error) });
    } finally {
      await process.stop();
    }
  }
  return { limits, missing };
}

/** The better figures of two measurements, by device: a limit that something lowered is none. */
export function bestDevices(first: readonly DeviceLimits[], second: readonly DeviceLimits[]): readonly DeviceLimits[] {
  const names = new Set([...first, ...second].map(({ device }) => device));
  return [...names].map((device) => {
    const same = [...first, ...second].filter((limits) => limits.device === device);
    return { device, copyGbps: Math.max(...same.map(({ copyGbps }) => copyGbps)), gflops: best(same) };
  });
}

function best(limits: readonly DevicePeaks[]): DevicePeaks["gflops"] {
  const gflops: Partial<Record<Arithmetic, number>> = {};
  for (const [arithmetic, value] of limits.flatMap((one) => Object.entries(one.gflops) as [Arithmetic, number][])) {
    gflops[arithmetic] = Math.max(value, gflops[arithmetic] ?? 0);
  }
  return gflops;
}
