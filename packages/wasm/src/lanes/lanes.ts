/**
 * Arithmetic on the lanes of a vector, apart from what a vector is: 128 bits of SIMD (simdLanes.ts), or one number where
 * the engine has no SIMD (scalarLanes.ts). Four elements of a Program's compute dtypes are handled at once in the first
 * case, one in the second: a float32, int32 or uint32 element is one 32-bit lane, a float64 one 64-bit lane (so that a
 * vector of float64 has two parts), a bool a mask of 32-bit lanes.
 *
 * An operand may be used several times by the operations that say so; else it is written once. Operands are best kept in
 * locals (`FunctionBuilder.let`).
 */
import type { Expression, FunctionBuilder } from "../emit/index.ts";

/** One v128 or, without SIMD, one number: f32, f64, i32 or i64 as the operation has it. */
export type Part = Expression;

/** All bits set, or none, in each lane; without SIMD an i32, 1 or 0. */
export type Mask = Expression;

export interface FloatLanes {
  /** The same number in all lanes. With SIMD set once per function, so that it costs nothing inside loops. */
  constant(value: number): Part;
  add(a: Part, b: Part): Part;
  sub(a: Part, b: Part): Part;
  mul(a: Part, b: Part): Part;
  div(a: Part, b: Part): Part;
  /** a·b + c; rounded once where the engine and the processor can, else twice. */
  madd(a: Part, b: Part, c: Part): Part;
  neg(a: Part): Part;
  abs(a: Part): Part;
  sqrt(a: Part): Part;
  /** IEEE 754-2019 minimum: NaN if one is, -0 below 0. */
  min(a: Part, b: Part): Part;
  max(a: Part, b: Part): Part;
  /** b < a ? b : a, hence a when one is NaN; cheaper than min. */
  pmin(a: Part, b: Part): Part;
  /** a < b ? b : a, hence a when one is NaN. */
  pmax(a: Part, b: Part): Part;
  floor(a: Part): Part;
  ceil(a: Part): Part;
  trunc(a: Part): Part;
  /** To the nearest whole number, halves to even. */
  nearest(a: Part): Part;
  eq(a: Part, b: Part): Mask;
  ne(a: Part, b: Part): Mask;
  lt(a: Part, b: Part): Mask;
  le(a: Part, b: Part): Mask;
  gt(a: Part, b: Part): Mask;
  ge(a: Part, b: Part): Mask;
  /** a where the mask holds, else b. The mask is of this lane width. */
  select(mask: Mask, a: Part, b: Part): Part;
}

/** Integers as wide as the floats of the same name, with two's complement wrapping. */
export interface BitLanes<C> {
  constant(value: C): Part;
  add(a: Part, b: Part): Part;
  sub(a: Part, b: Part): Part;
  and(a: Part, b: Part): Part;
  or(a: Part, b: Part): Part;
  xor(a: Part, b: Part): Part;
  /** By the same count in all lanes. */
  shl(a: Part, count: number): Part;
  shrS(a: Part, count: number): Part;
  shrU(a: Part, count: number): Part;
  eq(a: Part, b: Part): Mask;
  select(mask: Mask, a: Part, b: Part): Part;
}

export interface IntLanes extends BitLanes<number> {
  mul(a: Part, b: Part): Part;
  neg(a: Part): Part;
  abs(a: Part): Part;
  not(a: Part): Part;
  ne(a: Part, b: Part): Mask;
  ltS(a: Part, b: Part): Mask;
  ltU(a: Part, b: Part): Mask;
  leS(a: Part, b: Part): Mask;
  leU(a: Part, b: Part): Mask;
  minS(a: Part, b: Part): Part;
  minU(a: Part, b: Part): Part;
  maxS(a: Part, b: Part): Part;
  maxU(a: Part, b: Part): Part;
}

/** Masks of 32-bit lanes. */
export interface MaskLanes {
  constant(value: boolean): Mask;
  and(a: Mask, b: Mask): Mask;
  or(a: Mask, b: Mask): Mask;
  xor(a: Mask, b: Mask): Mask;
  not(a: Mask): Mask;
  /** 1 or 0 in each lane, as int32. */
  toInt(a: Mask): Part;
  /** Where the int32 is not 0. */
  fromInt(a: Part): Mask;
  /** i32: whether it holds in some lane. */
  any(a: Mask): Expression<"i32">;
}

export interface Lanes {
  /** Elements handled at once. */
  readonly count: 4 | 1;
  /** Parts of a float64 vector: 2 with SIMD, else 1. */
  readonly wideParts: 2 | 1;
  readonly f: FunctionBuilder;
  readonly f32: FloatLanes;
  /** On one part. */
  readonly f64: FloatLanes;
  readonly i32: IntLanes;
  /** On one part, as wide as float64. */
  readonly i64: BitLanes<bigint>;
  readonly mask: MaskLanes;
  /** The bits of a float32 vector as integers, and back; nothing is computed with SIMD. */
  bits(a: Part): Part;
  fromBits(a: Part): Part;
  /** The same for one part of float64. */
  bits64(a: Part): Part;
  fromBits64(a: Part): Part;
  /** float32 to float64: the parts, in order. Uses its operand twice. */
  widen(a: Part): Part[];
  /** float64 to float32. */
  narrow(parts: readonly Part[]): Part;
  /** A mask of 32-bit lanes as masks of 64-bit lanes, one per part, and back. */
  widenMask(mask: Mask): Mask[];
  narrowMask(parts: readonly Mask[]): Mask;
  /** int32 or uint32 to float32, rounded to nearest. */
  floatFromS(a: Part): Part;
  floatFromU(a: Part): Part;
  /** float32 to int32 or uint32: truncated, saturated, NaN to 0. */
  truncS(a: Part): Part;
  truncU(a: Part): Part;
  /** int32 or uint32 to float64, exactly. Uses its operand twice. */
  wideFromS(a: Part): Part[];
  wideFromU(a: Part): Part[];
  /** float64 to int32 or uint32: truncated, saturated, NaN to 0. */
  wideTruncS(parts: readonly Part[]): Part;
  wideTruncU(parts: readonly Part[]): Part;
  /** A number from outside in every lane: the expression is scalar, of type f32, f64 or i32. */
  splat32(value: Expression<"f32"> | Expression<"i32">): Part;
  splat64(value: Expression<"f64">): Part;
  /** Lane `lane` (0 … count - 1) of a 32-bit vector as a scalar. */
  laneF32(a: Part, lane: number): Expression<"f32">;
  laneI32(a: Part, lane: number): Expression<"i32">;
  /** Element `lane` of a float64 vector. */
  laneF64(parts: readonly Part[], lane: number): Expression<"f64">;
  /** The vector whose lanes are these scalars, one per lane. */
  fromLanesF32(values: readonly Expression<"f32">[]): Part;
  fromLanesI32(values: readonly Expression<"i32">[]): Part;
  fromLanesF64(values: readonly Expression<"f64">[]): Part[];
}

/**
 * Instructions as operations on parts: they take only operands of their own type, and no others are ever given to them.
 * That every operation is there is still checked.
 */
export const onParts = <L>(instructions: { readonly [name in keyof L]: unknown }): L => instructions as L;
