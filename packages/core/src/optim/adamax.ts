/**
 * AdaMax: Adam with a decaying maximum of the gradient's magnitude in place of the second moment. Kingma & Ba 2014,
 * https://arxiv.org/abs/1412.6980 (algorithm 2).
 */
import { zerosLike } from "../tensor/creation.ts";
import { abs, add, div, maximum, mul, sub } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

interface MomentOptions {
  /** Decay rates of the running average and of the running maximum. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Keeps the divisor from 0. Default: torch 1e-8, keras 1e-7. */
  eps: number;
}

export interface AdamaxOptions extends MomentOptions {
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
}

export interface AdamaxKerasOptions extends MomentOptions {
  /** p shrinks by lr · weightDecay before the step; null (default) for none. */
  weightDecay: number | null;
}

type AdamaxState = "expAvg" | "expInf";

const initialState = (parameter: Tensor): Record<AdamaxState, Tensor> => ({
  expAvg: zerosLike(parameter),
  expInf: zerosLike(parameter),
});

/**
 *     g ← g + weightDecay p
 *     m ← β₁ m + (1 - β₁) g
 *     u ← max(β₂ u, |g| + eps)
 *     p ← p - lr / (1 - β₁ᵗ) · m / u
 */
export const adamaxRule: Rule<AdamaxState, AdamaxOptions> = {
  name: "adamax",
  lr: 2e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 },
  check({ betas, eps, weightDecay }) {
    checkBetas("adamax", betas);
    checkNonNegative("adamax", "eps", eps);
    checkNonNegative("adamax", "weightDecay", weightDecay);
  },
  initialState,
  update(context) {
    const { parameter, state, scalar } = context;
    const g = withL2(context);
    const beta2 = scalar("beta2", ({ options }) => options.betas[1]);
    const eps = scalar("eps", ({ options }) => options.eps);
    const stepSize = scalar("stepSize", ({ lr, step, options }) => lr / (1 - options.betas[0] ** step));
    const expAvg = runningAverage(context, "beta1", ({ betas }) => betas[0], state.expAvg, g);
    const expInf = maximum(mul(state.expInf, beta2), add(abs(g), eps));
    return { ...descended(parameter, mul(stepSize, div(expAvg, expInf))), state: { expAvg, expInf } };
  },
};

/**
 *     p ← (1 - lr weightDecay) p
 *     m ← m + (1 - β₁) (g - m)
 *     u ← max(β₂ u, |g|)
 *     p ← p - lr m / ((1 - β₁ᵗ) (u + eps))
 *
 * t counts the updates of the optimizer.
 */
export const adamaxKerasRule: Rule<AdamaxState, AdamaxKerasOptions> = {
  name: "adamax",
  convention: "keras",
  lr: 1e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-7, weightDecay: null },
  check({ betas, eps, weightDecay }) {
    checkBetas("adamax", betas);
    checkNonNegative("adamax", "eps", eps);
    checkNonNegativeOrNull("adamax", "weightDecay", weightDecay);
  },
  initialState,
  update(context) {
    const { gradient: g, state, lr, scalar } = context;
    const new1 = scalar("1 - beta1", ({ options }) => 1 - options.betas[0]);
    const beta2 = scalar("beta2", ({ options }) => options.betas[1]);
    const eps = scalar("eps", ({ options }) => options.eps);
    const correction = scalar("correction", ({ optimizerStep, options }) => 1 - options.betas[0] ** optimizerStep);
    const expAvg = add(state.expAvg, mul(sub(g, state.expAvg), new1));
    const expInf = maximum(mul(state.expInf, beta2), abs(g));
    const step = div(mul(lr, expAvg), mul(correction, add(expInf, eps)));
    return { ...descended(shrunk(context), step), state: { expAvg, expInf } };
  },
};

/**
 * AdaMax, as torch.optim.Adamax; lr 0.002. Like adam, with a divisor that one large gradient sets at once and that then
 * decays: for sparse gradients such as those of embeddings. Costs two tensors of state per parameter. Conventions: PyTorch
 * adds eps (1e-8) to the magnitude inside the maximum; keras (lr 0.001, eps 1e-7, decoupled weight decay) to the
 * maximum, and counts the updates of the optimizer instead of the parameter's.
 */
export const adamax = namedOptimizer<{ torch: AdamaxOptions; keras: AdamaxKerasOptions }>({
  torch: adamaxRule,
  keras: adamaxKerasRule,
});
