/** erf of float32: a polynomial near 0, 1 - e^(polynomial) elsewhere. */
import type { Lanes, Part } from "../lanes/index.ts";
import { expNearZero } from "./exponential.ts";
import { polynomial } from "./polynomial.ts";

/** erf(x) / x - 1 in x², for |x| ≤ 0.93. */
const nearZero = [1.28379166e-1, -3.76125336e-1, 1.12819925e-1, -2.67681349e-2, 4.99119423e-3, -5.96761703e-4].map(
  Math.fround,
);

/** log(1 - erf(x)) / x + 1 in x, for 0.92 ≤ x ≤ 4. */
const beyond = [
  -1.28717512e-1, -6.34846687e-1, -1.06777877e-1, 2.42546219e-2, -3.88396438e-3, 3.83197126e-4, -1.7285347e-5,
].map(Math.fround);

const border = 0.927734375;

export function erf(lanes: Lanes, x: Part): Part {
  const { f, f32, i32 } = lanes;
  // From 4 on it is 1.
  const size = f.let(f32.pmin(f32.abs(x), f32.constant(4)));
  const square = f.let(f32.mul(size, size));
  const small = f32.madd(polynomial(f32, square, nearZero), size, size);
  const exponent = f.let(f32.sub(f32.mul(polynomial(f32, size, beyond), size), size));
  const large = f32.sub(f32.constant(1), expNearZero(lanes, exponent));
  const value = f32.select(f32.gt(size, f32.constant(border)), large, small);
  return f.let(lanes.fromBits(i32.or(lanes.bits(value), i32.and(lanes.bits(x), i32.constant(-(2 ** 31))))));
}
