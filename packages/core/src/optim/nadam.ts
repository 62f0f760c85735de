/**
 * NAdam: Adam with Nesterov momentum, whose momentum is warmed up. Dozat 2016, "Incorporating Nesterov Momentum into
 * Adam", https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ (algorithm 2).
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, div, mul, sqrt, square } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type NadamOptaxOptions, nadamOptaxRule } from "./adamOptax.ts";
import { checkBetas, checkBoolean, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, ScalarContext, UpdateContext, UpdateResult } from "./rule.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

interface MomentOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the corrected root. Default: torch 1e-8, keras 1e-7. */
  eps: number;
}

export interface NadamOptions extends MomentOptions {
  /** L2, added to the gradient, unless `decoupledWeightDecay`. Default 0. */
  weightDecay: number;
  /** How fast the momentum warms up. Default 0.004. */
  momentumDecay: number;
  /** p shrinks by lr · weightDecay instead. Default false. */
  decoupledWeightDecay: boolean;
}

export interface NadamKerasOptions extends MomentOptions {
  /** p shrinks by lr · weightDecay before the step; null (default) for none. */
  weightDecay: number | null;
}

type State = "expAvg" | "expAvgSq";

const initialState = (parameter: Tensor): Record<State, Tensor> => ({
  expAvg: zerosLike(parameter),
  expAvgSq: zerosLike(parameter),
});

/** The momentum of a step, from 1. */
type Momentum = (step: number) => number;

/** Product of the momenta of the first `steps` steps; 0 for one so small that 1 less it is 1. */
function momentumProduct(momentum: Momentum, steps: number): number {
  let product = 1;
  for (let i = 1; i <= steps; i++) {
    product *= momentum(i);
    if (product < 1e-20) return 0;
  }
  return product;
}

/**
 *     μₜ = β₁ (1 - 0.96^(t momentumDecay) / 2),  Πₜ = μ₁ μ₂ ⋯ μₜ
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     m̂ = μₜ₊₁ m / (1 - Πₜ₊₁) + (1 - μₜ) g / (1 - Πₜ)
 *     p ← p - lr m̂ / (√(v / (1 - β₂ᵗ)) + eps)
 */
function nadamStep<Options extends MomentOptions>(
  parameter: Tensor,
  g: Tensor,
  context: UpdateContext<State, Options>,
  at: (context: ScalarContext<Options>) => { readonly t: number; readonly momentumDecay: number },
): UpdateResult<State> {
  const { state, scalar } = context;
  // The product is computed from the step and not kept as state: a scalar of its own would cost a kernel of its own.
  const momenta = (context: ScalarContext<Options>) => {
    const { t, momentumDecay } = at(context);
    const momentum: Momentum = (step) => context.options.betas[0] * (1 - 0.5 * 0.96 ** (step * momentumDecay));
    return { now: momentum(t), next: momentum(t + 1), product: momentumProduct(momentum, t) };
  };
  const ofMean = scalar("ofMean", (context) => {
    const { next, product } = momenta(context);
    return (context.lr * next) / (1 - product * next);
  });
  const ofGradient = scalar("ofGradient", (context) => {
    const { now, product } = momenta(context);
    return (context.lr * (1 - now)) / (1 - product);
  });
  const correction = scalar("1 / (1 - beta2^t)", (context) => 1 / (1 - context.options.betas[1] ** at(context).t));
  const eps = scalar("eps", ({ options }) => options.eps);
  const expAvg = moment(context, 0, state.expAvg, g);
  const expAvgSq = moment(context, 1, state.expAvgSq, square(g));
  const denominator = add(sqrt(mul(expAvgSq, correction)), eps);
  return {
    ...descended(parameter, div(add(mul(g, ofGradient), mul(expAvg, ofMean)), denominator)),
    state: { expAvg, expAvgSq },
  };
}

/** `nadamStep` on g + weightDecay p, or with decoupled decay. */
export const nadamRule: Rule<State, NadamOptions> = {
  name: "nadam",
  lr: 2e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, momentumDecay: 4e-3, decoupledWeightDecay: false },
  check({ betas, eps, weightDecay, momentumDecay, decoupledWeightDecay }) {
    checkBetas("nadam", betas);
    checkNonNegative("nadam", "eps", eps);
    checkNonNegative("nadam", "weightDecay", weightDecay);
    checkNonNegative("nadam", "momentumDecay", momentumDecay);
    checkBoolean("nadam", "decoupledWeightDecay", decoupledWeightDecay);
  },
  initialState,
  update(context) {
    const { parameter, gradient, options } = context;
    const [p, g] = options.decoupledWeightDecay ? [shrunk(context), gradient] : [parameter, withL2(context)];
    return nadamStep(p, g, context, ({ step, options }) => ({ t: step, momentumDecay: options.momentumDecay }));
  },
};

/** `nadamStep` with a momentumDecay of 1 and the step count of the optimizer, after p ← (1 - lr weightDecay) p. */
export const nadamKerasRule: Rule<State, NadamKerasOptions> = {
  name: "nadam",
  convention: "keras",
  lr: 1e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-7, weightDecay: null },
  check({ betas, eps, weightDecay }) {
    checkBetas("nadam", betas);
    checkNonNegative("nadam", "eps", eps);
    checkNonNegativeOrNull("nadam", "weightDecay", weightDecay);
  },
  initialState,
  update(context) {
    return nadamStep(shrunk(context), context.gradient, context, ({ optimizerStep: t }) => ({ t, momentumDecay: 1 }));
  },
};

/**
 * Adam with Nesterov momentum, as torch.optim.NAdam; lr 2e-3. Often a little faster than Adam where that does well. Two
 * state tensors per parameter. Where a schedule gives betas[0] or momentumDecay, earlier momenta are taken to have been
 * of the present values. Conventions: keras warms the momentum up by 0.96^t (torch 0.96^(t momentumDecay)), with one step
 * count for all parameters, lr 1e-3 and decay decoupled; optax looks ahead with a constant momentum, has `epsRoot` under
 * the root and demands lr.
 */
export const nadam = namedOptimizer<{ torch: NadamOptions; keras: NadamKerasOptions; optax: NadamOptaxOptions }>({
  torch: nadamRule,
  keras: nadamKerasRule,
  optax: nadamOptaxRule,
});
