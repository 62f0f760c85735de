/**
 * Adafactor: the second moment of a matrix from its row and column means alone, steps clipped by their root mean square
 * and in proportion to that of the parameter. Shazeer & Stern 2018, "Adafactor: adaptive learning rates with sublinear
 * memory cost", https://arxiv.org/abs/1804.04235 (algorithms 4 and 5).
 */

import { ArgumentError } from "../graph/errors.ts";
import type { Shape } from "../graph/shape.ts";
import { zeros, zerosLike } from "../tensor/creation.ts";
import { add, div, maximum, mul, pow, rsqrt, sqrt, square } from "../tensor/elementwise.ts";
import { mean } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  checkBoolean,
  checkDecay,
  checkNonNegative,
  checkNonNegativeOrNull,
  checkPositive,
  checkPositiveInteger,
} from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, ScalarContext, UpdateContext } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";
import { shrunk } from "./weightDecay.ts";

interface RelativeOptions {
  /** The second moment takes t^beta2Decay of update t. Default -0.8. */
  beta2Decay: number;
}

export interface AdafactorOptions extends RelativeOptions {
  /**
   * Least root of the second moment (and least mean of its rows), and least root mean square that a parameter is taken
   * to have. Default [null, 1e-3]; null is the machine epsilon of the dtype.
   */
  eps: readonly [number | null, number];
  /** The root mean square that a step is clipped to, at least 1. Default 1. */
  d: number;
  /** p shrinks by lr · weightDecay before the step. Default 0. */
  weightDecay: number;
}

export interface AdafactorKerasOptions extends RelativeOptions {
  /** Added to the squared gradient, and least root mean square of a parameter. Default [1e-30, 1e-3]. */
  eps: readonly [number, number];
  /** The root mean square that a step is clipped to. Default 1. */
  d: number;
  /** p shrinks by lr · weightDecay before the step; null (default) for none. */
  weightDecay: number | null;
}

export interface AdafactorOptaxOptions {
  /** Factor tensors whose two largest axes are both at least this long. Default 128. */
  minDimSizeToFactor: number;
  /** The second moment takes (t - decayOffset)^-decayRate of update t. Default 0.8. */
  decayRate: number;
  /** The decay of the averages starts anew after this many updates of the optimizer. Default 0. */
  decayOffset: number;
  /** Make steps in proportion to the root mean square of the parameter, taken as 1e-3 at least. Default true. */
  multiplyByParameterScale: boolean;
  /** The root mean square that a step is clipped to; null for none. Default 1. */
  clippingThreshold: number | null;
  /** Decay rate of a running average of the step; null (default) keeps none. */
  momentum: number | null;
  /** weightDecayRate · p is added to the step, after lr; null (default) for none. */
  weightDecayRate: number | null;
  /** Added to the squared gradient. Default 1e-30. */
  eps: number;
  /** Whether to factor at all. Default true. */
  factored: boolean;
}

type MomentState = "rowVar" | "colVar" | "variance";

/** The axes that the row and the column means are taken over. */
interface Factors {
  readonly row: number;
  readonly column: number;
}

const lastTwo = ({ rank }: Tensor): Factors | undefined => (rank < 2 ? undefined : { row: rank - 1, column: rank - 2 });

const reduced = (shape: Shape, axis: number): number[] => shape.map((size, i) => (i === axis ? 1 : size));

function momentState(parameter: Tensor, factors: Factors | undefined): Partial<Record<MomentState, Tensor>> {
  const { shape, dtype } = parameter;
  return factors
    ? {
        rowVar: zeros(reduced(shape, factors.row), { dtype }),
        colVar: zeros(reduced(shape, factors.column), { dtype }),
      }
    : { variance: zerosLike(parameter) };
}

const rootMeanSquare = (x: Tensor): Tensor => sqrt(mean(square(x)));

/** The running averages of `squares`, whole or by rows and columns. `fresh`: the weight of this update. */
function moments<State extends string, Options extends object>(
  { state, scalar }: UpdateContext<State | MomentState, Options>,
  squares: Tensor,
  factors: Factors | undefined,
  fresh: (context: ScalarContext<Options>) => number,
): Partial<Record<MomentState, Tensor>> {
  const take = scalar("take", fresh);
  const keep = scalar("keep", (context) => 1 - fresh(context));
  const averaged = (before: Tensor, now: Tensor): Tensor => add(mul(before, keep), mul(now, take));
  if (!factors) return { variance: averaged(state.variance, squares) };
  return {
    rowVar: averaged(state.rowVar, mean(squares, { axis: factors.row, keepDim: true })),
    colVar: averaged(state.colVar, mean(squares, { axis: factors.column, keepDim: true })),
  };
}

/** min(lr, 1/√t) times the root mean square of `parameter`, taken as eps[1] at least. */
function relativeStepSize<State extends string, Options extends { eps: readonly [number | null, number] }>(
  { scalar }: UpdateContext<State, Options>,
  parameter: Tensor,
  count: "step" | "optimizerStep",
): Tensor {
  const least = scalar("least", ({ options }) => options.eps[1]);
  const rate = scalar("rate", (context) => Math.min(context.lr, 1 / Math.sqrt(context[count])));
  return mul(maximum(rootMeanSquare(parameter), least), rate);
}

/** `step` over max(1, its root mean square / limit). */
const clipped = (step: Tensor, limit: Tensor): Tensor => div(step, maximum(div(rootMeanSquare(step), limit), 1));

const machineEpsilon = { float64: 2 ** -52, float32: 2 ** -23 } as const;

/**
 *     a = min(lr, 1/√t) max(eps[1], rms(p))
 *     p ← (1 - lr weightDecay) p
 *     R ← (1 - w) R + w mean of g² over the last axis,  C ← (1 - w) C + w mean of g² over the last but one
 *     v = R C / max(mean of R over the last but one, eps[0])
 *     u = g / √max(v, eps[0]²)
 *     p ← p - a u / max(1, rms(u) / d)
 *
 * w = t^beta2Decay. Scalars and vectors have v ← (1 - w) v + w g².
 */
export const adafactorRule: Rule<MomentState, AdafactorOptions> = {
  name: "adafactor",
  lr: 1e-2,
  defaults: { beta2Decay: -0.8, eps: [null, 1e-3], d: 1, weightDecay: 0 },
  check({ beta2Decay, eps, d, weightDecay }) {
    checkBeta2Decay(beta2Decay);
    checkPair(eps);
    checkNonNegativeOrNull("adafactor", "eps[0]", eps[0]);
    checkNonNegative("adafactor", "eps[1]", eps[1]);
    if (typeof d !== "number" || !(d >= 1) || d === Number.POSITIVE_INFINITY) {
      throw new ArgumentError("adafactor", `d must be a finite number ≥ 1, got ${String(d)}`);
    }
    checkNonNegative("adafactor", "weightDecay", weightDecay);
  },
  initialState: (parameter) => momentState(parameter, lastTwo(parameter)),
  update(context) {
    const { parameter, gradient: g, scalar } = context;
    const epsilon = machineEpsilon[parameter.dtype === "float64" ? "float64" : "float32"];
    const eps = scalar("eps", ({ options }) => options.eps[0] ?? epsilon);
    const floor = scalar("eps²", ({ options }) => (options.eps[0] ?? epsilon) ** 2);
    const d = scalar("d", ({ options }) => options.d);
    const stepSize = relativeStepSize(context, parameter, "step");
    const state = moments(context, square(g), lastTwo(parameter), ({ step, options }) => step ** options.beta2Decay);
    const { rowVar, colVar, variance } = state as Record<MomentState, Tensor>;
    const v = rowVar ? div(mul(rowVar, colVar), maximum(mean(rowVar, { axis: -2, keepDim: true }), eps)) : variance;
    const step = clipped(mul(rsqrt(maximum(v, floor)), g), d);
    return { ...descended(shrunk(context), mul(stepSize, step)), state };
  },
};

/**
 *     p ← (1 - lr weightDecay) p
 *     a = min(lr, 1/√t) max(eps[1], rms(p))
 *     R ← (1 - w) R + w mean of g² + eps[0] over the last axis,  C ← the same over the last but one
 *     v = R / (mean of R over the last but one) C
 *     u = g / √v
 *     p ← p - a u / max(1, rms(u) / d)
 *
 * w = t^beta2Decay; t counts the updates of the optimizer. Scalars and vectors have v ← (1 - w) v + w (g² + eps[0]).
 */
export const adafactorKerasRule: Rule<MomentState, AdafactorKerasOptions> = {
  name: "adafactor",
  convention: "keras",
  lr: 1e-3,
  defaults: { beta2Decay: -0.8, eps: [1e-30, 1e-3], d: 1, weightDecay: null },
  check({ beta2Decay, eps, d, weightDecay }) {
    checkBeta2Decay(beta2Decay);
    checkPair(eps);
    checkNonNegative("adafactor", "eps[0]", eps[0]);
    checkNonNegative("adafactor", "eps[1]", eps[1]);
    checkPositive("adafactor", "d", d);
    checkNonNegativeOrNull("adafactor", "weightDecay", weightDecay);
  },
  initialState: (parameter) => momentState(parameter, lastTwo(parameter)),
  update(context) {
    const { gradient: g, scalar } = context;
    const parameter = shrunk(context);
    const eps = scalar("eps", ({ options }) => options.eps[0]);
    const d = scalar("d", ({ options }) => options.d);
    const stepSize = relativeStepSize(context, parameter, "optimizerStep");
    const fresh = ({ optimizerStep, options }: ScalarContext<AdafactorKerasOptions>): number =>
      optimizerStep ** options.beta2Decay;
    const state = moments(context, add(square(g), eps), lastTwo(parameter), fresh);
    const { rowVar, colVar, variance } = state as Record<MomentState, Tensor>;
    const v = rowVar ? mul(div(rowVar, mean(rowVar, { axis: -2, keepDim: true })), colVar) : variance;
    const step = clipped(div(g, sqrt(v)), d);
    return { ...descended(parameter, mul(stepSize, step)), state };
  },
};

/** The largest axis and the second largest, of equal ones the last first, where both are long enough. */
function twoLargest({ shape }: Tensor, { factored, minDimSizeToFactor }: AdafactorOptaxOptions): Factors | undefined {
  if (!factored || shape.length < 2) return undefined;
  const size = (axis: number): number => shape[axis] as number;
  const byLength = shape.map((_, axis) => axis).sort((a, b) => size(a) - size(b));
  const [column, row] = byLength.slice(-2) as [number, number];
  // A minimum that a schedule gives is no number here, and factors nothing.
  return size(column) >= minDimSizeToFactor ? { row, column } : undefined;
}

/**
 *     R ← (1 - w) R + w mean of g² + eps over the largest axis,  C ← the same over the second largest
 *     u = g (R / mean of R over the second largest)^-½ C^-½
 *     u ← u / max(1, rms(u) / clippingThreshold) · lr · max(1e-3, rms(p))
 *     m ← momentum m + (1 - momentum) u
 *     p ← p - m - weightDecayRate p
 *
 * w = max(1, t - decayOffset)^-decayRate; t counts the updates of the optimizer. What is not factored has
 * v ← (1 - w) v + w (g² + eps) and u = g v^-½.
 */
export const adafactorOptaxRule: Rule<MomentState | "momentumBuffer", AdafactorOptaxOptions> = {
  name: "adafactor",
  convention: "optax",
  lr: 1,
  defaults: {
    minDimSizeToFactor: 128,
    decayRate: 0.8,
    decayOffset: 0,
    multiplyByParameterScale: true,
    clippingThreshold: 1,
    momentum: null,
    weightDecayRate: null,
    eps: 1e-30,
    factored: true,
  },
  check(options) {
    checkPositiveInteger("adafactor", "minDimSizeToFactor", options.minDimSizeToFactor);
    checkNonNegative("adafactor", "decayRate", options.decayRate);
    checkNonNegative("adafactor", "decayOffset", options.decayOffset);
    checkBoolean("adafactor", "multiplyByParameterScale", options.multiplyByParameterScale);
    if (options.clippingThreshold !== null) {
      checkPositive("adafactor", "clippingThreshold", options.clippingThreshold);
    }
    if (options.momentum !== null) checkDecay("adafactor", "momentum", options.momentum);
    checkNonNegativeOrNull("adafactor", "weightDecayRate", options.weightDecayRate);
    checkNonNegative("adafactor", "eps", options.eps);
    checkBoolean("adafactor", "factored", options.factored);
  },
  initialState: (parameter, options) => ({
    ...momentState(parameter, twoLargest(parameter, options)),
    ...(options.momentum === null ? {} : { momentumBuffer: zerosLike(parameter) }),
  }),
  update(context) {
    const { parameter, gradient: g, options, state, lr, scalar } = context;
    const eps = scalar("eps", ({ options }) => options.eps);
    const factors = twoLargest(parameter, options);
    const fresh = ({ optimizerStep, options }: ScalarContext<AdafactorOptaxOptions>): number =>
      Math.max(1, optimizerStep - options.decayOffset) ** -options.decayRate;
    const next = moments(context, add(square(g), eps), factors, fresh);
    const { rowVar, colVar, variance } = next as Record<MomentState, Tensor>;
    const direction = factors
      ? mul(mul(g, pow(div(rowVar, mean(rowVar, { axis: factors.column, keepDim: true })), -0.5)), pow(colVar, -0.5))
      : mul(g, pow(variance, -0.5));
    const threshold = scalar("clippingThreshold", ({ options }) => options.clippingThreshold ?? 1);
    const rated = mul(options.clippingThreshold === null ? direction : clipped(direction, threshold), lr);
    const step = options.multiplyByParameterScale ? mul(rated, maximum(rootMeanSquare(parameter), 1e-3)) : rated;
    const momentumBuffer =
      options.momentum === null
        ? undefined
        : runningAverage(context, "momentum", ({ momentum }) => momentum ?? 0, state.momentumBuffer, step);
    const smooth = momentumBuffer ?? step;
    const rate = scalar("weightDecayRate", ({ options }) => options.weightDecayRate ?? 0);
    const move = options.weightDecayRate === null ? smooth : add(smooth, mul(rate, parameter));
    return { ...descended(parameter, move), state: momentumBuffer ? { ...next, momentumBuffer } : next };
  },
};

function checkBeta2Decay(value: unknown): void {
  if (typeof value !== "number" || !(value <= 0) || value === Number.NEGATIVE_INFINITY) {
    throw new ArgumentError("adafactor", `beta2Decay must be a finite number ≤ 0, got ${String(value)}`);
  }
}

function checkPair(value: unknown): void {
  if (!Array.isArray(value) || value.length !== 2) {
    throw new ArgumentError("adafactor", `eps must be a list of 2 numbers, got ${String(value)}`);
  }
}

/**
 * Adafactor, as torch.optim.Adafactor; lr 0.01 is the largest relative step. For large models whose optimizer state would
 * not fit. Costs, per matrix, one row and one column of state; per vector a tensor of its size. Conventions: PyTorch (lr
 * 0.01) takes eps[0] as a floor and factors the last two axes; keras (lr 0.001) adds it to the squared gradient, as the
 * paper does; optax adds eps, has no relative step (lr, 1 by default, multiplies), factors the two largest axes if both
 * have 128 entries or more, and applies weight decay without lr.
 */
export const adafactor = namedOptimizer<{
  torch: AdafactorOptions;
  keras: AdafactorKerasOptions;
  optax: AdafactorOptaxOptions;
}>({ torch: adafactorRule, keras: adafactorKerasRule, optax: adafactorOptaxRule });
