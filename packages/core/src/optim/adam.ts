/**
 * Adam and AdamW: steps scaled by running estimates of the gradient's mean and uncentred variance. Kingma & Ba 2014,
 * https://arxiv.org/abs/1412.6980 (algorithm 1); Reddi et al. 2018, https://openreview.net/forum?id=ryQu7f-RZ
 * (AMSGrad); Loshchilov & Hutter 2017, https://arxiv.org/abs/1711.05101 (algorithm 2, decoupled weight decay).
 */

import { zerosLike } from "../tensor/creation.ts";
import { add, div, maximum, mul, sqrt, square, sub } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import type { OptimizerParameters } from "./groups.ts";
import { type Optimizer, type OptimizerOptions, optimizer } from "./optimizer.ts";
import type { Rule, UpdateContext, UpdateResult } from "./rule.ts";

export interface AdamOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the corrected root. Default 1e-8. */
  eps: number;
  /** adam: L2, added to the gradient; default 0. adamW: p shrinks by lr · weightDecay; default 0.01. */
  weightDecay: number;
  /** Divide by the largest second moment so far. Default false. */
  amsgrad: boolean;
}

type AdamState = "expAvg" | "expAvgSq" | "maxExpAvgSq";

function check(rule: string, { betas, eps, weightDecay, amsgrad }: Readonly<AdamOptions>): void {
  checkBetas(rule, betas);
  checkNonNegative(rule, "eps", eps);
  checkNonNegative(rule, "weightDecay", weightDecay);
  checkBoolean(rule, "amsgrad", amsgrad);
}

function initialState(parameter: Tensor, { amsgrad }: Readonly<AdamOptions>): Partial<Record<AdamState, Tensor>> {
  const moments = { expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) };
  return amsgrad ? { ...moments, maxExpAvgSq: zerosLike(parameter) } : moments;
}

/**
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     p ← p - lr / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + eps)
 *
 * With amsgrad the root is of the largest v so far.
 */
function adamStep(
  parameter: Tensor,
  g: Tensor,
  { state, options, scalar }: UpdateContext<AdamState, AdamOptions>,
): UpdateResult<AdamState> {
  const { eps, amsgrad } = options;
  const [beta1, beta2] = options.betas;
  const stepSize = scalar("stepSize", ({ lr, step }) => lr / (1 - beta1 ** step));
  const rescale = scalar("rescale", ({ step }) => 1 / Math.sqrt(1 - beta2 ** step));
  const expAvg = add(mul(state.expAvg, beta1), mul(g, 1 - beta1));
  const expAvgSq = add(mul(state.expAvgSq, beta2), mul(square(g), 1 - beta2));
  const maxExpAvgSq = amsgrad ? maximum(state.maxExpAvgSq, expAvgSq) : undefined;
  const denominator = add(mul(sqrt(maxExpAvgSq ?? expAvgSq), rescale), eps);
  return {
    parameter: sub(parameter, mul(stepSize, div(expAvg, denominator))),
    state: maxExpAvgSq ? { expAvg, expAvgSq, maxExpAvgSq } : { expAvg, expAvgSq },
  };
}

/** `adamStep` on g + weightDecay p. */
export const adamRule: Rule<AdamState, AdamOptions> = {
  name: "adam",
  lr: 1e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false },
  check: (options) => check("adam", options),
  initialState,
  update(context) {
    const { parameter, gradient, options } = context;
    const g = options.weightDecay === 0 ? gradient : add(gradient, mul(parameter, options.weightDecay));
    return adamStep(parameter, g, context);
  },
};

/** `adamStep` after p ← (1 - lr weightDecay) p. */
export const adamWRule: Rule<AdamState, AdamOptions> = {
  name: "adamW",
  lr: 1e-3,
  defaults: { ...adamRule.defaults, weightDecay: 0.01 },
  check: (options) => check("adamW", options),
  initialState,
  update(context) {
    const { parameter, gradient, options, scalar } = context;
    const { weightDecay } = options;
    const shrunk =
      weightDecay === 0
        ? parameter
        : mul(
            parameter,
            scalar("shrink", ({ lr }) => 1 - lr * weightDecay),
          );
    return adamStep(shrunk, gradient, context);
  },
};

/**
 * Adam with L2 weight decay, as torch.optim.Adam; lr 1e-3.
 *
 * @throws ArgumentError on options out of range, unknown options, or parameters without distinct names.
 */
export function adam(
  parameters: OptimizerParameters<AdamOptions>,
  options: OptimizerOptions<AdamOptions> = {},
): Optimizer<AdamOptions> {
  return optimizer(adamRule, parameters, options);
}

/**
 * Adam with decoupled weight decay (0.01), as torch.optim.AdamW; lr 1e-3.
 *
 * @throws ArgumentError on options out of range, unknown options, or parameters without distinct names.
 */
export function adamW(
  parameters: OptimizerParameters<AdamOptions>,
  options: OptimizerOptions<AdamOptions> = {},
): Optimizer<AdamOptions> {
  return optimizer(adamWRule, parameters, options);
}
