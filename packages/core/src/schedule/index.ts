/** Schedules: numbers that change from step to step, by name. */
export {
  type ChainedOptions,
  chained,
  type Members,
  type ScheduleMember,
  type SequentialOptions,
  scheduleFrom,
  schedules,
  sequential,
  type WarmupOptions,
  warmup,
} from "./composed.ts";
export {
  type CosineKerasOptions,
  type CosineOptaxOptions,
  type CosineOptions,
  type CosineWarmRestartsKerasOptions,
  type CosineWarmRestartsOptions,
  cosine,
  cosineWarmRestarts,
} from "./cosine.ts";
export { type CyclicOptions, cyclic } from "./cyclic.ts";
export {
  type ExponentialKerasOptions,
  type ExponentialOptaxOptions,
  type ExponentialOptions,
  exponential,
  type InverseTimeOptions,
  inverseTime,
} from "./exponential.ts";
export { type InverseSqrtOptions, inverseSqrt, type NoamOptions, noam } from "./inverseSqrt.ts";
export type { ScheduleFunction } from "./namedSchedule.ts";
export { type OneCycleOptaxOptions, type OneCycleOptions, oneCycle } from "./oneCycle.ts";
export type { PlotOptions } from "./plot.ts";
export {
  type LinearOptions,
  linear,
  type PolynomialKerasOptions,
  type PolynomialOptaxOptions,
  type PolynomialOptions,
  polynomial,
} from "./polynomial.ts";
export { type Plateau, type PlateauState, type ReduceOnPlateauOptions, reduceOnPlateau } from "./reduceOnPlateau.ts";
export { type RexOptions, rex } from "./rex.ts";
export { isNamedSchedule, type NamedSchedule, type Schedule, type ScheduleDescription } from "./schedule.ts";
export {
  type ConstantOptions,
  constant,
  type MultiStepOptions,
  multiStep,
  type PiecewiseConstantKerasOptions,
  type PiecewiseConstantOptions,
  piecewiseConstant,
  type StepOptions,
  step,
} from "./steps.ts";
export {
  type WarmupCosineOptaxOptions,
  type WarmupCosineOptions,
  type WarmupLinearOptions,
  warmupCosine,
  warmupLinear,
} from "./warmupDecay.ts";
export type { WarmupType } from "./warmupShapes.ts";
export { type WsdOptions, wsd } from "./wsd.ts";
