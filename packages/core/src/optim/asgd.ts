/**
 * Averaged stochastic gradient descent: steps of a slowly falling rate, and the mean of the parameters along the way.
 * Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging", https://doi.org/10.1137/0330046; the
 * rate after Bottou 2012, https://leon.bottou.org/publications/pdf/tricks-2012.pdf (section 5.2).
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, equal, mul, sub, where } from "../tensor/elementwise.ts";
import { checkNonNegative } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { withL2 } from "./weightDecay.ts";

export interface AsgdOptions {
  /** Decay: p shrinks by the step's rate · lambd, and the rate falls with it. Default 1e-4. */
  lambd: number;
  /** Power of the falling rate. Default 0.75. */
  alpha: number;
  /** The mean is over the values after about this many updates; until then it is the value itself. Default 1e6. */
  t0: number;
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
}

/**
 *     η = lr / (1 + lambd lr (t - 1))^alpha,  μ = 1 / max(1, t - 1 - t0)
 *     g ← g + weightDecay p
 *     p ← (1 - lambd η) p - η g
 *     a ← a + μ (p - a), p itself while μ = 1
 *
 * t counts updates from 1. The model is evaluated with a.
 */
export const asgdRule: Rule<"average", AsgdOptions> = {
  name: "asgd",
  lr: 1e-2,
  defaults: { lambd: 1e-4, alpha: 0.75, t0: 1e6, weightDecay: 0 },
  check({ lambd, alpha, t0, weightDecay }) {
    checkNonNegative("asgd", "lambd", lambd);
    checkNonNegative("asgd", "alpha", alpha);
    checkNonNegative("asgd", "t0", t0);
    checkNonNegative("asgd", "weightDecay", weightDecay);
  },
  exactState: ["average"],
  initialState: (parameter) => ({ average: zerosLike(parameter) }),
  update(context) {
    const { parameter, state, scalar } = context;
    const rate = (lr: number, step: number, { lambd, alpha }: AsgdOptions): number =>
      lr / (1 + lambd * lr * (step - 1)) ** alpha;
    const eta = scalar("eta", ({ lr, step, options }) => rate(lr, step, options));
    const shrink = scalar("shrink", ({ lr, step, options }) => 1 - options.lambd * rate(lr, step, options));
    const mu = scalar("mu", ({ step, options }) => 1 / Math.max(1, step - 1 - options.t0));
    const moved = descended(mul(parameter, shrink), mul(withL2(context), eta));
    const value = moved.parameter;
    const average = where(equal(mu, 1), value, add(state.average, mul(sub(value, state.average), mu)));
    return { ...moved, state: { average } };
  },
  evaluationValue: ({ state }) => state.average,
};

/**
 * Averaged stochastic gradient descent, as torch.optim.ASGD; lr 0.01. For convex and nearly convex problems with noisy
 * gradients, where the mean of the iterates is a better answer than the last: `optimizer.eval()` puts it into the
 * parameters, `optimizer.train()` takes it out. Costs one tensor of state per parameter. A changed `lr` holds from the
 * update it is set before, where PyTorch lets it wait for one update more.
 */
export const asgd = namedOptimizer<{ torch: AsgdOptions }>({ torch: asgdRule });
