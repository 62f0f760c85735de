/** Lanes of 128-bit SIMD: four elements at once. */
import {
  type Expression,
  type FunctionBuilder,
  f32x4,
  f64x2,
  i32x4,
  i64x2,
  shuffle32,
  type V128,
  v128,
} from "../emit/index.ts";
import {
  type BitLanes,
  type FloatLanes,
  type IntLanes,
  type Lanes,
  type MaskLanes,
  onParts,
  type Part,
} from "./lanes.ts";

const select = (mask: V128, a: V128, b: V128): V128 => v128.bitselect(a, b, mask);

/** Making a constant's bytes and looking them up takes 50 times as long as looking up the number. */
function remembered<C extends number | bigint>(make: (value: C) => Part): (value: C) => Part {
  const made = new Map<C | "-0", Part>();
  return (value) => {
    const key = Object.is(value, -0) ? "-0" : value;
    const known = made.get(key);
    if (known) return known;
    const part = make(value);
    made.set(key, part);
    return part;
  };
}

function floatLanes(f: FunctionBuilder, ops: typeof f32x4 | typeof f64x2, lanes: 4 | 2, relaxed: boolean): FloatLanes {
  return onParts<FloatLanes>({
    ...ops,
    constant: remembered((value: number) => f.constant(ops.const(new Array<number>(lanes).fill(value)))),
    madd: relaxed ? ops.relaxedMadd : (a: V128, b: V128, c: V128) => ops.add(ops.mul(a, b), c),
    select,
  });
}

/** What integers of any width share, besides the instructions `ops`. */
function bitLanes<C extends number | bigint>(
  f: FunctionBuilder,
  ops: { const(values: readonly C[]): ReturnType<typeof i32x4.const> },
  lanes: 4 | 2,
) {
  const { and, or, xor, not } = v128;
  const constant = remembered((value: C) => f.constant(ops.const(new Array<C>(lanes).fill(value))));
  return { and, or, xor, not, constant, select };
}

/** `relaxed`: the engine has relaxed SIMD. */
export function simdLanes(f: FunctionBuilder, relaxed: boolean): Lanes {
  const same = (a: Part): Part => a;
  const high = (a: Part): V128 => shuffle32(a as V128, a as V128, [2, 3, 0, 1]);
  const both = (parts: readonly Part[], op: (a: V128) => V128): V128 =>
    shuffle32(op(parts[0] as V128), op(parts[1] as V128), [0, 1, 4, 5]);
  const int = onParts<IntLanes>({ ...i32x4, ...bitLanes(f, i32x4, 4) });
  const mask: MaskLanes = {
    ...int,
    constant: (value) => int.constant(value ? -1 : 0),
    toInt: (a) => int.shrU(a, 31),
    fromInt: (a) => int.ne(a, int.constant(0)),
    any: (a) => v128.anyTrue(a as V128),
  };
  return {
    count: 4,
    wideParts: 2,
    f,
    f32: floatLanes(f, f32x4, 4, relaxed),
    f64: floatLanes(f, f64x2, 2, relaxed),
    i32: int,
    i64: onParts<BitLanes<bigint>>({ ...i64x2, ...bitLanes(f, i64x2, 2) }),
    mask,
    bits: same,
    fromBits: same,
    bits64: same,
    fromBits64: same,
    widen: (a) => [f64x2.promoteLowF32x4(a as V128), f64x2.promoteLowF32x4(high(a))],
    narrow: (parts) => both(parts, f32x4.demoteF64x2Zero),
    widenMask: (a) => [i64x2.extendLowI32x4S(a as V128), i64x2.extendHighI32x4S(a as V128)],
    narrowMask: (parts) => shuffle32(parts[0] as V128, parts[1] as V128, [0, 2, 4, 6]),
    floatFromS: (a) => f32x4.convertI32x4S(a as V128),
    floatFromU: (a) => f32x4.convertI32x4U(a as V128),
    truncS: (a) => i32x4.truncSatF32x4S(a as V128),
    truncU: (a) => i32x4.truncSatF32x4U(a as V128),
    wideFromS: (a) => [f64x2.convertLowI32x4S(a as V128), f64x2.convertLowI32x4S(high(a))],
    wideFromU: (a) => [f64x2.convertLowI32x4U(a as V128), f64x2.convertLowI32x4U(high(a))],
    wideTruncS: (parts) => both(parts, i32x4.truncSatF64x2SZero),
    wideTruncU: (parts) => both(parts, i32x4.truncSatF64x2UZero),
    splat32: (value) =>
      value.type === "f32" ? f32x4.splat(value as Expression<"f32">) : i32x4.splat(value as Expression<"i32">),
    splat64: (value) => f64x2.splat(value),
    laneF32: (a, lane) => f32x4.extractLane(a as V128, lane),
    laneI32: (a, lane) => i32x4.extractLane(a as V128, lane),
    laneF64: (parts, lane) => f64x2.extractLane(parts[lane >> 1] as V128, lane & 1),
    fromLanesF32: ([first, ...rest]) =>
      rest.reduce<V128>(
        (vector, value, index) => f32x4.replaceLane(vector, index + 1, value),
        f32x4.splat(first as Expression<"f32">),
      ),
    fromLanesI32: ([first, ...rest]) =>
      rest.reduce<V128>(
        (vector, value, index) => i32x4.replaceLane(vector, index + 1, value),
        i32x4.splat(first as Expression<"i32">),
      ),
    fromLanesF64: (values) =>
      [0, 2].map((at) =>
        f64x2.replaceLane(f64x2.splat(values[at] as Expression<"f64">), 1, values[at + 1] as Expression<"f64">),
      ),
  };
}
