/** @thalweg/conformance: the cases every backend passes, and how close it must come. */
export {
  type GoldenFailure,
  type GoldenLayer,
  type GoldenOptions,
  type GoldenReport,
  type LayerCounts,
  runGolden,
} from "./golden/runGolden.ts";
export {
  derivativeTolerance,
  float64Tolerance,
  optimizerTolerance,
  type Scale,
  type Tolerance,
  type ToleranceRow,
  tolerances,
} from "./tolerances.ts";
