/**
 * Stochastic gradient descent with momentum. Robbins & Monro 1951; Polyak 1964 (heavy ball); Nesterov 1983 in the form
 * of Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, mul, neg, sub } from "../tensor/elementwise.ts";
import { checkBoolean, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

export interface SgdOptions {
  /** Factor on the buffer; 0 (default) keeps none. */
  momentum: number;
  /** The buffer takes (1 - dampening) of each gradient but the first. Default 0. */
  dampening: number;
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
  /** Look ahead along the buffer; wants momentum > 0 and dampening 0. Default false. */
  nesterov: boolean;
}

export interface SgdKerasOptions {
  /** Factor on the velocity; 0 (default) keeps none. */
  momentum: number;
  /** Look ahead along the velocity; without momentum it changes nothing. Default false. */
  nesterov: boolean;
  /** p shrinks by lr · weightDecay before the step; null (default) for none. */
  weightDecay: number | null;
}

export interface SgdOptaxOptions {
  /** Factor on the trace; null (default) keeps none. */
  momentum: number | null;
  /** Look ahead along the trace; without momentum it changes nothing. Default false. */
  nesterov: boolean;
}

/**
 *     g ← g + weightDecay p
 *     b ← g at the first update, momentum b + (1 - dampening) g after
 *     p ← p - lr (g + momentum b) with nesterov, p - lr b without
 */
export const sgdRule: Rule<"momentumBuffer", SgdOptions> = {
  name: "sgd",
  defaults: { momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
  check({ momentum, dampening, weightDecay, nesterov }) {
    checkNonNegative("sgd", "momentum", momentum);
    checkNonNegative("sgd", "weightDecay", weightDecay);
    checkBoolean("sgd", "nesterov", nesterov);
    if (typeof dampening !== "number" || !Number.isFinite(dampening)) {
      throw new ArgumentError("sgd", `dampening must be a finite number, got ${String(dampening)}`);
    }
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ArgumentError(
        "sgd",
        `nesterov wants momentum > 0 and dampening 0, got momentum ${momentum} and dampening ${dampening}`,
      );
    }
  },
  initialState: (parameter, { momentum }) => (momentum === 0 ? {} : { momentumBuffer: zerosLike(parameter) }),
  update(context) {
    const { parameter, state, options, lr, scalar } = context;
    const { momentum, dampening, nesterov } = options;
    const g = withL2(context);
    if (momentum === 0) return descended(parameter, mul(lr, g));
    // The first update is the same expression with other scalars, 0·0 + 1·g, so that it needs no second kernel.
    const keep = scalar("keep", ({ step, options }) => (step === 1 ? 0 : options.momentum));
    const undampened = scalar("undampened", ({ step, options }) => (step === 1 ? 1 : 1 - options.dampening));
    const buffer = add(mul(state.momentumBuffer, keep), dampening === 0 ? g : mul(g, undampened));
    const look = scalar("momentum", ({ options }) => options.momentum);
    const direction = nesterov ? add(g, mul(buffer, look)) : buffer;
    return { ...descended(parameter, mul(lr, direction)), state: { momentumBuffer: buffer } };
  },
};

/**
 *     p ← (1 - lr weightDecay) p
 *     v ← momentum v - lr g
 *     p ← p + momentum v - lr g with nesterov, p + v without
 */
export const sgdKerasRule: Rule<"velocity", SgdKerasOptions> = {
  name: "sgd",
  convention: "keras",
  lr: 1e-2,
  defaults: { momentum: 0, nesterov: false, weightDecay: null },
  check({ momentum, nesterov, weightDecay }) {
    checkNonNegative("sgd", "momentum", momentum);
    checkBoolean("sgd", "nesterov", nesterov);
    checkNonNegativeOrNull("sgd", "weightDecay", weightDecay);
  },
  initialState: (parameter, { momentum }) => (momentum === 0 ? {} : { velocity: zerosLike(parameter) }),
  update(context) {
    const { gradient, state, options, lr, scalar } = context;
    const parameter = shrunk(context);
    const step = mul(gradient, lr);
    if (options.momentum === 0) return descended(parameter, step);
    const momentum = scalar("momentum", ({ options }) => options.momentum);
    const velocity = sub(mul(state.velocity, momentum), step);
    const move = options.nesterov ? sub(mul(velocity, momentum), step) : velocity;
    return { ...descended(parameter, neg(move)), state: { velocity } };
  },
};

/**
 *     b ← g + momentum b
 *     p ← p - lr (g + momentum b) with nesterov, p - lr b without
 */
export const sgdOptaxRule: Rule<"trace", SgdOptaxOptions> = {
  name: "sgd",
  convention: "optax",
  defaults: { momentum: null, nesterov: false },
  check({ momentum, nesterov }) {
    checkNonNegativeOrNull("sgd", "momentum", momentum);
    checkBoolean("sgd", "nesterov", nesterov);
  },
  initialState: (parameter, { momentum }) => (momentum === null ? {} : { trace: zerosLike(parameter) }),
  update({ parameter, gradient, state, options, lr, scalar }) {
    if (options.momentum === null) return descended(parameter, mul(lr, gradient));
    const momentum = scalar("momentum", ({ options }) => options.momentum ?? 0);
    const trace = add(gradient, mul(momentum, state.trace));
    const direction = options.nesterov ? add(gradient, mul(momentum, trace)) : trace;
    return { ...descended(parameter, mul(lr, direction)), state: { trace } };
  },
};

/**
 * Stochastic gradient descent, as torch.optim.SGD; `lr` is required. With momentum 0.9 and a falling rate the usual choice
 * for convolutional networks. Costs one tensor of state per parameter with momentum, none without. Conventions: PyTorch's
 * buffer starts as the first gradient undampened and lr applies to all of it; keras (lr 0.01, decoupled weight decay)
 * keeps steps already multiplied by lr, so that a change of lr acts on new gradients alone; optax's trace is PyTorch's
 * buffer without dampening and weight decay.
 */
export const sgd = namedOptimizer<{ torch: SgdOptions; keras: SgdKerasOptions; optax: SgdOptaxOptions }>({
  torch: sgdRule,
  keras: sgdKerasRule,
  optax: sgdOptaxRule,
});
