/**
 * LARS: SGD whose rate, for each tensor, is in proportion to the ratio of the norms of value and gradient. You, Gitman &
 * Ginsburg 2017, "Large batch training of convolutional networks", https://arxiv.org/abs/1708.03888 (algorithm 1).
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, div, greater, minimum, mul, where } from "../tensor/elementwise.ts";
import { norm } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBoolean, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext } from "./rule.ts";
import { trustedRatio } from "./trustRatio.ts";
import { withL2 } from "./weightDecay.ts";

export interface LarsOptions {
  /** Factor on the buffer; 0 (default) keeps none. */
  momentum: number;
  /** The buffer takes (1 - dampening) of each step but the first. Default 0. */
  dampening: number;
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
  /** Look ahead along the buffer; wants momentum > 0 and dampening 0. Default false. */
  nesterov: boolean;
  /** Factor on the ratio of the norms. Default 1e-3. */
  trustCoeff: number;
  /** Added to the divisor of the ratio. Default 1e-8. */
  eps: number;
  /** LARC: the ratio bounds the rate, and never raises it: min(ratio / lr, 1). Default false. */
  trustClip: boolean;
  /** Scale tensors without weight decay, too, such as biases in a group of their own. Default false. */
  alwaysAdapt: boolean;
}

export interface LarsOptaxOptions {
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
  /** Factor on the ratio of the norms. Default 1e-3. */
  trustCoeff: number;
  /** Added to the divisor of the ratio. Default 0. */
  eps: number;
  /** Factor on the trace; null keeps none. Default 0.9. */
  momentum: number | null;
  /** Look ahead along the trace. Default false. */
  nesterov: boolean;
}

type LarsState = "momentumBuffer";

/** g + weightDecay p, scaled where there is weight decay or `alwaysAdapt`. */
function adapted(context: UpdateContext<LarsState, LarsOptions>): Tensor {
  const { parameter, gradient, options, lr, scalar } = context;
  if (options.weightDecay === 0 && !options.alwaysAdapt) return gradient;
  const trustCoeff = scalar("trustCoeff", ({ options }) => options.trustCoeff);
  const weightDecay = scalar("weightDecay", ({ options }) => options.weightDecay);
  const eps = scalar("eps", ({ options }) => options.eps);
  // A schedule may let the weight decay be 0 at times.
  const adapts = scalar("adapts", ({ options }) => (options.alwaysAdapt || options.weightDecay !== 0 ? 1 : 0));
  const size = norm(parameter);
  const slope = norm(gradient);
  const divisor = add(add(slope, mul(size, weightDecay)), eps);
  const ratio = trustedRatio(size, slope, div(mul(trustCoeff, size), divisor));
  const clipped = options.trustClip ? minimum(div(ratio, lr), 1) : ratio;
  return mul(withL2(context), where(greater(adapts, 0), clipped, 1));
}

/**
 *     r = trustCoeff |p| / (|g| + weightDecay |p| + eps), 1 where |p| or |g| is 0; with trustClip min(r / lr, 1)
 *     g ← r (g + weightDecay p), where weightDecay ≠ 0 or alwaysAdapt
 *     b ← g at the first update, momentum b + (1 - dampening) g after
 *     p ← p - lr (g + momentum b) with nesterov, p - lr b without
 */
export const larsRule: Rule<LarsState, LarsOptions> = {
  name: "lars",
  lr: 1,
  defaults: {
    momentum: 0,
    dampening: 0,
    weightDecay: 0,
    nesterov: false,
    trustCoeff: 1e-3,
    eps: 1e-8,
    trustClip: false,
    alwaysAdapt: false,
  },
  check({ momentum, dampening, weightDecay, nesterov, trustCoeff, eps, trustClip, alwaysAdapt }) {
    checkNonNegative("lars", "momentum", momentum);
    checkNonNegative("lars", "weightDecay", weightDecay);
    checkNonNegative("lars", "trustCoeff", trustCoeff);
    checkNonNegative("lars", "eps", eps);
    checkBoolean("lars", "nesterov", nesterov);
    checkBoolean("lars", "trustClip", trustClip);
    checkBoolean("lars", "alwaysAdapt", alwaysAdapt);
    if (typeof dampening !== "number" || !Number.isFinite(dampening)) {
      throw new ArgumentError("lars", `dampening must be a finite number, got ${String(dampening)}`);
    }
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ArgumentError(
        "lars",
        `nesterov wants momentum > 0 and dampening 0, got momentum ${momentum} and dampening ${dampening}`,
      );
    }
  },
  initialState: (parameter, { momentum }) => (momentum === 0 ? {} : { momentumBuffer: zerosLike(parameter) }),
  update(context) {
    const { parameter, state, options, lr, scalar } = context;
    const g = adapted(context);
    if (options.momentum === 0) return descended(parameter, mul(lr, g));
    const keep = scalar("keep", ({ step, options }) => (step === 1 ? 0 : options.momentum));
    const undampened = scalar("undampened", ({ step, options }) => (step === 1 ? 1 : 1 - options.dampening));
    const momentum = scalar("momentum", ({ options }) => options.momentum);
    const momentumBuffer = add(mul(state.momentumBuffer, keep), mul(g, undampened));
    const direction = options.nesterov ? add(g, mul(momentumBuffer, momentum)) : momentumBuffer;
    return { ...descended(parameter, mul(lr, direction)), state: { momentumBuffer } };
  },
};

/**
 *     g ← g + weightDecay p
 *     d = lr g trustCoeff |p| / (|g| + eps), lr g where |p| or |g| is 0
 *     b ← momentum b + d
 *     p ← p - (d + momentum b) with nesterov, p - b without
 */
export const larsOptaxRule: Rule<LarsState, LarsOptaxOptions> = {
  name: "lars",
  convention: "optax",
  defaults: { weightDecay: 0, trustCoeff: 1e-3, eps: 0, momentum: 0.9, nesterov: false },
  check({ weightDecay, trustCoeff, eps, momentum, nesterov }) {
    checkNonNegative("lars", "weightDecay", weightDecay);
    checkNonNegative("lars", "trustCoeff", trustCoeff);
    checkNonNegative("lars", "eps", eps);
    checkNonNegativeOrNull("lars", "momentum", momentum);
    checkBoolean("lars", "nesterov", nesterov);
  },
  initialState: (parameter, { momentum }) => (momentum === null ? {} : { momentumBuffer: zerosLike(parameter) }),
  update(context) {
    const { parameter, state, options, lr, scalar } = context;
    const g = withL2(context);
    const trustCoeff = scalar("trustCoeff", ({ options }) => options.trustCoeff);
    const eps = scalar("eps", ({ options }) => options.eps);
    const size = norm(parameter);
    const slope = norm(g);
    const ratio = trustedRatio(size, slope, div(mul(trustCoeff, size), add(slope, eps)));
    const step = mul(lr, mul(g, ratio));
    if (options.momentum === null) return descended(parameter, step);
    const momentum = scalar("momentum", ({ options }) => options.momentum ?? 0);
    const momentumBuffer = add(step, mul(momentum, state.momentumBuffer));
    const direction = options.nesterov ? add(step, mul(momentum, momentumBuffer)) : momentumBuffer;
    return { ...descended(parameter, direction), state: { momentumBuffer } };
  },
};

/**
 * LARS, as timm.optim.Lars; lr 1. For convolutional networks at batches of thousands, where one rate for all layers
 * diverges. Costs one tensor of state per parameter with momentum, none without, and two norms per tensor and update.
 * Conventions: timm scales only where there is weight decay (or `alwaysAdapt`), by |p| / (|g| + weightDecay |p| + eps),
 * with momentum as in PyTorch's SGD; optax (lr required, momentum 0.9) always scales, by |p| / |g + weightDecay p|, and
 * keeps steps already multiplied by lr.
 */
export const lars = namedOptimizer<{ torch: LarsOptions; optax: LarsOptaxOptions }>({
  torch: larsRule,
  optax: larsOptaxRule,
});
