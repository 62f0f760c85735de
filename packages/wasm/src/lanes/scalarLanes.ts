/** Lanes where the engine has no SIMD: one element at a time, by the engine's ordinary numbers. */
import { type Expression, type FunctionBuilder, f32, f64, i32, i64 } from "../emit/index.ts";
import type { FloatLanes, Lanes, Part } from "./lanes.ts";

type E32 = Expression<"i32">;
type Binary = (a: Part, b: Part) => Part;
type Unary = (a: Part) => Part;
const asUnary = <T extends Part>(f: (a: T) => Part): Unary => f as unknown as Unary;
const asBinary = <T extends Part>(f: (a: T, b: T) => Part): Binary => f as unknown as Binary;

function floatLanes<T extends "f32" | "f64">(f: FunctionBuilder, ops: typeof f32 | typeof f64): FloatLanes {
  type E = Expression<T>;
  const typed = ops as unknown as {
    [name in Exclude<keyof typeof f32 & keyof typeof f64, "load" | "store" | "select" | "const">]: (
      ...args: E[]
    ) => Part;
  } & { const(value: number): E; select(test: E32, a: E, b: E): E };
  const two = (name: "add" | "sub" | "mul" | "div" | "min" | "max" | "eq" | "ne" | "lt" | "le" | "gt" | "ge"): Binary =>
    asBinary<E>((a, b) => typed[name](a, b));
  const one = (name: "neg" | "abs" | "sqrt" | "floor" | "ceil" | "trunc" | "nearest"): Unary =>
    asUnary<E>((a) => typed[name](a));
  /** Chooses between two values that it uses twice. */
  const chosen = (test: "lt", swapped: boolean): Binary =>
    asBinary<E>((a, b) => {
      const [x, y] = [f.let(a), f.let(b)] as unknown as [E, E];
      return typed.select(typed[test](...(swapped ? [y, x] : [x, y])) as E32, y, x);
    });
  return {
    constant: (value) => typed.const(value),
    add: two("add"),
    sub: two("sub"),
    mul: two("mul"),
    div: two("div"),
    madd: (a, b, c) => typed.add(typed.mul(a as E, b as E) as E, c as E),
    neg: one("neg"),
    abs: one("abs"),
    sqrt: one("sqrt"),
    min: two("min"),
    max: two("max"),
    pmin: chosen("lt", true),
    pmax: chosen("lt", false),
    floor: one("floor"),
    ceil: one("ceil"),
    trunc: one("trunc"),
    nearest: one("nearest"),
    eq: two("eq"),
    ne: two("ne"),
    lt: two("lt"),
    le: two("le"),
    gt: two("gt"),
    ge: two("ge"),
    select: (mask, a, b) => typed.select(mask as E32, a as E, b as E),
  };
}

export function scalarLanes(f: FunctionBuilder): Lanes {
  type E64 = Expression<"i64">;
  const choice = (test: (a: E32, b: E32) => E32): Binary =>
    asBinary<E32>((a, b) => {
      const [x, y] = [f.let(a), f.let(b)];
      return i32.select(test(x, y), x, y);
    });
  const integers = asBinary<E32>;
  const long = asBinary<E64>;
  return {
    count: 1,
    wideParts: 1,
    f,
    f32: floatLanes<"f32">(f, f32),
    f64: floatLanes<"f64">(f, f64),
    i32: {
      constant: i32.const,
      add: integers(i32.add),
      sub: integers(i32.sub),
      mul: integers(i32.mul),
      and: integers(i32.and),
      or: integers(i32.or),
      xor: integers(i32.xor),
      shl: (a, count) => i32.shl(a as E32, count),
      shrS: (a, count) => i32.shrS(a as E32, count),
      shrU: (a, count) => i32.shrU(a as E32, count),
      eq: integers(i32.eq),
      ne: integers(i32.ne),
      ltS: integers(i32.ltS),
      ltU: integers(i32.ltU),
      leS: integers(i32.leS),
      leU: integers(i32.leU),
      minS: choice(i32.ltS),
      minU: choice(i32.ltU),
      maxS: choice(i32.gtS),
      maxU: choice(i32.gtU),
      select: (mask, a, b) => i32.select(mask as E32, a as E32, b as E32),
      neg: (a) => i32.sub(0, a as E32),
      not: (a) => i32.xor(a as E32, -1),
      abs(a) {
        const x = f.let(a as E32);
        return i32.select(i32.ltS(x, 0), i32.sub(0, x), x);
      },
    },
    i64: {
      constant: i64.const,
      add: long(i64.add),
      sub: long(i64.sub),
      and: long(i64.and),
      or: long(i64.or),
      xor: long(i64.xor),
      shl: (a, count) => i64.shl(a as E64, BigInt(count)),
      shrS: (a, count) => i64.shrS(a as E64, BigInt(count)),
      shrU: (a, count) => i64.shrU(a as E64, BigInt(count)),
      eq: long(i64.eq),
      select: (mask, a, b) => i64.select(mask as E32, a as E64, b as E64),
    },
    mask: {
      constant: (value) => i32.const(value ? 1 : 0),
      and: integers(i32.and),
      or: integers(i32.or),
      xor: integers(i32.xor),
      not: (a) => i32.eqz(a as E32),
      toInt: (a) => a,
      fromInt: (a) => i32.ne(a as E32, 0),
      any: (a) => a as E32,
    },
    bits: asUnary<Expression<"f32">>(i32.reinterpretF32),
    fromBits: asUnary<E32>(f32.reinterpretI32),
    bits64: asUnary<Expression<"f64">>(i64.reinterpretF64),
    fromBits64: asUnary<E64>(f64.reinterpretI64),
    widen: (a) => [f64.promoteF32(a as Expression<"f32">)],
    narrow: ([a]) => f32.demoteF64(a as Expression<"f64">),
    widenMask: (a) => [a],
    narrowMask: ([a]) => a as Part,
    floatFromS: asUnary<E32>(f32.convertI32S),
    floatFromU: asUnary<E32>(f32.convertI32U),
    truncS: asUnary<Expression<"f32">>(i32.truncSatF32S),
    truncU: asUnary<Expression<"f32">>(i32.truncSatF32U),
    wideFromS: (a) => [f64.convertI32S(a as E32)],
    wideFromU: (a) => [f64.convertI32U(a as E32)],
    wideTruncS: ([a]) => i32.truncSatF64S(a as Expression<"f64">),
    wideTruncU: ([a]) => i32.truncSatF64U(a as Expression<"f64">),
    splat32: (value) => value,
    splat64: (value) => value,
    laneF32: (a) => a as Expression<"f32">,
    laneI32: (a) => a as E32,
    laneF64: ([a]) => a as Expression<"f64">,
    fromLanesF32: ([a]) => a as Part,
    fromLanesI32: ([a]) => a as Part,
    fromLanesF64: ([a]) => [a as Part],
  };
}
