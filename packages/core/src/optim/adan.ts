/**
 * Adan: Nesterov momentum from the differences between successive gradients. Xie et al. 2022, "Adan: Adaptive Nesterov
 * Momentum Algorithm for Faster Optimizing Deep Models", https://arxiv.org/abs/2208.06677 (algorithm 1);
 * https://github.com/sail-sg/Adan.
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, div, minimum, mul, sqrt, square, sub } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { globalNorm } from "./globalNorm.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext } from "./rule.ts";
import { shrunk } from "./weightDecay.ts";

export interface AdanOptions {
  /** Decay rates of the averages of gradients, differences and squares: 1 less the paper's. Default [0.98, 0.92, 0.99]. */
  betas: readonly [number, number, number];
  /** Added to the corrected root, and to the norm that clips. Default 1e-8. */
  eps: number;
  /** p is divided by 1 + lr · weightDecay after the step, or see `noProx`. Default 0. */
  weightDecay: number;
  /** Gradients are scaled down so that their norm over all parameters is at most this; 0 (default) for no limit. */
  maxGradNorm: number;
  /** p is multiplied by 1 - lr · weightDecay before the step instead. Default false. */
  noProx: boolean;
}

type State = "expAvg" | "expAvgDiff" | "expAvgSq" | "previous";

function clipped({ gradient, options, shared, scalar }: UpdateContext<State, AdanOptions>): Tensor {
  if (options.maxGradNorm === 0) return gradient;
  // Of 0, which a schedule may give, it makes no limit.
  const limit = scalar("maxGradNorm", ({ options }) => options.maxGradNorm || Number.POSITIVE_INFINITY);
  const eps = scalar("eps", ({ options }) => options.eps);
  return mul(gradient, minimum(div(limit, add(shared.gradientNorm as Tensor, eps)), 1));
}

/**
 *     g ← g · min(1, maxGradNorm / (‖g‖ + eps)),  d = g - g before, 0 at first
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) d,  n ← β₃ n + (1 - β₃) (g + β₂ d)²
 *     p ← p - lr (m / (1 - β₁ᵗ) + β₂ v / (1 - β₂ᵗ)) / (√n / √(1 - β₃ᵗ) + eps)
 *     p ← p / (1 + lr weightDecay)
 *
 * t counts the updates of the optimizer.
 */
export const adanRule: Rule<State, AdanOptions> = {
  name: "adan",
  lr: 1e-3,
  defaults: { betas: [0.98, 0.92, 0.99], eps: 1e-8, weightDecay: 0, maxGradNorm: 0, noProx: false },
  check({ betas, eps, weightDecay, maxGradNorm, noProx }) {
    checkBetas("adan", betas, 3);
    checkNonNegative("adan", "eps", eps);
    checkNonNegative("adan", "weightDecay", weightDecay);
    checkNonNegative("adan", "maxGradNorm", maxGradNorm);
    checkBoolean("adan", "noProx", noProx);
  },
  exactState: ["previous"],
  initialState: (parameter) => ({
    expAvg: zerosLike(parameter),
    expAvgDiff: zerosLike(parameter),
    expAvgSq: zerosLike(parameter),
    previous: zerosLike(parameter),
  }),
  share({ groups }) {
    const members = groups.flatMap(({ members }) => members);
    if (members.length === 0 || groups.every(({ options }) => options.maxGradNorm === 0)) return {};
    return { values: { gradientNorm: globalNorm(members.map(({ gradient }) => gradient)) } };
  },
  update(context) {
    const { parameter, state, options, scalar } = context;
    const g = clipped(context);
    const beta2 = scalar("betas[1]", ({ options }) => options.betas[1]);
    const isLater = scalar("isLater", ({ step }) => (step === 1 ? 0 : 1));
    const eps = scalar("eps", ({ options }) => options.eps);
    const ofMean = scalar("ofMean", ({ lr, optimizerStep: t, options }) => lr / (1 - options.betas[0] ** t));
    const ofDifference = scalar("ofDifference", ({ lr, optimizerStep: t, options: { betas } }) => {
      return (lr * betas[1]) / (1 - betas[1] ** t);
    });
    const rescale = scalar("rescale", ({ optimizerStep: t, options }) => 1 / Math.sqrt(1 - options.betas[2] ** t));
    const difference = mul(sub(g, state.previous), isLater);
    const expAvg = moment(context, 0, state.expAvg, g);
    const expAvgDiff = moment(context, 1, state.expAvgDiff, difference);
    const expAvgSq = moment(context, 2, state.expAvgSq, square(add(mul(difference, beta2), g)));
    const denominator = add(mul(sqrt(expAvgSq), rescale), eps);
    const by = div(add(mul(expAvg, ofMean), mul(expAvgDiff, ofDifference)), denominator);
    const next = { expAvg, expAvgDiff, expAvgSq, previous: g };
    if (options.noProx) return { ...descended(shrunk(context), by), state: next };
    if (options.weightDecay === 0) return { ...descended(parameter, by), state: next };
    const shrink = scalar("proximal", ({ lr, options }) => 1 + lr * options.weightDecay);
    const step = { from: div(parameter, shrink), by: div(by, shrink) };
    return { parameter: div(sub(parameter, by), shrink), step, state: next };
  },
};

/**
 * Adan, as its authors'; lr 1e-3. Stands large learning rates (five to ten times AdamW's) and large batches. Four state
 * tensors per parameter; one kernel, and a norm of all gradients before it where `maxGradNorm` is set.
 */
export const adan = namedOptimizer<{ torch: AdanOptions }>({ torch: adanRule });
