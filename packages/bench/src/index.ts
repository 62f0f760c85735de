/** `@thalweg/bench`: workloads, and peers measured side by side. */
export { type Measurement, measure, median, PeerProcess, type PeerResult } from "./compare.ts";
export { type Workload, type WorkloadName, workloadNames, workloads } from "./workloads.ts";
