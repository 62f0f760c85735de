/** Node building for rewrites inside the compiler: shapes are inferred, nothing is checked. */
import type { DType } from "../graph/dtype.ts";
import { type BinaryOp, makeNode, type Node, type ReduceOp, type UnaryOp } from "../graph/node.ts";
import { type Shape, sameShape } from "../graph/shape.ts";

export const reshape = (x: Node, shape: Shape): Node =>
  sameShape(x.shape, shape) ? x : makeNode("reshape", [x], {}, shape, x.dtype);

export const permute = (x: Node, axes: readonly number[]): Node =>
  makeNode(
    "permute",
    [x],
    { axes },
    axes.map((axis) => x.shape[axis] as number),
    x.dtype,
  );

/** `x` has the rank of `shape` and size 1 wherever they differ. */
export const expand = (x: Node, shape: Shape): Node =>
  sameShape(x.shape, shape) ? x : makeNode("expand", [x], {}, shape, x.dtype);

/** `x` reshaped to hold its axes at `axes` of a shape of this rank, then expanded. */
export function place(x: Node, axes: readonly number[], shape: Shape): Node {
  const placed = new Array<number>(shape.length).fill(1);
  for (const [i, axis] of axes.entries()) placed[axis] = x.shape[i] as number;
  return expand(reshape(x, placed), shape);
}

export const constant = (value: number, dtype: DType): Node => makeNode("constant", [], { value }, [], dtype);

export const splat = (value: number, shape: Shape, dtype: DType): Node =>
  expand(
    reshape(
      constant(value, dtype),
      shape.map(() => 1),
    ),
    shape,
  );

/** 0, 1, 2 … along one axis of `shape`. */
export const iotaAlong = (axis: number, shape: Shape): Node =>
  place(makeNode("iota", [], {}, [shape[axis] as number], "int32"), [axis], shape);

export const unary = (op: UnaryOp, x: Node, dtype: DType = x.dtype): Node => makeNode(op, [x], {}, x.shape, dtype);

export const binary = (op: BinaryOp, a: Node, b: Node, dtype: DType = a.dtype): Node =>
  makeNode(op, [a, b], {}, a.shape, dtype);

export const where = (condition: Node, a: Node, b: Node): Node =>
  makeNode("where", [condition, a, b], {}, a.shape, a.dtype);

export const reduce = (op: ReduceOp, x: Node, axes: readonly number[], dtype: DType = x.dtype): Node =>
  makeNode(
    op,
    [x],
    { axes },
    x.shape.filter((_, i) => !axes.includes(i)),
    dtype,
  );

/** A copy of `x` with memory of its own. */
export const barrier = (x: Node): Node => makeNode("barrier", [x], {}, x.shape, x.dtype);
