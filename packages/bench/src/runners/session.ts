/** What a runner in JavaScript offers: Thalweg on a backend, or a library it is measured against. */
import type { WorkloadSpec } from "../spec.ts";

export interface Session {
  /** One run, finished when it returns or its promise settles. */
  run(): Promise<void> | void;
  /**
   * Waits for runs that are still under way, where a workload lets them be (an MLP that does not read its loss): counted
   * once, at the end of a measurement.
   */
  finish?(): Promise<void> | void;
  /** What the runs so far computed: see `samples`; of training, the loss of the last run. */
  check(): Promise<readonly number[]> | readonly number[];
  /** Milliseconds the last run took by its own clock, where not all of `run` is to be counted. */
  readonly lastMilliseconds?: number;
}

/** Why a workload cannot be run. */
export interface Refusal {
  readonly reason: string;
}

export interface Runner {
  /** Versions, engine and device: what a reader needs to repeat the figures. */
  readonly description: string;
  /** Threads it computes with. */
  readonly threads: number;
  /** Sets a workload up, without running it. */
  start(workload: WorkloadSpec): Promise<Session | Refusal> | Session | Refusal;
}

/** What `load` says beside the runner's own options. */
export interface LoadOptions {
  readonly threads?: number;
  readonly options: Readonly<Record<string, unknown>>;
}

export type LoadRunner = (load: LoadOptions) => Promise<Runner>;

/** A runner's option that must be a string. */
export function textOption(options: Readonly<Record<string, unknown>>, name: string): string {
  const value = options[name];
  if (typeof value !== "string") throw new Error(`the runner's option ${name} must be a string, got ${String(value)}`);
  return value;
}
