/**
 * How the harness talks to a runner, which is a process of its own in whatever language: one JSON object per line, a
 * request on its standard input, then one answer on its standard output. Nothing else may be written there.
 */
import type { Arithmetic, WorkloadSpec } from "./spec.ts";

/** What a device does at most, as one runner finds it: GB/s of copying, read plus written; GFLOP/s of its largest products. */
export interface DevicePeaks {
  readonly copyGbps: number;
  /** Those kinds of arithmetic that the runner has. */
  readonly gflops: Readonly<Partial<Record<Arithmetic, number>>>;
}

export type Request =
  /** First, once. What `options` holds is the runner's own. */
  | { readonly kind: "load"; readonly threads?: number; readonly options: Readonly<Record<string, unknown>> }
  | { readonly kind: "start"; readonly workload: WorkloadSpec }
  | { readonly kind: "run"; readonly times: number }
  /** Runs again and again for at least this long, at least once. */
  | { readonly kind: "measure"; readonly milliseconds: number }
  /** What the runs so far computed, for comparison among runners. */
  | { readonly kind: "check" }
  | { readonly kind: "memory" }
  /** How long the calls of `times` runs take the host, which waits for no device: medians over several bursts. */
  | { readonly kind: "dispatch"; readonly times: number }
  /** What the device can do at most; only of a runner that says it has one. */
  | { readonly kind: "limits" };

export type Answer =
  | {
      readonly kind: "loaded";
      /** Versions, engine and device: what a reader needs to repeat the figures. */
      readonly description: string;
      readonly threads: number;
      /** The device it computes on, by its maker's name, where that has memory of its own: a run returns before it is done. */
      readonly device?: string;
    }
  /** `reason` it cannot be done, or none. `note`: which of several ways the runner chose for it, as a reader should know. */
  | { readonly kind: "started"; readonly reason?: string; readonly note?: string }
  | { readonly kind: "ran" }
  /** The milliseconds that all the runs took together. */
  | { readonly kind: "measured"; readonly milliseconds: number; readonly runs: number }
  | { readonly kind: "checked"; readonly values: readonly number[] }
  /** Of the process since it started, in bytes; undefined where it cannot be told. */
  /** `deviceBytes`: of the device's memory, where the runner has one. */
  | { readonly kind: "memory"; readonly peakBytes?: number; readonly deviceBytes?: number }
  /** Of one run. */
  | { readonly kind: "dispatched"; readonly microseconds: number }
  | { readonly kind: "limits"; readonly limits: DevicePeaks }
  | { readonly kind: "failed"; readonly message: string };
