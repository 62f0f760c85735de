/** What a peer (Thalweg itself, or a library it is measured against) must offer to be measured. */
import type { WorkloadName } from "../workloads.ts";

export interface Session {
  /** One run, finished when it returns. */
  run(): Promise<void> | void;
  /** A number that must be the same for every peer after equally many runs: a loss, or an element of the result. */
  check(): Promise<number> | number;
}

export interface Peer {
  readonly name: string;
  /** Version, engine, device, threads: what a reader needs to repeat the figures. */
  readonly description: string;
  /** Sets a workload up; undefined when the peer does not do it. */
  start(workload: WorkloadName): Promise<Session | undefined> | Session | undefined;
}
