/**
 * Yogi: Adam whose second moment moves by an amount that does not depend on how far it has to go. Zaheer et al. 2018,
 * "Adaptive Methods for Nonconvex Optimization",
 * https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization (algorithm 2).
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, div, mul, sign, sqrt, square, sub } from "../tensor/elementwise.ts";
import { checkBetas, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { withL2 } from "./weightDecay.ts";

export interface YogiOptions {
  /** Decay rates of the two running estimates. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the corrected root. Default 1e-3. */
  eps: number;
  /** What both moments start at. Default 1e-6. */
  initialAccumulator: number;
  /** L2, added to the gradient. Default 0. */
  weightDecay: number;
}

/**
 *     m ← β₁ m + (1 - β₁) g,  v ← v - (1 - β₂) sign(v - g²) g²
 *     p ← p - lr / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + eps)
 *
 * m and v start at initialAccumulator.
 */
export const yogiRule: Rule<"expAvg" | "expAvgSq", YogiOptions> = {
  name: "yogi",
  lr: 0.01,
  defaults: { betas: [0.9, 0.999], eps: 1e-3, initialAccumulator: 1e-6, weightDecay: 0 },
  check({ betas, eps, initialAccumulator, weightDecay }) {
    checkBetas("yogi", betas);
    checkNonNegative("yogi", "eps", eps);
    checkNonNegative("yogi", "initialAccumulator", initialAccumulator);
    checkNonNegative("yogi", "weightDecay", weightDecay);
  },
  initialState: (parameter) => ({ expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) }),
  update(context) {
    const { parameter, state, scalar } = context;
    const g = withL2(context);
    const squared = square(g);
    // State starts at 0 and what it should have started at is added in the first update: that may be a schedule's number.
    const start = scalar("start", ({ step, options }) => (step === 1 ? options.initialAccumulator : 0));
    const new2 = scalar("1 - betas[1]", ({ options }) => 1 - options.betas[1]);
    const eps = scalar("eps", ({ options }) => options.eps);
    const stepSize = scalar("stepSize", ({ lr, step, options }) => lr / (1 - options.betas[0] ** step));
    const rescale = scalar("rescale", ({ step, options }) => 1 / Math.sqrt(1 - options.betas[1] ** step));
    const expAvg = moment(context, 0, add(state.expAvg, start), g);
    const before = add(state.expAvgSq, start);
    const expAvgSq = sub(before, mul(new2, mul(sign(sub(before, squared)), squared)));
    const denominator = add(mul(sqrt(expAvgSq), rescale), eps);
    return { ...descended(parameter, mul(stepSize, div(expAvg, denominator))), state: { expAvg, expAvgSq } };
  },
};

/**
 * Yogi, as torch_optimizer.Yogi and TensorFlow Addons; lr 0.01. For sparse gradients and those of changing size, where
 * Adam forgets too fast and its learning rate jumps. Two state tensors per parameter.
 */
export const yogi = namedOptimizer<{ torch: YogiOptions }>({ torch: yogiRule });
