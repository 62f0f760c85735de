/**
 * Schedule-free AdamW: an average of the iterates in place of a falling rate. Defazio et al. 2024, "The Road Less
 * Scheduled", https://arxiv.org/abs/2405.15682; https://github.com/facebookresearch/schedule_free; Keras 3.
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, barrier, div, mul, sqrt, square, sub } from "../tensor/elementwise.ts";
import { checkBetas, checkDecay, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";
import {
  type AveragingOptions,
  averageOf,
  averagingState,
  averagingWeight,
  checkAveraging,
  checkInterpolation,
  shareAveraging,
  stepWeight,
  towards,
  warmedUp,
} from "./scheduleFreeAveraging.ts";
import { shrunk } from "./weightDecay.ts";

export interface ScheduleFreeAdamWOptions extends AveragingOptions {
  /** Weight of the average where the gradient is taken, between 0 and 1; decay of the second moment. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the corrected root. Default 1e-8. */
  eps: number;
  /** Decoupled, taken at y. Default 0. */
  weightDecay: number;
  /** Steps over which the learning rate rises linearly. Default 0. */
  warmupSteps: number;
  /** Decay of a first moment, as Adam's, in place of the gradient; 0 (default) keeps none. */
  innerMomentum: number;
}

export interface ScheduleFreeAdamWKerasOptions {
  /** As for torch. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the corrected root. Default 1e-8. */
  eps: number;
  /** Decoupled, y alone shrinks; null (default) for none. */
  weightDecay: number | null;
  /** Steps over which the learning rate rises linearly. Default 0. */
  warmupSteps: number;
}

function check(rule: string, betas: readonly [number, number], eps: number, warmupSteps: number): void {
  checkBetas(rule, betas);
  checkInterpolation(rule, "betas[0]", betas[0]);
  checkNonNegative(rule, "eps", eps);
  checkNonNegative(rule, "warmupSteps", warmupSteps);
}

/**
 * The gradient g is taken at the parameter y; c is the step's share of the average (see `shareAveraging`), k the step of
 * the optimizer:
 *
 *     v ← β₂ v + (1 - β₂) g²,  d = g / (√(v / (1 - β₂ᵏ)) + eps) + weightDecay y
 *     y ← y + c (z - y) - (1 - β₁ (1 - c)) lr d,  z ← z - lr d
 *
 * so that y = (1 - β₁) z + β₁ x with the average x, which `eval` puts into the parameter. With innerMomentum μ a bias-
 * corrected m ← μ m + (1 - μ) g stands for g in d.
 */
export const scheduleFreeAdamWRule: Rule<"z" | "expAvg" | "expAvgSq", ScheduleFreeAdamWOptions> = {
  name: "scheduleFreeAdamW",
  lr: 2.5e-3,
  defaults: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    warmupSteps: 0,
    innerMomentum: 0,
    r: 0,
    weightLrPower: 2,
  },
  check(options) {
    check("scheduleFreeAdamW", options.betas, options.eps, options.warmupSteps);
    checkNonNegative("scheduleFreeAdamW", "weightDecay", options.weightDecay);
    checkDecay("scheduleFreeAdamW", "innerMomentum", options.innerMomentum);
    checkAveraging("scheduleFreeAdamW", options);
  },
  initialState: (parameter, { innerMomentum }) => ({
    z: barrier(parameter),
    ...(innerMomentum === 0 ? {} : { expAvg: zerosLike(parameter) }),
    expAvgSq: zerosLike(parameter),
  }),
  sharedState: averagingState,
  share: (context) => shareAveraging(context, warmedUp, (options) => options),
  update(context) {
    const { parameter: y, gradient: g, state, options, scalar } = context;
    const lr = scalar("warmedUp", warmedUp);
    const beta1 = scalar("beta1", ({ options }) => options.betas[0]);
    const eps = scalar("eps", ({ options }) => options.eps);
    const expAvgSq = runningAverage(context, "beta2", ({ betas }) => betas[1], state.expAvgSq, square(g));
    const correction = scalar("correction", ({ optimizerStep, options }) => 1 - options.betas[1] ** optimizerStep);
    const denominator = add(sqrt(div(expAvgSq, correction)), eps);
    const expAvg =
      options.innerMomentum === 0
        ? undefined
        : runningAverage(context, "innerMomentum", ({ innerMomentum }) => innerMomentum, state.expAvg, g);
    const corrected = (m: typeof g) =>
      div(
        m,
        scalar("innerCorrection", ({ optimizerStep, options }) => 1 - options.innerMomentum ** optimizerStep),
      );
    const normalized = div(expAvg ? corrected(expAvg) : g, denominator);
    const decay = scalar("weightDecay", ({ options }) => options.weightDecay);
    const d = options.weightDecay === 0 ? normalized : add(normalized, mul(decay, y));
    const c = averagingWeight(context);
    const step = mul(lr, d);
    return {
      parameter: sub(towards(y, state.z, c), mul(step, stepWeight(beta1, c))),
      state: { z: sub(state.z, step), ...(expAvg ? { expAvg } : {}), expAvgSq },
    };
  },
  evaluationValue: (context) => averageOf(context, context.state.z, ({ betas }) => betas[0]),
};

/**
 *     y ← (1 - lr weightDecay) y
 *     v ← β₂ v + (1 - β₂) g²,  x = (y - (1 - β₁) z) / β₁
 *     z ← z - lr g / (√(v / (1 - β₂ᵏ)) + eps),  x ← (1 - 1/k) x + z/k,  y ← (1 - β₁) z + β₁ x
 *
 * The warm-up is of z's step, not of the decay.
 */
export const scheduleFreeAdamWKerasRule: Rule<"z" | "expAvgSq", ScheduleFreeAdamWKerasOptions> = {
  name: "scheduleFreeAdamW",
  convention: "keras",
  lr: 2.5e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: null, warmupSteps: 0 },
  check({ betas, eps, weightDecay, warmupSteps }) {
    check("scheduleFreeAdamW", betas, eps, warmupSteps);
    checkNonNegativeOrNull("scheduleFreeAdamW", "weightDecay", weightDecay);
  },
  initialState: (parameter) => ({ z: barrier(parameter), expAvgSq: zerosLike(parameter) }),
  update(context) {
    const { gradient: g, state, scalar } = context;
    const y = shrunk(context);
    const lr = scalar("warmedUp", warmedUp);
    const beta1 = scalar("beta1", ({ options }) => options.betas[0]);
    const rest1 = scalar("1 - beta1", ({ options }) => 1 - options.betas[0]);
    const eps = scalar("eps", ({ options }) => options.eps);
    const share = scalar("1 / step", ({ optimizerStep }) => 1 / optimizerStep);
    const others = scalar("1 - 1 / step", ({ optimizerStep }) => 1 - 1 / optimizerStep);
    const correction = scalar("correction", ({ optimizerStep, options }) => 1 - options.betas[1] ** optimizerStep);
    const expAvgSq = runningAverage(context, "beta2", ({ betas }) => betas[1], state.expAvgSq, square(g));
    const average = div(sub(y, mul(rest1, state.z)), beta1);
    const z = sub(state.z, div(mul(lr, g), add(sqrt(div(expAvgSq, correction)), eps)));
    const x = add(mul(others, average), mul(share, z));
    return { parameter: add(mul(rest1, z), mul(beta1, x)), state: { z, expAvgSq } };
  },
  evaluationValue: (context) => averageOf(context, context.state.z, ({ betas }) => betas[0]),
};

/**
 * AdamW without a schedule, as the authors' AdamWScheduleFree. `lr` 2.5e-3; warm it up with `warmupSteps`. For when it is
 * not known beforehand how long to train. State: two tensors per parameter (three with innerMomentum), two numbers per
 * group. Call `eval()` before evaluating and `train()` before going on; with batch normalisation, `updateBatchNorm` in
 * between. keras: every step counts the same in the average (no `r`, no `weightLrPower`), weight decay shrinks y alone and
 * does not enter z, and there is no innerMomentum.
 */
export const scheduleFreeAdamW = namedOptimizer<{
  torch: ScheduleFreeAdamWOptions;
  keras: ScheduleFreeAdamWKerasOptions;
}>({ torch: scheduleFreeAdamWRule, keras: scheduleFreeAdamWKerasRule });
