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

/** One after the other, each in a process of its own, since they share the device. A runner that cannot tell is left out. */
export async function measureDevices(
  runners: readonly Runner[],
  devices: Readonly<Record<string, string>>,
): Promise<readonly DeviceLimits[]> {
  let found: readonly DeviceLimits[] = [];
  for (const { name, launch, options } of measuringRunners(runners, devices)) {
    const process = new RunnerProcess(launch);
    try {
      await process.load(options);
      found = bestDevices(found, [{ device: devices[name] as string, ...(await process.limits()) }]);
    } catch {
      // Another runner of the device answers, or there is no share of its limits to print.
    } finally {
      await process.stop();
    }
  }
  return found;
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
