/**
 * AdaDelta: steps in the units of the parameter, from running averages of squared gradients and squared steps. Zeiler
 * 2012, "ADADELTA: an adaptive learning rate method", https://arxiv.org/abs/1212.5701 (algorithm 1).
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, div, mul, sqrt, square } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkDecay, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext, UpdateResult } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

interface AveragesOptions {
  /** Decay rate of both running averages. Default: torch and optax 0.9, keras 0.95. */
  rho: number;
  /** Added under both roots. Default: torch and optax 1e-6, keras 1e-7. */
  eps: number;
}

export interface AdadeltaOptions extends AveragesOptions {
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
}

export interface AdadeltaKerasOptions extends AveragesOptions {
  /** p shrinks by lr · weightDecay before the step; null (default) for none. */
  weightDecay: number | null;
}

type AdadeltaState = "squareAvg" | "accDelta";

const initialState = (parameter: Tensor): Record<AdadeltaState, Tensor> => ({
  squareAvg: zerosLike(parameter),
  accDelta: zerosLike(parameter),
});

/**
 *     v ← rho v + (1 - rho) g²
 *     d = √(a + eps) / √(v + eps) · g
 *     a ← rho a + (1 - rho) d²
 *     p ← p - lr d
 */
function adadeltaStep<Options extends AveragesOptions>(
  parameter: Tensor,
  g: Tensor,
  context: UpdateContext<AdadeltaState, Options>,
): UpdateResult<AdadeltaState> {
  const { state, lr, scalar } = context;
  const eps = scalar("eps", ({ options }) => options.eps);
  const rho = (options: AveragesOptions): number => options.rho;
  const squareAvg = runningAverage(context, "rho", rho, state.squareAvg, square(g));
  const delta = mul(div(sqrt(add(state.accDelta, eps)), sqrt(add(squareAvg, eps))), g);
  const accDelta = runningAverage(context, "rho", rho, state.accDelta, square(delta));
  return { ...descended(parameter, mul(lr, delta)), state: { squareAvg, accDelta } };
}

function check({ rho, eps }: Readonly<AveragesOptions>): void {
  checkDecay("adadelta", "rho", rho);
  checkNonNegative("adadelta", "eps", eps);
}

/** `adadeltaStep` on g + weightDecay p; `lr` is required. */
export const adadeltaOptaxRule: Rule<AdadeltaState, AdadeltaOptions> = {
  name: "adadelta",
  convention: "optax",
  defaults: { rho: 0.9, eps: 1e-6, weightDecay: 0 },
  check(options) {
    check(options);
    checkNonNegative("adadelta", "weightDecay", options.weightDecay);
  },
  initialState,
  update: (context) => adadeltaStep(context.parameter, withL2(context), context),
};

/** `adadeltaStep` on g + weightDecay p, with a default rate. */
export const adadeltaRule: Rule<AdadeltaState, AdadeltaOptions> = { ...adadeltaOptaxRule, convention: "torch", lr: 1 };

/** `adadeltaStep` after p ← (1 - lr weightDecay) p. */
export const adadeltaKerasRule: Rule<AdadeltaState, AdadeltaKerasOptions> = {
  name: "adadelta",
  convention: "keras",
  lr: 1e-3,
  defaults: { rho: 0.95, eps: 1e-7, weightDecay: null },
  check(options) {
    check(options);
    checkNonNegativeOrNull("adadelta", "weightDecay", options.weightDecay);
  },
  initialState,
  update: (context) => adadeltaStep(shrunk(context), context.gradient, context),
};

/**
 * AdaDelta, as torch.optim.Adadelta; lr 1. For training without a rate to tune: the steps find their scale by themselves,
 * if slowly. Costs two tensors of state per parameter. Conventions: keras has lr 0.001, rho 0.95, eps 1e-7 and decoupled
 * weight decay; optax is as PyTorch, but `lr` is required.
 */
export const adadelta = namedOptimizer<{
  torch: AdadeltaOptions;
  keras: AdadeltaKerasOptions;
  optax: AdadeltaOptions;
}>({ torch: adadeltaRule, keras: adadeltaKerasRule, optax: adadeltaOptaxRule });
