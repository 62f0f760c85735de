/** Division of int32 and uint32 vectors, through float64: neither WebAssembly nor x86 divides vectors of integers. */
import { type Expression, i32 } from "../emit/index.ts";
import type { Lanes, Part, Vector } from "../lanes/index.ts";
import { integersWhere, kept, onlyPart } from "./parts.ts";

/** k if the vector is 2^k in all lanes, as far as is known. */
function exponentOfTwo({ constant }: Vector): number | undefined {
  if (constant === undefined || constant < 1) return undefined;
  const exponent = 31 - Math.clz32(constant);
  return 2 ** exponent === constant ? exponent : undefined;
}

/**
 * The quotient without its fraction, modulo 2^32; by zero: 0. The float64 quotient of 32-bit integers has the whole part
 * of the true one: what is not a whole number is further from one than float64's error.
 */
export function quotient(lanes: Lanes, a: Vector, b: Vector): Vector {
  const signed = a.dtype === "int32";
  const x = onlyPart(a);
  const ints = lanes.i32;
  const shift = exponentOfTwo(b);
  if (shift === 0) return a;
  if (shift !== undefined) {
    if (!signed) return kept(lanes, a.dtype, [ints.shrU(x, shift)]);
    // Rounds to zero: 2^shift - 1 is added to negative numbers first.
    return kept(lanes, a.dtype, [ints.shrS(ints.add(x, ints.shrU(ints.shrS(x, 31), 32 - shift)), shift)]);
  }
  const wide = (part: Part): Part[] => (signed ? lanes.wideFromS(part) : lanes.wideFromU(part));
  const { f64 } = lanes;
  const divisors = b.constant === undefined ? wide(onlyPart(b)) : undefined;
  const words = wide(x).map((part, index) => {
    const divisor = divisors ? (divisors[index] as Part) : f64.constant(b.constant as number);
    const whole = f64.trunc(f64.div(part, divisor));
    // Puts a whole number modulo 2^32 into the low word of the bits; ∞ and NaN have 0 there.
    return lanes.bits64(f64.add(whole, f64.constant(2 ** 52 + 2 ** 51)));
  });
  return kept(lanes, a.dtype, [
    lanes.count === 1 ? i32.wrapI64(words[0] as Expression<"i64">) : lanes.narrowMask(words),
  ]);
}

/** torch.remainder: of the sign of the divisor; by zero: 0. */
export function remainder(lanes: Lanes, a: Vector, b: Vector): Vector {
  const [x, y] = [onlyPart(a), onlyPart(b)];
  const ints = lanes.i32;
  // Of a negative number too: its two's complement is congruent to it.
  if (exponentOfTwo(b) !== undefined) {
    return kept(lanes, a.dtype, [ints.and(x, ints.constant((b.constant as number) - 1))]);
  }
  const zero = ints.constant(0);
  const difference = lanes.f.let(ints.sub(x, ints.mul(onlyPart(quotient(lanes, a, b)), y)));
  const rest = b.constant ? difference : lanes.f.let(integersWhere(lanes, ints.ne(y, zero), difference));
  if (a.dtype === "uint32") return kept(lanes, a.dtype, [rest]);
  const opposed = lanes.mask.and(ints.ltS(ints.xor(rest, y), zero), ints.ne(rest, zero));
  return kept(lanes, a.dtype, [ints.add(rest, integersWhere(lanes, opposed, y))]);
}
