/**
 * The nodes derivative rules are written with. Operands already have equal shapes and dtypes here, so there is no
 * broadcasting or promotion; arithmetic on constants is folded, because a gradient starts as one.
 */

import { type DType, roundTo } from "../graph/dtype.ts";
import { type BinaryOp, type ConvGeometry, comparisonOps, makeNode, type Node, type UnaryOp } from "../graph/node.ts";
import { castValue } from "../graph/scalar.ts";
import { type Shape, sameShape, sizeOf } from "../graph/shape.ts";

/** The one value every element of `node` is known to have. */
export function constantOf(node: Node): number | undefined {
  switch (node.op) {
    case "constant":
      return node.attributes.value;
    case "reshape":
    case "expand":
    case "permute":
      return constantOf(node.inputs[0] as Node);
    case "cast": {
      const input = node.inputs[0] as Node;
      const value = constantOf(input);
      return value === undefined ? undefined : castValue(input.dtype, node.dtype, value);
    }
    default:
      return undefined;
  }
}

/** `value`, rounded to `dtype`, everywhere. */
export function fill(value: number, shape: Shape, dtype: DType): Node {
  const scalar = makeNode("constant", [], { value: roundTo(dtype, value) }, [], dtype);
  if (shape.length === 0) return scalar;
  const ones = shape.map(() => 1);
  const single = makeNode("reshape", [scalar], {}, ones, dtype);
  return sameShape(ones, shape) ? single : makeNode("expand", [single], {}, shape, dtype);
}

/** `value` with the shape and dtype of `node`. */
export const fillLike = (value: number, { shape, dtype }: Node): Node => fill(value, shape, dtype);

export const unaryNode = (op: UnaryOp, x: Node): Node =>
  makeNode(op, [x], {}, x.shape, op === "isNaN" ? "bool" : x.dtype);

export const binaryNode = (op: BinaryOp, a: Node, b: Node): Node =>
  makeNode(op, [a, b], {}, a.shape, comparisonOps.has(op) ? "bool" : a.dtype);

export function neg(x: Node): Node {
  const value = constantOf(x);
  return value === undefined ? unaryNode("neg", x) : fillLike(-value, x);
}

/** As an operator: a zero summand is dropped, whichever its sign. */
export function add(a: Node, b: Node): Node {
  const [left, right] = [constantOf(a), constantOf(b)];
  if (left !== undefined && right !== undefined) return fillLike(left + right, a);
  if (left === 0) return b;
  return right === 0 ? a : binaryNode("add", a, b);
}

export const sub = (a: Node, b: Node): Node => (constantOf(b) === 0 ? a : binaryNode("sub", a, b));

export function mul(a: Node, b: Node): Node {
  const [left, right] = [constantOf(a), constantOf(b)];
  if (left !== undefined && right !== undefined) return fillLike(left * right, a);
  if (left === 1) return b;
  return right === 1 ? a : binaryNode("mul", a, b);
}

export function div(a: Node, b: Node): Node {
  const [left, right] = [constantOf(a), constantOf(b)];
  if (left !== undefined && right !== undefined) return fillLike(left / right, a);
  return right === 1 ? a : binaryNode("div", a, b);
}

/** x · value. */
export const scale = (x: Node, value: number): Node => mul(x, fillLike(value, x));

export const where = (condition: Node, a: Node, b: Node): Node =>
  makeNode("where", [condition, a, b], {}, a.shape, a.dtype);

export const cast = (x: Node, dtype: DType): Node =>
  x.dtype === dtype ? x : makeNode("cast", [x], {}, x.shape, dtype);

export function reshape(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  const value = constantOf(x);
  return value === undefined ? makeNode("reshape", [x], {}, shape, x.dtype) : fill(value, shape, x.dtype);
}

export function expand(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  const value = constantOf(x);
  return value === undefined ? makeNode("expand", [x], {}, shape, x.dtype) : fill(value, shape, x.dtype);
}

/** A permutation of a permutation is one permutation, and none at all if it undoes it. */
export function permute(x: Node, axes: readonly number[]): Node {
  if (axes.every((axis, i) => axis === i)) return x;
  if (x.op === "permute") {
    const before = x.attributes.axes;
    return permute(
      x.inputs[0] as Node,
      axes.map((axis) => before[axis] as number),
    );
  }
  const shape = axes.map((axis) => x.shape[axis] as number);
  const value = constantOf(x);
  return value === undefined ? makeNode("permute", [x], { axes }, shape, x.dtype) : fill(value, shape, x.dtype);
}

const transposition = (rank: number): number[] => [
  ...Array.from({ length: rank - 2 }, (_, axis) => axis),
  rank - 1,
  rank - 2,
];

/** The last two axes exchanged. */
export const transpose = (x: Node): Node => permute(x, transposition(x.shape.length));

/** Whether `x` is some node with its last two axes exchanged. */
export const isTranspose = (x: Node): boolean =>
  x.op === "permute" && transposition(x.shape.length).every((axis, i) => axis === x.attributes.axes[i]);

/** Sum over `axes`, which are gone from the result. */
export function sum(x: Node, axes: readonly number[]): Node {
  if (axes.length === 0) return x;
  const shape = x.shape.filter((_, axis) => !axes.includes(axis));
  const value = constantOf(x);
  const count = sizeOf(axes.map((axis) => x.shape[axis] as number));
  return value === undefined ? makeNode("sum", [x], { axes }, shape, x.dtype) : fill(value * count, shape, x.dtype);
}

/** `x`, reduced over `axes`, brought back to the shape it had before. */
export function unreduce(x: Node, axes: readonly number[], shape: Shape): Node {
  return expand(
    reshape(
      x,
      shape.map((n, axis) => (axes.includes(axis) ? 1 : n)),
    ),
    shape,
  );
}

export function slice(x: Node, start: readonly number[], step: readonly number[], shape: Shape): Node {
  const whole = sameShape(shape, x.shape) && start.every((n) => n === 0) && step.every((n) => n === 1);
  return whole ? x : makeNode("slice", [x], { start, step }, shape, x.dtype);
}

/** Zeros around `x`. */
export function pad(x: Node, before: readonly number[], after: readonly number[]): Node {
  if (before.every((n) => n === 0) && after.every((n) => n === 0)) return x;
  const shape = x.shape.map((n, axis) => (before[axis] as number) + n + (after[axis] as number));
  return makeNode("pad", [x], { before, after, value: 0 }, shape, x.dtype);
}

/** The order of elements along `axes` reversed. */
export function flip(x: Node, axes: readonly number[]): Node {
  const flipped = x.shape.map((n, axis) => axes.includes(axis) && n > 1);
  return slice(
    x,
    x.shape.map((n, axis) => (flipped[axis] ? n - 1 : 0)),
    x.shape.map((_, axis) => (flipped[axis] ? -1 : 1)),
    x.shape,
  );
}

/** `step - 1` zeros between neighbours along `axis`: size (n - 1)·step + 1. */
export function zeroDilate(x: Node, axis: number, step: number): Node {
  const n = x.shape[axis] as number;
  if (step === 1 || n <= 1) return x;
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  // Four axes at most, whatever the rank.
  const [outer, inner] = [sizeOf(before), sizeOf(after)];
  const padded = pad(reshape(x, [outer, n, 1, inner]), [0, 0, 0, 0], [0, 0, step - 1, 0]);
  const length = (n - 1) * step + 1;
  const dilated = slice(reshape(padded, [outer, n * step, inner]), [0, 0, 0], [1, 1, 1], [outer, length, inner]);
  return reshape(dilated, [...before, length, ...after]);
}

export const matmul = (a: Node, b: Node): Node =>
  makeNode("matmul", [a, b], {}, [...a.shape.slice(0, -1), b.shape[b.shape.length - 1] as number], a.dtype);

export const convolution = (
  op: "conv2d" | "conv2dInputGradient" | "conv2dWeightGradient",
  a: Node,
  b: Node,
  { stride, padding, dilation, groups }: ConvGeometry,
  shape: Shape,
): Node => makeNode(op, [a, b], { stride, padding, dilation, groups }, shape, a.dtype);
