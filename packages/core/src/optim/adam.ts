/**
 * Adam and AdamW: steps scaled by running estimates of the gradient's mean and uncentred variance. Kingma & Ba 2014,
 * https://arxiv.org/abs/1412.6980 (algorithm 1); Reddi et al. 2018, https://openreview.net/forum?id=ryQu7f-RZ
 * (AMSGrad); Loshchilov & Hutter 2017, https://arxiv.org/abs/1711.05101 (algorithm 2, decoupled weight decay).
 */

import { zerosLike } from "../tensor/creation.ts";
import { add, div, maximum, mul, sqrt, square } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type AdamKerasOptions, adamKerasRule, adamWKerasRule } from "./adamKeras.ts";
import { type AdamOptaxOptions, type AdamWOptaxOptions, adamOptaxRule, adamWOptaxRule } from "./adamOptax.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
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

export type AdamState = "expAvg" | "expAvgSq" | "maxExpAvgSq";

export function checkAdam(rule: string, { betas, eps, weightDecay, amsgrad }: Readonly<AdamOptions>): void {
  checkBetas(rule, betas);
  checkNonNegative(rule, "eps", eps);
  checkNonNegative(rule, "weightDecay", weightDecay);
  checkBoolean(rule, "amsgrad", amsgrad);
}

export function adamState(
  parameter: Tensor,
  { amsgrad }: { readonly amsgrad: boolean },
): Partial<Record<AdamState, Tensor>> {
  const moments = { expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) };
  return amsgrad ? { ...moments, maxExpAvgSq: zerosLike(parameter) } : moments;
}

/**
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     p ← p - lr / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + eps)
 *
 * With amsgrad the root is of the largest v so far.
 */
export function adamStep<Options extends Omit<AdamOptions, "weightDecay">>(
  parameter: Tensor,
  g: Tensor,
  context: UpdateContext<AdamState, Options>,
): UpdateResult<AdamState> {
  const { state, options, scalar } = context;
  const eps = scalar("eps", ({ options }) => options.eps);
  const stepSize = scalar("stepSize", ({ lr, step, options }) => lr / (1 - options.betas[0] ** step));
  const rescale = scalar("rescale", ({ step, options }) => 1 / Math.sqrt(1 - options.betas[1] ** step));
  const expAvg = moment(context, 0, state.expAvg, g);
  const expAvgSq = moment(context, 1, state.expAvgSq, square(g));
  const maxExpAvgSq = options.amsgrad ? maximum(state.maxExpAvgSq, expAvgSq) : undefined;
  const denominator = add(mul(sqrt(maxExpAvgSq ?? expAvgSq), rescale), eps);
  return {
    ...descended(parameter, mul(stepSize, div(expAvg, denominator))),
    state: maxExpAvgSq ? { expAvg, expAvgSq, maxExpAvgSq } : { expAvg, expAvgSq },
  };
}

/** `adamStep` on g + weightDecay p. */
export const adamRule: Rule<AdamState, AdamOptions> = {
  name: "adam",
  lr: 1e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false },
  check: (options) => checkAdam("adam", options),
  initialState: adamState,
  update(context) {
    return adamStep(context.parameter, withL2(context), context);
  },
};

/** `adamStep` after p ← (1 - lr weightDecay) p. */
export const adamWRule: Rule<AdamState, AdamOptions> = {
  name: "adamW",
  lr: 1e-3,
  defaults: { ...adamRule.defaults, weightDecay: 0.01 },
  check: (options) => checkAdam("adamW", options),
  initialState: adamState,
  update(context) {
    return adamStep(shrunk(context), context.gradient, context);
  },
};

/**
 * Adam with L2 weight decay, as torch.optim.Adam; lr 1e-3. The rule to start with where little is known of the problem:
 * steps of about lr in every direction, whatever the gradient's scale. Two state tensors per parameter, three with
 * amsgrad. Conventions: keras adds eps (1e-7) to the uncorrected root, decays decoupled from the gradient and counts
 * steps for all parameters together; optax has `epsRoot` under the root and `nesterov`, takes amsgrad's maximum of the
 * corrected average, has no decay, and demands lr.
 */
export const adam = namedOptimizer<{ torch: AdamOptions; keras: AdamKerasOptions; optax: AdamOptaxOptions }>({
  torch: adamRule,
  keras: adamKerasRule,
  optax: adamOptaxRule,
});

/**
 * Adam with decoupled weight decay (0.01), as torch.optim.AdamW; lr 1e-3. The usual choice for transformers. Two state
 * tensors per parameter, three with amsgrad. Conventions: keras as for adam, with decay 0.004; optax as for adam, with
 * `nesterov`, without amsgrad, and with decay 1e-4 added to the direction before lr scales it.
 */
export const adamW = namedOptimizer<{ torch: AdamOptions; keras: AdamKerasOptions; optax: AdamWOptaxOptions }>({
  torch: adamWRule,
  keras: adamWKerasRule,
  optax: adamWOptaxRule,
});
