/** Backends and peers on the workloads, with what the machine could do at most. */
import type { BenchReport, MachineLimits, MachineReport, Ratio, WorkloadResult } from "./benchReport.ts";
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
}

/** Told as a benchmark goes on. */
export interface BenchCallbacks {
  /** All runners have started once; the machine's limits as measured so far. */
  readonly started?: (start: Pick<BenchReport, "machine" | "versions" | "threads">) => void;
  readonly progress?: (progress: Progress) => void;
  /** A workload is done: its part of the report. */
  readonly measured?: (part: WorkloadPart) => void;
}

export type WorkloadPart = Pick<BenchReport, "results" | "missing" | "ratios"> & { readonly workload: Workload };

/** Runs a benchmark. Throws RunnerError when a runner cannot start at all. */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  const { runners, workloads, threads: wanted, on = {}, measureLimits: limits = measureLimits } = options;
  const date = new Date().toISOString();
  const { versions, threads } = await probe(runners, wanted);
  const threadCounts = Object.values(threads);
  const before = await limits(threadCounts);
  on.started?.({ machine: machineReport(before), versions, threads });
  const measurements: { workload: Workload; measurement: Measurement }[] = [];
  const partOf = (workload: Workload, measurement: Measurement, machine: MachineReport): WorkloadPart => {
    const results = measurement.results.map((measured) => result(workload, measured, threads, machine.limits));
    const missing = measurement.missing.map((entry) => ({ workload: workload.name, ...entry }));
    return { workload, results, missing, ratios: ratios(runners, results) };
  };
  for (const workload of workloads) {
    const measurement = await measure(workload, runners, {
      ...options,
      ...(on.progress ? { onProgress: on.progress } : {}),
    });
    measurements.push({ workload, measurement });
    on.measured?.(partOf(workload, measurement, machineReport(before)));
  }
  const machine = machineReport(bestLimits(before, await limits(threadCounts)));
  const parts = measurements.map(({ workload, measurement }) => partOf(workload, measurement, machine));
  return {
    date,
    machine,
    versions,
    threads,
    runners: runners.map(({ name, kind }) => ({ name, kind })),
    workloads: workloads.map(({ name, about }) => ({ name, about })),
    results: parts.flatMap((part) => part.results),
    missing: parts.flatMap((part) => part.missing),
    ratios: parts.flatMap((part) => part.ratios),
  };
}

/** Starts every runner once: versions, and an early end when one cannot start. */
async function probe(
  runners: readonly Runner[],
  threads: number | undefined,
): Promise<Pick<BenchReport, "versions" | "threads">> {
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
  };
}

function result(
  { name: workload, flops, bytes }: Workload,
  { runner, medianMs, p10Ms, p90Ms, peakBytes, note }: Measured,
  threads: BenchReport["threads"],
  limits: readonly MachineLimits[],
): WorkloadResult {
  const gflops = flops === undefined ? undefined : flops / (1e6 * medianMs);
  const gbps = bytes === undefined ? undefined : bytes / (1e6 * medianMs);
  const limit = limits.find((measured) => measured.threads === threads[runner]);
  const ofLimit = limit && shareOfLimit(gflops, gbps, limit);
  return {
    ...{ workload, runner, medianMs, p10Ms, p90Ms },
    ...(gflops === undefined ? {} : { gflops }),
    ...(gbps === undefined ? {} : { gbps }),
    ...(ofLimit === undefined ? {} : { ofLimit }),
    ...(peakBytes === undefined ? {} : { peakBytes }),
    ...(note === undefined ? {} : { note }),
  };
}

function shareOfLimit(
  gflops: number | undefined,
  gbps: number | undefined,
  { scalarGflops, simdGflops = scalarGflops, copyGbps }: MachineLimits,
): number | undefined {
  if (gflops !== undefined) return gflops / simdGflops;
  return gbps === undefined ? undefined : gbps / copyGbps;
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
