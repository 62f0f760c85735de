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
import type { BitLanes, FloatLanes, IntLanes, Lanes, MaskLanes, Part } from "./lanes.ts";

/** Every vector here is a v128: the casts only tell the compiler so. */
type Unary = (a: Part) => Part;
type Binary = (a: Part, b: Part) => Part;
type Ternary = (a: Part, b: Part, c: Part) => Part;
const unary = (f: (a: V128) => V128): Unary => f as Unary;
const binary = (f: (a: V128, b: V128) => V128): Binary => f as Binary;

const select = ((mask: V128, a: V128, b: V128) => v128.bitselect(a, b, mask)) as Ternary;

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
  return {
    constant: remembered((value: number) => f.constant(ops.const(new Array<number>(lanes).fill(value)))),
    add: binary(ops.add),
    sub: binary(ops.sub),
    mul: binary(ops.mul),
    div: binary(ops.div),
    madd: (relaxed ? ops.relaxedMadd : (a: V128, b: V128, c: V128) => ops.add(ops.mul(a, b), c)) as Ternary,
    neg: unary(ops.neg),
    abs: unary(ops.abs),
    sqrt: unary(ops.sqrt),
    min: binary(ops.min),
    max: binary(ops.max),
    pmin: binary(ops.pmin),
    pmax: binary(ops.pmax),
    floor: unary(ops.floor),
    ceil: unary(ops.ceil),
    trunc: unary(ops.trunc),
    nearest: unary(ops.nearest),
    eq: binary(ops.eq),
    ne: binary(ops.ne),
    lt: binary(ops.lt),
    le: binary(ops.le),
    gt: binary(ops.gt),
    ge: binary(ops.ge),
    select,
  };
}

function bitLanes<C extends number | bigint>(
  f: FunctionBuilder,
  ops: typeof i32x4 | typeof i64x2,
  lanes: 4 | 2,
): BitLanes<C> {
  const constant = ops.const as (values: readonly C[]) => ReturnType<typeof i32x4.const>;
  return {
    constant: remembered((value: C) => f.constant(constant(new Array<C>(lanes).fill(value)))),
    add: binary(ops.add),
    sub: binary(ops.sub),
    and: binary(v128.and),
    or: binary(v128.or),
    xor: binary(v128.xor),
    shl: (a, count) => ops.shl(a as V128, count),
    shrS: (a, count) => ops.shrS(a as V128, count),
    shrU: (a, count) => ops.shrU(a as V128, count),
    eq: binary(ops.eq),
    select,
  };
}

/** `relaxed`: the engine has relaxed SIMD. */
export function simdLanes(f: FunctionBuilder, relaxed: boolean): Lanes {
  const same = (a: Part): Part => a;
  const high = (a: Part): V128 => shuffle32(a as V128, a as V128, [2, 3, 0, 1]);
  const both = (parts: readonly Part[], op: (a: V128) => V128): V128 =>
    shuffle32(op(parts[0] as V128), op(parts[1] as V128), [0, 1, 4, 5]);
  const int: IntLanes = {
    ...bitLanes<number>(f, i32x4, 4),
    mul: binary(i32x4.mul),
    neg: unary(i32x4.neg),
    abs: unary(i32x4.abs),
    not: unary(v128.not),
    ne: binary(i32x4.ne),
    ltS: binary(i32x4.ltS),
    ltU: binary(i32x4.ltU),
    leS: binary(i32x4.leS),
    leU: binary(i32x4.leU),
    minS: binary(i32x4.minS),
    minU: binary(i32x4.minU),
    maxS: binary(i32x4.maxS),
    maxU: binary(i32x4.maxU),
  };
  const mask: MaskLanes = {
    constant: (value) => int.constant(value ? -1 : 0),
    and: int.and,
    or: int.or,
    xor: int.xor,
    not: int.not,
    toInt: (a) => i32x4.shrU(a as V128, 31),
    fromInt: (a) => i32x4.ne(a as V128, int.constant(0) as V128),
    any: (a) => v128.anyTrue(a as V128),
  };
  return {
    count: 4,
    wideParts: 2,
    f,
    f32: floatLanes(f, f32x4, 4, relaxed),
    f64: floatLanes(f, f64x2, 2, relaxed),
    i32: int,
    i64: bitLanes<bigint>(f, i64x2, 2),
    mask,
    bits: same,
    fromBits: same,
    bits64: same,
    fromBits64: same,
    widen: (a) => [f64x2.promoteLowF32x4(a as V128), f64x2.promoteLowF32x4(high(a))],
    narrow: (parts) => both(parts, f32x4.demoteF64x2Zero),
    widenMask: (a) => [i64x2.extendLowI32x4S(a as V128), i64x2.extendHighI32x4S(a as V128)],
    narrowMask: (parts) => shuffle32(parts[0] as V128, parts[1] as V128, [0, 2, 4, 6]),
    floatFromS: unary(f32x4.convertI32x4S),
    floatFromU: unary(f32x4.convertI32x4U),
    truncS: unary(i32x4.truncSatF32x4S),
    truncU: unary(i32x4.truncSatF32x4U),
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
