/**
 * bfloat16 and float16 as float32 vectors, by integer arithmetic on their bits; with the rounding, overflow and NaN of
 * core's graph/dtype.ts.
 */
import type { Lanes, Mask, Part } from "../lanes/index.ts";

export type HalfDType = "bfloat16" | "float16";

/** `constant` where the mask holds, else 0. */
function where(lanes: Lanes, mask: Mask, constant: number): Part {
  const { i32 } = lanes;
  // A mask of SIMD is all the bits of its lane.
  return lanes.count === 1
    ? i32.select(mask, i32.constant(constant), i32.constant(0))
    : i32.and(mask, i32.constant(constant));
}

/** float32 of the bits, which lie in the low halves of 32-bit lanes whose high halves are 0. */
export function floatFromHalf(lanes: Lanes, dtype: HalfDType, bits: Part): Part {
  const { f, f32, i32 } = lanes;
  if (dtype === "bfloat16") return lanes.fromBits(i32.shl(bits, 16));
  const half = f.let(bits);
  const magnitude = f.let(i32.shl(i32.and(half, i32.constant(0x7fff)), 13));
  const sign = i32.shl(i32.and(half, i32.constant(0x8000)), 16);
  // The exponent's bias goes from 15 to 127; of infinities and NaN it goes to the top.
  const infinite = where(lanes, i32.ltS(i32.constant(0x0f7fffff), magnitude), 0x38000000);
  // A subnormal fraction gets a leading 1, which the float subtraction takes away: cheaper than arithmetic on subnormals.
  const subnormal = f.let(i32.ltS(magnitude, i32.constant(0x00800000)));
  const bias = i32.add(i32.add(magnitude, i32.constant(0x38000000)), where(lanes, subnormal, 0x00800000));
  const value = f32.sub(lanes.fromBits(i32.add(bias, infinite)), lanes.fromBits(where(lanes, subnormal, 0x38800000)));
  return lanes.fromBits(i32.or(lanes.bits(value), sign));
}

/** Bits of the float32 vector `value` rounded to `dtype`, in the low halves of 32-bit lanes; the high halves are 0. */
export function halfFromFloat(lanes: Lanes, dtype: HalfDType, value: Part): Part {
  const { f, i32 } = lanes;
  return dtype === "bfloat16" ? i32.shrU(roundedBFloat16(lanes, value), 16) : float16Bits(lanes, f.let(value));
}

/** A float32 vector rounded to `dtype` and back. */
export function roundToHalf(lanes: Lanes, dtype: HalfDType, value: Part): Part {
  const { f, i32 } = lanes;
  if (dtype === "float16") return floatFromHalf(lanes, dtype, float16Bits(lanes, f.let(value)));
  return lanes.fromBits(i32.and(roundedBFloat16(lanes, value), i32.constant(-0x10000)));
}

/** The rounded bits in the high halves; anything in the low ones. */
function roundedBFloat16(lanes: Lanes, value: Part): Part {
  const { f, f32, i32 } = lanes;
  const x = f.let(value);
  const bits = f.let(lanes.bits(x));
  const odd = i32.and(i32.shrU(bits, 16), i32.constant(1));
  const rounded = i32.add(i32.add(bits, i32.constant(0x7fff)), odd);
  return i32.select(f32.ne(x, x), i32.or(bits, i32.constant(0x400000)), rounded);
}

function float16Bits(lanes: Lanes, value: Part): Part {
  const { f, f32, i32 } = lanes;
  const bits = f.let(lanes.bits(value));
  const sign = i32.and(i32.shrU(bits, 16), i32.constant(0x8000));
  const magnitude = f.let(i32.and(bits, i32.constant(0x7fffffff)));
  // What is beyond float16's range is first made 2^16, which rounds to its infinity.
  const bounded = f.let(i32.minS(magnitude, i32.constant(0x47800000)));
  const odd = i32.and(i32.shrU(bounded, 13), i32.constant(1));
  const normal = i32.shrU(i32.add(i32.add(bounded, i32.constant(0xfff - 0x38000000)), odd), 13);
  // Adding 0.5 puts the 10 fraction bits of a subnormal in the low bits of the float, rounded by the hardware.
  const shifted = lanes.bits(f32.add(lanes.fromBits(magnitude), f32.constant(0.5)));
  const subnormal = i32.sub(shifted, i32.constant(0x3f000000));
  const finite = i32.select(i32.ltS(magnitude, i32.constant(0x38800000)), subnormal, normal);
  const nan = i32.ltS(i32.constant(0x7f800000), magnitude);
  return i32.or(i32.select(nan, i32.constant(0x7e00), finite), sign);
}
