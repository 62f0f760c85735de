/**
 * Expressions: trees of instructions, typed by the value they leave on the stack. One that is used twice is computed
 * twice; `FunctionBuilder.let` keeps it in a local instead.
 */
import type { ByteWriter } from "./bytes.ts";

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

export const valueTypeCodes: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

export interface Expression<T extends ValueType = ValueType> {
  readonly type: T;
  /** Writes the instructions that leave the value on the stack. */
  write(to: ByteWriter): void;
}

/** Something done that leaves no value: a store, a call of a function without a result. */
export interface Effect {
  readonly type: "none";
  write(to: ByteWriter): void;
}

/** An instruction after those of its operands. */
export class Instruction<T extends ValueType | "none"> {
  readonly type: T;
  readonly #code: readonly number[];
  readonly #operands: readonly { write(to: ByteWriter): void }[];

  constructor(type: T, code: readonly number[], operands: readonly { write(to: ByteWriter): void }[]) {
    this.type = type;
    this.#code = code;
    this.#operands = operands;
  }

  write(to: ByteWriter): void {
    for (const operand of this.#operands) operand.write(to);
    for (const byte of this.#code) to.byte(byte);
  }
}

/** A number known when the code is written. */
export class Constant<T extends "i32" | "f32" | "f64"> implements Expression<T> {
  readonly type: T;
  readonly value: number;

  constructor(type: T, value: number) {
    this.type = type;
    this.value = value;
  }

  write(to: ByteWriter): void {
    switch (this.type) {
      case "i32":
        to.byte(0x41);
        to.signed(this.value);
        break;
      case "f32":
        to.byte(0x43);
        to.float32(this.value);
        break;
      default:
        to.byte(0x44);
        to.float64(this.value);
    }
  }
}

/** A local variable or parameter of the function being built. As an expression: its value at that point. */
export class Local<T extends ValueType = ValueType> implements Expression<T> {
  readonly type: T;
  readonly index: number;

  constructor(type: T, index: number) {
    this.type = type;
    this.index = index;
  }

  write(to: ByteWriter): void {
    to.byte(0x20);
    to.unsigned(this.index);
  }
}

/** The code of an index, count or offset in an instruction: unsigned LEB128. */
export function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}
