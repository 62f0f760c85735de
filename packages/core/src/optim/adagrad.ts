/**
 * AdaGrad: the rate of each element falls with the squares of all its gradients so far. Duchi, Hazan & Singer 2011,
 * "Adaptive subgradient methods for online learning and stochastic optimization",
 * https://jmlr.org/papers/v12/duchi11a.html.
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, div, greater, mul, rsqrt, sqrt, square, where } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext } from "./rule.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

interface AccumulatorOptions {
  /** What the sum of squares starts from. Default: torch 0, keras and optax 0.1. */
  initialAccumulatorValue: number;
}

export interface AdagradOptions extends AccumulatorOptions {
  /** The rate of update t is lr / (1 + (t - 1) lrDecay). Default 0. */
  lrDecay: number;
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
  /** Added to the root. Default 1e-10. */
  eps: number;
}

export interface AdagradKerasOptions extends AccumulatorOptions {
  /** Added under the root. Default 1e-7. */
  eps: number;
  /** p shrinks by lr · weightDecay before the step; null (default) for none. */
  weightDecay: number | null;
}

export interface AdagradOptaxOptions extends AccumulatorOptions {
  /** Added under the root. Default 1e-7. */
  eps: number;
}

type Accumulator = "sum";

const initialState = (parameter: Tensor): Record<Accumulator, Tensor> => ({ sum: zerosLike(parameter) });

/** The sum of squares, this gradient's among them. */
function accumulated<Options extends AccumulatorOptions>(
  { state, scalar }: UpdateContext<Accumulator, Options>,
  g: Tensor,
): Tensor {
  const start = scalar("start", ({ step, options }) => (step === 1 ? options.initialAccumulatorValue : 0));
  return add(add(state.sum, start), square(g));
}

/**
 *     g ← g + weightDecay p
 *     s ← s + g²
 *     p ← p - lr / (1 + (t - 1) lrDecay) · g / (√s + eps)
 */
export const adagradRule: Rule<Accumulator, AdagradOptions> = {
  name: "adagrad",
  lr: 1e-2,
  defaults: { lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10 },
  check({ lrDecay, weightDecay, initialAccumulatorValue, eps }) {
    checkNonNegative("adagrad", "lrDecay", lrDecay);
    checkNonNegative("adagrad", "weightDecay", weightDecay);
    checkNonNegative("adagrad", "initialAccumulatorValue", initialAccumulatorValue);
    checkNonNegative("adagrad", "eps", eps);
  },
  initialState,
  update(context) {
    const { parameter, scalar } = context;
    const g = withL2(context);
    const rate = scalar("rate", ({ lr, step, options }) => lr / (1 + (step - 1) * options.lrDecay));
    const eps = scalar("eps", ({ options }) => options.eps);
    const sum = accumulated(context, g);
    return { ...descended(parameter, mul(rate, div(g, add(sqrt(sum), eps)))), state: { sum } };
  },
};

/**
 *     p ← (1 - lr weightDecay) p
 *     s ← s + g²
 *     p ← p - lr g / √(s + eps)
 */
export const adagradKerasRule: Rule<Accumulator, AdagradKerasOptions> = {
  name: "adagrad",
  convention: "keras",
  lr: 1e-3,
  defaults: { initialAccumulatorValue: 0.1, eps: 1e-7, weightDecay: null },
  check({ initialAccumulatorValue, eps, weightDecay }) {
    checkNonNegative("adagrad", "initialAccumulatorValue", initialAccumulatorValue);
    checkNonNegative("adagrad", "eps", eps);
    checkNonNegativeOrNull("adagrad", "weightDecay", weightDecay);
  },
  initialState,
  update(context) {
    const { gradient: g, lr, scalar } = context;
    const eps = scalar("eps", ({ options }) => options.eps);
    const sum = accumulated(context, g);
    return { ...descended(shrunk(context), div(mul(lr, g), sqrt(add(sum, eps)))), state: { sum } };
  },
};

/**
 *     s ← s + g²
 *     p ← p - lr g / √(s + eps), where s > 0
 */
export const adagradOptaxRule: Rule<Accumulator, AdagradOptaxOptions> = {
  name: "adagrad",
  convention: "optax",
  defaults: { initialAccumulatorValue: 0.1, eps: 1e-7 },
  check({ initialAccumulatorValue, eps }) {
    checkNonNegative("adagrad", "initialAccumulatorValue", initialAccumulatorValue);
    checkNonNegative("adagrad", "eps", eps);
  },
  initialState,
  update(context) {
    const { parameter, gradient: g, lr, scalar } = context;
    const eps = scalar("eps", ({ options }) => options.eps);
    const sum = accumulated(context, g);
    const scale = where(greater(sum, 0), rsqrt(add(sum, eps)), 0);
    return { ...descended(parameter, mul(lr, mul(scale, g))), state: { sum } };
  },
};

/**
 * AdaGrad, as torch.optim.Adagrad; lr 0.01. For sparse features: an element that rarely has a gradient keeps a high rate.
 * The rates only ever fall, so that long training stalls. Costs one tensor of state per parameter. Conventions: keras and
 * optax start the sum at 0.1 and put eps (1e-7) under the root, keras with lr 0.001 and decoupled weight decay, optax
 * without either; PyTorch starts at 0 with eps (1e-10) beside the root, L2 and a decay of the rate.
 */
export const adagrad = namedOptimizer<{
  torch: AdagradOptions;
  keras: AdagradKerasOptions;
  optax: AdagradOptaxOptions;
}>({ torch: adagradRule, keras: adagradKerasRule, optax: adagradOptaxRule });
