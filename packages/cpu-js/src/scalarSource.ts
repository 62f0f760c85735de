/** JavaScript text of each scalar operation, with the meaning that core's graph/scalar.ts defines. */
import { type BinaryOp, type ComputeDType, comparisonOps, type DType, type UnaryOp } from "@thalweg/core/backend";

/** A value in generated code: bools are JavaScript booleans, everything else numbers. */
export interface Term {
  /** An identifier or a literal, so that it may be written more than once. */
  readonly text: string;
  readonly dtype: ComputeDType;
  /** Certainly representable in its dtype; float32 values may otherwise carry a double's precision. */
  readonly exact: boolean;
  readonly constant?: number;
  /** A bool that the elements themselves decide: a branch on it goes either way at random, and is predicted wrongly. */
  readonly chance?: boolean;
}

const isInt = (dtype: ComputeDType): boolean => dtype === "int32" || dtype === "uint32";

/** A number as source text; negative ones in parentheses. */
export function literal(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Object.is(value, -0)) return "(-0)";
  return value < 0 ? `(${value})` : `${value}`;
}

export const constantTerm = (dtype: ComputeDType, value: number): Term => ({
  text: dtype === "bool" ? (value ? "true" : "false") : literal(value),
  dtype,
  exact: dtype !== "float32" || Object.is(Math.fround(value), value),
  constant: value,
});

/** A term as a number: bools as 0 and 1. */
export const asNumber = (term: Term): string =>
  term.dtype === "bool"
    ? term.constant !== undefined
      ? literal(term.constant ? 1 : 0)
      : `(${term.text} | 0)`
    : term.text;

/**
 * `test ? yes : no` without a branch, `pair` being a Float64Array of two. A branch that is mispredicted costs 6 ns, this
 * 1.2 ns (V8 13, Zen 4). `test` may be a boolean, 0 or 1.
 */
export const choice = (pair: string, test: string, yes: string, no: string): string =>
  `(${pair}[0] = ${no}, ${pair}[1] = ${yes}, ${pair}[${test}])`;

/** A float32 as the number a comparison sees. */
export const rounded = (term: Term): string =>
  term.dtype === "float32" && !term.exact ? `Math.fround(${term.text})` : term.text;

/** Wraps an expression whose value is a whole number to 32 bits. */
export const wrap = (dtype: ComputeDType, text: string): string =>
  dtype === "int32" ? `(${text} | 0)` : dtype === "uint32" ? `(${text} >>> 0)` : text;

function floatUnary(op: UnaryOp, x: string, dtype: ComputeDType): string {
  switch (op) {
    case "neg":
      return `-${x}`;
    case "sign":
      return `((${x} > 0 | 0) - (${x} < 0 | 0))`;
    case "rsqrt":
      return `1 / Math.sqrt(${x})`;
    case "reciprocal":
      return `1 / ${x}`;
    case "sigmoid":
      // The short form gives 0 where the true value is below float64's normal range: invisible in float32.
      return dtype === "float32" ? `1 / (1 + Math.exp(-${x}))` : `$sigmoid(${x})`;
    case "softplus":
      return `$softplus(${x})`;
    case "erf":
      return `$erf(${x})`;
    case "relu":
      return `(${x} < 0 ? 0 : ${x})`;
    case "round":
      return `$round(${x})`;
    case "isNaN":
      return `${x} !== ${x}`;
    case "not":
      return `${x} === 0`;
    case "abs":
    case "exp":
    case "log":
    case "log1p":
    case "expm1":
    case "sqrt":
    case "sin":
    case "cos":
    case "tan":
    case "tanh":
    case "floor":
    case "ceil":
    case "trunc":
      return `Math.${op}(${x})`;
    default:
      return op satisfies never;
  }
}

const givesBool = (op: UnaryOp): boolean => op === "isNaN" || op === "not";

/** Of an expression that is not an atom. */
const roundedUnary = (op: UnaryOp, x: string): string =>
  op === "sign" ? `$sign(${x})` : op === "round" ? `$round(${x})` : `Math.${op}(${x})`;

/** `op` of a term. The result is of dtype bool for isNaN and for `not` of anything but an integer. */
export function unarySource(op: UnaryOp, arg: Term): string {
  const { dtype } = arg;
  if (dtype === "bool") {
    if (op === "not") return `!${arg.text}`;
    const text = floatUnary(op, asNumber(arg), dtype);
    return givesBool(op) ? text : `(${text}) !== 0`;
  }
  if (!isInt(dtype)) {
    if (givesWholeNumber(op) && rounded(arg) !== arg.text) return roundedUnary(op, rounded(arg));
    return floatUnary(op, arg.text, dtype);
  }
  if (op === "isNaN") return "false";
  if (op === "not") return wrap(dtype, `~${arg.text}`);
  return wrap(dtype, `(${floatUnary(op, arg.text, dtype)})`);
}

const comparison: Partial<Record<BinaryOp, string>> = { equal: "===", notEqual: "!==", less: "<", lessEqual: "<=" };
const bitwise: Partial<Record<BinaryOp, string>> = { and: "&", or: "|", xor: "^", shiftLeft: "<<", shiftRight: ">>" };
const arithmetic: Partial<Record<BinaryOp, string>> = { add: "+", sub: "-", mul: "*", div: "/" };

function floatPow(a: Term, b: Term): string {
  switch (b.constant) {
    case 1:
      return a.text;
    case 2:
      return `${a.text} * ${a.text}`;
    case 3:
      return `${a.text} * ${a.text} * ${a.text}`;
    case -1:
      return `1 / ${a.text}`;
    case 0.5:
      // Only the sign of a zero and -∞ tell it from the square root.
      return `(${a.text} === -Infinity ? Infinity : Math.sqrt(${a.text}) + 0)`;
    default:
      return `$pow(${a.text}, ${b.text})`;
  }
}

function floatBinary(op: BinaryOp, a: Term, b: Term): string {
  if (op in arithmetic) return `${a.text} ${arithmetic[op]} ${b.text}`;
  if (op in bitwise) return `${a.text} ${bitwise[op]} ${b.text}`;
  if (op === "maximum" || op === "minimum") return `Math.${op === "maximum" ? "max" : "min"}(${a.text}, ${b.text})`;
  if (op === "pow") return floatPow(a, b);
  return `$mod(${a.text}, ${b.text})`;
}

function integerBinary(op: BinaryOp, dtype: ComputeDType, a: Term, b: Term): string {
  switch (op) {
    case "mul":
      return wrap(dtype, `Math.imul(${a.text}, ${b.text})`);
    case "pow":
      return `${dtype === "int32" ? "$powInt32" : "$powUint32"}(${a.text}, ${b.text})`;
    case "mulHigh":
      return `${dtype === "int32" ? "$mulHighInt32" : "$mulHighUint32"}(${a.text}, ${b.text})`;
    case "shiftRight":
      return `(${a.text} ${dtype === "uint32" ? ">>>" : ">>"} ${b.text})`;
    default:
      return wrap(dtype, `(${floatBinary(op, a, b)})`);
  }
}

function boolBinary(op: BinaryOp, a: Term, b: Term): string {
  const bits = a.chance || b.chance;
  switch (op) {
    case "and":
    case "mul":
    case "minimum":
      return bits ? `(${a.text} & ${b.text}) !== 0` : `(${a.text} && ${b.text})`;
    case "or":
    case "add":
    case "maximum":
      return bits ? `(${a.text} | ${b.text}) !== 0` : `(${a.text} || ${b.text})`;
    case "xor":
    case "sub":
      return `(${a.text} !== ${b.text})`;
    default: {
      const number = (term: Term): Term => ({ text: asNumber(term), dtype: "int32", exact: true });
      return `(${integerBinary(op, "int32", number(a), number(b))}) !== 0`;
    }
  }
}

/** The larger or smaller of two floats without a branch, as Math.max and Math.min give it. */
export function extremeSource(op: "maximum" | "minimum", pair: string, a: Term, b: Term): string {
  const [x, bound] = a.constant === undefined ? [a, b] : [b, a];
  const maximum = op === "maximum";
  const test = `${x.text} ${maximum ? "<" : ">"} ${bound.text} | 0`;
  const { constant } = bound;
  if (constant !== undefined && !Number.isNaN(constant) && constant !== 0)
    return choice(pair, test, bound.text, x.text);
  // The sum turns -0 into 0.
  if (maximum && Object.is(constant, 0)) return `${choice(pair, test, bound.text, x.text)} + 0`;
  const [minus, zero] = maximum ? [x, bound] : [bound, x];
  const zeros = `(Object.is(${minus.text}, -0) | 0) & (${zero.text} === 0 | 0)`;
  return choice(pair, `(${test}) | (${bound.text} !== ${bound.text} | 0) | (${zeros})`, bound.text, x.text);
}

/** `op` of two terms of one dtype. The result is of dtype bool for comparisons. */
export function binarySource(op: BinaryOp, a: Term, b: Term): string {
  if (comparisonOps.has(op)) {
    const bothConstant = a.constant !== undefined && b.constant !== undefined;
    const side = (term: Term): string => (bothConstant ? term.text : rounded(term));
    return `${side(a)} ${comparison[op]} ${side(b)}`;
  }
  if (a.dtype === "bool") return boolBinary(op, a, b);
  return isInt(a.dtype) ? integerBinary(op, a.dtype, a, b) : floatBinary(op, a, b);
}

const wholeNumbers: ReadonlySet<string> = new Set(["sign", "floor", "ceil", "round", "trunc"]);
const choices: ReadonlySet<string> = new Set(["neg", "abs", "relu", "maximum", "minimum"]);

/** Operations that jump: they see float32 operands rounded, so that they jump where float32 arithmetic would. */
export const givesWholeNumber = (op: UnaryOp): boolean => wholeNumbers.has(op);

/** Whether the result of `op` is one of its operands, up to sign. */
export const keepsExactness = (op: UnaryOp | BinaryOp): boolean => choices.has(op);

/** Conversion to `to`, as `castValue` in core. */
export function castSource(to: ComputeDType, arg: Term): string {
  const from = arg.dtype;
  if (from === to && to !== "float32") return arg.text;
  switch (to) {
    case "bool":
      return `${rounded(arg)} !== 0`;
    case "float64":
      return asNumber(arg);
    case "float32":
      return from === "bool" || (from === "float32" && arg.exact) ? asNumber(arg) : `Math.fround(${arg.text})`;
    case "int32":
      return from === "bool" ? asNumber(arg) : isInt(from) ? `(${arg.text} | 0)` : `$toInt32(${rounded(arg)})`;
    case "uint32":
      return from === "bool" ? asNumber(arg) : isInt(from) ? `(${arg.text} >>> 0)` : `$toUint32(${rounded(arg)})`;
    default:
      return to satisfies never;
  }
}

/** A float term rounded to a storage dtype and back. */
export function roundToSource(to: DType, arg: Term): string {
  switch (to) {
    case "float32":
      return arg.dtype === "float32" && arg.exact ? arg.text : `Math.fround(${asNumber(arg)})`;
    case "bfloat16":
      return `$roundBFloat16(${asNumber(arg)})`;
    case "float16":
      return `$roundFloat16(${asNumber(arg)})`;
    case "int32":
      return wrap("int32", asNumber(arg));
    case "uint32":
      return wrap("uint32", asNumber(arg));
    case "float64":
      return asNumber(arg);
    case "bool":
      return arg.dtype === "bool" ? arg.text : `${arg.text} !== 0`;
    default:
      return to satisfies never;
  }
}

/** Element `index` of the typed array `array` that stores `dtype`; `table` holds the values of a 16-bit float. */
export function loadSource(dtype: DType, array: string, index: string, table: string): string {
  const element = `${array}[${index}]`;
  if (dtype === "bool") return `${element} !== 0`;
  return dtype === "bfloat16" || dtype === "float16" ? `${table}[${element}]` : element;
}

/** What is assigned to an element of a typed array that stores `dtype`. */
export function storedSource(dtype: DType, value: Term): string {
  if (dtype === "bfloat16") return `$toBFloat16(${asNumber(value)})`;
  if (dtype === "float16") return `$toFloat16(${asNumber(value)})`;
  if (dtype === "bool" && value.dtype !== "bool") return `(${value.text} !== 0 ? 1 : 0)`;
  return asNumber(value);
}
