/**
 * Adam and AdamW: steps scaled by running estimates of the gradient's mean and uncentred variance. Kingma & Ba 2014,
 * https://arxiv.org/abs/1412.6980 (algorithm 1); Reddi et al. 2018, https://openreview.net/forum?id=ryQu7f-RZ
 * (AMSGrad); Loshchilov & Hutter 2017, https://arxiv.org/abs/1711.05101 (algorithm 2, decoupled weight decay).
 */

import { zerosLike } from "../tensor/creation.ts";
import { add, div, maximum, mul, sqrt, square, sub } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext, UpdateResult } from "./rule.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

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
  const beta1 = scalar("beta1", ({ options }) => options.betas[0]);
  const beta2 = scalar("beta2", ({ options }) => options.betas[1]);
  const new1 = scalar("1 - beta1", ({ options }) => 1 - options.betas[0]);
  const new2 = scalar("1 - beta2", ({ options }) => 1 - options.betas[1]);
  const eps = scalar("eps", ({ options }) => options.eps);
  const stepSize = scalar("stepSize", ({ lr, step, options }) => lr / (1 - options.betas[0] ** step));
  const rescale = scalar("rescale", ({ step, options }) => 1 / Math.sqrt(1 - options.betas[1] ** step));
  const expAvg = add(mul(state.expAvg, beta1), mul(g, new1));
  const expAvgSq = add(mul(state.expAvgSq, beta2), mul(square(g), new2));
  const maxExpAvgSq = options.amsgrad ? maximum(state.maxExpAvgSq, expAvgSq) : undefined;
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
    return adamStep(context.parameter, withL2(context), context);
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
    return adamStep(shrunk(context), context.gradient, context);
  },
};

/** Adam with L2 weight decay, as torch.optim.Adam; lr 1e-3. */
export const adam = namedOptimizer<{ torch: AdamOptions }>({ torch: adamRule });

/** Adam with decoupled weight decay (0.01), as torch.optim.AdamW; lr 1e-3. */
export const adamW = namedOptimizer<{ torch: AdamOptions }>({ torch: adamWRule });
