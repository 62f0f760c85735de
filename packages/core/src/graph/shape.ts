/** Shapes: lists of sizes, rank 0 to 8, zero sizes allowed. */
import { ShapeError } from "./errors.ts";

export type Shape = readonly number[];

export const maxRank = 8;

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (let axis = 0; axis < shape.length; axis++) size *= shape[axis] as number;
  return size;
}

export const formatShape = (shape: Shape): string => `[${shape.join(", ")}]`;

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/** Strides in elements of a contiguous row-major layout. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** Throws unless `shape` is a list of at most 8 non-negative whole numbers whose product indexes exactly. */
export function checkShape(subject: string, shape: Shape): void {
  if (!Array.isArray(shape)) throw new ShapeError(subject, `expected a shape as a list of sizes, got ${String(shape)}`);
  if (shape.length > maxRank) {
    throw new ShapeError(subject, `rank ${shape.length} is over the limit of ${maxRank}: ${formatShape(shape)}`);
  }
  for (const n of shape) {
    if (!Number.isInteger(n) || n < 0) {
      throw new ShapeError(subject, `sizes must be whole and non-negative, got ${formatShape(shape)}`);
    }
  }
  if (sizeOf(shape) > 2 ** 31 - 1)
    throw new ShapeError(subject, `${formatShape(shape)} has more than 2^31 - 1 elements`);
}

/** Axis in [0, rank) from one that may count from the end. */
export function normalizeAxis(subject: string, axis: number, rank: number): number {
  const wrapped = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || wrapped < 0 || wrapped >= rank) {
    throw new ShapeError(subject, `axis ${axis} is out of range for rank ${rank}`);
  }
  return wrapped;
}

/** Sorted distinct axes; `null` or `undefined` means all of them. Throws on repeats. */
export function normalizeAxes(
  subject: string,
  axes: number | readonly number[] | null | undefined,
  rank: number,
): number[] {
  if (axes === null || axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const list = (typeof axes === "number" ? [axes] : axes).map((axis) => normalizeAxis(subject, axis, rank));
  if (new Set(list).size !== list.length) throw new ShapeError(subject, `axis repeated in [${String(axes)}]`);
  return list.sort((a, b) => a - b);
}

/** Shape two shapes broadcast to, aligned at the last axis, as in NumPy and PyTorch. */
export function broadcastShapes(subject: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(subject, `shapes do not broadcast: ${formatShape(a)} and ${formatShape(b)}`);
    }
    out[i] = x === 1 ? y : x;
  }
  return out;
}
