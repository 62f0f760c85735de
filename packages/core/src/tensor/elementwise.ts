/**
 * Element-wise operations. Binary ones broadcast and promote as in PyTorch; bare numbers never raise the dtype within a
 * category. Each function here is one primitive node, or a few.
 */
import { checkDType, type DType, dtypes, isFloat, isInteger } from "../graph/dtype.ts";
import { ArgumentError, DTypeError } from "../graph/errors.ts";
import { type BinaryOp, makeNode, type UnaryOp } from "../graph/node.ts";
import { broadcastShapes } from "../graph/shape.ts";
import { sensitiveOperand } from "./autocast.ts";
import {
  asTensor,
  broadcastTo,
  castTo,
  constant,
  promote,
  resultType,
  settle,
  type TensorLike,
  toFloat,
  wrap,
} from "./convert.ts";
import type { Tensor } from "./tensor.ts";

/** One unary node on `x` as it is. */
function unary(op: UnaryOp, x: Tensor, dtype: DType = x.dtype): Tensor {
  const node = x.node;
  return wrap(makeNode(op, [node], {}, node.shape, dtype));
}

const floatUnary = (op: UnaryOp, x: TensorLike): Tensor => unary(op, toFloat(x));

/** What magnifies the rounding of its operand. */
const sensitiveUnary = (op: UnaryOp, x: TensorLike): Tensor => floatUnary(op, sensitiveOperand(x));

function numericUnary(op: UnaryOp, subject: string, x: TensorLike): Tensor {
  const t = asTensor(x);
  if (t.dtype === "bool") throw new DTypeError(subject, "takes numbers, got bool; cast it first");
  return unary(op, t);
}

function rounding(op: "floor" | "ceil" | "round" | "trunc", x: TensorLike): Tensor {
  const t = asTensor(x);
  if (t.dtype === "bool") throw new DTypeError(op, "takes numbers, got bool; cast it first");
  return isInteger(t.dtype) ? t : unary(op, t);
}

/** One binary node: operands of one dtype, broadcast to one shape. */
function binary(op: BinaryOp, subject: string, a: Tensor, b: Tensor, dtype: DType = a.dtype): Tensor {
  const shape = broadcastShapes(subject, a.shape, b.shape);
  return wrap(makeNode(op, [broadcastTo(a, shape).node, broadcastTo(b, shape).node], {}, shape, dtype));
}

/** Arithmetic on promoted operands; `onBool` is what it means for bools, if anything. */
function arithmetic(op: BinaryOp, a: TensorLike, b: TensorLike, onBool?: BinaryOp): Tensor {
  const [x, y] = promote(op, [a, b]) as [Tensor, Tensor];
  if (x.dtype !== "bool") return binary(op, op, x, y);
  if (onBool === undefined) throw new DTypeError(op, "takes numbers, got bool and bool; cast one of them first");
  return binary(onBool, op, x, y);
}

function comparison(
  op: "equal" | "notEqual" | "less" | "lessEqual",
  subject: string,
  a: TensorLike,
  b: TensorLike,
): Tensor {
  const [x, y] = promote(subject, [a, b]) as [Tensor, Tensor];
  return binary(op, subject, x, y, "bool");
}

// Arithmetic.

/** a + b. bool + bool is their logical or. */
export const add = (a: TensorLike, b: TensorLike): Tensor => arithmetic("add", a, b, "or");
/** a - b. Throws DTypeError for two bools. */
export const sub = (a: TensorLike, b: TensorLike): Tensor => arithmetic("sub", a, b);
/** a · b. bool · bool is their logical and. */
export const mul = (a: TensorLike, b: TensorLike): Tensor => arithmetic("mul", a, b, "and");

/** a / b, always a float: integers are divided as float32. */
export function div(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote("div", [a, b]) as [Tensor, Tensor];
  return binary("div", "div", toFloat(x), toFloat(y));
}

/** a / b of whole numbers of one dtype, without the fraction; 0 where b is. Not public: PyTorch's `/` gives fractions. */
export const wholeQuotient = (a: Tensor, b: Tensor): Tensor => binary("div", "div", a, b);

/**
 * a ** b as in C99: x⁰ = 1 for every x, 1^NaN = 1, (-1)^±Infinity = 1. Exponents 1, 2 and 3 given as bare numbers become
 * products. Throws ArgumentError for an integer to a negative bare exponent.
 */
export function pow(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote("pow", [a, b]).map(sensitiveOperand) as [Tensor, Tensor];
  if (x.dtype === "bool") throw new DTypeError("pow", "takes numbers, got bool and bool; cast one of them first");
  if (typeof b === "number") {
    if (isInteger(x.dtype) && b < 0)
      throw new ArgumentError("pow", `an integer to the power ${b} is no integer; cast it first`);
    if (b === 1) return x;
    if (b === 2) return binary("mul", "pow", x, x);
    if (b === 3) return binary("mul", "pow", binary("mul", "pow", x, x), x);
  }
  return binary("pow", "pow", x, y);
}

/** Element-wise larger; NaN if either is. Equal elements share the gradient. */
export const maximum = (a: TensorLike, b: TensorLike): Tensor => arithmetic("maximum", a, b, "or");
/** Element-wise smaller; NaN if either is. Equal elements share the gradient. */
export const minimum = (a: TensorLike, b: TensorLike): Tensor => arithmetic("minimum", a, b, "and");

/** a - b·floor(a / b): the sign of the divisor, as Python's % and torch.remainder. */
export function remainder(a: TensorLike, b: TensorLike): Tensor {
  const divisor = settle(b);
  const r = arithmetic("mod", a, divisor);
  const astray = logicalAnd(notEqual(r, 0), notEqual(less(r, 0), less(divisor, 0)));
  return where(astray, add(r, divisor), r);
}

/** a - b·trunc(a / b): the sign of the dividend, as JavaScript's % and torch.fmod. */
export function fmod(a: TensorLike, b: TensorLike): Tensor {
  const [dividend, divisor] = [settle(a), settle(b)];
  const r = arithmetic("mod", dividend, divisor);
  const astray = logicalAnd(notEqual(r, 0), notEqual(less(r, 0), less(dividend, 0)));
  return where(astray, sub(r, divisor), r);
}

/** floor(a / b). Integers stay integers. */
export function floorDivide(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote("floorDivide", [a, b]) as [Tensor, Tensor];
  if (isFloat(x.dtype)) return floor(div(x, y));
  // float64 holds every 32-bit integer, and the quotient of two never rounds across a whole number.
  return castTo(floor(div(castTo(x, "float64"), castTo(y, "float64"))), x.dtype);
}

export const neg = (x: TensorLike): Tensor => numericUnary("neg", "neg", x);
/** |x|; derivative 0 at 0. */
export const abs = (x: TensorLike): Tensor => numericUnary("abs", "abs", x);
/** -1, 0 or 1; 0 for NaN, as in PyTorch. */
export const sign = (x: TensorLike): Tensor => numericUnary("sign", "sign", x);

/** x². */
export function square(x: TensorLike): Tensor {
  const t = asTensor(x);
  const base = t.dtype === "bool" ? castTo(t, "int32") : t;
  return binary("mul", "square", base, base);
}

export const reciprocal = (x: TensorLike): Tensor => sensitiveUnary("reciprocal", x);
export const floor = (x: TensorLike): Tensor => rounding("floor", x);
export const ceil = (x: TensorLike): Tensor => rounding("ceil", x);
/** To the nearest whole number, halves to the even one. */
export const round = (x: TensorLike): Tensor => rounding("round", x);
/** Towards zero. */
export const trunc = (x: TensorLike): Tensor => rounding("trunc", x);

// Functions of calculus. Integers are taken as float32.

export const exp = (x: TensorLike): Tensor => sensitiveUnary("exp", x);
/** eˣ - 1, accurate near 0. */
export const expm1 = (x: TensorLike): Tensor => sensitiveUnary("expm1", x);
export const log = (x: TensorLike): Tensor => sensitiveUnary("log", x);
/** ln(1 + x), accurate near 0. */
export const log1p = (x: TensorLike): Tensor => sensitiveUnary("log1p", x);
export const log2 = (x: TensorLike): Tensor => mul(log(x), Math.LOG2E);
export const log10 = (x: TensorLike): Tensor => mul(log(x), Math.LOG10E);
export const sqrt = (x: TensorLike): Tensor => floatUnary("sqrt", x);
/** 1 / √x. */
export const rsqrt = (x: TensorLike): Tensor => sensitiveUnary("rsqrt", x);
export const sin = (x: TensorLike): Tensor => floatUnary("sin", x);
export const cos = (x: TensorLike): Tensor => floatUnary("cos", x);
export const tan = (x: TensorLike): Tensor => floatUnary("tan", x);
export const tanh = (x: TensorLike): Tensor => floatUnary("tanh", x);
/** 1 / (1 + e⁻ˣ) without overflow. */
export const sigmoid = (x: TensorLike): Tensor => floatUnary("sigmoid", x);
/** The error function. */
export const erf = (x: TensorLike): Tensor => floatUnary("erf", x);
/** ln(1 + eˣ) without overflow: the primitive under `softplus`, whose beta and threshold it lacks. */
export const log1pExp = (x: TensorLike): Tensor => sensitiveUnary("softplus", x);
/** max(x, 0); NaN passes; derivative 0 at 0. */
export const relu = (x: TensorLike): Tensor => numericUnary("relu", "relu", x);

// Comparison and logic. Results are bool.

export const equal = (a: TensorLike, b: TensorLike): Tensor => comparison("equal", "equal", a, b);
export const notEqual = (a: TensorLike, b: TensorLike): Tensor => comparison("notEqual", "notEqual", a, b);
export const less = (a: TensorLike, b: TensorLike): Tensor => comparison("less", "less", a, b);
export const lessEqual = (a: TensorLike, b: TensorLike): Tensor => comparison("lessEqual", "lessEqual", a, b);
export const greater = (a: TensorLike, b: TensorLike): Tensor => comparison("less", "greater", b, a);
export const greaterEqual = (a: TensorLike, b: TensorLike): Tensor => comparison("lessEqual", "greaterEqual", b, a);

const truth = (x: TensorLike): Tensor => castTo(asTensor(x), "bool");

/** Both nonzero (NaN counts as nonzero). */
export const logicalAnd = (a: TensorLike, b: TensorLike): Tensor => binary("and", "logicalAnd", truth(a), truth(b));
export const logicalOr = (a: TensorLike, b: TensorLike): Tensor => binary("or", "logicalOr", truth(a), truth(b));
export const logicalXor = (a: TensorLike, b: TensorLike): Tensor => binary("xor", "logicalXor", truth(a), truth(b));
export const logicalNot = (x: TensorLike): Tensor => unary("not", truth(x));

/** Whether each element is NaN; integers never are. */
function nanOf(x: TensorLike): Tensor {
  const t = asTensor(x);
  return isFloat(t.dtype) ? unary("isNaN", t, "bool") : broadcastTo(constant(false, "bool"), t.shape);
}

/** Whether each element is Infinity or -Infinity. */
export function isInf(x: TensorLike): Tensor {
  const t = asTensor(x);
  return isFloat(t.dtype) ? equal(abs(t), Number.POSITIVE_INFINITY) : broadcastTo(constant(false, "bool"), t.shape);
}

/** Whether each element is neither NaN nor infinite. */
function finiteOf(x: TensorLike): Tensor {
  const t = asTensor(x);
  return isFloat(t.dtype) ? less(abs(t), Number.POSITIVE_INFINITY) : broadcastTo(constant(true, "bool"), t.shape);
}

export { finiteOf as isFinite, nanOf as isNaN };

// Bits of integers.

function bits(op: BinaryOp, subject: string, a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote(subject, [a, b]) as [Tensor, Tensor];
  if (isFloat(x.dtype)) throw new DTypeError(subject, `takes integers, got ${x.dtype}`);
  return binary(op, subject, x, y);
}

export const bitwiseAnd = (a: TensorLike, b: TensorLike): Tensor => bits("and", "bitwiseAnd", a, b);
export const bitwiseOr = (a: TensorLike, b: TensorLike): Tensor => bits("or", "bitwiseOr", a, b);
export const bitwiseXor = (a: TensorLike, b: TensorLike): Tensor => bits("xor", "bitwiseXor", a, b);
export const bitwiseNot = (x: TensorLike): Tensor => {
  const t = asTensor(x);
  if (isFloat(t.dtype)) throw new DTypeError("bitwiseNot", `takes integers, got ${t.dtype}`);
  return unary("not", t);
};
export const shiftLeft = (a: TensorLike, b: TensorLike): Tensor => bits("shiftLeft", "shiftLeft", a, b);
/** Arithmetic for int32, logical for uint32. */
export const shiftRight = (a: TensorLike, b: TensorLike): Tensor => bits("shiftRight", "shiftRight", a, b);
/** The high 32 bits of the 64-bit product of two uint32. */
export function mulHigh(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote("mulHigh", [a, b]) as [Tensor, Tensor];
  if (x.dtype !== "uint32") throw new DTypeError("mulHigh", `takes uint32, got ${x.dtype}`);
  return binary("mulHigh", "mulHigh", x, y);
}

// Selection and conversion.

/** a where the condition holds, else b; all three broadcast. Nothing of the branch not chosen leaks, not even into gradients. */
export function where(condition: TensorLike, a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote("where", [a, b]) as [Tensor, Tensor];
  const test = truth(condition);
  const shape = broadcastShapes("where", broadcastShapes("where", test.shape, x.shape), y.shape);
  const inputs = [test, x, y].map((t) => broadcastTo(t, shape).node);
  return wrap(makeNode("where", inputs, {}, shape, x.dtype));
}

/** `value` wherever `mask` holds, x elsewhere. */
export function maskedFill(x: TensorLike, mask: TensorLike, value: TensorLike): Tensor {
  const t = asTensor(x);
  return where(mask, asTensor(value, t.dtype), t);
}

/** x limited to [min, max]; null leaves a side open. NaN passes, and the gradient passes at the bounds themselves. */
export function clamp(
  x: TensorLike,
  { min, max }: { min?: TensorLike | null | undefined; max?: TensorLike | null | undefined },
): Tensor {
  const [low, high] = [min ?? undefined, max ?? undefined].map((bound) =>
    bound === undefined ? undefined : settle(bound),
  );
  if (low === undefined && high === undefined) throw new ArgumentError("clamp", "expected min, max or both");
  const settled = settle(x);
  const dtype = resultType("clamp", [
    settled,
    ...(low === undefined ? [] : [low]),
    ...(high === undefined ? [] : [high]),
  ]);
  let t = asTensor(settled, dtype);
  if (low !== undefined) t = where(less(t, asTensor(low, dtype)), asTensor(low, dtype), t);
  if (high !== undefined) t = where(less(asTensor(high, dtype), t), asTensor(high, dtype), t);
  return t;
}

/** x in another dtype: floats to integers truncate and saturate (NaN gives 0); anything to bool is `!= 0`. */
export function cast(x: TensorLike, dtype: DType): Tensor {
  checkDType("cast", dtype);
  return castTo(asTensor(x), dtype);
}

/** x as a value: no derivative passes. */
export function stopGradient(x: TensorLike): Tensor {
  const { node } = asTensor(x);
  // Integers and bools carry no derivative anyway, and a constant is a value already.
  if (dtypes[node.dtype].category !== "float" || node.op === "constant") return wrap(node);
  return wrap(makeNode("stopGradient", [node], {}, node.shape, node.dtype));
}

/** x itself, but stored to memory before anything reads it: keeps the compiler from computing it more than once. */
export function barrier(x: TensorLike): Tensor {
  const { node } = asTensor(x);
  return wrap(makeNode("barrier", [node], {}, node.shape, node.dtype));
}
