/**
 * Reductions over one axis, several, or all. `axis` null or left out (or an empty list, as in PyTorch) means all axes;
 * `keepDim` leaves reduced axes as size 1. Default of `keepDim`: false.
 */
import { type DType, isFloat } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { makeNode, type ReduceOp } from "../graph/node.ts";
import { formatShape, normalizeAxes, normalizeAxis, type Shape, sizeOf } from "../graph/shape.ts";
import { sensitiveOperand } from "./autocast.ts";
import {
  type Axis,
  asTensor,
  castTo,
  defaultDType,
  reshapeTo,
  type TensorLike,
  toFloat,
  widen,
  wrap,
} from "./convert.ts";
import {
  abs,
  add,
  div,
  exp,
  log,
  logicalNot,
  notEqual,
  pow,
  sqrt,
  square,
  stopGradient,
  sub,
  where,
} from "./elementwise.ts";
import type { Tensor } from "./tensor.ts";
import { permute } from "./views.ts";

export interface ReduceOptions {
  /** Default: all axes. */
  axis?: Axis;
  /** Whether reduced axes stay as size 1. Default false. */
  keepDim?: boolean | undefined;
}

/** The axes a reduction runs over, sorted. A scalar takes axis 0 and -1, as in PyTorch. */
export function reductionAxes(subject: string, axis: Axis, rank: number): number[] {
  const list = typeof axis === "number" ? [axis] : axis;
  if (rank === 0 && list?.every((a) => a === 0 || a === -1)) return [];
  return normalizeAxes(subject, list?.length === 0 ? null : list, rank);
}

const withoutAxes = (shape: Shape, axes: readonly number[]): number[] =>
  shape.filter((_, axis) => !axes.includes(axis));
const withOnes = (shape: Shape, axes: readonly number[]): number[] =>
  shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
/** Elements that go into each result. */
const countOf = (shape: Shape, axes: readonly number[]): number =>
  axes.reduce((n, axis) => n * (shape[axis] as number), 1);

/** One reduction node over `axes` (sorted, in range); x itself when there are none. */
export function reduceNode(op: ReduceOp, x: Tensor, axes: readonly number[], dtype: DType = x.dtype): Tensor {
  if (axes.length === 0 && dtype === x.dtype) return x;
  const node = x.node;
  return wrap(makeNode(op, [node], { axes: [...axes] }, withoutAxes(node.shape, axes), dtype));
}

const finish = (reduced: Tensor, shape: Shape, axes: readonly number[], keepDim: boolean | undefined): Tensor =>
  keepDim ? reshapeTo(reduced, withOnes(shape, axes)) : reduced;

const counted = (x: TensorLike): Tensor => {
  const t = sensitiveOperand(x);
  return t.dtype === "bool" ? castTo(t, "int32") : t;
};

/** Sum. Sums of bools and integers are int32 or uint32 (PyTorch: int64); an empty sum is 0. */
export function sum(x: TensorLike, { axis, keepDim }: ReduceOptions = {}): Tensor {
  const t = counted(x);
  const axes = reductionAxes("sum", axis, t.rank);
  return finish(reduceNode("sum", t, axes), t.shape, axes, keepDim);
}

/** Arithmetic mean, a float (bools and integers: of float32); NaN over nothing. */
export function mean(x: TensorLike, { axis, keepDim }: ReduceOptions = {}): Tensor {
  const t = sensitiveOperand(x);
  const float = isFloat(t.dtype) ? t : castTo(t, defaultDType);
  const axes = reductionAxes("mean", axis, t.rank);
  const result = div(reduceNode("sum", widen(float), axes), countOf(t.shape, axes));
  return finish(castTo(result, float.dtype), t.shape, axes, keepDim);
}

/** Product; an empty product is 1. The gradient is exact where elements are zero. */
export function prod(x: TensorLike, { axis, keepDim }: ReduceOptions = {}): Tensor {
  const t = counted(x);
  const axes = reductionAxes("prod", axis, t.rank);
  if (axes.length === 0) return t;
  let flat = t;
  let along = axes[0] as number;
  if (axes.length > 1) {
    // The primitive reduces one axis: bring the others beside it.
    const kept = t.shape.map((_, i) => i).filter((i) => !axes.includes(i));
    along = kept.length;
    flat = reshapeTo(permute(t, [...kept, ...axes]), [...withoutAxes(t.shape, axes), countOf(t.shape, axes)]);
  }
  return finish(reduceNode("prod", flat, [along]), t.shape, axes, keepDim);
}

function checkNonEmpty(subject: string, shape: Shape, axes: readonly number[]): void {
  if (countOf(shape, axes) === 0 && sizeOf(withoutAxes(shape, axes)) > 0) {
    throw new ShapeError(
      subject,
      `expected at least one element to reduce, got shape ${formatShape(shape)} over axes [${axes.join(", ")}]`,
    );
  }
}

function extreme(op: "max" | "min", x: TensorLike, { axis, keepDim }: ReduceOptions): Tensor {
  const t = asTensor(x);
  const axes = reductionAxes(op, axis, t.rank);
  checkNonEmpty(op, t.shape, axes);
  const reduced =
    t.dtype === "bool" ? castTo(reduceNode(op, castTo(t, "int32"), axes), "bool") : reduceNode(op, t, axes);
  return finish(reduced, t.shape, axes, keepDim);
}

/** Largest element (torch.amax); NaN if any is. Equal elements share the gradient. Throws ShapeError over nothing. */
export const max = (x: TensorLike, options: ReduceOptions = {}): Tensor => extreme("max", x, options);
/** Smallest element (torch.amin); NaN if any is. Equal elements share the gradient. Throws ShapeError over nothing. */
export const min = (x: TensorLike, options: ReduceOptions = {}): Tensor => extreme("min", x, options);

function position(op: "argMax" | "argMin", x: TensorLike, { axis, keepDim }: ReduceOptions): Tensor {
  const t = counted(x);
  const axes = reductionAxes(op, axis, t.rank);
  checkNonEmpty(op, t.shape, axes);
  return finish(reduceNode(op, t, axes, "int32"), t.shape, axes, keepDim);
}

/**
 * Position (int32) of the largest element, the first of equals; a NaN counts as the largest. Over several axes, the
 * row-major position among them. Throws ShapeError over nothing.
 */
export const argMax = (x: TensorLike, options: ReduceOptions = {}): Tensor => position("argMax", x, options);
/** Position (int32) of the smallest element, the first of equals; a NaN counts as the smallest. */
export const argMin = (x: TensorLike, options: ReduceOptions = {}): Tensor => position("argMin", x, options);

/** Whether any element is nonzero (bool); false over nothing. */
export const any = (x: TensorLike, options: ReduceOptions = {}): Tensor =>
  castTo(sum(castTo(asTensor(x), "bool"), options), "bool");
/** Whether all elements are nonzero (bool); true over nothing. */
export const all = (x: TensorLike, options: ReduceOptions = {}): Tensor =>
  logicalNot(any(logicalNot(castTo(asTensor(x), "bool")), options));

export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the count: 1 for the sample variance, 0 for the population's. Default 1. */
  correction?: number | undefined;
}

function varianceOf(subject: string, x: Tensor, axes: readonly number[], correction: number): Tensor {
  if (!isFloat(x.dtype)) throw new DTypeError(subject, `takes floats, got ${x.dtype}`);
  const t = widen(x);
  const count = countOf(t.shape, axes);
  const center = reshapeTo(div(reduceNode("sum", t, axes), count), withOnes(t.shape, axes));
  return div(reduceNode("sum", square(sub(t, center)), axes), Math.max(0, count - correction));
}

/** Variance: Σ(x - mean)² / max(0, n - correction). NaN when n ≤ correction leaves nothing to divide by. */
export function variance(x: TensorLike, { axis, keepDim, correction = 1 }: VarianceOptions = {}): Tensor {
  const t = asTensor(x);
  const axes = reductionAxes("variance", axis, t.rank);
  return finish(castTo(varianceOf("variance", t, axes, correction), t.dtype), t.shape, axes, keepDim);
}

/** √x with derivative 0 where x is 0, instead of Infinity. */
export function safeSqrt(x: Tensor): Tensor {
  const positive = notEqual(x, 0);
  return where(positive, sqrt(where(positive, x, 1)), 0);
}

/** Standard deviation: √variance. Where it is 0 its gradient is 0, as in PyTorch. */
export function std(x: TensorLike, { axis, keepDim, correction = 1 }: VarianceOptions = {}): Tensor {
  const t = asTensor(x);
  const axes = reductionAxes("std", axis, t.rank);
  return finish(castTo(safeSqrt(varianceOf("std", t, axes, correction)), t.dtype), t.shape, axes, keepDim);
}

/** ln Σ eˣ, shifted by the maximum so that nothing overflows; -Infinity over nothing. */
export function logSumExp(x: TensorLike, { axis, keepDim }: ReduceOptions = {}): Tensor {
  const t = toFloat(sensitiveOperand(x));
  const float = widen(t);
  const axes = reductionAxes("logSumExp", axis, t.rank);
  const done = (result: Tensor): Tensor => finish(castTo(result, t.dtype), t.shape, axes, keepDim);
  if (countOf(t.shape, axes) === 0) return done(log(reduceNode("sum", exp(float), axes)));
  const top = reshapeTo(reduceNode("max", stopGradient(float), axes), withOnes(t.shape, axes));
  // An infinite maximum would give Infinity - Infinity.
  const shift = where(notEqual(abs(top), Number.POSITIVE_INFINITY), top, 0);
  const total = log(reduceNode("sum", exp(sub(float, shift)), axes));
  return done(add(total, reshapeTo(shift, total.shape)));
}

export interface NormOptions extends ReduceOptions {
  /** Order: any number, Infinity, -Infinity; 0 counts nonzero elements. Default 2. */
  p?: number | undefined;
}

/**
 * Vector norm (torch.linalg.vector_norm): (Σ|x|ᵖ)^(1/p) over the axes. Its gradient is 0 at the zero vector. p = ±Infinity:
 * the largest or smallest magnitude (ShapeError over nothing).
 */
export function norm(x: TensorLike, { p = 2, axis, keepDim }: NormOptions = {}): Tensor {
  const given = sensitiveOperand(x);
  if (!isFloat(given.dtype)) throw new DTypeError("norm", `takes floats, got ${given.dtype}`);
  const t = widen(given);
  if (typeof p !== "number" || Number.isNaN(p))
    throw new ArgumentError("norm", `expected a number p, got ${String(p)}`);
  const axes = reductionAxes("norm", axis, t.rank);
  const done = (result: Tensor): Tensor => finish(castTo(result, given.dtype), t.shape, axes, keepDim);
  if (Math.abs(p) === Number.POSITIVE_INFINITY) {
    checkNonEmpty("norm", t.shape, axes);
    return done(reduceNode(p > 0 ? "max" : "min", abs(t), axes));
  }
  const nonzero = (): Tensor => notEqual(t, 0);
  let result: Tensor;
  if (p === 0) result = reduceNode("sum", castTo(nonzero(), t.dtype), axes);
  else if (p === 1) result = reduceNode("sum", abs(t), axes);
  else if (p === 2) result = safeSqrt(reduceNode("sum", square(t), axes));
  else {
    // |x|ᵖ and s^(1/p) have infinite derivatives at 0 for some p: keep 0 out of both.
    const power = where(nonzero(), pow(where(nonzero(), abs(t), 1), p), p < 0 ? Number.POSITIVE_INFINITY : 0);
    const total = reduceNode("sum", power, axes);
    const regular = notEqual(total, 0);
    result = where(regular, pow(where(regular, total, 1), 1 / p), p < 0 ? Number.POSITIVE_INFINITY : 0);
  }
  return done(result);
}

/** Running sum along one axis; bools are counted as int32. */
export function cumSum(x: TensorLike, { axis }: { axis: number }): Tensor {
  const t = counted(x);
  if (t.rank === 0 && (axis === 0 || axis === -1)) return t;
  const node = t.node;
  return wrap(makeNode("cumSum", [node], { axis: normalizeAxis("cumSum", axis, t.rank) }, node.shape, node.dtype));
}
