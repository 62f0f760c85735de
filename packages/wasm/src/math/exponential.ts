/**
 * exp, expm1, sigmoid and tanh of float32. x = n·ln 2 + r: a polynomial in r, scaled by powers of two that are made of n's
 * bits. Nothing branches: arguments beyond the range where results change are clamped to just outside of it.
 *
 * Coefficients here and in the files beside are minimax fits whose every coefficient was rounded to float32 before the next
 * ones were fitted.
 */
import type { Lanes, Part } from "../lanes/index.ts";
import { polynomial } from "./polynomial.ts";

const signBit = -(2 ** 31);

/** Added to a float32 that is small beside it, it leaves a whole number, the nearest, in the sum's low bits. */
const toWhole = 1.5 * 2 ** 23;

/** ln 2 in two parts; the first has few enough bits for its product with n to be exact also where madd rounds twice. */
const ln2High = 0.693145751953125;
const ln2Low = 1.428606765330187e-6;

/** (e^r - 1 - r) / r² for |r| ≤ ln 2 / 2; e^r - 1 from it to 2^-26. */
const restOfExp = [0.5, 0.16666541993618011, 0.041666433215141296, 0.008366749621927738, 0.001393812708556652];

/** e^r for |r| ≤ ln 2 / 2, to 1.36 units in the last place: the shortest that will do. */
const expShort = [1, 1, 0.4999929964542389, 0.1666724532842636, 0.041883789002895355, 0.008300979621708393];

/**
 * x = n·ln 2 + r with n the whole number that makes r smallest; `scale` is 2^(n + shift). With `near`, n is that of it in
 * place of x.
 */
function reduce(lanes: Lanes, x: Part, shift: number, near = x): { r: Part; scale: Part } {
  const { f, f32, i32 } = lanes;
  const magic = f32.constant(toWhole + 127 + shift);
  const sum = f.let(f32.madd(near, f32.constant(1 / Math.LN2), magic));
  const n = f.let(f32.sub(sum, magic));
  const high = f32.madd(n, f32.constant(-ln2High), x);
  return {
    r: f.let(f32.madd(n, f32.constant(-ln2Low), high)),
    // The sum's low bits are the exponent's as a float32 has them, and all above those are shifted out.
    scale: f.let(lanes.fromBits(i32.shl(lanes.bits(sum), 23))),
  };
}

/** e^r - 1 for |r| ≤ ln 2 / 2, with relative accuracy. */
function expm1NearZero({ f32 }: Lanes, r: Part): Part {
  return f32.madd(polynomial(f32, r, restOfExp), f32.mul(r, r), r);
}

const fourTimes = (coefficients: readonly number[]): number[] => coefficients.map((c) => 4 * c);

/** Clamped to where e^x is neither 0 nor ∞, and just beyond. */
const least = -104;
const most = 89;

export function exp(lanes: Lanes, x: Part): Part {
  const { f, f32, i32 } = lanes;
  // Above `most`, r and the polynomial grow towards ∞ with x; n grows no more, and is a number where x is NaN.
  const above = f.let(f32.pmax(x, f32.constant(least)));
  const { r, scale } = reduce(lanes, above, -2, f.let(f32.pmin(f32.constant(most), above)));
  // 2^(n - 2) is below 2^127; where it is subnormal its bits as an integer are negative or 0. So 2^-126 is multiplied by
  // there, and what is missing is added to the polynomial's exponent. All is exact but the last product.
  const exponent = f.let(lanes.bits(scale));
  const factor = f.let(i32.maxS(exponent, i32.constant(1 << 23)));
  const quadruple = polynomial(f32, r, fourTimes(expShort));
  const shifted = i32.add(lanes.bits(quadruple), i32.sub(exponent, factor));
  return f.let(f32.mul(lanes.fromBits(shifted), lanes.fromBits(factor)));
}

/** The same as `exp`, bit for bit, of what is known not to be above 0: then one factor serves all results. */
export function expOfAtMostZero(lanes: Lanes, x: Part): Part {
  const { f, f32 } = lanes;
  const { r, scale } = reduce(lanes, f.let(f32.pmax(x, f32.constant(least))), 64);
  const [, ...rest] = expShort;
  const scaled = f32.madd(polynomial(f32, r, rest), f32.mul(r, scale), scale);
  return f.let(f32.mul(scaled, f32.constant(2 ** -64)));
}

/** e^-|x|. */
export function expOfNegated(lanes: Lanes, x: Part): Part {
  const { f, f32, i32 } = lanes;
  const negative = lanes.fromBits(i32.or(lanes.bits(x), i32.constant(signBit)));
  const { r, scale } = reduce(lanes, f.let(f32.pmax(negative, f32.constant(least))), 64);
  return f.let(f32.mul(f32.madd(expm1NearZero(lanes, r), scale, scale), f32.constant(2 ** -64)));
}

/** e^x for -80 ≤ x ≤ 80. */
export function expNearZero(lanes: Lanes, x: Part): Part {
  const { f32 } = lanes;
  const { r, scale } = reduce(lanes, x, 0);
  return f32.madd(expm1NearZero(lanes, r), scale, scale);
}

export function expm1(lanes: Lanes, x: Part): Part {
  const { f, f32 } = lanes;
  // e^x - 1 = 2^n·(e^r - 1) + (2^n - 1), at half its size because 2^128 is no float32.
  const clamped = f.let(f32.pmax(f32.pmin(x, f32.constant(most)), f32.constant(-30)));
  const { r, scale } = reduce(lanes, clamped, -1);
  const half = f.let(f32.madd(expm1NearZero(lanes, r), scale, f32.sub(scale, f32.constant(0.5))));
  // Half of a subnormal number may not exist, and -0 is to stay.
  const tiny = f32.lt(f32.abs(x), f32.constant(2 ** -26));
  return f.let(f32.select(tiny, x, f32.add(half, half)));
}

export function sigmoid(lanes: Lanes, x: Part): Part {
  const { f, f32 } = lanes;
  // 1 / (1 + e^-x), where e^-x = 2^n + 2^n·(e^r - 1). All of it times 2^-24, so that 2^n is finite up to where the
  // quotient is 0; where e^-x is e^-40 it is 1.
  const negated = f32.neg(x);
  const clamped = f.let(f32.pmax(f32.pmin(negated, f32.constant(-least)), f32.constant(-40)));
  const { r, scale } = reduce(lanes, clamped, -24);
  const one = f32.constant(2 ** -24);
  return f.let(f32.div(one, f32.add(scale, f32.madd(expm1NearZero(lanes, r), scale, one))));
}

export function tanh(lanes: Lanes, x: Part): Part {
  const { f, f32, i32 } = lanes;
  // (1 - e^-2|x|) / (1 + e^-2|x|), where e^-2|x| = 2^n + 2^n·(e^r - 1): the numerator keeps its relative accuracy near 0;
  // above 10 the quotient is 1.
  const sign = i32.constant(signBit);
  const negative = lanes.fromBits(i32.or(lanes.bits(x), sign));
  const clamped = f.let(f32.pmax(negative, f32.constant(-10)));
  const { r, scale } = reduce(lanes, f.let(f32.add(clamped, clamped)), 0);
  const change = f.let(f32.mul(expm1NearZero(lanes, r), scale));
  const one = f32.constant(1);
  const above = f32.sub(f32.sub(one, scale), change);
  const below = f32.add(f32.add(one, scale), change);
  return f.let(lanes.fromBits(i32.or(lanes.bits(f32.div(above, below)), i32.and(lanes.bits(x), sign))));
}
