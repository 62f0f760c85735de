/**
 * sin, cos and tan of float32. The argument is reduced to x - n·π/2 in float64, which is exact enough up to |x| = 2^20;
 * the few arguments beyond are left to float64 functions.
 */
import type { Code } from "../code.ts";
import { call, type FunctionBuilder, f32 as f32Number, f64 as f64Number } from "../emit/index.ts";
import type { FloatLanes, Lanes, Part } from "../lanes/index.ts";
import { polynomial } from "./polynomial.ts";

const signBit = -(2 ** 31);
const toWhole = 1.5 * 2 ** 23;

/** π/2 in two parts: the first has 33 bits, so that n times it is exact for n below 2^20. */
const halfPiHigh = 1.57079632673412561417;
const halfPiLow = 6.07710050650619224932e-11;

/** (sin r - r) / r³ in r², for |r| ≤ 0.93: that is π/4 and what the rounding of n may add. To 2^-32. */
const restOfSin = [-0.1666666716337204, 0.008333362638950348, -0.00019845283532049507, 2.7494520509208087e-6];

/** (cos r - 1 + r²/2) / r⁴ in r², for |r| ≤ 0.93. To 2^-30. */
const restOfCos = [0.041666608303785324, -0.0013885783264413476, 0.00002428448715363629];

/** The same for float64, to 2^-35 and 2^-39. */
const restOfSinWide = [-0.1666666657031145, 0.008333322495996366, -0.0001983747913165928, 2.7034009416739275e-6];
const restOfCosWide = [0.04166666647866203, -0.0013888873747006075, 2.479736188130019e-5, -2.706254692502742e-7];

/** n as an integer, right in its lowest bits, and the float64 parts of x - n·π/2, for 0 ≤ x ≤ 2^20. */
function reduce(lanes: Lanes, x: Part): { quadrant: Part; rest: readonly Part[] } {
  const { f, f32, f64 } = lanes;
  const magic = f32.constant(toWhole);
  const sum = f.let(f32.madd(x, f32.constant(2 / Math.PI), magic));
  const turns = lanes.widen(f.let(f32.sub(sum, magic))).map((part) => f.let(part));
  const rest = lanes.widen(x).map((part, i) => {
    const n = turns[i] as Part;
    return f64.madd(n, f64.constant(-halfPiLow), f64.madd(n, f64.constant(-halfPiHigh), part));
  });
  return { quadrant: lanes.bits(sum), rest };
}

interface SinCos {
  readonly sin: Part;
  readonly cos: Part;
}

/** Sine and cosine of r. */
function sinCos(
  f: FunctionBuilder,
  ops: FloatLanes,
  r: Part,
  sine: readonly number[],
  cosine: readonly number[],
): SinCos {
  const square = f.let(ops.mul(r, r));
  const cosineRest = ops.madd(polynomial(ops, square, cosine), square, ops.constant(-0.5));
  return {
    sin: f.let(ops.madd(ops.mul(polynomial(ops, square, sine), square), r, r)),
    cos: f.let(ops.madd(cosineRest, square, ops.constant(1))),
  };
}

/** Sine and cosine of x - n·π/2. */
function reduced(lanes: Lanes, x: Part): SinCos & { readonly quadrant: Part } {
  const { quadrant, rest } = reduce(lanes, x);
  return { quadrant, ...sinCos(lanes.f, lanes.f32, lanes.f.let(lanes.narrow(rest)), restOfSin, restOfCos) };
}

/** `fast`, but in the lanes where |x| is above 2^20 (or NaN) what float64 gives. */
function beyondReduction(code: Code, lanes: Lanes, name: "sin" | "cos" | "tan", x: Part, fast: Part): Part {
  const { f, f32, mask } = lanes;
  const result = f.local(x.type);
  f.set(result, fast);
  const far = f.let(mask.not(f32.le(f32.abs(x), f32.constant(2 ** 20))));
  f.if(mask.any(far), () => {
    const values = Array.from({ length: lanes.count }, (_, lane) =>
      f.let(f32Number.demoteF64(call("f64", code.imported(name), [f64Number.promoteF32(lanes.laneF32(x, lane))]))),
    );
    f.set(result, f32.select(far, lanes.fromLanesF32(values), result));
  });
  return result;
}

const isOdd = ({ i32, mask }: Lanes, n: Part): Part => mask.fromInt(i32.and(n, i32.constant(1)));
/** The sign bit set where bit 1 of n is. */
const signOfHalf = ({ i32 }: Lanes, n: Part): Part => i32.shl(i32.and(n, i32.constant(2)), 30);
const signOf = (lanes: Lanes, x: Part): Part => lanes.i32.and(lanes.bits(x), lanes.i32.constant(signBit));
const flipped = (lanes: Lanes, value: Part, signs: Part): Part =>
  lanes.fromBits(lanes.i32.xor(lanes.bits(value), signs));

export function sin(code: Code, lanes: Lanes, x: Part): Part {
  const { f, f32, i32 } = lanes;
  const { quadrant, sin: s, cos: c } = reduced(lanes, f.let(f32.abs(x)));
  const value = f32.select(isOdd(lanes, quadrant), c, s);
  const signs = i32.xor(signOf(lanes, x), signOfHalf(lanes, quadrant));
  return beyondReduction(code, lanes, "sin", x, flipped(lanes, value, signs));
}

export function cos(code: Code, lanes: Lanes, x: Part): Part {
  const { f, f32, i32 } = lanes;
  const { quadrant, sin: s, cos: c } = reduced(lanes, f.let(f32.abs(x)));
  const value = f32.select(isOdd(lanes, quadrant), s, c);
  const signs = signOfHalf(lanes, i32.add(quadrant, i32.constant(1)));
  return beyondReduction(code, lanes, "cos", x, flipped(lanes, value, signs));
}

export function tan(code: Code, lanes: Lanes, x: Part): Part {
  const { f, f32, f64, i32 } = lanes;
  const { quadrant, rest } = reduce(lanes, f.let(f32.abs(x)));
  const odd = lanes.widenMask(f.let(isOdd(lanes, quadrant)));
  // A quotient of rounded sines and cosines would be three times rounded: float64 up to its end.
  const quotients = rest.map((part, i) => {
    const { sin, cos } = sinCos(f, f64, f.let(part), restOfSinWide, restOfCosWide);
    const test = f.let(odd[i] as Part);
    // tan(r + π/2) = -cos r / sin r.
    return f64.div(f64.select(test, cos, sin), f64.select(test, sin, cos));
  });
  const signs = i32.xor(signOf(lanes, x), i32.shl(i32.and(quadrant, i32.constant(1)), 31));
  return beyondReduction(code, lanes, "tan", x, flipped(lanes, lanes.narrow(quotients), signs));
}
