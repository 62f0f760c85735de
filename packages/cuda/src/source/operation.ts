/** Each scalar operation as a C expression, with the meaning that core's graph/scalar.ts defines; see device/math.cuh. */
import type { BinaryOp, ComputeDType, DType, UnaryOp } from "@thalweg/core/backend";
import { literal } from "./types.ts";

const isInt = (dtype: ComputeDType): boolean => dtype === "int32" || dtype === "uint32";

/** Functions of the C library: without suffix for double, with f for float. */
const library: Partial<Record<UnaryOp, string>> = {
  exp: "exp",
  log: "log",
  log1p: "log1p",
  expm1: "expm1",
  sqrt: "sqrt",
  sin: "sin",
  cos: "cos",
  tan: "tan",
  tanh: "tanh",
  erf: "erf",
  floor: "floor",
  ceil: "ceil",
  trunc: "trunc",
  round: "rint",
};

/** Functions of device/math.cuh, overloaded by type. */
const own: Partial<Record<UnaryOp, string>> = {
  abs: "absolute",
  sign: "signOf",
  relu: "relu",
  rsqrt: "reciprocalRoot",
  sigmoid: "sigmoid",
  softplus: "softplus",
};

const unchangedIntegers: ReadonlySet<UnaryOp> = new Set<UnaryOp>(["floor", "ceil", "round", "trunc"]);

/** `op` of the atom `a`. `dtype`: of the result, which is the operand's but for isNaN. */
export function unarySource(op: UnaryOp, dtype: ComputeDType, a: string): string {
  if (op === "isNaN") return `${a} != ${a}`;
  if (op === "not") return dtype === "bool" ? `!${a}` : `~${a}`;
  const integer = isInt(dtype);
  if (op === "neg") return integer ? `wrapNegate(${a})` : `-${a}`;
  if (op === "reciprocal") return `${literal(dtype, 1)} / ${a}`;
  if (integer && unchangedIntegers.has(op)) return a;
  const name = library[op];
  if (name !== undefined) return `${name}${dtype === "float32" ? "f" : ""}(${a})`;
  return `${own[op]}(${a})`;
}

const operators: Partial<Record<BinaryOp, string>> = {
  equal: "==",
  notEqual: "!=",
  less: "<",
  lessEqual: "<=",
  and: "&",
  or: "|",
  xor: "^",
};
const arithmetic: Partial<Record<BinaryOp, string>> = { add: "+", sub: "-", mul: "*", div: "/" };
const integerFunctions: Partial<Record<BinaryOp, string>> = {
  add: "wrapAdd",
  sub: "wrapSubtract",
  mul: "wrapMultiply",
  div: "divide",
};
const boolOperators: Partial<Record<BinaryOp, string>> = {
  add: "||",
  or: "||",
  mul: "&&",
  and: "&&",
  xor: "!=",
};
const functions: Partial<Record<BinaryOp, string>> = {
  maximum: "maximum",
  minimum: "minimum",
  mod: "modulo",
  pow: "power",
  shiftLeft: "shiftLeft",
  shiftRight: "shiftRight",
  mulHigh: "mulHigh",
};

/** A power whose exponent is known is a product, a quotient or a root, where that is as exact. */
function powerSource(dtype: ComputeDType, a: string, b: string): string {
  const is = (exponent: number): boolean => b === literal(dtype, exponent);
  if (is(1)) return a;
  if (is(2)) return `${a} * ${a}`;
  if (is(3)) return `${a} * ${a} * ${a}`;
  if (is(-1)) return `${literal(dtype, 1)} / ${a}`;
  if (is(0.5)) return `powerHalf(${a})`;
  return `power(${a}, ${b})`;
}

/** `op` of two atoms. `dtype`: of the result, which is the operands' but for comparisons. */
export function binarySource(op: BinaryOp, dtype: ComputeDType, a: string, b: string): string {
  if (dtype === "bool") {
    const operator = boolOperators[op] ?? operators[op];
    return operator === undefined ? `${functions[op]}(${a}, ${b})` : `${a} ${operator} ${b}`;
  }
  if (op in operators) return `${a} ${operators[op]} ${b}`;
  if (isInt(dtype)) {
    const name = integerFunctions[op] ?? functions[op];
    return `${name}(${a}, ${b})`;
  }
  if (op in arithmetic) return `${a} ${arithmetic[op]} ${b}`;
  if (op === "pow") return powerSource(dtype, a, b);
  return `${functions[op]}(${a}, ${b})`;
}

/** `a`, of any dtype, as a value of dtype `to`. */
export function castSource(to: ComputeDType, a: string): string {
  switch (to) {
    case "float32":
      return `float(${a})`;
    case "float64":
      return `double(${a})`;
    case "int32":
      return `toInt(${a})`;
    case "uint32":
      return `toUnsigned(${a})`;
    case "bool":
      return `${a} != 0`;
    default:
      return to satisfies never;
  }
}

/** The atom `a` rounded to a storage dtype and back. */
export function roundToSource(to: DType, a: string): string {
  switch (to) {
    case "bfloat16":
      return `roundToBFloat16(${a})`;
    case "float16":
      return `roundToFloat16(${a})`;
    case "float32":
      return `roundToFloat32(${a})`;
    case "float64":
    case "int32":
    case "uint32":
    case "bool":
      return a;
    default:
      return to satisfies never;
  }
}
