/** `@thalweg/bench`: workloads, and Thalweg's backends and other libraries measured on them side by side. */
export {
  type BackendSource,
  type BenchCallbacks,
  type BenchOptions,
  backendRunner,
  bench,
  type WorkloadPart,
} from "./bench.ts";
export type {
  BenchReport,
  DeviceLimits,
  MachineLimits,
  MachineReport,
  Ratio,
  RunnerReport,
  WorkloadResult,
} from "./benchReport.ts";
export { bestLimits, measureLimits } from "./limits/limits.ts";
export { machineReport } from "./machine.ts";
export {
  type Measured,
  type Measurement,
  type MeasureOptions,
  measure,
  type Progress,
  type Runner,
} from "./measure.ts";
export { type UpdateCosts, updateCosts } from "./optimizers/costs.ts";
export { timeBeside, type UpdateTime, type UpdateTimeOptions } from "./optimizers/times.ts";
export { baseline, type NamedUpdate, namedUpdates } from "./optimizers/updates.ts";
export { named } from "./pattern.ts";
export {
  type CompileMode,
  compileModes,
  findPeers,
  installPeers,
  PeerError,
  type PeerName,
  type PeerOptions,
  peerNames,
  type TorchDevice,
  torchDevices,
} from "./peers.ts";
export { type Launch, RunnerError, RunnerProcess } from "./process.ts";
export type { Answer, DevicePeaks, Request } from "./protocol.ts";
export { thalwegRunner } from "./runners/thalweg/index.ts";
export type { Arithmetic, Workload, WorkloadKind, WorkloadSpec } from "./spec.ts";
export { median, percentile } from "./statistics.ts";
export { findWorkloads, isMeant, workloads } from "./workloads.ts";
