/**
 * Rearrangements that compute nothing: views wherever the compiler can make strided or masked loads of them.
 */
import { ArgumentError, ShapeError } from "../graph/errors.ts";
import { makeNode } from "../graph/node.ts";
import {
  checkShape,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
  sizeOf,
} from "../graph/shape.ts";
import { asTensor, broadcastTo, reshapeTo, type TensorLike, wrap } from "./convert.ts";
import { add, lessEqual, where } from "./elementwise.ts";
import type { Tensor } from "./tensor.ts";

export { broadcastTo } from "./convert.ts";

/** `x` in another shape with as many elements, in row-major order. One size may be -1 and is inferred. */
export function reshape(x: TensorLike, shape: Shape): Tensor {
  const t = asTensor(x);
  const open = shape.indexOf(-1);
  if (open < 0) {
    checkShape("reshape", shape);
    return reshapeTo(t, shape);
  }
  const known = sizeOf(shape.filter((_, axis) => axis !== open));
  checkShape(
    "reshape",
    shape.map((n, axis) => (axis === open ? 1 : n)),
  );
  if (known === 0 || t.size % known !== 0) {
    throw new ShapeError(
      "reshape",
      `cannot infer -1 in ${formatShape(shape)} for ${formatShape(t.shape)} of ${t.size} elements`,
    );
  }
  return reshapeTo(
    t,
    shape.map((n, axis) => (axis === open ? t.size / known : n)),
  );
}

/** Axes `startAxis` to `endAxis` (included) made one. Defaults: all axes. A scalar becomes a vector of one. */
export function flatten(
  x: TensorLike,
  { startAxis = 0, endAxis = -1 }: { startAxis?: number; endAxis?: number } = {},
): Tensor {
  const t = asTensor(x);
  if (t.rank === 0) return reshapeTo(t, [1]);
  const start = normalizeAxis("flatten", startAxis, t.rank);
  const end = normalizeAxis("flatten", endAxis, t.rank);
  if (start > end) throw new ShapeError("flatten", `startAxis ${startAxis} lies after endAxis ${endAxis}`);
  return reshapeTo(t, [...t.shape.slice(0, start), sizeOf(t.shape.slice(start, end + 1)), ...t.shape.slice(end + 1)]);
}

/** Axis i of the result is axis `axes[i]` of x. */
export function permute(x: TensorLike, axes: readonly number[]): Tensor {
  const t = asTensor(x);
  const node = t.node;
  if (axes.length !== t.rank)
    throw new ShapeError("permute", `expected ${t.rank} axes for ${formatShape(t.shape)}, got [${axes.join(", ")}]`);
  const order = axes.map((axis) => normalizeAxis("permute", axis, t.rank));
  if (new Set(order).size !== order.length) throw new ShapeError("permute", `axis repeated in [${axes.join(", ")}]`);
  if (order.every((axis, i) => axis === i)) return t;
  return wrap(
    makeNode(
      "permute",
      [node],
      { axes: order },
      order.map((axis) => node.shape[axis] as number),
      node.dtype,
    ),
  );
}

/** Two axes exchanged; by default the last two. */
export function transpose(x: TensorLike, axis0 = -2, axis1 = -1): Tensor {
  const t = asTensor(x);
  const [a, b] = [normalizeAxis("transpose", axis0, t.rank), normalizeAxis("transpose", axis1, t.rank)];
  return permute(
    t,
    t.shape.map((_, i) => (i === a ? b : i === b ? a : i)),
  );
}

/** Axes of size 1 repeated to `shape`, leading axes added where needed; -1 keeps an axis as it is. */
export function expand(x: TensorLike, shape: Shape): Tensor {
  const t = asTensor(x);
  const added = shape.length - t.rank;
  const target = shape.map((n, axis) => (n === -1 ? (t.shape[axis - added] ?? -1) : n));
  checkShape("expand", target);
  if (added < 0 || t.shape.some((n, axis) => n !== 1 && n !== target[axis + added])) {
    throw new ShapeError("expand", `${formatShape(t.shape)} does not expand to ${formatShape(shape)}`);
  }
  return broadcastTo(t, target);
}

/** Without axes of size 1: those given (left alone when larger, as in PyTorch), or all. */
export function squeeze(x: TensorLike, axis?: number | readonly number[] | null): Tensor {
  const t = asTensor(x);
  const axes = normalizeAxes("squeeze", axis, t.rank);
  return reshapeTo(
    t,
    t.shape.filter((n, i) => n !== 1 || !axes.includes(i)),
  );
}

/** With a new axis of size 1 at `axis` of the result. */
export function unsqueeze(x: TensorLike, axis: number): Tensor {
  const t = asTensor(x);
  const at = normalizeAxis("unsqueeze", axis, t.rank + 1);
  const shape = [...t.shape.slice(0, at), 1, ...t.shape.slice(at)];
  checkShape("unsqueeze", shape);
  return reshapeTo(t, shape);
}

/** The slice primitive: out[i] = x[start + i·step] along every axis, for `sizes` elements. */
export function sliceAxes(x: Tensor, start: readonly number[], sizes: Shape, step: readonly number[]): Tensor {
  const node = x.node;
  if (sameShape(node.shape, sizes) && start.every((s) => s === 0) && step.every((s, i) => s === 1 || sizes[i] === 1))
    return x;
  return wrap(makeNode("slice", [node], { start: [...start], step: [...step] }, [...sizes], node.dtype));
}

/** The pad primitive: `value` around x, non-negative widths per axis. */
export function padAxes(x: Tensor, before: readonly number[], after: readonly number[], value = 0): Tensor {
  const node = x.node;
  if (before.every((n) => n === 0) && after.every((n) => n === 0)) return x;
  const shape = node.shape.map((n, axis) => n + (before[axis] as number) + (after[axis] as number));
  checkShape("pad", shape);
  return wrap(makeNode("pad", [node], { before: [...before], after: [...after], value }, shape, node.dtype));
}

export interface SliceOptions {
  axis: number;
  /** First index; negative counts from the end. Default 0. */
  start?: number | null | undefined;
  /** One past the last index; negative counts from the end; past the end is the end. Default: the end. */
  end?: number | null | undefined;
  /** Positive. Default 1. */
  step?: number | undefined;
}

/** Elements start, start + step … before end along one axis; bounds outside are clipped, as in Python. */
export function slice(x: TensorLike, { axis, start, end, step = 1 }: SliceOptions): Tensor {
  const t = asTensor(x);
  const at = normalizeAxis("slice", axis, t.rank);
  const n = t.shape[at] as number;
  if (!Number.isInteger(step) || step < 1)
    throw new ArgumentError("slice", `expected a positive whole step, got ${step}`);
  for (const bound of [start ?? 0, end ?? 0]) {
    if (Number.isNaN(bound) || (Number.isFinite(bound) && !Number.isInteger(bound)))
      throw new ArgumentError("slice", `bounds must be whole, got ${bound}`);
  }
  const clip = (bound: number): number => Math.min(Math.max(bound < 0 ? bound + n : bound, 0), n);
  const from = clip(start ?? 0);
  const count = Math.max(0, Math.ceil((clip(end ?? n) - from) / step));
  const starts = t.shape.map((_, i) => (i === at ? from : 0));
  const steps = t.shape.map((_, i) => (i === at ? step : 1));
  return sliceAxes(
    t,
    starts,
    t.shape.map((size, i) => (i === at ? count : size)),
    steps,
  );
}

/** The sub-tensor at one index of an axis, which goes. Negative indices count from the end. */
export function select(x: TensorLike, { axis, index }: { axis: number; index: number }): Tensor {
  const t = asTensor(x);
  const at = normalizeAxis("select", axis, t.rank);
  const n = t.shape[at] as number;
  const i = index < 0 ? index + n : index;
  if (!Number.isInteger(i) || i < 0 || i >= n)
    throw new ArgumentError("select", `index ${index} is out of range for axis ${axis} of size ${n}`);
  return squeeze(slice(t, { axis: at, start: i, end: i + 1 }), at);
}

/**
 * `value` around x. `padding` in PyTorch's order: [before, after] of the last axis, then of the one before it, and so on.
 * Negative widths crop.
 */
export function pad(
  x: TensorLike,
  padding: readonly number[],
  { value = 0 }: { value?: number | undefined } = {},
): Tensor {
  const t = asTensor(x);
  if (padding.length % 2 !== 0 || padding.length > 2 * t.rank || padding.some((n) => !Number.isInteger(n))) {
    throw new ArgumentError(
      "pad",
      `expected up to ${t.rank} pairs of whole widths for ${formatShape(t.shape)}, got [${padding.join(", ")}]`,
    );
  }
  const width = (axis: number, side: number): number => padding[2 * (t.rank - 1 - axis) + side] ?? 0;
  const [before, after] = [t.shape.map((_, axis) => width(axis, 0)), t.shape.map((_, axis) => width(axis, 1))];
  const sizes = t.shape.map((n, axis) => n + Math.min(0, before[axis] as number) + Math.min(0, after[axis] as number));
  if (sizes.some((n) => n < 0))
    throw new ShapeError("pad", `[${padding.join(", ")}] crops more than ${formatShape(t.shape)} has`);
  const cropped = sliceAxes(
    t,
    before.map((n) => Math.max(0, -n)),
    sizes,
    t.shape.map(() => 1),
  );
  return padAxes(
    cropped,
    before.map((n) => Math.max(0, n)),
    after.map((n) => Math.max(0, n)),
    value,
  );
}

/** Elements in reverse order along the axes. */
export function flip(x: TensorLike, axes: number | readonly number[]): Tensor {
  const t = asTensor(x);
  const reversed = normalizeAxes("flip", axes, t.rank);
  const backwards = (axis: number): boolean => reversed.includes(axis) && (t.shape[axis] as number) > 1;
  const start = t.shape.map((n, axis) => (backwards(axis) ? n - 1 : 0));
  return sliceAxes(
    t,
    start,
    t.shape,
    t.shape.map((_, axis) => (backwards(axis) ? -1 : 1)),
  );
}

/** int32 0, 1, 2 … along `axis` of a tensor of rank `rank`, size 1 on the other axes. */
export function iotaAlong(size: number, axis: number, rank: number): Tensor {
  const shape = new Array<number>(rank).fill(1);
  shape[axis] = size;
  return reshapeTo(wrap(makeNode("iota", [], {}, [size], "int32")), shape);
}

/** bool [n, m]: whether column - row ≤ diagonal. */
export function lowerTriangle(rows: number, columns: number, diagonal: number): Tensor {
  return lessEqual(iotaAlong(columns, 1, 2), add(iotaAlong(rows, 0, 2), diagonal));
}

function triangle(subject: string, x: TensorLike, diagonal: number, lower: boolean): Tensor {
  const t = asTensor(x);
  if (t.rank < 2)
    throw new ShapeError(subject, `expected a matrix or a batch of them, got shape ${formatShape(t.shape)}`);
  if (!Number.isInteger(diagonal)) throw new ArgumentError(subject, `expected a whole diagonal, got ${diagonal}`);
  const [rows, columns] = t.shape.slice(-2) as [number, number];
  const zero = asTensor(0, t.dtype);
  return lower
    ? where(lowerTriangle(rows, columns, diagonal), t, zero)
    : where(lowerTriangle(rows, columns, diagonal - 1), zero, t);
}

/** The lower triangle of the last two axes: elements with column - row ≤ diagonal; 0 elsewhere. Default diagonal 0. */
export const tril = (x: TensorLike, { diagonal = 0 }: { diagonal?: number | undefined } = {}): Tensor =>
  triangle("tril", x, diagonal, true);
/** The upper triangle of the last two axes: elements with column - row ≥ diagonal; 0 elsewhere. Default diagonal 0. */
export const triu = (x: TensorLike, { diagonal = 0 }: { diagonal?: number | undefined } = {}): Tensor =>
  triangle("triu", x, diagonal, false);

/** The shear primitive (see graph/node.ts): axis `axis` gets `size` elements. */
export function shear(
  x: Tensor,
  options: { axis: number; along: number; stride: number; dilation: number; offset: number; size: number },
): Tensor {
  const { size, axis, along, stride, dilation, offset } = options;
  const node = x.node;
  const shape = node.shape.map((n, i) => (i === axis ? size : n));
  checkShape("shear", shape);
  return wrap(makeNode("shear", [node], { axis, along, stride, dilation, offset }, shape, node.dtype));
}

export interface WindowOptions {
  axis: number;
  /** Elements per window. */
  size: number;
  /** Number of windows. */
  count: number;
  /** Between starts of windows. Default 1. */
  stride?: number | undefined;
  /** Between elements of a window. Default 1. */
  dilation?: number | undefined;
  /** Where the first window starts; may be negative. Default 0. */
  offset?: number | undefined;
}

/**
 * Sliding windows: axis `axis` becomes two, [count, size], with element (i, k) from offset + i·stride + k·dilation, and 0
 * from outside x.
 */
export function window(
  x: TensorLike,
  { axis, size, count, stride = 1, dilation = 1, offset = 0 }: WindowOptions,
): Tensor {
  const t = asTensor(x);
  const at = normalizeAxis("window", axis, t.rank);
  const n = t.shape[at] as number;
  if (offset === 0 && dilation === 1 && stride === size && n === size * count) {
    return reshapeTo(t, [...t.shape.slice(0, at), count, size, ...t.shape.slice(at + 1)]);
  }
  const spread = unsqueeze(t, at + 1);
  const repeated = broadcastTo(
    spread,
    spread.shape.map((m, i) => (i === at + 1 ? size : m)),
  );
  return shear(repeated, { axis: at, along: at + 1, stride, dilation, offset, size: count });
}

export interface DiagonalOptions {
  /** Column - row; negative lies below. Default 0. */
  offset?: number | undefined;
  /** Rows. Default -2. */
  axis0?: number | undefined;
  /** Columns. Default -1. */
  axis1?: number | undefined;
}

/** The diagonal of two axes, as a new last axis in their stead. */
export function diagonal(x: TensorLike, { offset = 0, axis0 = -2, axis1 = -1 }: DiagonalOptions = {}): Tensor {
  const t = asTensor(x);
  const [a, b] = [normalizeAxis("diagonal", axis0, t.rank), normalizeAxis("diagonal", axis1, t.rank)];
  if (a === b) throw new ShapeError("diagonal", `axes must differ, got ${axis0} and ${axis1}`);
  const kept = t.shape.map((_, i) => i).filter((i) => i !== a && i !== b);
  const matrix = permute(t, [...kept, a, b]);
  const [rows, columns] = [t.shape[a] as number, t.shape[b] as number];
  const firstRow = Math.max(0, -offset);
  const length = Math.max(0, Math.min(rows - firstRow, columns - Math.max(0, offset)));
  const at = kept.length;
  const used = slice(matrix, { axis: at, start: firstRow, end: firstRow + length });
  const first = Math.max(0, offset);
  // Row k is shifted by k, which brings the diagonal into column 0.
  const sheared = shear(used, { axis: at + 1, along: at, stride: 1, dilation: 1, offset: first, size: 1 });
  return reshapeTo(sheared, [...matrix.shape.slice(0, at), length]);
}
