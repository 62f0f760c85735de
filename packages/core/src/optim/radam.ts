/**
 * RAdam: Adam that holds its adaptive learning rate back while the second moment is an average of few gradients. Liu et
 * al. 2019, "On the Variance of the Adaptive Learning Rate and Beyond", https://arxiv.org/abs/1908.03265 (algorithm 2).
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, div, mul, notEqual, sqrt, square, where } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkOptax, correctedMean, correctedSquare, type NadamOptaxOptions, optaxDefaults } from "./adamOptax.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import { averageLength, rectification } from "./rectification.ts";
import type { Rule } from "./rule.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

export interface RadamOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the uncorrected root. Default 1e-8. */
  eps: number;
  /** L2, added to the gradient, unless `decoupledWeightDecay`. Default 0. */
  weightDecay: number;
  /** p shrinks by lr · weightDecay instead. Default false. */
  decoupledWeightDecay: boolean;
}

export interface RadamOptaxOptions extends NadamOptaxOptions {
  /** ρₜ from which on steps are adaptive. Default 5. */
  threshold: number;
  /** Look ahead along the first moment. Default false. */
  nesterov: boolean;
}

type State = "expAvg" | "expAvgSq";

const initialState = (parameter: Tensor): Record<State, Tensor> => ({
  expAvg: zerosLike(parameter),
  expAvgSq: zerosLike(parameter),
});

/**
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     ρ∞ = 2 / (1 - β₂) - 1,  ρₜ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)
 *     r = √((ρₜ - 4) (ρₜ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρₜ))
 *     p ← p - lr r √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + eps) where ρₜ > 5
 *     p ← p - lr / (1 - β₁ᵗ) · m elsewhere
 */
export const radamRule: Rule<State, RadamOptions> = {
  name: "radam",
  lr: 1e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, decoupledWeightDecay: false },
  check({ betas, eps, weightDecay, decoupledWeightDecay }) {
    checkBetas("radam", betas);
    checkNonNegative("radam", "eps", eps);
    checkNonNegative("radam", "weightDecay", weightDecay);
    checkBoolean("radam", "decoupledWeightDecay", decoupledWeightDecay);
  },
  initialState,
  update(context) {
    const { parameter, gradient, state, options, scalar } = context;
    const [p, g] = options.decoupledWeightDecay ? [shrunk(context), gradient] : [parameter, withL2(context)];
    const adaptive = scalar("adaptive", ({ step, options }) => (averageLength(options.betas[1], step).now > 5 ? 1 : 0));
    const stepSize = scalar("stepSize", ({ lr, step, options: { betas } }) => {
      const length = averageLength(betas[1], step);
      const rectified = length.now > 5 ? rectification(length) * Math.sqrt(1 - betas[1] ** step) : 1;
      return (lr * rectified) / (1 - betas[0] ** step);
    });
    const eps = scalar("eps", ({ options }) => options.eps);
    const expAvg = moment(context, 0, state.expAvg, g);
    const expAvgSq = moment(context, 1, state.expAvgSq, square(g));
    const denominator = where(notEqual(adaptive, 0), add(sqrt(expAvgSq), eps), 1);
    return { ...descended(p, mul(stepSize, div(expAvg, denominator))), state: { expAvg, expAvgSq } };
  },
};

/**
 *     p ← p - lr r m̂ / (√(v̂ + epsRoot) + eps) where ρₜ ≥ threshold,  p ← p - lr m̂ elsewhere
 *
 * with the m̂ and v̂ of optax' adam, and the r and ρₜ of `radamRule`.
 */
export const radamOptaxRule: Rule<State, RadamOptaxOptions> = {
  name: "radam",
  convention: "optax",
  defaults: { ...optaxDefaults, threshold: 5, nesterov: false },
  check(options) {
    checkOptax("radam", options);
    if (!Number.isFinite(options.threshold)) {
      throw new ArgumentError("radam", `threshold must be a finite number, got ${String(options.threshold)}`);
    }
    checkBoolean("radam", "nesterov", options.nesterov);
  },
  initialState,
  update(context) {
    const { parameter, gradient: g, state, options, scalar } = context;
    const isAdaptive = (beta2: number, step: number, threshold: number) => averageLength(beta2, step).now >= threshold;
    const adaptive = scalar("adaptive", ({ step, options: { betas, threshold } }) =>
      isAdaptive(betas[1], step, threshold) ? 1 : 0,
    );
    const stepSize = scalar("stepSize", ({ lr, step, options: { betas, threshold } }) =>
      isAdaptive(betas[1], step, threshold) ? lr * rectification(averageLength(betas[1], step)) : lr,
    );
    const epsRoot = scalar("epsRoot", ({ options }) => options.epsRoot);
    const eps = scalar("eps", ({ options }) => options.eps);
    const expAvg = moment(context, 0, state.expAvg, g);
    const expAvgSq = moment(context, 1, state.expAvgSq, square(g));
    const mean = correctedMean(context, options.nesterov, expAvg, g);
    const root = add(sqrt(add(correctedSquare(context, expAvgSq), epsRoot)), eps);
    const denominator = where(notEqual(adaptive, 0), root, 1);
    return { ...descended(parameter, mul(stepSize, div(mean, denominator))), state: { expAvg, expAvgSq } };
  },
};

/**
 * Rectified Adam, as torch.optim.RAdam; lr 1e-3. Needs no warm-up: the first steps are those of plain momentum, until
 * the second moment is an average of enough gradients. Two state tensors per parameter. Conventions: optax rectifies from
 * ρₜ ≥ `threshold` on (torch > 5), adds eps to the corrected root, has `epsRoot` and `nesterov`, no decay, and demands lr.
 */
export const radam = namedOptimizer<{ torch: RadamOptions; optax: RadamOptaxOptions }>({
  torch: radamRule,
  optax: radamOptaxRule,
});
