/**
 * Sophia with the Gauss-Newton-Bartlett estimate of the Hessian's diagonal. Liu et al. 2023, "Sophia: A Scalable
 * Stochastic Second-order Optimizer for Language Model Pre-training", https://arxiv.org/abs/2305.14342 (algorithms 2
 * and 3); https://github.com/Liuhong99/Sophia.
 */
import { zerosLike } from "../tensor/creation.ts";
import { abs, add, div, minimum, mul, sign, square } from "../tensor/elementwise.ts";
import { checkBetas, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { shrunk } from "./weightDecay.ts";

export interface SophiaGOptions {
  /** Decay rates of the momentum and of the Hessian. Default [0.965, 0.99]. */
  betas: readonly [number, number];
  /** The smaller, the fewer entries take the largest step. Default 0.04. */
  rho: number;
  /** p shrinks by lr · weightDecay. Default 0.1. */
  weightDecay: number;
  /** What one gradient is the mean of: the batch size, in tokens for language models. Default 5120. */
  bs: number;
}

/**
 *     m ← β₁ m + (1 - β₁) g
 *     p ← (1 - lr weightDecay) p - lr sign(m) min(1, |m| / (rho bs h + 1e-15))
 *
 * and h ← β₂ h + (1 - β₂) ĝ² where gradients ĝ are observed.
 */
export const sophiaGRule: Rule<"expAvg" | "hessian", SophiaGOptions> = {
  name: "sophiaG",
  lr: 1e-4,
  defaults: { betas: [0.965, 0.99], rho: 0.04, weightDecay: 0.1, bs: 5120 },
  check({ betas, rho, weightDecay, bs }) {
    checkBetas("sophiaG", betas);
    checkNonNegative("sophiaG", "rho", rho);
    checkNonNegative("sophiaG", "weightDecay", weightDecay);
    checkNonNegative("sophiaG", "bs", bs);
  },
  initialState: (parameter) => ({ expAvg: zerosLike(parameter), hessian: zerosLike(parameter) }),
  observe: (context) => ({ hessian: moment(context, 1, context.state.hessian, square(context.gradient)) }),
  update(context) {
    const { gradient, state, lr, scalar } = context;
    const expAvg = moment(context, 0, state.expAvg, gradient);
    const scale = scalar("rho bs", ({ options }) => options.rho * options.bs);
    const ratio = minimum(div(abs(expAvg), add(mul(state.hessian, scale), 1e-15)), 1);
    return {
      ...descended(shrunk(context), mul(lr, mul(sign(expAvg), ratio))),
      state: { expAvg, hessian: state.hessian },
    };
  },
};

/**
 * SophiaG, as its authors'; lr 1e-4. Every ten steps or so sample labels from the model's own predictions, and give the
 * gradients of the loss on them to `optimizer.observe`: the rule learns the curvature from them and takes steps of at
 * most lr. Two state tensors per parameter.
 */
export const sophiaG = namedOptimizer<{ torch: SophiaGOptions }>({ torch: sophiaGRule });
