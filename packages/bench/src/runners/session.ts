/** What a runner in JavaScript offers: Thalweg on a backend, or a library it is measured against. */
import type { DevicePeaks } from "../protocol.ts";
import type { WorkloadSpec } from "../spec.ts";

export interface Session {
  /** One run: finished when it returns or its promise settles, or, with `finish`, only given to the device. */
  run(): Promise<void> | void;
  /**
   * Waits for runs that are still under way, where a workload lets them be: its result stays where it is. Several runs are
   * given to a device before one wait, which is counted.
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
  /** The device it computes on, where that has memory of its own. */
  readonly device?: string;
  /** Sets a workload up, without running it. */
  start(workload: WorkloadSpec): Promise<Session | Refusal> | Session | Refusal;
  /** Bytes of the device's memory that it holds. */
  deviceBytes?(): number;
  /** What the device can do at most. */
  limits?(): Promise<DevicePeaks>;
}

/** Why a library that computes in float32 alone, and reads its products back, cannot do a workload. */
export function beyondFloat32(spec: WorkloadSpec): Refusal | undefined {
  if (spec.kind === "matmul" && spec.dtype) return { reason: `no products of ${spec.dtype} here` };
  if (spec.kind === "matmul" && spec.onDevice) return { reason: "no product that stays on the device here" };
  if (spec.kind === "gpt" && spec.compute) return { reason: `no mixed precision with ${spec.compute} here` };
  if (spec.kind === "gpt" && spec.tied) return { reason: "no head tied to the embedding here" };
  return undefined;
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
