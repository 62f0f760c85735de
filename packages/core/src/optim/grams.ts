/**
 * Grams: the size of Adam's momentum, the sign of the present gradient. Cao et al. 2024, "Grams: Gradient Descent with
 * Adaptive Momentum Scaling", https://arxiv.org/abs/2412.17107 (algorithm 1); https://github.com/Gunale0926/Grams.
 */
import { zerosLike } from "../tensor/creation.ts";
import { abs, add, div, mul, sign, sqrt, square } from "../tensor/elementwise.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { shrunk } from "./weightDecay.ts";

export interface GramsOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the uncorrected root. Default 1e-6. */
  eps: number;
  /** p shrinks by lr · weightDecay. Default 0. */
  weightDecay: number;
  /** Correct both averages for their start at 0. Default true. */
  correctBias: boolean;
}

/**
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     p ← p - lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) · sign(g) |m| / (√v + eps)
 *     p ← (1 - lr weightDecay) p
 */
export const gramsRule: Rule<"expAvg" | "expAvgSq", GramsOptions> = {
  name: "grams",
  lr: 1e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-6, weightDecay: 0, correctBias: true },
  check({ betas, eps, weightDecay, correctBias }) {
    checkBetas("grams", betas);
    checkNonNegative("grams", "eps", eps);
    checkNonNegative("grams", "weightDecay", weightDecay);
    checkBoolean("grams", "correctBias", correctBias);
  },
  initialState: (parameter) => ({ expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) }),
  update(context) {
    const { gradient: g, state, scalar } = context;
    const eps = scalar("eps", ({ options }) => options.eps);
    const stepSize = scalar("stepSize", ({ lr, step, options: { betas, correctBias } }) =>
      correctBias ? (lr * Math.sqrt(1 - betas[1] ** step)) / (1 - betas[0] ** step) : lr,
    );
    const expAvg = moment(context, 0, state.expAvg, g);
    const expAvgSq = moment(context, 1, state.expAvgSq, square(g));
    const size = div(abs(expAvg), add(sqrt(expAvgSq), eps));
    return { ...descended(shrunk(context), mul(stepSize, mul(sign(g), size))), state: { expAvg, expAvgSq } };
  },
};

/**
 * Grams, as its authors'; lr 1e-3. Never steps up the present gradient, as Adam's momentum may; often faster early on. Two
 * state tensors per parameter.
 */
export const grams = namedOptimizer<{ torch: GramsOptions }>({ torch: gramsRule });
