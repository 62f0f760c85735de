/**
 * Runners side by side on one workload. Each runs in a process of its own; they take turns, one window of equal length
 * each, so that what else the machine does falls on all alike. Before anything is timed they must agree on the result.
 */
import { disagreement } from "./agreement.ts";
import { type Launch, RunnerProcess } from "./process.ts";
import type { Workload } from "./spec.ts";
import { median, percentile } from "./statistics.ts";

/** What runs workloads: a backend of Thalweg or a peer. */
export interface Runner {
  readonly name: string;
  readonly kind: "backend" | "peer";
  readonly launch: Launch;
  /** For its `load` request. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface MeasureOptions {
  readonly threads?: number;
  /**
   * Milliseconds that a measurement lasts at least: the same for every runner, and long enough that a short workload is
   * not timed on the caches that another runner left behind. Default 250.
   */
  readonly window?: number;
  /** A runner that has measured for so many milliseconds, and at least three times, has done enough. Default 30,000. */
  readonly enough?: number;
  readonly onProgress?: (progress: Progress) => void;
}

/** Where a measurement is. */
export interface Progress {
  readonly workload: string;
  readonly runner: string;
  readonly doing: "warming up" | "measuring";
  /** Of the measurements to do, from 0 to 1. */
  readonly done: number;
}

export interface Measured {
  readonly runner: string;
  /** Milliseconds of one run, one per window. */
  readonly times: readonly number[];
  readonly medianMs: number;
  readonly p10Ms: number;
  readonly p90Ms: number;
  readonly peakBytes?: number;
  readonly deviceBytes?: number;
  /** Of a run's calls, where the workload asks for it. */
  readonly hostMs?: number;
  /** Which of several ways the runner chose. */
  readonly note?: string;
}

export interface Measurement {
  /** In the order of the runners. */
  readonly results: readonly Measured[];
  readonly missing: readonly { readonly runner: string; readonly reason: string }[];
}

const defaults = { window: 250, enough: 30_000 } as const;
const leastTimes = 3;

interface Participant {
  readonly runner: Runner;
  readonly process: RunnerProcess;
  readonly times: number[];
  spent: number;
}

/** Measures one workload. A runner that cannot do it, fails or comes to another result than the first is `missing`. */
export async function measure(
  workload: Workload,
  runners: readonly Runner[],
  options: MeasureOptions = {},
): Promise<Measurement> {
  const missing: { runner: string; reason: string }[] = [];
  const started: RunnerProcess[] = [];
  try {
    const ready: Participant[] = [];
    let expected: { runner: string; values: readonly number[] } | undefined;
    for (const runner of runners) {
      options.onProgress?.({ workload: workload.name, runner: runner.name, doing: "warming up", done: 0 });
      const process = new RunnerProcess(runner.launch);
      started.push(process);
      try {
        const values = await warmUp(process, runner, workload, options.threads);
        const reason = disagreement(workload.spec, values, expected ?? { runner: runner.name, values });
        if (reason !== undefined) throw new Error(reason);
        expected ??= { runner: runner.name, values };
        ready.push({ runner, process, times: [], spent: 0 });
      } catch (error) {
        missing.push({ runner: runner.name, reason: messageOf(error) });
        await process.stop();
      }
    }
    const results: Measured[] = [];
    for (const { runner, process, times } of await takeTurns(workload, ready, missing, options)) {
      const hostMs = workload.hostTime ? await process.hostMs().catch(() => undefined) : undefined;
      const bytes = await process.memory().catch(() => ({}));
      const { note } = process;
      results.push({
        runner: runner.name,
        ...summary(times),
        ...bytes,
        ...(hostMs === undefined ? {} : { hostMs }),
        ...(note === undefined ? {} : { note }),
      });
    }
    return { results, missing };
  } finally {
    await Promise.all(started.map((process) => process.stop()));
  }
}

async function warmUp(
  process: RunnerProcess,
  { options }: Runner,
  { spec, warmUp: times }: Workload,
  threads: number | undefined,
): Promise<readonly number[]> {
  await process.load(options, threads);
  const reason = await process.start(spec);
  if (reason !== undefined) throw new Error(reason);
  await process.run(times);
  return process.check();
}

/** Lets every participant measure in turn until each has enough; gives those that came through. */
async function takeTurns(
  workload: Workload,
  participants: readonly Participant[],
  missing: { runner: string; reason: string }[],
  options: MeasureOptions,
): Promise<readonly Participant[]> {
  const { window = defaults.window, enough = defaults.enough, onProgress } = options;
  let taking = participants;
  const failed = new Set<Participant>();
  for (let turn = 0; taking.length > 0; turn++) {
    for (const participant of taking) {
      const { runner, process, times } = participant;
      onProgress?.({ workload: workload.name, runner: runner.name, doing: "measuring", done: turn / workload.repeats });
      try {
        const start = performance.now();
        times.push(await process.measure(window));
        participant.spent += performance.now() - start;
      } catch (error) {
        missing.push({ runner: runner.name, reason: messageOf(error) });
        failed.add(participant);
      }
    }
    taking = taking.filter(
      (participant) =>
        !failed.has(participant) &&
        participant.times.length < workload.repeats &&
        (participant.times.length < leastTimes || participant.spent < enough),
    );
  }
  return participants.filter((participant) => !failed.has(participant));
}

const summary = (times: readonly number[]): Omit<Measured, "runner"> => ({
  times,
  medianMs: median(times),
  p10Ms: percentile(times, 0.1),
  p90Ms: percentile(times, 0.9),
});

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
