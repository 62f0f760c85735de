/** Lanes where the engine has no SIMD: one element at a time, by the engine's ordinary numbers. */
import { type Expression, type FunctionBuilder, f32, f64, i32, i64 } from "../emit/index.ts";
import { type BitLanes, type FloatLanes, type IntLanes, type Lanes, onParts, type Part } from "./lanes.ts";

type E32 = Expression<"i32">;
type E64 = Expression<"i64">;

function floatLanes<T extends "f32" | "f64">(f: FunctionBuilder, type: T): FloatLanes {
  type E = Expression<T>;
  const ops = { f32, f64 }[type];
  const {
    const: constant,
    add,
    mul,
    lt,
    select,
  } = ops as unknown as Record<"add" | "mul", (a: E, b: E) => E> & {
    const(value: number): E;
    lt(a: E, b: E): E32;
    select(test: E32, a: E, b: E): E;
  };
  return onParts<FloatLanes>({
    ...ops,
    constant,
    madd: (a: E, b: E, c: E) => add(mul(a, b), c),
    pmin(a: E, b: E) {
      const [x, y] = [f.let(a), f.let(b)];
      return select(lt(y, x), y, x);
    },
    pmax(a: E, b: E) {
      const [x, y] = [f.let(a), f.let(b)];
      return select(lt(x, y), y, x);
    },
  });
}

export function scalarLanes(f: FunctionBuilder): Lanes {
  const choice = (test: (a: E32, b: E32) => E32) => (a: E32, b: E32) => {
    const [x, y] = [f.let(a), f.let(b)];
    return i32.select(test(x, y), x, y);
  };
  const int = onParts<IntLanes>({
    ...i32,
    constant: i32.const,
    minS: choice(i32.ltS),
    minU: choice(i32.ltU),
    maxS: choice(i32.gtS),
    maxU: choice(i32.gtU),
    neg: (a: E32) => i32.sub(0, a),
    not: (a: E32) => i32.xor(a, -1),
    abs(a: E32) {
      const x = f.let(a);
      return i32.select(i32.ltS(x, 0), i32.sub(0, x), x);
    },
  });
  const long = onParts<BitLanes<bigint>>({
    ...i64,
    constant: i64.const,
    shl: (a: E64, count: number) => i64.shl(a, BigInt(count)),
    shrS: (a: E64, count: number) => i64.shrS(a, BigInt(count)),
    shrU: (a: E64, count: number) => i64.shrU(a, BigInt(count)),
  });
  return {
    count: 1,
    wideParts: 1,
    f,
    f32: floatLanes(f, "f32"),
    f64: floatLanes(f, "f64"),
    i32: int,
    i64: long,
    mask: {
      ...int,
      constant: (value) => i32.const(value ? 1 : 0),
      not: (a) => i32.eqz(a as E32),
      toInt: (a) => a,
      fromInt: (a) => i32.ne(a as E32, 0),
      any: (a) => a as E32,
    },
    bits: (a) => i32.reinterpretF32(a as Expression<"f32">),
    fromBits: (a) => f32.reinterpretI32(a as E32),
    bits64: (a) => i64.reinterpretF64(a as Expression<"f64">),
    fromBits64: (a) => f64.reinterpretI64(a as E64),
    widen: (a) => [f64.promoteF32(a as Expression<"f32">)],
    narrow: ([a]) => f32.demoteF64(a as Expression<"f64">),
    widenMask: (a) => [a],
    narrowMask: ([a]) => a as Part,
    floatFromS: (a) => f32.convertI32S(a as E32),
    floatFromU: (a) => f32.convertI32U(a as E32),
    truncS: (a) => i32.truncSatF32S(a as Expression<"f32">),
    truncU: (a) => i32.truncSatF32U(a as Expression<"f32">),
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
