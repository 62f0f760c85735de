/** What a run of the benchmark found: printed as JSON, as a table, and as a page. */
import type { DevicePeaks } from "./protocol.ts";

export interface BenchReport {
  /** When the run began, ISO 8601. */
  readonly date: string;
  readonly machine: MachineReport;
  /** Of every runner by name: version, engine, device. */
  readonly versions: Readonly<Record<string, string>>;
  /** Threads each runner computed with. */
  readonly threads: Readonly<Record<string, number>>;
  /** The device of each runner that has one: `limits` of the machine's devices are named by it. */
  readonly devices?: Readonly<Record<string, string>>;
  /** In the order they were named: Thalweg's backends, then the peers. */
  readonly runners: readonly RunnerReport[];
  readonly workloads: readonly { readonly name: string; readonly about: string }[];
  readonly results: readonly WorkloadResult[];
  /** Runners that did not measure a workload (or their device: `limits`), and why: they lack something, or came to another result. */
  readonly missing: readonly { readonly workload: string; readonly runner: string; readonly reason: string }[];
  readonly ratios: readonly Ratio[];
}

export interface RunnerReport {
  readonly name: string;
  readonly kind: "backend" | "peer";
}

export interface MachineReport {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** What this machine can do, measured in this run: with one thread first, then with each number that a runner computed with. */
  readonly limits: readonly MachineLimits[];
  /** What devices with memory of their own can do, measured in this run by the runners that compute on them: the best that any of them found. */
  readonly devices?: readonly DeviceLimits[];
}

export interface DeviceLimits extends DevicePeaks {
  readonly device: string;
}

/** What so many threads do together: GFLOP/s of float32 multiply-adds (each counts as two) held in registers; GB/s of copying large arrays, read plus written. */
export interface MachineLimits {
  readonly threads: number;
  readonly scalarGflops: number;
  /** Undefined where WebAssembly has no SIMD. */
  readonly simdGflops?: number;
  readonly copyGbps: number;
}

export interface WorkloadResult {
  readonly workload: string;
  readonly runner: string;
  /** Of one run. */
  readonly medianMs: number;
  readonly p10Ms: number;
  readonly p90Ms: number;
  readonly gflops?: number;
  readonly gbps?: number;
  readonly tokensPerSecond?: number;
  /**
   * Of the limit that applies to the workload: of the machine's with as many threads as the runner has, multiply-adds with
   * SIMD or copying; of the runner's device where it has one, its products in the workload's arithmetic or copying.
   */
  readonly ofLimit?: number;
  /** Of a run, what its calls take the host, which waits for no device; measured where a workload is about that. */
  readonly hostMs?: number;
  /** Of the runner's process. */
  readonly peakBytes?: number;
  /** Of the runner's device. */
  readonly deviceBytes?: number;
  /** Which of several ways the runner chose, where it has them: `started.note` of the protocol. */
  readonly note?: string;
}

/** How many times as long `peer` takes as `runner`: above 1, `runner` is faster. */
export interface Ratio {
  readonly workload: string;
  readonly runner: string;
  readonly peer: string;
  readonly ratio: number;
}
