/** Instructions on 128-bit vectors, named as in the WebAssembly specification, relaxed SIMD among them. */
import type { ByteWriter } from "./bytes.ts";
import { type Effect, type Expression, Instruction, leb } from "./expression.ts";
import { asF32, asF64, asI32, type I32, loadOf, memory } from "./scalar.ts";

export type V128 = Expression<"v128">;

const simd = (code: number): number[] => [0xfd, ...leb(code)];

const unary = (code: number) => {
  const bytes = simd(code);
  return (a: V128): V128 => new Instruction("v128", bytes, [a]);
};
const binary = (code: number) => {
  const bytes = simd(code);
  return (a: V128, b: V128): V128 => new Instruction("v128", bytes, [a, b]);
};
const ternary = (code: number) => {
  const bytes = simd(code);
  return (a: V128, b: V128, c: V128): V128 => new Instruction("v128", bytes, [a, b, c]);
};
const shift =
  (code: number) =>
  (a: V128, count: I32): V128 =>
    new Instruction("v128", simd(code), [a, asI32(count)]);
const loadLane =
  (code: number, align: number) =>
  (address: I32, vector: V128, lane: number, offset = 0): V128 =>
    new Instruction("v128", [...memory(simd(code), align, offset), lane], [asI32(address), vector]);
const storeLane =
  (code: number, align: number) =>
  (address: I32, vector: V128, lane: number, offset = 0): Effect =>
    new Instruction("none", [...memory(simd(code), align, offset), lane], [asI32(address), vector]);

/** A vector known when the code is written. */
export class VectorConstant implements Expression<"v128"> {
  readonly type = "v128";
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  write(to: ByteWriter): void {
    to.byte(0xfd);
    to.byte(12);
    to.append(this.bytes);
  }
}

export const v128 = {
  const: (bytes: Uint8Array): VectorConstant => new VectorConstant(bytes),
  load: loadOf("v128", simd(0), 2),
  load16x4U: loadOf("v128", simd(4), 1),
  load32Splat: loadOf("v128", simd(9), 2),
  load64Splat: loadOf("v128", simd(10), 3),
  load32Zero: loadOf("v128", simd(92), 2),
  load64Zero: loadOf("v128", simd(93), 2),
  load8Lane: loadLane(84, 0),
  load16Lane: loadLane(85, 1),
  load32Lane: loadLane(86, 2),
  load64Lane: loadLane(87, 2),
  store: (address: I32, value: V128, offset = 0): Effect =>
    new Instruction("none", memory(simd(11), 2, offset), [asI32(address), value]),
  store8Lane: storeLane(88, 0),
  store16Lane: storeLane(89, 1),
  store32Lane: storeLane(90, 2),
  store64Lane: storeLane(91, 2),
  not: unary(77),
  and: binary(78),
  /** a and not b. */
  andnot: binary(79),
  or: binary(80),
  xor: binary(81),
  /** Bits of a where mask is 1, of b where it is 0. */
  bitselect: ternary(82),
  anyTrue: (a: V128): Expression<"i32"> => new Instruction("i32", simd(83), [a]),
  select: (condition: I32, a: V128, b: V128): V128 => new Instruction("v128", [0x1b], [a, b, asI32(condition)]),
};

export const i8x16 = {
  /** Byte i of the result is byte lanes[i] of the 32 bytes of a then b. */
  shuffle: (a: V128, b: V128, lanes: readonly number[]): V128 =>
    new Instruction("v128", [...simd(13), ...lanes], [a, b]),
  splat: (a: I32): V128 => new Instruction("v128", simd(15), [asI32(a)]),
  narrowI16x8U: binary(102),
};

/** The four 32-bit lanes named, out of a's 0 … 3 and b's 4 … 7. */
export const shuffle32 = (a: V128, b: V128, lanes: readonly [number, number, number, number]): V128 =>
  i8x16.shuffle(
    a,
    b,
    lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)),
  );

export const i16x8 = {
  splat: (a: I32): V128 => new Instruction("v128", simd(16), [asI32(a)]),
  narrowI32x4U: binary(134),
  extendLowI8x16U: unary(137),
};

export const i32x4 = {
  const: (values: readonly number[]): VectorConstant =>
    new VectorConstant(new Uint8Array(new Int32Array(values).buffer)),
  splat: (a: I32): V128 => new Instruction("v128", simd(17), [asI32(a)]),
  extractLane: (a: V128, lane: number): Expression<"i32"> => new Instruction("i32", [...simd(27), lane], [a]),
  replaceLane: (a: V128, lane: number, value: I32): V128 =>
    new Instruction("v128", [...simd(28), lane], [a, asI32(value)]),
  eq: binary(55),
  ne: binary(56),
  ltS: binary(57),
  ltU: binary(58),
  gtS: binary(59),
  gtU: binary(60),
  leS: binary(61),
  leU: binary(62),
  geS: binary(63),
  geU: binary(64),
  abs: unary(160),
  neg: unary(161),
  extendLowI16x8U: unary(169),
  shl: shift(171),
  shrS: shift(172),
  shrU: shift(173),
  add: binary(174),
  sub: binary(177),
  mul: binary(181),
  minS: binary(182),
  minU: binary(183),
  maxS: binary(184),
  maxU: binary(185),
  truncSatF32x4S: unary(248),
  truncSatF32x4U: unary(249),
  /** Lanes 0 and 1 from the two doubles, 0 in lanes 2 and 3. */
  truncSatF64x2SZero: unary(252),
  truncSatF64x2UZero: unary(253),
};

export const i64x2 = {
  splat: (a: Expression<"i64">): V128 => new Instruction("v128", simd(18), [a]),
  const: (values: readonly bigint[]): VectorConstant =>
    new VectorConstant(new Uint8Array(new BigInt64Array(values).buffer)),
  add: binary(206),
  sub: binary(209),
  mul: binary(213),
  eq: binary(214),
  shl: shift(203),
  shrS: shift(204),
  shrU: shift(205),
  extendLowI32x4S: unary(199),
  extendHighI32x4S: unary(200),
  extmulLowI32x4U: binary(222),
  extmulHighI32x4U: binary(223),
  extmulLowI32x4S: binary(220),
  extmulHighI32x4S: binary(221),
};

/** Instructions that f32x4 and f64x2 both have: the codes of most follow each other from that of `eq`, `abs` and so on. */
function floats<T extends "f32" | "f64">(
  type: T,
  as: (value: Expression<T> | number) => Expression<T>,
  bytesOf: (values: readonly number[]) => ArrayBuffer,
  splat: number,
  extractLane: number,
  eq: number,
  abs: number,
  relaxedMadd: number,
) {
  return {
    const: (values: readonly number[]): VectorConstant => new VectorConstant(new Uint8Array(bytesOf(values))),
    splat: (a: Expression<T> | number): V128 => new Instruction("v128", simd(splat), [as(a)]),
    extractLane: (a: V128, lane: number): Expression<T> => new Instruction(type, [...simd(extractLane), lane], [a]),
    replaceLane: (a: V128, lane: number, value: Expression<T> | number): V128 =>
      new Instruction("v128", [...simd(extractLane + 1), lane], [a, as(value)]),
    eq: binary(eq),
    ne: binary(eq + 1),
    lt: binary(eq + 2),
    gt: binary(eq + 3),
    le: binary(eq + 4),
    ge: binary(eq + 5),
    abs: unary(abs),
    neg: unary(abs + 1),
    sqrt: unary(abs + 3),
    add: binary(abs + 4),
    sub: binary(abs + 5),
    mul: binary(abs + 6),
    div: binary(abs + 7),
    min: binary(abs + 8),
    max: binary(abs + 9),
    /** b < a ? b : a. One instruction on x86, where min is six. */
    pmin: binary(abs + 10),
    /** a < b ? b : a. */
    pmax: binary(abs + 11),
    /** a · b + c, rounded once where the processor can. Relaxed SIMD. */
    relaxedMadd: ternary(relaxedMadd),
  };
}

export const f32x4 = {
  ...floats("f32", asF32, (values) => new Float32Array(values).buffer, 19, 31, 65, 224, 0x105),
  ceil: unary(103),
  floor: unary(104),
  trunc: unary(105),
  nearest: unary(106),
  demoteF64x2Zero: unary(94),
  convertI32x4S: unary(250),
  convertI32x4U: unary(251),
};

export const f64x2 = {
  ...floats("f64", asF64, (values) => new Float64Array(values).buffer, 20, 33, 71, 236, 0x107),
  ceil: unary(116),
  floor: unary(117),
  trunc: unary(122),
  nearest: unary(148),
  promoteLowF32x4: unary(95),
  convertLowI32x4S: unary(254),
  convertLowI32x4U: unary(255),
};
