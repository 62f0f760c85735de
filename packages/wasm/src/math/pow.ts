/**
 * pow of float32: 2^(b·log2|a|) in float64, whose logarithm is exact enough for the result to be rounded like a float32
 * operation (to some thousandths of a unit in the last place); then the cases of C99.
 */
import type { Lanes, Mask, Part } from "../lanes/index.ts";
import { polynomial } from "./polynomial.ts";

/** log2(m) / s in s², where s = (m - 1) / (m + 1) and √½ ≤ m ≤ √2: to 2^-45. */
const logarithm = [
  2.88539008177785, 0.9617966941152349, 0.5770779417527583, 0.4122093185769299, 0.31990281262062525,
  0.28294367423637423,
];

/** 2^y for |y| ≤ ½, to 2^-34. */
const exponential = [
  1, 0.6931471807049951, 0.24022651067446218, 0.055504103647894626, 0.009618037987061524, 0.0013333935658989412,
  0.00015466806757166387, 0.000015196111179220715,
];

/** Beyond them, in either direction, a power of two is 0 or ∞ as a float32. */
const exponentLimit = 200;

const oneBits = 0x3ff0000000000000n;
const rootOfHalfBits = 0x3fe6a09e667f3bcdn;
const exponentBits = 0x7ff0000000000000n;
/** The bits of 2^52: a whole number below that put into its fraction makes the float64 2^52 + it. */
const wholeBits = 0x4330000000000000n;

/** Of one part; `a` ≥ 0. */
function log2(lanes: Lanes, a: Part): Part {
  const { f, f64, i64 } = lanes;
  const bits = f.let(lanes.bits64(a));
  // The exponent of a·√2: m lies about 1, not above it.
  const moved = f.let(i64.add(bits, i64.constant(oneBits - rootOfHalfBits)));
  const biased = lanes.fromBits64(i64.or(i64.shrU(moved, 52), i64.constant(wholeBits)));
  const exponent = f64.sub(biased, f64.constant(2 ** 52 + 1023));
  const fraction = i64.sub(bits, i64.sub(i64.and(moved, i64.constant(exponentBits)), i64.constant(oneBits)));
  const m = f.let(lanes.fromBits64(fraction));
  const one = f64.constant(1);
  const s = f.let(f64.div(f64.sub(m, one), f64.add(m, one)));
  const value = f64.madd(polynomial(f64, f.let(f64.mul(s, s)), logarithm), s, exponent);
  const infinite = f64.constant(Number.POSITIVE_INFINITY);
  const finite = f64.select(f64.lt(a, infinite), value, a);
  return f64.select(f64.eq(a, f64.constant(0)), f64.constant(Number.NEGATIVE_INFINITY), finite);
}

/** Of one part; NaN of NaN. */
function exp2(lanes: Lanes, y: Part): Part {
  const { f, f64, i64 } = lanes;
  const clamped = f.let(f64.pmax(f64.pmin(y, f64.constant(exponentLimit)), f64.constant(-exponentLimit)));
  const magic = f64.constant(1.5 * 2 ** 52 + 1023);
  const sum = f.let(f64.add(clamped, magic));
  const rest = f.let(f64.sub(clamped, f64.sub(sum, magic)));
  return f64.mul(polynomial(f64, rest, exponential), lanes.fromBits64(i64.shl(lanes.bits64(sum), 52)));
}

export function pow(lanes: Lanes, a: Part, b: Part): Part {
  const { f, f32, f64, i32, mask } = lanes;
  const size = f.let(f32.abs(a));
  const exponents = lanes.widen(b);
  const parts = lanes.widen(size).map((part, i) => {
    const y = f.let(f64.mul(log2(lanes, f.let(part)), exponents[i] as Part));
    return exp2(lanes, y);
  });
  const power = f.let(lanes.narrow(parts));

  const zero = f32.constant(0);
  const one = f32.constant(1);
  const infinite = f32.constant(Number.POSITIVE_INFINITY);
  const half = f.let(f32.mul(b, f32.constant(0.5)));
  const whole = f.let(f32.eq(f32.trunc(b), b));
  const odd = mask.and(whole, f32.ne(f32.trunc(half), half));
  const sign = i32.select(odd, i32.and(lanes.bits(a), i32.constant(-(2 ** 31))), i32.constant(0));
  const signed = lanes.fromBits(i32.or(lanes.bits(power), sign));
  // A negative number has no power that is not whole; -∞ has, as zero has.
  const none: Mask = mask.and(mask.and(f32.lt(a, zero), f32.lt(size, infinite)), mask.not(whole));
  const real = f32.select(none, f32.constant(Number.NaN), signed);
  // Whatever the other operand: NaN, too.
  const trivial = mask.or(f32.eq(a, one), f32.eq(b, zero));
  const unit = mask.and(f32.eq(size, one), f32.eq(f32.abs(b), infinite));
  return f.let(f32.select(mask.or(trivial, unit), one, real));
}
