/**
 * What every scalar operation means, once: the definitions that the direct graph evaluator and the Program interpreter
 * share, and that every backend is compared with. Arithmetic is float64; integer results wrap to 32 bits.
 */
import { type ComputeDType, type DType, dtypes, roundTo } from "./dtype.ts";
import type { BinaryOp, ReduceOp, UnaryOp } from "./node.ts";

const polynomial = (x: number, coefficients: readonly number[]): number =>
  coefficients.reduceRight((sum, c) => sum * x + c, 0);

// Rational approximations of fdlibm's s_erf.c (Sun Microsystems, 1993): errors below one ulp on each interval.
const efx = 1.28379167095512586316e-1;
const erx = 8.45062911510467529297e-1;
const pp = [
  1.28379167095512558561e-1, -3.2504210724700149937e-1, -2.84817495755985104766e-2, -5.77027029648944159157e-3,
  -2.37630166566501626084e-5,
];
const qq = [
  1, 3.97917223959155352819e-1, 6.50222499887672944485e-2, 5.08130628187576562776e-3, 1.32494738004321644526e-4,
  -3.9602282787753681232e-6,
];
const pa = [
  -2.36211856075265944077e-3, 4.14856118683748331666e-1, -3.72207876035701323847e-1, 3.18346619901161753674e-1,
  -1.10894694282396677476e-1, 3.54783043256182359371e-2, -2.166375594868790843e-3,
];
const qa = [
  1, 1.06420880400844228286e-1, 5.40397917702171048937e-1, 7.18286544141962662868e-2, 1.26171219808761642112e-1,
  1.36370839120290507362e-2, 1.1984499846799107417e-2,
];
const ra = [
  -9.86494403484714822705e-3, -6.93858572707181764372e-1, -1.05586262253232909814e1, -6.23753324503260060396e1,
  -1.62396669462573470355e2, -1.84605092906711035994e2, -8.12874355063065934246e1, -9.81432934416914548592,
];
const sa = [
  1, 1.96512716674392571292e1, 1.376577541435190426e2, 4.34565877475229228821e2, 6.45387271733267880336e2,
  4.29008140027567833386e2, 1.08635005541779435134e2, 6.57024977031928170135, -6.04244152148580987438e-2,
];
const rb = [
  -9.86494292470009928597e-3, -7.99283237680523006574e-1, -1.77579549177547519889e1, -1.60636384855821916062e2,
  -6.37566443368389627722e2, -1.02509513161107724954e3, -4.83519191608651397019e2,
];
const sb = [
  1, 3.03380607434824582924e1, 3.25792512996573918826e2, 1.53672958608443695994e3, 3.19985821950859553908e3,
  2.55305040643316442583e3, 4.74528541206955367215e2, -2.24409524465858183362e1,
];

const truncatedFloat = new Float64Array(1);
const truncatedWords = new Uint32Array(truncatedFloat.buffer);
/** `x` with the low half of its fraction cleared, so that its square is exact. */
function highHalf(x: number): number {
  truncatedFloat[0] = x;
  truncatedWords[0] = 0;
  return truncatedFloat[0] as number;
}

/** What `erf` is computed with, for backends that write it in another language. */
export const erfCoefficients = { efx, erx, pp, qq, pa, qa, ra, sa, rb, sb } as const;

/** The error function, to within one ulp. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a < 0.84375) {
    if (a < 2 ** -28) return x + efx * x;
    const z = x * x;
    return x + x * (polynomial(z, pp) / polynomial(z, qq));
  }
  if (a < 1.25) {
    const s = a - 1;
    const y = erx + polynomial(s, pa) / polynomial(s, qa);
    return x < 0 ? -y : y;
  }
  if (a >= 6) return x < 0 ? -1 : 1;
  const s = 1 / (a * a);
  const ratio = a < 1 / 0.35 ? polynomial(s, ra) / polynomial(s, sa) : polynomial(s, rb) / polynomial(s, sb);
  const z = highHalf(a);
  const tail = (Math.exp(-z * z - 0.5625) * Math.exp((z - a) * (z + a) + ratio)) / a;
  return x < 0 ? tail - 1 : 1 - tail;
}

/** log(1 + e^x) without overflow or cancellation. */
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export function sigmoid(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

/** To the nearest whole number, halves to even. */
export function roundHalfEven(x: number): number {
  return Math.abs(x - Math.trunc(x)) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

/** C99 pow: 1^y = 1 for every y, (-1)^±∞ = 1. */
export function pow(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY)) return 1;
  return a ** b;
}

/** torch.remainder: the sign of the divisor. */
export function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** The float (and bool) meaning of each operation of one operand; bool results are 0 or 1. */
export const unary: Readonly<Record<UnaryOp, (x: number) => number>> = {
  neg: (x) => -x,
  abs: Math.abs,
  /** NaN gives 0, as in PyTorch. */
  sign: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0),
  exp: Math.exp,
  log: Math.log,
  log1p: Math.log1p,
  expm1: Math.expm1,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  tanh: Math.tanh,
  sigmoid,
  softplus,
  erf,
  relu: (x) => (x < 0 ? 0 : x),
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfEven,
  trunc: Math.trunc,
  isNaN: (x) => (Number.isNaN(x) ? 1 : 0),
  not: (x) => (x === 0 ? 1 : 0),
};

/** The float (and bool) meaning of each operation of two operands. `and` … `mulHigh` are for bool and integers. */
export const binary: Readonly<Record<BinaryOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow,
  maximum: Math.max,
  minimum: Math.min,
  mod: remainder,
  equal: (a, b) => (a === b ? 1 : 0),
  notEqual: (a, b) => (a !== b ? 1 : 0),
  less: (a, b) => (a < b ? 1 : 0),
  lessEqual: (a, b) => (a <= b ? 1 : 0),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shiftLeft: (a, b) => a << b,
  shiftRight: (a, b) => a >> b,
  mulHigh: (a, b) => Number((BigInt(a) * BigInt(b)) >> 32n),
};

export const isUnary = (op: string): op is UnaryOp => Object.hasOwn(unary, op);
export const isBinary = (op: string): op is BinaryOp => Object.hasOwn(binary, op);

/** Integer power modulo 2^32; a negative exponent gives the truncated quotient, 0 for 0. */
function integerPow(a: number, b: number): number {
  if (b < 0) return a === 1 ? 1 : a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
  let result = 1;
  let base = a;
  for (let exponent = b; exponent > 0; exponent = Math.floor(exponent / 2)) {
    if (exponent % 2 === 1) result = Math.imul(result, base);
    base = Math.imul(base, base);
  }
  return result;
}

/**
 * `op` applied to an operand of `dtype`: as in `unary`, but integer results wrap to 32 bits and `not` of an integer is
 * bitwise.
 */
export function applyUnary(op: UnaryOp, dtype: ComputeDType, x: number): number {
  if (dtype !== "int32" && dtype !== "uint32") return unary[op](x);
  if (op === "isNaN") return 0;
  return roundTo(dtype, op === "not" ? ~x : unary[op](x));
}

/**
 * `op` applied to operands of `dtype`: as in `binary`, but integer arithmetic wraps to 32 bits, integer division
 * truncates (by zero: 0), and uint32 shifts right without sign.
 */
export function applyBinary(op: BinaryOp, dtype: ComputeDType, a: number, b: number): number {
  if (dtype === "bool") return binary[op](a, b) === 0 ? 0 : 1;
  if (dtype === "float32" || dtype === "float64") return binary[op](a, b);
  switch (op) {
    case "mul":
      return roundTo(dtype, Math.imul(a, b));
    case "pow":
      return roundTo(dtype, integerPow(a, b));
    case "shiftRight":
      return dtype === "uint32" ? a >>> b : a >> b;
    default:
      return roundTo(dtype, binary[op](a, b));
  }
}

/**
 * `x` of dtype `from` as a value of dtype `to`: float to integer truncates and saturates (NaN gives 0), integer to
 * integer wraps, anything to bool is `!= 0`, anything to float rounds to it.
 */
export function castValue(from: DType, to: DType, x: number): number {
  if (to === "bool") return x === 0 ? 0 : 1;
  if (dtypes[from].category !== "float" || dtypes[to].category === "float") return roundTo(to, x);
  if (Number.isNaN(x)) return 0;
  const [low, high] = to === "int32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  return Math.trunc(Math.min(Math.max(x, low), high)) + 0;
}

const identities: Readonly<Record<ReduceOp, number>> = {
  sum: 0,
  prod: 1,
  max: Number.NEGATIVE_INFINITY,
  min: Number.POSITIVE_INFINITY,
  argMax: 0,
  argMin: 0,
};

/** What a reduction over nothing gives: 0, 1, or the least or largest value of the dtype. */
export function reduceIdentity(fn: ReduceOp, dtype: DType): number {
  if (dtype === "bool") return fn === "min" || fn === "prod" ? 1 : 0;
  return castValue("float64", dtype, identities[fn]);
}

/** Whether argMax or argMin moves from `best` to a later `candidate`: only when it is strictly more extreme; a NaN is most. */
export function isMoreExtreme(fn: "argMax" | "argMin", candidate: number, best: number): boolean {
  if (Number.isNaN(best)) return false;
  return Number.isNaN(candidate) || (fn === "argMax" ? candidate > best : candidate < best);
}

/** Sort order: ascending, NaN largest, ±0 equal. Use with a stable sort; negate for descending. */
export function compareForSort(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  if (Number.isNaN(b)) return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

type Words4 = readonly [number, number, number, number];

/** High and low word of an unsigned 32×32-bit product, by 16-bit halves. */
function multiplyWide(a: number, b: number): [high: number, low: number] {
  const [ah, al, bh, bl] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = ah * bl + Math.floor((al * bl) / 65536);
  const carry = al * bh + (middle % 65536);
  return [(ah * bh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0, Math.imul(a, b) >>> 0];
}

/**
 * One block of Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 */
export function philox4x32(counter: Words4, key: readonly [number, number]): Words4 {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiplyWide(0xd2511f53, c0);
    const [high1, low1] = multiplyWide(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Word `index` of a random stream: lane index mod 4 of the block with counter (index div 4, 0, stream0, stream1). */
export function philoxWord(index: number, key0: number, key1: number, stream0: number, stream1: number): number {
  const block = philox4x32([Math.floor(index / 4), 0, stream0, stream1], [key0, key1]);
  return block[(index % 4) as 0 | 1 | 2 | 3];
}
