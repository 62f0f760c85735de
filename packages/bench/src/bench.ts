/** Backends and peers on the workloads, with what the machine could do at most. */
import type { BenchReport, MachineLimits, MachineReport, Ratio, WorkloadResult } from "./benchReport.ts";
import { bestDevices, measureDevices } from "./limits/device.ts";
import { bestLimits, measureLimits } from "./limits/limits.ts";
import { machineReport } from "./machine.ts";
import {
  type Measured,
  type Measurement,
  type MeasureOptions,
  measure,
  type Progress,
  type Runner,
} from "./measure.ts";
import { RunnerError, RunnerProcess, runnerLaunch } from "./process.ts";
import { type Place, shareOfLimit } from "./shareOfLimit.ts";
import type { Workload } from "./spec.ts";

/** A backend by what another process needs to make one. */
export interface BackendSource {
  readonly name: string;
  /** URL of the module, or the name of a package that this one finds. */
  readonly module: string;
  /** The export that makes it. */
  readonly create: string;
}

/** The runner of a backend of Thalweg. */
export function backendRunner({ name, module, create }: BackendSource): Runner {
  return { name, kind: "backend", launch: runnerLaunch, options: { runner: "thalweg", module, create } };
}

export interface BenchOptions extends Omit<MeasureOptions, "onProgress"> {
  /** Backends first. The first that does a workload gives the result which the others must come to. */
  readonly runners: readonly Runner[];
  readonly workloads: readonly Workload[];
  readonly on?: BenchCallbacks;
  /** What the machine can do with these numbers of threads: asked before the workloads and after them, the better answer counts. */
  readonly measureLimits?: (threads: readonly number[]) => Promise<readonly MachineLimits[]>;
  /** Whether a large workload is measured on a processor, too, where it may take minutes. Default: none is. */
  readonly largeOnProcessor?: (workload: Workload) => boolean;
}

/** Told as a benchmark goes on. */
export interface BenchCallbacks {
  /** All runners have started once; the machine's limits as measured so far. */
  readonly started?: (start: Pick<BenchReport, "machine" | "versions" | "threads" | "devices">) => void;
  readonly progress?: (progress: Progress) => void;
  /** A workload is done: its part of the report. */
  readonly measured?: (part: WorkloadPart) => void;
}

export type WorkloadPart = Pick<BenchReport, "results" | "missing" | "ratios"> & { readonly workload: Workload };

/** Runs a benchmark. Throws RunnerError when a runner cannot start at all. */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  const { runners, workloads, threads: wanted, on = {}, measureLimits: limits = measureLimits } = options;
  const date = new Date().toISOString();
  const probed = await probe(runners, wanted);
  const { threads, devices } = probed;
  const threadCounts = Object.entries(threads).flatMap(([name, count]) => (devices[name] === undefined ? [count] : []));
  const limitsBefore = await limits(threadCounts);
  const devicesBefore = await measureDevices(runners, devices);
  const before = machineReport(limitsBefore, devicesBefore.limits);
  on.started?.({ machine: before, ...probed });
  const measurements: { workload: Workload; measurement: Measurement }[] = [];
  const partOf = (workload: Workload, measurement: Measurement, machine: MachineReport): WorkloadPart => {
    const placeOf = (runner: string): Place => ({ threads: threads[runner], device: devices[runner] });
    const results = measurement.results.map((measured) =>
      result(workload, measured, placeOf(measured.runner), machine),
    );
    const missing = measurement.missing.map((entry) => ({ workload: workload.name, ...entry }));
    return { workload, results, missing, ratios: ratios(runners, results) };
  };
  for (const workload of workloads) {
    const tooLarge = (runner: Runner): boolean =>
      workload.largeBytes !== undefined && devices[runner.name] === undefined && !options.largeOnProcessor?.(workload);
    const { results, missing } = await measure(
      workload,
      runners.filter((runner) => !tooLarge(runner)),
      { ...options, ...(on.progress ? { onProgress: on.progress } : {}) },
    );
    const leftOut = runners.filter(tooLarge).map(({ name }) => ({ runner: name, reason: whyLeftOut(workload) }));
    const measurement = { results, missing: [...leftOut, ...missing] };
    measurements.push({ workload, measurement });
    on.measured?.(partOf(workload, measurement, before));
  }
  const machine = machineReport(
    bestLimits(limitsBefore, await limits(threadCounts)),
    bestDevices(devicesBefore.limits, (await measureDevices(runners, devices)).limits),
  );
  const parts = measurements.map(({ workload, measurement }) => partOf(workload, measurement, machine));
  return {
    date,
    machine,
    ...probed,
    runners: runners.map(({ name, kind }) => ({ name, kind })),
    workloads: workloads.map(({ name, about }) => ({ name, about })),
    results: parts.flatMap((part) => part.results),
    missing: [
      ...devicesBefore.missing.map((entry) => ({ workload: "limits", ...entry })),
      ...parts.flatMap((part) => part.missing),
    ],
    ratios: parts.flatMap((part) => part.ratios),
  };
}

const whyLeftOut = ({ largeBytes = 0 }: Workload): string =>
  `large (it holds about ${(largeBytes / 1e9).toPrecision(2)} GB): meant for a device with memory of its own; on a processor only with --large, or by its whole name`;

/** Starts every runner once: versions, and an early end when one cannot start. */
async function probe(
  runners: readonly Runner[],
  threads: number | undefined,
): Promise<Required<Pick<BenchReport, "versions" | "threads" | "devices">>> {
  const loaded = await Promise.all(
    runners.map(async ({ name, launch, options }) => {
      const process = new RunnerProcess(launch);
      try {
        return [name, await process.load(options, threads)] as const;
      } catch (error) {
        throw new RunnerError(`${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
      } finally {
        await process.stop();
      }
    }),
  );
  return {
    versions: Object.fromEntries(loaded.map(([name, { description }]) => [name, description])),
    threads: Object.fromEntries(loaded.map(([name, answer]) => [name, answer.threads])),
    devices: Object.fromEntries(loaded.flatMap(([name, { device }]) => (device === undefined ? [] : [[name, device]]))),
  };
}

function result(
  workload: Workload,
  { times: _, ...measured }: Measured,
  place: Place,
  machine: MachineReport,
): WorkloadResult {
  const { flops, bytes, tokens } = workload;
  const { medianMs } = measured;
  const gflops = flops === undefined ? undefined : flops / (1e6 * medianMs);
  const gbps = bytes === undefined ? undefined : bytes / (1e6 * medianMs);
  const ofLimit = shareOfLimit(workload, { gflops, gbps }, place, machine);
  return {
    workload: workload.name,
    ...measured,
    ...(gflops === undefined ? {} : { gflops }),
    ...(gbps === undefined ? {} : { gbps }),
    ...(tokens === undefined ? {} : { tokensPerSecond: (1000 * tokens) / medianMs }),
    ...(ofLimit === undefined ? {} : { ofLimit }),
  };
}

/** Of every backend to every other runner that measured the same workload. */
function ratios(runners: readonly Runner[], results: readonly WorkloadResult[]): Ratio[] {
  const backends = new Set(runners.filter(({ kind }) => kind === "backend").map(({ name }) => name));
  return results
    .filter(({ runner }) => backends.has(runner))
    .flatMap(({ workload, runner, medianMs }) =>
      results
        .filter((other) => other.runner !== runner)
        .map((other) => ({ workload, runner, peer: other.runner, ratio: other.medianMs / medianMs })),
    );
}
