/** @thalweg/conformance: the cases every backend passes, and how close it must come. Runs anywhere JavaScript does. */
export {
  type BackendFactory,
  type BackendOptions,
  type Case,
  type CaseContext,
  idOf,
  type Layer,
  layers,
  matches,
  NotApplicable,
} from "./case.ts";
export { goldenCases } from "./golden/cases.ts";
export { type GoldenFile, parseGoldenFile } from "./golden/files.ts";
export {
  type Counts,
  type Failure,
  type Outcome,
  type Report,
  type RunOptions,
  runCase,
  runCases,
  staleExpectations,
} from "./run.ts";
export { type SuiteOptions, suiteCases } from "./suite.ts";
export type { SweepOptions } from "./sweep/cases.ts";
export {
  derivativeTolerance,
  float64Tolerance,
  optimizerTolerance,
  type Scale,
  type Tolerance,
  type ToleranceRow,
  tolerances,
} from "./tolerances.ts";
