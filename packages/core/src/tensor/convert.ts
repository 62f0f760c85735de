/**
 * What operations take for tensors, and how dtypes and shapes are brought together: promotion as in PyTorch
 * (https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc) and broadcasting by explicit `expand` nodes.
 */
import { computeDType, type DType, dtypes, isFloat, promoteTypes, roundTo } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { makeNode, type Node } from "../graph/node.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../graph/shape.ts";
import { isNumericArray, type Literal, tensor } from "./literal.ts";
import { Tensor } from "./tensor.ts";

/** What operations accept: a tensor, or what one can be made of. Bare numbers and booleans are *weak* in promotion. */
export type TensorLike = Tensor | Literal;

/** One axis, several, or all (null or left out). Negative axes count from the end. */
export type Axis = number | readonly number[] | null | undefined;

/** What float results have where nothing says otherwise. */
export const defaultDType: DType = "float32";

export const wrap = (node: Node): Tensor => new Tensor(node);

const scalar = (value: number, dtype: DType): Tensor => wrap(makeNode("constant", [], { value }, [], dtype));

/** A scalar constant of shape []. The value is rounded to `dtype`. */
export const constant = (value: number | boolean, dtype: DType): Tensor => scalar(roundTo(dtype, Number(value)), dtype);

/**
 * `x` as a tensor, a parameter as the value it has. With `dtype`, cast to it. A bare number becomes a float32 constant and a boolean a bool constant; lists
 * and typed arrays as `tensor` makes them.
 */
export function asTensor(x: TensorLike, dtype?: DType): Tensor {
  if (x instanceof Tensor) {
    // A parameter's value now: what is made of it must not change when the parameter does.
    const value = x.constructor === Tensor ? x : new Tensor(x.node);
    return dtype === undefined ? value : castTo(value, dtype);
  }
  // A bare number is as exact as the arithmetic, which for 16-bit floats is float32.
  if (typeof x === "number") return scalar(roundTo(computeDType(dtype ?? defaultDType), x), dtype ?? defaultDType);
  if (typeof x === "boolean") return constant(x, dtype ?? "bool");
  if (Array.isArray(x) || isNumericArray(x)) return tensor(x, dtype === undefined ? {} : { dtype });
  throw new ArgumentError("tensor", `expected a tensor, number, boolean, list or typed array, got ${String(x)}`);
}

/** `x` in another dtype; `x` itself when it has it. Constants are converted at once. */
export function castTo(x: Tensor, dtype: DType): Tensor {
  const node = x.node;
  if (node.dtype === dtype) return x;
  if (node.op === "constant") {
    const { value } = node.attributes;
    // Float to integer saturates when it runs, which roundTo does not do: leave that to the cast.
    if (dtype === "bool") return constant(value !== 0 || Number.isNaN(value), "bool");
    if (isFloat(dtype) || fitsInteger(value, dtype)) return constant(value, dtype);
  }
  return wrap(makeNode("cast", [node], {}, node.shape, dtype));
}

/** A constant `value` with the shape and dtype of `x`. */
export const constantLike = (x: Tensor, value: number): Tensor => broadcastTo(constant(value, x.dtype), x.shape);

const fitsInteger = (value: number, dtype: DType): boolean =>
  Number.isInteger(value) &&
  (dtype === "uint32" ? value >= 0 && value < 2 ** 32 : value >= -(2 ** 31) && value < 2 ** 31);

const categoryRank = { bool: 0, integer: 1, float: 2 } as const;
const rankOf = (dtype: DType): number => categoryRank[dtypes[dtype].category];

/** The higher-priority dtype stands unless the lower-priority one is of a higher category. */
function combine(subject: string, strong: DType | undefined, weak: DType | undefined): DType | undefined {
  if (strong === undefined) return weak;
  if (weak === undefined || rankOf(weak) <= rankOf(strong)) return strong;
  return promoteTypes(subject, strong, weak);
}

/**
 * The dtype PyTorch would compute these operands in (`torch.result_type`): tensors with dimensions first, then scalars of
 * rank 0, then bare numbers; a lower kind counts only when its category (bool < integer < float) is higher. A bare whole
 * number is an integer (JavaScript does not tell 2 from 2.0), unless it does not fit the integers it meets.
 */
export function resultType(subject: string, operands: readonly TensorLike[]): DType {
  const [first] = operands;
  if (first instanceof Tensor && operands.every((x) => x instanceof Tensor && x.dtype === first.dtype)) {
    return first.dtype;
  }
  let dimensioned: DType | undefined;
  let scalar: DType | undefined;
  let bare: DType | undefined;
  const join = (a: DType | undefined, b: DType): DType => (a === undefined ? b : promoteTypes(subject, a, b));
  for (const x of operands) {
    if (x instanceof Tensor) {
      if (x.shape.length > 0) dimensioned = join(dimensioned, x.dtype);
      else scalar = join(scalar, x.dtype);
    }
  }
  const strong = combine(subject, dimensioned, scalar);
  for (const x of operands) {
    if (typeof x === "boolean") bare = join(bare, "bool");
    else if (typeof x === "number") {
      const integer = strong !== undefined && fitsInteger(x, strong === "uint32" ? "uint32" : "int32");
      bare = join(bare, integer ? "int32" : defaultDType);
    }
  }
  return combine(subject, strong, bare) ?? defaultDType;
}

/** An operand as a tensor of `dtype`, its own shape. */
export const convert = (x: TensorLike, dtype: DType): Tensor => asTensor(x, dtype);

/** Lists and typed arrays made tensors, so that they take part in promotion with dimensions; numbers stay bare. */
export const settle = (x: TensorLike): Tensor | number | boolean =>
  typeof x === "number" || typeof x === "boolean" ? x : asTensor(x);

/** Operands cast to the dtype they promote to. */
export function promote(subject: string, operands: readonly TensorLike[]): Tensor[] {
  const settled = operands.map(settle);
  const dtype = resultType(subject, settled);
  return settled.map((x) => convert(x, dtype));
}

/** `x` cast to a float dtype: floats stay, bool and integers become float32. */
export function toFloat(x: TensorLike): Tensor {
  const t = asTensor(x);
  return isFloat(t.dtype) ? t : castTo(t, defaultDType);
}

/** `x` in the dtype its arithmetic is done in: 16-bit floats become float32, so that sums on the way are not rounded. */
export const widen = (x: Tensor): Tensor => (isFloat(x.dtype) ? castTo(x, computeDType(x.dtype)) : x);

/** Throws DTypeError unless all tensors have one dtype; PyTorch's contractions do not promote either. */
export function checkSameDType(subject: string, ...tensors: readonly Tensor[]): DType {
  const dtype = (tensors[0] as Tensor).dtype;
  for (const t of tensors) {
    if (t.dtype !== dtype)
      throw new DTypeError(subject, `expected operands of one dtype, got ${dtype} and ${t.dtype}; cast one of them`);
  }
  return dtype;
}

/** `x` in another shape of as many elements. No checks beyond that. */
export function reshapeTo(x: Tensor, shape: Shape): Tensor {
  const node = x.node;
  if (sameShape(node.shape, shape)) return x;
  if (sizeOf(node.shape) !== sizeOf(shape)) {
    throw new ShapeError(
      "reshape",
      `${formatShape(node.shape)} has ${sizeOf(node.shape)} elements, ${formatShape(shape)} has ${sizeOf(shape)}`,
    );
  }
  return wrap(makeNode("reshape", [node], {}, [...shape], node.dtype));
}

/**
 * `x` repeated to `shape`, aligned at the last axis as in NumPy and PyTorch: a `reshape` that adds leading axes of size 1
 * and an `expand`, each only where needed. Throws ShapeError when an axis is neither 1 nor the size asked for.
 */
export function broadcastTo(x: TensorLike, shape: Shape): Tensor {
  const t = asTensor(x);
  const from = t.shape;
  if (sameShape(from, shape)) return t;
  const added = shape.length - from.length;
  if (added < 0 || from.some((n, axis) => n !== 1 && n !== shape[axis + added])) {
    throw new ShapeError("broadcastTo", `${formatShape(from)} does not broadcast to ${formatShape(shape)}`);
  }
  if (t.node.op === "uniform") return spreadUniform(t, shape);
  return spread(t, shape, added);
}

function spread(t: Tensor, shape: Shape, added: number): Tensor {
  const aligned = added === 0 ? t : reshapeTo(t, [...new Array<number>(added).fill(1), ...t.shape]);
  if (sameShape(aligned.shape, shape)) return aligned;
  return wrap(makeNode("expand", [aligned.node], {}, [...shape], aligned.dtype));
}

/** What uniforms have been spread to. */
const spreads = new WeakMap<Node, Tensor[]>();

/** An optimizer spreads its few scalars over many parameters of few shapes: once for each shape is enough. */
function spreadUniform(t: Tensor, shape: Shape): Tensor {
  const known = spreads.get(t.node) ?? [];
  const before = known.find((other) => sameShape(other.shape, shape));
  if (before) return before;
  const made = spread(t, shape, shape.length);
  known.push(made);
  spreads.set(t.node, known);
  return made;
}
