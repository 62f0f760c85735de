/** Arguments that scalar operations are tried on. */
import type { BinaryOp, ComputeDType, UnaryOp } from "@thalweg/core/backend";
import { spread } from "./values.ts";

type Numbers = readonly number[];

/** Halves and whole numbers of both signs, and numbers between. */
const ordinary: Numbers = [
  -3.5,
  -2.5,
  -2,
  -1.5,
  -1,
  -0.5,
  -0.25,
  0,
  0.25,
  0.5,
  1,
  1.5,
  2,
  2.5,
  3,
  3.5,
  ...spread(80, 16),
];
const positive: Numbers = ordinary.map((x) => Math.abs(x) + 2 ** -10);

/** Where an operation is not defined on all numbers, or flat on most. */
const domains: Readonly<Partial<Record<UnaryOp, Numbers>>> = {
  log: positive,
  sqrt: positive,
  rsqrt: positive,
  log1p: [...positive, -0.25, -0.5, -0.75, 2 ** -20, -(2 ** -20), 1e-7, 12345],
  exp: [...ordinary, -80, -40.5, 40.5, 80],
  expm1: [...ordinary, 2 ** -20, -(2 ** -20), 1e-7, 80],
  reciprocal: ordinary.filter((x) => x !== 0),
  erf: [...ordinary, ...spread(40, 2, 5)],
  sin: [...ordinary, 100, -100, 1000],
  cos: [...ordinary, 100, -100, 1000],
};

const infinity = Number.POSITIVE_INFINITY;

/** Numbers no result of which is too small for float32: some backends know no denormal numbers. */
const edges: Numbers = [
  Number.NaN,
  infinity,
  -infinity,
  0,
  -0,
  1,
  -1,
  0.49999997,
  -0.49999997,
  2 ** -126,
  -(2 ** -126),
  8388607.5,
  8388609,
  -8388609,
  16777215,
];
const large: Numbers = [2 ** 31, -(2 ** 31), 4294967296, 2 ** 125, -(2 ** 125), 1e37, -1e37];
const periodic: ReadonlySet<UnaryOp> = new Set(["sin", "cos", "tan"]);
/** The large arguments of periodic functions are a matter of argument reduction alone. */
const edgesOf = (op: UnaryOp): Numbers =>
  periodic.has(op) ? edges.filter((x) => !(Math.abs(x) > 1000)) : [...edges, ...large];

const int32s: Numbers = [
  0, 1, -1, 2, -2, 3, -3, 7, -7, 10, -10, 31, 100, -100, 65535, 65536, -65537, 46341, 2147483647, -2147483648,
  2147483646, -2147483647, 1073741824,
];
const uint32s: Numbers = [
  0, 1, 2, 3, 5, 7, 10, 16, 31, 100, 65535, 65536, 65537, 2147483647, 2147483648, 2147483649, 4294967295, 4294967294,
];

/** Arguments of an operation of one operand: whole kinds of numbers for a dtype. */
export function unaryArguments(op: UnaryOp, dtype: ComputeDType, special: boolean): Numbers {
  if (dtype === "bool") return [0, 1, 1, 0];
  if (dtype === "int32") return int32s;
  if (dtype === "uint32") return uint32s;
  if (!special) return domains[op] ?? ordinary;
  if (dtype === "float32" || periodic.has(op)) return edgesOf(op);
  return [...edgesOf(op), 1e300, -1e300, 2 ** -1022, 4503599627370497.5];
}

type Pairs = readonly (readonly [number, number])[];

const pairsOf = (values: Numbers, others: Numbers = values): Pairs =>
  values.flatMap((a) => others.map((b) => [a, b] as const));

const few: Numbers = [-4, -2.5, -1.75, -1, -0.25, 0.25, 0.5, 1, 1.5, 3, 4.25];
const exponents: Numbers = [-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 0.3, 2.7];
const powers: Pairs = [
  ...pairsOf([0.25, 0.5, 0.9, 1, 1.1, 2, 3.3, 17], exponents),
  ...pairsOf([-0.5, -1, -2, -3], [-3, -2, -1, 0, 1, 2, 3, 4]),
];
const floatEdges: Numbers = [Number.NaN, infinity, -infinity, 0, -0, 1, -1, 0.5, -0.5, 2, -2.5, 3, -3];

/** Arguments of an operation of two operands. */
export function binaryArguments(op: BinaryOp, dtype: ComputeDType, special: boolean): Pairs {
  if (dtype === "bool") return pairsOf([0, 1]);
  const counts = [0, 1, 2, 4, 15, 16, 30, 31];
  if (dtype === "int32") {
    if (op === "shiftLeft" || op === "shiftRight") return pairsOf(int32s, counts);
    return pairsOf(int32s);
  }
  if (dtype === "uint32") {
    if (op === "shiftLeft" || op === "shiftRight") return pairsOf(uint32s, counts);
    return pairsOf(uint32s);
  }
  if (special) return pairsOf(floatEdges);
  if (op === "pow") return powers;
  // Few bits, since the quotient in a remainder is rounded to a whole number.
  if (op === "mod") return pairsOf(few);
  const long = spread(60, 16);
  return [...pairsOf(few), ...long.map((x, i) => [x, long[(i * 7 + 3) % 60] as number] as const)];
}
