/** `@thalweg/core/optim`: optimizers, and what they are built from. */

import { accumulate } from "./accumulate.ts";
import { adaBelief } from "./adaBelief.ts";
import { adadelta } from "./adadelta.ts";
import { adafactor } from "./adafactor.ts";
import { adagrad } from "./adagrad.ts";
import { adam, adamW } from "./adam.ts";
import { adamax } from "./adamax.ts";
import { adamMini } from "./adamMini.ts";
import { adan } from "./adan.ts";
import { adEMAMix } from "./adEMAMix.ts";
import { asgd } from "./asgd.ts";
import { cautious, cautiousAdamW, cautiousLion } from "./cautious.ts";
import { dAdaptAdam } from "./dAdaptAdam.ts";
import { ema } from "./ema.ts";
import { grams } from "./grams.ts";
import { lamb } from "./lamb.ts";
import { lars } from "./lars.ts";
import { lbfgs } from "./lbfgs.ts";
import { lion } from "./lion.ts";
import { lookahead } from "./lookahead.ts";
import { lossScaling } from "./lossScaling.ts";
import { mars } from "./mars.ts";
import { muon } from "./muon.ts";
import { nadam } from "./nadam.ts";
import type { AnyNamedOptimizer } from "./namedOptimizer.ts";
import { novoGrad } from "./novoGrad.ts";
import { prodigy } from "./prodigy.ts";
import { radam } from "./radam.ts";
import { rmsprop } from "./rmsprop.ts";
import { rprop } from "./rprop.ts";
import { scheduleFree } from "./scheduleFree.ts";
import { scheduleFreeAdamW } from "./scheduleFreeAdamW.ts";
import { scheduleFreeSgd } from "./scheduleFreeSgd.ts";
import { sgd } from "./sgd.ts";
import { shampoo } from "./shampoo.ts";
import { asam, sam } from "./sharpness.ts";
import { signSgd, signum } from "./signSgd.ts";
import { skipNonFinite } from "./skipNonFinite.ts";
import { sm3 } from "./sm3.ts";
import { soap } from "./soap.ts";
import { sophiaG } from "./sophiaG.ts";
import { sparseAdam } from "./sparseAdam.ts";
import { swa } from "./swa.ts";
import { yogi } from "./yogi.ts";

export * from "../schedule/index.ts";
export { type AccumulateOptions, accumulate } from "./accumulate.ts";
export {
  type AdaBeliefOptaxOptions,
  type AdaBeliefOptions,
  adaBelief,
  adaBeliefOptaxRule,
  adaBeliefRule,
} from "./adaBelief.ts";
export {
  type AdadeltaKerasOptions,
  type AdadeltaOptions,
  adadelta,
  adadeltaKerasRule,
  adadeltaOptaxRule,
  adadeltaRule,
} from "./adadelta.ts";
export {
  type AdafactorKerasOptions,
  type AdafactorOptaxOptions,
  type AdafactorOptions,
  adafactor,
  adafactorKerasRule,
  adafactorOptaxRule,
  adafactorRule,
} from "./adafactor.ts";
export {
  type AdagradKerasOptions,
  type AdagradOptaxOptions,
  type AdagradOptions,
  adagrad,
  adagradKerasRule,
  adagradOptaxRule,
  adagradRule,
} from "./adagrad.ts";
export { type AdamOptions, adam, adamRule, adamW, adamWRule } from "./adam.ts";
export { type AdamaxKerasOptions, type AdamaxOptions, adamax, adamaxKerasRule, adamaxRule } from "./adamax.ts";
export { type AdamKerasOptions, adamKerasRule, adamWKerasRule } from "./adamKeras.ts";
export { type AdamMiniOptions, adamMini, adamMiniRule } from "./adamMini.ts";
export {
  type AdamOptaxOptions,
  type AdamWOptaxOptions,
  adamOptaxRule,
  adamWOptaxRule,
  type NadamOptaxOptions,
  nadamOptaxRule,
} from "./adamOptax.ts";
export { type AdanOptions, adan, adanRule } from "./adan.ts";
export { type AdaptiveClipOptions, adaptiveClip } from "./adaptiveClip.ts";
export { type AddNoiseOptions, addNoise } from "./addNoise.ts";
export { type AdEMAMixOptions, adEMAMix, adEMAMixRule } from "./adEMAMix.ts";
export { type AsgdOptions, asgd, asgdRule } from "./asgd.ts";
export {
  type CautiousAdamWOptions,
  type CautiousLionOptions,
  type CautiousOptions,
  cautious,
  cautiousAdamW,
  cautiousAdamWRule,
  cautiousLion,
  cautiousLionRule,
} from "./cautious.ts";
export { centralize } from "./centralize.ts";
export * from "./chain/index.ts";
export {
  checkBetas,
  checkBoolean,
  checkDecay,
  checkNonNegative,
  checkNonNegativeOrNull,
  checkPositive,
  checkPositiveInteger,
} from "./checks.ts";
export { type ClipGradNormOptions, clipGradNorm } from "./clipGradNorm.ts";
export { clipGradValue } from "./clipGradValue.ts";
export { type DAdaptAdamOptions, dAdaptAdam, dAdaptAdamRule } from "./dAdaptAdam.ts";
export type { DiagnosticNumbers, UpdateDiagnostics } from "./diagnostics.ts";
export { type EmaOptions, ema } from "./ema.ts";
export type { ExplainUpdateOptions } from "./explainUpdate.ts";
export { freeze, mask } from "./freeze.ts";
export { l1Decay, l2Decay } from "./gradientDecay.ts";
export { applyTransforms, described, type GradientTransform, type TransformContext } from "./gradientTransform.ts";
export { type GramsOptions, grams, gramsRule } from "./grams.ts";
export type {
  GroupOptions,
  LearningRate,
  NamedParameters,
  OptimizerParameters,
  ParameterGroup,
  ParameterGroupOptions,
} from "./groups.ts";
export type { ScheduledOptions } from "./hyperparameters.ts";
export {
  type LambKerasOptions,
  type LambOptaxOptions,
  type LambOptions,
  lamb,
  lambKerasRule,
  lambOptaxRule,
  lambRule,
} from "./lamb.ts";
export { type LarsOptaxOptions, type LarsOptions, lars, larsOptaxRule, larsRule } from "./lars.ts";
export { type LayerwiseDecayOptions, layerwiseDecay } from "./layerwiseDecay.ts";
export { Lbfgs, type LbfgsOptions, lbfgs } from "./lbfgs.ts";
export { type LionOptions, lion, lionRule } from "./lion.ts";
export { type LookaheadOptions, lookahead } from "./lookahead.ts";
export { type LossScalingSettings, lossScaling } from "./lossScaling.ts";
export { type StateDType, withStateDType } from "./lowPrecisionState.ts";
export { type MarsOptions, type MarsType, mars, marsRule } from "./mars.ts";
export { type MuonOptions, type MuonTorchOptions, muon, muonRule, muonTorchRule } from "./muon.ts";
export { type MuonKerasOptions, muonKerasRule } from "./muonKeras.ts";
export { type NadamKerasOptions, type NadamOptions, nadam, nadamKerasRule, nadamRule } from "./nadam.ts";
export { type AnyNamedOptimizer, type NamedOptimizer, namedOptimizer } from "./namedOptimizer.ts";
export { type NormalizeGradientsOptions, normalizeGradients } from "./normalizeGradients.ts";
export { type NovoGradOptions, novoGrad, novoGradRule } from "./novoGrad.ts";
export { type MinimizeOptions, Optimizer, type OptimizerOptions, optimizer } from "./optimizer.ts";
export { type DecayGroup, type GroupMatch, type MatchedGroup, noDecay, parameterGroups } from "./parameterGroups.ts";
export type { MatchOptions, ParameterMatch } from "./parameterMatch.ts";
export { type ProdigyOptions, prodigy, prodigyRule } from "./prodigy.ts";
export { type RadamOptaxOptions, type RadamOptions, radam, radamOptaxRule, radamRule } from "./radam.ts";
export { raiseOnNonFinite } from "./raiseOnNonFinite.ts";
export {
  type RmspropKerasOptions,
  type RmspropOptaxOptions,
  type RmspropOptions,
  rmsprop,
  rmspropKerasRule,
  rmspropOptaxRule,
  rmspropRule,
} from "./rmsprop.ts";
export { type RpropOptions, rprop, rpropRule } from "./rprop.ts";
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
export { type ScheduleFreeOptions, scheduleFree } from "./scheduleFree.ts";
export {
  type ScheduleFreeAdamWKerasOptions,
  type ScheduleFreeAdamWOptions,
  scheduleFreeAdamW,
  scheduleFreeAdamWKerasRule,
  scheduleFreeAdamWRule,
} from "./scheduleFreeAdamW.ts";
export type { AveragingOptions } from "./scheduleFreeAveraging.ts";
export { type ScheduleFreeSgdOptions, scheduleFreeSgd, scheduleFreeSgdRule } from "./scheduleFreeSgd.ts";
export {
  type SgdKerasOptions,
  type SgdOptaxOptions,
  type SgdOptions,
  sgd,
  sgdKerasRule,
  sgdOptaxRule,
  sgdRule,
} from "./sgd.ts";
export { type ShampooOptions, shampoo, shampooRule } from "./shampoo.ts";
export { type AsamOptions, asam, type SamOptions, sam } from "./sharpness.ts";
export { type SignSgdOptions, type SignumOptions, signSgd, signSgdRule, signum, signumRule } from "./signSgd.ts";
export { skipNonFinite } from "./skipNonFinite.ts";
export { type Sm3Options, sm3, sm3Rule } from "./sm3.ts";
export { type SoapOptions, soap, soapRule } from "./soap.ts";
export { type SophiaGOptions, sophiaG, sophiaGRule } from "./sophiaG.ts";
export { type SparseAdamOptions, sparseAdam, sparseAdamRule } from "./sparseAdam.ts";
export { SparseGradient } from "./sparseGradient.ts";
export type { OptimizerStateDict, SavedGroup, SavedParameterState } from "./stateDict.ts";
export { checkStored, hostArrayOf, restoreTensor, type StoredTensor, storeTensor } from "./storedTensor.ts";
export { type SwaOptions, swa } from "./swa.ts";
export { type NamedTransform, transforms } from "./transforms.ts";
export { type RuleTransform, type Wrapper, wrapper } from "./wrapper.ts";
export { type YogiOptions, yogi, yogiRule } from "./yogi.ts";

/** Every optimizer by its public name. */
export const optimizers = {
  adaBelief,
  adadelta,
  adafactor,
  adagrad,
  adam,
  adamax,
  adamMini,
  adamW,
  adan,
  adEMAMix,
  asgd,
  cautiousAdamW,
  cautiousLion,
  dAdaptAdam,
  grams,
  lamb,
  lars,
  lion,
  mars,
  muon,
  nadam,
  novoGrad,
  prodigy,
  radam,
  rmsprop,
  rprop,
  scheduleFreeAdamW,
  scheduleFreeSgd,
  sgd,
  shampoo,
  signSgd,
  signum,
  sm3,
  soap,
  sophiaG,
  sparseAdam,
  yogi,
} as const;

/** The same, for names that are known at run time only. */
export const optimizersByName = optimizers as unknown as Readonly<Record<string, AnyNamedOptimizer>>;

/** Optimizers that go by values of the loss, and so wait for them, by public name. */
export const asynchronousOptimizers = { lbfgs } as const;

/** What goes round any of them, by its public name. */
export const wrappers = {
  accumulate,
  asam,
  cautious,
  ema,
  lookahead,
  lossScaling,
  sam,
  scheduleFree,
  skipNonFinite,
  swa,
} as const;
