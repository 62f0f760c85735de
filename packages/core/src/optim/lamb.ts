/**
 * LAMB: Adam whose step, for each tensor, is as long as the tensor's norm times the rate. You et al. 2019, "Large batch
 * optimization for deep learning: training BERT in 76 minutes", https://arxiv.org/abs/1904.00962 (algorithm 2); cautious:
 * Liang et al. 2024, https://arxiv.org/abs/2411.16085.
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, cast, div, greater, maximum, minimum, mul, sqrt, square, sub, where } from "../tensor/elementwise.ts";
import { mean, norm } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkBoolean, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { globalNorm } from "./globalNorm.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, ShareContext, ShareResult, UpdateContext } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";
import { trustedRatio } from "./trustRatio.ts";
import { correctedShrunk, shrunk } from "./weightDecay.ts";

interface MomentOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the root. Default: torch and optax 1e-6, keras 1e-7. */
  eps: number;
}

export interface LambOptions extends MomentOptions {
  /** weightDecay · p is added to the step before it is scaled, unless decoupled. Default 0.01. */
  weightDecay: number;
  /** Divide the averages by 1 - βᵗ. Default true. */
  biasCorrection: boolean;
  /** Let the first average take (1 - β₁) g, rather than all of g. Default true. */
  gradAveraging: boolean;
  /** The norm that the gradients of all parameters together are clipped to; null for none. Default 1. */
  maxGradNorm: number | null;
  /** LAMBC: the trust ratio is at most 1. Default false. */
  trustClip: boolean;
  /** Scale tensors without weight decay, too. Default false. */
  alwaysAdapt: boolean;
  /** Drop elements of the step against the gradient, and scale up the rest. Default false. */
  caution: boolean;
  /** Let p shrink by lr · weightDecay instead. Default false. */
  decoupledDecay: boolean;
  /** Decoupled decay falls with the square of lr: it is multiplied by lr / (initial lr). Default false. */
  correctedWeightDecay: boolean;
}

export interface LambKerasOptions extends MomentOptions {
  /** p shrinks by lr · weightDecay before the step; null (default) for none. */
  weightDecay: number | null;
}

export interface LambOptaxOptions extends MomentOptions {
  /** Added under the root. Default 0. */
  epsRoot: number;
  /** weightDecay · p is added to the step before it is scaled. Default 0. */
  weightDecay: number;
}

type LambState = "expAvg" | "expAvgSq";

const initialState = (parameter: Tensor): Record<LambState, Tensor> => ({
  expAvg: zerosLike(parameter),
  expAvgSq: zerosLike(parameter),
});

function checkMoments({ betas, eps }: Readonly<MomentOptions>): void {
  checkBetas("lamb", betas);
  checkNonNegative("lamb", "eps", eps);
}

/** |parameter| / |step|, 1 where either is 0. */
function trustRatio(parameter: Tensor, step: Tensor): Tensor {
  const size = norm(parameter);
  const length = norm(step);
  return trustedRatio(size, length, div(size, length));
}

/** The norm of all gradients together, of parameters that have one. */
function share({ groups }: ShareContext<LambState, LambOptions>): ShareResult {
  if (groups.every(({ options }) => options.maxGradNorm === null)) return {};
  const gradients = groups.flatMap(({ members }) => members.map(({ gradient }) => gradient));
  return { values: { gradNorm: globalNorm(gradients) } };
}

/** The gradient over max(1, norm of all / maxGradNorm). */
function clipped({ gradient, options, shared, scalar }: UpdateContext<LambState, LambOptions>): Tensor {
  if (options.maxGradNorm === null) return gradient;
  const limit = scalar("maxGradNorm", ({ options }) => options.maxGradNorm ?? Number.POSITIVE_INFINITY);
  return div(gradient, maximum(div(shared.gradNorm as Tensor, limit), 1));
}

/** Only what agrees in sign with the gradient, and as much more of it as fewer elements do. */
function cautious(step: Tensor, g: Tensor): Tensor {
  const agrees = cast(greater(mul(step, g), 0), step.dtype);
  return mul(step, div(agrees, maximum(mean(agrees), 1e-3)));
}

/**
 *     g ← g / max(1, |all g| / maxGradNorm)
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     d = m / (1 - β₁ᵗ) / (√v / √(1 - β₂ᵗ) + eps) + weightDecay p
 *     p ← p - lr d |p| / |d|, p - lr d where either norm is 0
 *
 * t counts the updates of the optimizer. Without gradAveraging m takes all of g; without weight decay and alwaysAdapt the
 * ratio is 1; with decoupledDecay p shrinks by 1 - lr weightDecay before its norm is taken, and d is without decay.
 */
export const lambRule: Rule<LambState, LambOptions> = {
  name: "lamb",
  lr: 1e-3,
  defaults: {
    betas: [0.9, 0.999],
    eps: 1e-6,
    weightDecay: 0.01,
    biasCorrection: true,
    gradAveraging: true,
    maxGradNorm: 1,
    trustClip: false,
    alwaysAdapt: false,
    caution: false,
    decoupledDecay: false,
    correctedWeightDecay: false,
  },
  check(options) {
    checkMoments(options);
    checkNonNegative("lamb", "weightDecay", options.weightDecay);
    const { maxGradNorm } = options;
    if (maxGradNorm !== null && !(Number.isFinite(maxGradNorm) && maxGradNorm > 0)) {
      throw new ArgumentError("lamb", `maxGradNorm must be null or a finite number > 0, got ${String(maxGradNorm)}`);
    }
    for (const flag of [
      "biasCorrection",
      "gradAveraging",
      "trustClip",
      "alwaysAdapt",
      "caution",
      "decoupledDecay",
      "correctedWeightDecay",
    ] as const) {
      checkBoolean("lamb", flag, options[flag]);
    }
  },
  initialState,
  share,
  update(context) {
    const { options, lr, scalar } = context;
    const g = clipped(context);
    const { moments, step: adam } = lambStep(context, g);
    const careful = options.caution ? cautious(adam, g) : adam;
    const decayed = options.correctedWeightDecay ? correctedShrunk : shrunk;
    const parameter = options.decoupledDecay ? decayed(context) : context.parameter;
    const weightDecay = scalar("weightDecay", ({ options }) => options.weightDecay);
    const step =
      options.decoupledDecay || options.weightDecay === 0 ? careful : add(careful, mul(parameter, weightDecay));
    const result = (scaled: Tensor) => ({ ...descended(parameter, mul(lr, scaled)), state: moments });
    if (options.weightDecay === 0 && !options.alwaysAdapt) return result(step);
    // A schedule may let the weight decay be 0 at times.
    const adapts = scalar("adapts", ({ options }) => (options.alwaysAdapt || options.weightDecay !== 0 ? 1 : 0));
    const ratio = trustRatio(parameter, step);
    const limited = options.trustClip ? minimum(ratio, 1) : ratio;
    return result(mul(step, where(greater(adapts, 0), limited, 1)));
  },
};

/** The moments after the gradient `g`, and Adam's step by them. */
function lambStep(
  context: UpdateContext<LambState, LambOptions>,
  g: Tensor,
): { moments: Record<LambState, Tensor>; step: Tensor } {
  const { state, scalar } = context;
  const beta1 = scalar("beta1", ({ options }) => options.betas[0]);
  const take1 = scalar("take1", ({ options }) => (options.gradAveraging ? 1 - options.betas[0] : 1));
  const eps = scalar("eps", ({ options }) => options.eps);
  const correction1 = scalar("correction1", ({ optimizerStep, options }) =>
    options.biasCorrection ? 1 - options.betas[0] ** optimizerStep : 1,
  );
  const root2 = scalar("root2", ({ optimizerStep, options }) =>
    options.biasCorrection ? Math.sqrt(1 - options.betas[1] ** optimizerStep) : 1,
  );
  const expAvg = add(mul(state.expAvg, beta1), mul(g, take1));
  const expAvgSq = runningAverage(context, "beta2", ({ betas }) => betas[1], state.expAvgSq, square(g));
  const denominator = add(div(sqrt(expAvgSq), root2), eps);
  return { moments: { expAvg, expAvgSq }, step: div(div(expAvg, correction1), denominator) };
}

/**
 *     p ← (1 - lr weightDecay) p
 *     m ← m + (1 - β₁) (g - m),  v ← v + (1 - β₂) (g² - v)
 *     d = m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + eps)
 *     p ← p - lr d |p| / |d|, p - lr d where either norm is 0
 *
 * t counts the updates of the optimizer.
 */
export const lambKerasRule: Rule<LambState, LambKerasOptions> = {
  name: "lamb",
  convention: "keras",
  lr: 1e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-7, weightDecay: null },
  check(options) {
    checkMoments(options);
    checkNonNegativeOrNull("lamb", "weightDecay", options.weightDecay);
  },
  initialState,
  update(context) {
    const { gradient: g, state, lr, scalar } = context;
    const parameter = shrunk(context);
    const new1 = scalar("1 - beta1", ({ options }) => 1 - options.betas[0]);
    const new2 = scalar("1 - beta2", ({ options }) => 1 - options.betas[1]);
    const eps = scalar("eps", ({ options }) => options.eps);
    const correction1 = scalar("correction1", ({ optimizerStep, options }) => 1 - options.betas[0] ** optimizerStep);
    const correction2 = scalar("correction2", ({ optimizerStep, options }) => 1 - options.betas[1] ** optimizerStep);
    const expAvg = add(state.expAvg, mul(sub(g, state.expAvg), new1));
    const expAvgSq = add(state.expAvgSq, mul(sub(square(g), state.expAvgSq), new2));
    const step = div(div(expAvg, correction1), add(sqrt(div(expAvgSq, correction2)), eps));
    const scaled = mul(mul(trustRatio(parameter, step), lr), step);
    return { ...descended(parameter, scaled), state: { expAvg, expAvgSq } };
  },
};

/**
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     d = m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ) + epsRoot) + eps) + weightDecay p
 *     p ← p - lr d |p| / |d|, p - lr d where either norm is 0
 *
 * t counts the updates of the optimizer.
 */
export const lambOptaxRule: Rule<LambState, LambOptaxOptions> = {
  name: "lamb",
  convention: "optax",
  defaults: { betas: [0.9, 0.999], eps: 1e-6, epsRoot: 0, weightDecay: 0 },
  check(options) {
    checkMoments(options);
    checkNonNegative("lamb", "epsRoot", options.epsRoot);
    checkNonNegative("lamb", "weightDecay", options.weightDecay);
  },
  initialState,
  update(context) {
    const { parameter, gradient: g, state, options, lr, scalar } = context;
    const eps = scalar("eps", ({ options }) => options.eps);
    const epsRoot = scalar("epsRoot", ({ options }) => options.epsRoot);
    const weightDecay = scalar("weightDecay", ({ options }) => options.weightDecay);
    const correction1 = scalar("correction1", ({ optimizerStep, options }) => 1 - options.betas[0] ** optimizerStep);
    const correction2 = scalar("correction2", ({ optimizerStep, options }) => 1 - options.betas[1] ** optimizerStep);
    const expAvg = runningAverage(context, "beta1", ({ betas }) => betas[0], state.expAvg, g);
    const expAvgSq = runningAverage(context, "beta2", ({ betas }) => betas[1], state.expAvgSq, square(g));
    const adam = div(div(expAvg, correction1), add(sqrt(add(div(expAvgSq, correction2), epsRoot)), eps));
    const step = options.weightDecay === 0 ? adam : add(adam, mul(parameter, weightDecay));
    const scaled = mul(step, trustRatio(parameter, step));
    return { ...descended(parameter, mul(lr, scaled)), state: { expAvg, expAvgSq } };
  },
};

/**
 * LAMB, as timm.optim.Lamb; lr 0.001. For transformers at batches of thousands and more. Costs two tensors of state per
 * parameter, and per update two norms of each tensor and one of all gradients. Conventions: timm clips the norm of all
 * gradients to 1, puts weight decay (0.01) inside the trust ratio and leaves tensors without weight decay unscaled; keras
 * (eps 1e-7, decoupled weight decay) and optax (lr required, no weight decay by default) clip nothing and always scale.
 */
export const lamb = namedOptimizer<{ torch: LambOptions; keras: LambKerasOptions; optax: LambOptaxOptions }>({
  torch: lambRule,
  keras: lambKerasRule,
  optax: lambOptaxRule,
});
