/**
 * RMSProp: gradients divided by the root of a running average of their squares. Tieleman & Hinton 2012, lecture 6.5 of
 * "Neural networks for machine learning", https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf;
 * centred: Graves 2013, https://arxiv.org/abs/1308.0850 (equations 38 to 45).
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, div, mul, rsqrt, sqrt, square, sub } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBoolean, checkDecay, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

interface AverageOptions {
  /** Decay rate of the running averages. Default: torch 0.99, keras and optax 0.9. */
  alpha: number;
  /** Keeps the divisor from 0. Default: torch and optax 1e-8, keras 1e-7. */
  eps: number;
  /** Divide by the standard deviation instead: subtract the squared running average of the gradient. Default false. */
  centered: boolean;
}

export interface RmspropOptions extends AverageOptions {
  /** Factor on the buffer of steps; 0 (default) keeps none. */
  momentum: number;
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
}

export interface RmspropKerasOptions extends AverageOptions {
  /** Factor on the buffer of steps; 0 (default) keeps none. */
  momentum: number;
  /** p shrinks by lr · weightDecay before the step; null (default) for none. */
  weightDecay: number | null;
}

export interface RmspropOptaxOptions extends AverageOptions {
  /** Factor on the buffer of steps; null (default) keeps none. */
  momentum: number | null;
  /** Look ahead along the buffer. Default false. */
  nesterov: boolean;
  /** What the average of squares starts from. Default 0. */
  initialScale: number;
  /** Whether eps is added under the root (default) or to it. */
  epsInSqrt: boolean;
  /** Divide the averages by 1 - alphaᵗ. Default false. */
  biasCorrection: boolean;
}

type RmspropState = "squareAvg" | "gradAvg" | "momentumBuffer";

function checkAverages({ alpha, eps, centered }: Readonly<AverageOptions>): void {
  checkDecay("rmsprop", "alpha", alpha);
  checkNonNegative("rmsprop", "eps", eps);
  checkBoolean("rmsprop", "centered", centered);
}

const hasMomentum = (momentum: number | null): boolean => momentum !== null && momentum !== 0;

function initialState(
  parameter: Tensor,
  { centered, momentum }: Readonly<AverageOptions & { momentum: number | null }>,
): Partial<Record<RmspropState, Tensor>> {
  return {
    squareAvg: zerosLike(parameter),
    ...(centered ? { gradAvg: zerosLike(parameter) } : {}),
    ...(hasMomentum(momentum) ? { momentumBuffer: zerosLike(parameter) } : {}),
  };
}

interface Averages {
  readonly squareAvg: Tensor;
  readonly gradAvg: Tensor | undefined;
}

/** v ← alpha v + (1 - alpha) g², and if centred a ← alpha a + (1 - alpha) g. */
function averages<Options extends AverageOptions>(
  context: UpdateContext<RmspropState, Options>,
  g: Tensor,
  before: Tensor = context.state.squareAvg,
): Averages {
  const alpha = (options: AverageOptions): number => options.alpha;
  return {
    squareAvg: runningAverage(context, "alpha", alpha, before, square(g)),
    gradAvg: context.options.centered ? runningAverage(context, "alpha", alpha, context.state.gradAvg, g) : undefined,
  };
}

/** v, or v - a² if centred. */
const spread = ({ squareAvg, gradAvg }: Averages): Tensor => (gradAvg ? sub(squareAvg, square(gradAvg)) : squareAvg);

/** The averages under the names of the state. */
const kept = ({ squareAvg, gradAvg }: Averages) => (gradAvg ? { squareAvg, gradAvg } : { squareAvg });

/**
 *     g ← g + weightDecay p
 *     v ← alpha v + (1 - alpha) g²,  a ← alpha a + (1 - alpha) g
 *     d = g / (√v + eps), centred g / (√(v - a²) + eps)
 *     b ← momentum b + d
 *     p ← p - lr b
 */
export const rmspropRule: Rule<RmspropState, RmspropOptions> = {
  name: "rmsprop",
  lr: 1e-2,
  defaults: { alpha: 0.99, eps: 1e-8, momentum: 0, centered: false, weightDecay: 0 },
  check(options) {
    checkAverages(options);
    checkNonNegative("rmsprop", "momentum", options.momentum);
    checkNonNegative("rmsprop", "weightDecay", options.weightDecay);
  },
  initialState,
  update(context) {
    const { parameter, state, options, lr, scalar } = context;
    const g = withL2(context);
    const now = averages(context, g);
    const eps = scalar("eps", ({ options }) => options.eps);
    const step = div(g, add(sqrt(spread(now)), eps));
    if (!hasMomentum(options.momentum)) return { ...descended(parameter, mul(lr, step)), state: kept(now) };
    const momentum = scalar("momentum", ({ options }) => options.momentum);
    const momentumBuffer = add(mul(state.momentumBuffer, momentum), step);
    return { ...descended(parameter, mul(lr, momentumBuffer)), state: { ...kept(now), momentumBuffer } };
  },
};

/**
 *     p ← (1 - lr weightDecay) p
 *     v ← alpha v + (1 - alpha) g²,  a ← alpha a + (1 - alpha) g
 *     d = lr g / √(v + eps), centred lr g / √(v - a² + eps)
 *     b ← momentum b + d
 *     p ← p - b
 */
export const rmspropKerasRule: Rule<RmspropState, RmspropKerasOptions> = {
  name: "rmsprop",
  convention: "keras",
  lr: 1e-3,
  defaults: { alpha: 0.9, eps: 1e-7, momentum: 0, centered: false, weightDecay: null },
  check(options) {
    checkAverages(options);
    checkNonNegative("rmsprop", "momentum", options.momentum);
    checkNonNegativeOrNull("rmsprop", "weightDecay", options.weightDecay);
  },
  initialState,
  update(context) {
    const { gradient: g, state, options, lr, scalar } = context;
    const now = averages(context, g);
    const eps = scalar("eps", ({ options }) => options.eps);
    const step = div(mul(lr, g), sqrt(add(spread(now), eps)));
    const parameter = shrunk(context);
    if (!hasMomentum(options.momentum)) return { ...descended(parameter, step), state: kept(now) };
    const momentum = scalar("momentum", ({ options }) => options.momentum);
    const momentumBuffer = add(mul(state.momentumBuffer, momentum), step);
    return { ...descended(parameter, momentumBuffer), state: { ...kept(now), momentumBuffer } };
  },
};

/**
 *     v ← alpha v + (1 - alpha) g²,  a ← alpha a + (1 - alpha) g
 *     d = lr g / √(v̂ + eps), centred lr g / √(v̂ - â² + eps)
 *     b ← momentum b + d
 *     p ← p - b, with nesterov p - (d + momentum b)
 *
 * v̂ and â are v and a, with biasCorrection over 1 - alphaᵗ. Without epsInSqrt eps is added to the root.
 */
export const rmspropOptaxRule: Rule<RmspropState, RmspropOptaxOptions> = {
  name: "rmsprop",
  convention: "optax",
  defaults: {
    alpha: 0.9,
    eps: 1e-8,
    initialScale: 0,
    epsInSqrt: true,
    centered: false,
    momentum: null,
    nesterov: false,
    biasCorrection: false,
  },
  check(options) {
    checkAverages(options);
    checkNonNegative("rmsprop", "initialScale", options.initialScale);
    checkBoolean("rmsprop", "epsInSqrt", options.epsInSqrt);
    checkNonNegativeOrNull("rmsprop", "momentum", options.momentum);
    checkBoolean("rmsprop", "nesterov", options.nesterov);
    checkBoolean("rmsprop", "biasCorrection", options.biasCorrection);
  },
  initialState,
  update(context) {
    const { parameter, gradient: g, state, options, lr, scalar } = context;
    const start = scalar("start", ({ step, options }) => (step === 1 ? options.initialScale : 0));
    const now = averages(context, g, add(state.squareAvg, start));
    const eps = scalar("eps", ({ options }) => options.eps);
    const v = spread(options.biasCorrection ? corrected(context, now) : now);
    const scale = options.epsInSqrt ? rsqrt(add(v, eps)) : div(1, add(sqrt(v), eps));
    const step = mul(lr, mul(scale, g));
    if (!hasMomentum(options.momentum)) return { ...descended(parameter, step), state: kept(now) };
    const momentum = scalar("momentum", ({ options }) => options.momentum ?? 0);
    const momentumBuffer = add(step, mul(momentum, state.momentumBuffer));
    const direction = options.nesterov ? add(step, mul(momentum, momentumBuffer)) : momentumBuffer;
    return { ...descended(parameter, direction), state: { ...kept(now), momentumBuffer } };
  },
};

/** The averages over 1 - alphaᵗ. */
function corrected(
  { scalar }: UpdateContext<RmspropState, RmspropOptaxOptions>,
  { squareAvg, gradAvg }: Averages,
): Averages {
  const correction = scalar("correction", ({ optimizerStep, options }) => 1 - options.alpha ** optimizerStep);
  return { squareAvg: div(squareAvg, correction), gradAvg: gradAvg && div(gradAvg, correction) };
}

/**
 * RMSProp, as torch.optim.RMSprop; lr 0.01. For recurrent networks and reinforcement learning, where gradients change
 * scale on the way; adam does the same with momentum and bias correction. Costs one tensor of state per parameter, one
 * more if centred and one more with momentum. Conventions: PyTorch adds eps to the root and applies lr last, so that a
 * change of lr acts on the whole buffer; keras (lr 0.001, alpha 0.9, decoupled weight decay) and optax (lr required,
 * alpha 0.9, optional bias correction, starting value and nesterov) add eps under the root and lr to each step alone.
 */
export const rmsprop = namedOptimizer<{
  torch: RmspropOptions;
  keras: RmspropKerasOptions;
  optax: RmspropOptaxOptions;
}>({ torch: rmspropRule, keras: rmspropKerasRule, optax: rmspropOptaxRule });
