/** `@thalweg/core/optim`: optimizers, and what they are built from. */
import { adam, adamW } from "./adam.ts";
import { lookahead } from "./lookahead.ts";
import type { AnyNamedOptimizer } from "./namedOptimizer.ts";
import { sgd } from "./sgd.ts";
import { asam, sam } from "./sharpness.ts";

export * from "../schedule/index.ts";
export { type AdamOptions, adam, adamRule, adamW, adamWRule } from "./adam.ts";
export { checkBetas, checkBoolean, checkDecay, checkNonNegative, checkPositiveInteger } from "./checks.ts";
export { applyTransforms, type GradientTransform } from "./gradientTransform.ts";
export type {
  GroupOptions,
  LearningRate,
  NamedParameters,
  OptimizerParameters,
  ParameterGroup,
  ParameterGroupOptions,
} from "./groups.ts";
export type { ScheduledOptions } from "./hyperparameters.ts";
export { type LookaheadOptions, lookahead } from "./lookahead.ts";
export { type AnyNamedOptimizer, type NamedOptimizer, namedOptimizer } from "./namedOptimizer.ts";
export { type MinimizeOptions, Optimizer, type OptimizerOptions, optimizer } from "./optimizer.ts";
export type {
  Convention,
  EvaluationContext,
  Rule,
  ScalarContext,
  ScalarMaker,
  Scheduled,
  ShareContext,
  SharedGroup,
  ShareResult,
  UpdateContext,
  UpdateResult,
} from "./rule.ts";
export { type SgdOptions, sgd, sgdRule } from "./sgd.ts";
export { type AsamOptions, asam, type SamOptions, sam } from "./sharpness.ts";
export type { OptimizerStateDict, SavedGroup, SavedParameterState } from "./stateDict.ts";
export { checkStored, hostArrayOf, restoreTensor, type StoredTensor, storeTensor } from "./storedTensor.ts";

export { type RuleTransform, type Wrapper, wrapper } from "./wrapper.ts";

/** Every optimizer by its public name. */
export const optimizers = { sgd, adam, adamW } as const;

/** The same, for names that are known at run time only. */
export const optimizersByName = optimizers as unknown as Readonly<Record<string, AnyNamedOptimizer>>;

/** What goes round any of them, by its public name. */
export const wrappers = { asam, lookahead, sam } as const;
