/**
 * Instructions on i32, i64, f32 and f64, named as in the WebAssembly specification. Where an i32, f32 or f64 is expected
 * a number may stand for the constant. Additions and multiplications of i32 constants are done at once.
 */
import { Constant, type Effect, type Expression, Instruction, leb, type ValueType } from "./expression.ts";

export type I32 = Expression<"i32"> | number;
export type F32 = Expression<"f32"> | number;
export type F64 = Expression<"f64"> | number;
export type I64 = Expression<"i64"> | bigint;

/** What may stand for an expression of the type, as one. */
const literal =
  <T extends "i32" | "f32" | "f64">(type: T) =>
  (value: Expression<T> | number): Expression<T> =>
    typeof value === "number" ? new Constant(type, value) : value;

const asI32 = literal("i32");
const asF32 = literal("f32");
const asF64 = literal("f64");

function asI64(value: I64): Expression<"i64"> {
  if (typeof value !== "bigint") return value;
  return {
    type: "i64",
    write(to) {
      to.byte(0x42);
      to.signed64(value);
    },
  };
}

const constantOf = (value: I32): number | undefined =>
  typeof value === "number" ? value : value instanceof Constant ? value.value : undefined;

/** An access to memory: code, log2 of its alignment, offset. */
const memory = (code: readonly number[], align: number, offset: number): number[] => [...code, align, ...leb(offset)];

export const loadOf =
  <T extends ValueType>(type: T, code: readonly number[], align: number) =>
  (address: I32, offset = 0): Expression<T> =>
    new Instruction(type, memory(code, align, offset), [asI32(address)]);

const storeOf =
  <V>(code: readonly number[], align: number, as: (value: V) => Expression) =>
  (address: I32, value: V, offset = 0): Effect =>
    new Instruction("none", memory(code, align, offset), [asI32(address), as(value)]);

export { asF32, asF64, asI32, memory };

const i32Binary =
  (code: number, fold?: (a: number, b: number) => number) =>
  (a: I32, b: I32): Expression<"i32"> => {
    const [x, y] = [constantOf(a), constantOf(b)];
    if (fold && x !== undefined && y !== undefined) return new Constant("i32", fold(x, y) | 0);
    return new Instruction("i32", [code], [asI32(a), asI32(b)]);
  };

const plainAdd = i32Binary(0x6a, (a, b) => a + b);
const plainMul = i32Binary(0x6c, Math.imul);

export const i32 = {
  const: (value: number): Expression<"i32"> => new Constant("i32", value),
  add: (a: I32, b: I32): Expression<"i32"> =>
    constantOf(a) === 0 ? asI32(b) : constantOf(b) === 0 ? asI32(a) : plainAdd(a, b),
  sub: (a: I32, b: I32): Expression<"i32"> => (constantOf(b) === 0 ? asI32(a) : i32Binary(0x6b, (x, y) => x - y)(a, b)),
  mul: (a: I32, b: I32): Expression<"i32"> =>
    constantOf(a) === 1
      ? asI32(b)
      : constantOf(b) === 1
        ? asI32(a)
        : constantOf(a) === 0 || constantOf(b) === 0
          ? new Constant("i32", 0)
          : plainMul(a, b),
  divU: i32Binary(0x6e),
  remU: i32Binary(0x70),
  and: i32Binary(0x71),
  or: i32Binary(0x72),
  xor: i32Binary(0x73),
  shl: i32Binary(0x74),
  shrS: i32Binary(0x75),
  shrU: i32Binary(0x76),
  eqz: (a: I32): Expression<"i32"> => new Instruction("i32", [0x45], [asI32(a)]),
  eq: i32Binary(0x46),
  ne: i32Binary(0x47),
  ltS: i32Binary(0x48),
  ltU: i32Binary(0x49),
  gtS: i32Binary(0x4a),
  gtU: i32Binary(0x4b),
  leS: i32Binary(0x4c),
  leU: i32Binary(0x4d),
  geS: i32Binary(0x4e),
  geU: i32Binary(0x4f),
  load: loadOf("i32", [0x28], 2),
  load8U: loadOf("i32", [0x2d], 0),
  load16U: loadOf("i32", [0x2f], 1),
  store: storeOf([0x36], 2, asI32),
  store8: storeOf([0x3a], 0, asI32),
  store16: storeOf([0x3b], 1, asI32),
  select: (test: I32, a: I32, b: I32): Expression<"i32"> =>
    new Instruction("i32", [0x1b], [asI32(a), asI32(b), asI32(test)]),
  wrapI64: (a: I64): Expression<"i32"> => new Instruction("i32", [0xa7], [asI64(a)]),
  truncSatF32S: (a: F32): Expression<"i32"> => new Instruction("i32", [0xfc, 0], [asF32(a)]),
  truncSatF32U: (a: F32): Expression<"i32"> => new Instruction("i32", [0xfc, 1], [asF32(a)]),
  truncSatF64S: (a: F64): Expression<"i32"> => new Instruction("i32", [0xfc, 2], [asF64(a)]),
  truncSatF64U: (a: F64): Expression<"i32"> => new Instruction("i32", [0xfc, 3], [asF64(a)]),
  reinterpretF32: (a: F32): Expression<"i32"> => new Instruction("i32", [0xbc], [asF32(a)]),
};

const i64Binary =
  (code: number) =>
  (a: I64, b: I64): Expression<"i64"> =>
    new Instruction("i64", [code], [asI64(a), asI64(b)]);
const i64Compare =
  (code: number) =>
  (a: I64, b: I64): Expression<"i32"> =>
    new Instruction("i32", [code], [asI64(a), asI64(b)]);

export const i64 = {
  const: (value: bigint): Expression<"i64"> => asI64(value),
  add: i64Binary(0x7c),
  sub: i64Binary(0x7d),
  mul: i64Binary(0x7e),
  and: i64Binary(0x83),
  or: i64Binary(0x84),
  xor: i64Binary(0x85),
  shl: i64Binary(0x86),
  shrS: i64Binary(0x87),
  shrU: i64Binary(0x88),
  eq: i64Compare(0x51),
  ne: i64Compare(0x52),
  ltU: i64Compare(0x54),
  extendI32S: (a: I32): Expression<"i64"> => new Instruction("i64", [0xac], [asI32(a)]),
  extendI32U: (a: I32): Expression<"i64"> => new Instruction("i64", [0xad], [asI32(a)]),
  reinterpretF64: (a: F64): Expression<"i64"> => new Instruction("i64", [0xbd], [asF64(a)]),
  select: (test: I32, a: I64, b: I64): Expression<"i64"> =>
    new Instruction("i64", [0x1b], [asI64(a), asI64(b), asI32(test)]),
  load: loadOf("i64", [0x29], 3),
  store: storeOf([0x37], 3, asI64),
};

/** The instructions that f32 and f64 both have: their codes follow each other from `first`, `firstCompare` … on. */
function floats<T extends "f32" | "f64">(
  type: T,
  as: (value: Expression<T> | number) => Expression<T>,
  first: number,
  firstCompare: number,
  load: number,
  store: number,
  align: number,
  convertI32S: number,
) {
  type Value = Expression<T> | number;
  const unary =
    (index: number) =>
    (a: Value): Expression<T> =>
      new Instruction(type, [first + index], [as(a)]);
  const binary =
    (index: number) =>
    (a: Value, b: Value): Expression<T> =>
      new Instruction(type, [first + index], [as(a), as(b)]);
  const compare =
    (index: number) =>
    (a: Value, b: Value): Expression<"i32"> =>
      new Instruction("i32", [firstCompare + index], [as(a), as(b)]);
  const convert =
    (code: number) =>
    (a: I32): Expression<T> =>
      new Instruction(type, [code], [asI32(a)]);
  return {
    const: (value: number): Expression<T> => new Constant(type, value),
    abs: unary(0),
    neg: unary(1),
    ceil: unary(2),
    floor: unary(3),
    trunc: unary(4),
    nearest: unary(5),
    sqrt: unary(6),
    add: binary(7),
    sub: binary(8),
    mul: binary(9),
    div: binary(10),
    min: binary(11),
    max: binary(12),
    copysign: binary(13),
    eq: compare(0),
    ne: compare(1),
    lt: compare(2),
    gt: compare(3),
    le: compare(4),
    ge: compare(5),
    load: loadOf(type, [load], align),
    store: storeOf([store], align, as),
    select: (test: I32, a: Value, b: Value): Expression<T> =>
      new Instruction(type, [0x1b], [as(a), as(b), asI32(test)]),
    convertI32S: convert(convertI32S),
    convertI32U: convert(convertI32S + 1),
  };
}

export const f32 = {
  ...floats("f32", asF32, 0x8b, 0x5b, 0x2a, 0x38, 2, 0xb2),
  demoteF64: (a: F64): Expression<"f32"> => new Instruction("f32", [0xb6], [asF64(a)]),
  reinterpretI32: (a: I32): Expression<"f32"> => new Instruction("f32", [0xbe], [asI32(a)]),
};

export const f64 = {
  ...floats("f64", asF64, 0x99, 0x61, 0x2b, 0x39, 3, 0xb7),
  promoteF32: (a: F32): Expression<"f64"> => new Instruction("f64", [0xbb], [asF32(a)]),
  reinterpretI64: (a: I64): Expression<"f64"> => new Instruction("f64", [0xbf], [asI64(a)]),
};

const atomicStore =
  <V>(code: number, align: number, as: (value: V) => Expression) =>
  (address: I32, value: V, offset = 0): Effect =>
    new Instruction("none", memory([0xfe, code], align, offset), [asI32(address), as(value)]);
const atomicChange =
  <T extends "i32" | "i64", V>(type: T, code: number, align: number, as: (value: V) => Expression<T>) =>
  (address: I32, value: V, offset = 0): Expression<T> =>
    new Instruction(type, memory([0xfe, code], align, offset), [asI32(address), as(value)]);
const atomicExchange =
  <T extends "i32" | "i64", V>(type: T, code: number, align: number, as: (value: V) => Expression<T>) =>
  (address: I32, expected: V, replacement: V, offset = 0): Expression<T> =>
    new Instruction(type, memory([0xfe, code], align, offset), [asI32(address), as(expected), as(replacement)]);

/** Instructions on memory that several threads share; sequentially consistent. Those that change give the old value. */
export const atomic = {
  i32Load: loadOf("i32", [0xfe, 0x10], 2),
  i64Load: loadOf("i64", [0xfe, 0x11], 3),
  i32Store: atomicStore(0x17, 2, asI32),
  i64Store: atomicStore(0x18, 3, asI64),
  i32Add: atomicChange("i32", 0x1e, 2, asI32),
  i32CompareExchange: atomicExchange("i32", 0x48, 2, asI32),
  i64CompareExchange: atomicExchange("i64", 0x49, 3, asI64),
  /** Wakes up to `count` waiters; gives their number. */
  notify: (address: I32, count: I32, offset = 0): Expression<"i32"> =>
    new Instruction("i32", memory([0xfe, 0x00], 2, offset), [asI32(address), asI32(count)]),
  /** Sleeps while the word is `expected`, at most `timeout` nanoseconds (-1: for ever): 0 woken, 1 not equal, 2 timed out. */
  wait32: (address: I32, expected: I32, timeout: I64, offset = 0): Expression<"i32"> =>
    new Instruction("i32", memory([0xfe, 0x01], 2, offset), [asI32(address), asI32(expected), asI64(timeout)]),
};

/** Bulk instructions. */
export const bulk = {
  fill: (address: I32, byte: I32, count: I32): Effect =>
    new Instruction("none", [0xfc, 11, 0], [asI32(address), asI32(byte), asI32(count)]),
  copy: (to: I32, from: I32, count: I32): Effect =>
    new Instruction("none", [0xfc, 10, 0, 0], [asI32(to), asI32(from), asI32(count)]),
};
