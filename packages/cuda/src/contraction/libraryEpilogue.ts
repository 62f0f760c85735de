/**
 * Which epilogues cuBLASLt can do by itself: scale, residual and bias, in this order, and one store.
 * Its relu is left aside: it is not said to keep a NaN, which ours does.
 */
import {
  bytesPerElement,
  type DType,
  type Instruction,
  mayOverlap,
  type Program,
  type Value,
} from "@thalweg/core/backend";
import type { Product } from "./product.ts";

type Load = Extract<Instruction, { readonly op: "load" }>;
type Store = Extract<Instruction, { readonly op: "store" }>;

export interface LibraryEpilogue {
  readonly scale: number;
  /** Added to the scaled product; lies as the store does. */
  readonly residual?: Load;
  /** One per column. */
  readonly bias?: Load;
  readonly store: Store;
}

/** cuBLASLt's kernels move up to 16 bytes at once, and are chosen as if everything were aligned so. */
export const productAlignment = 16;
export const isAligned = (dtype: DType, ...elements: readonly number[]): boolean =>
  elements.every((element) => (element * bytesPerElement(dtype)) % productAlignment === 0);

class Matcher {
  readonly #product: Product;
  readonly #program: Program;
  readonly #values: ReadonlyMap<Value, Instruction>;

  constructor(product: Product, program: Program) {
    this.#product = product;
    this.#program = program;
    this.#values = new Map(product.epilogue.body.map((instruction) => [instruction.id, instruction]));
  }

  match(): LibraryEpilogue | undefined {
    const { epilogue, dtype } = this.#product;
    const stores = epilogue.body.filter((instruction): instruction is Store => instruction.op === "store");
    const store = stores[0];
    if (stores.length !== 1 || store === undefined || !this.#isPlain(store)) return undefined;
    const stored = this.#dtypeOf(store.slot);
    const terms = this.#terms(this.#unrounded(store.value, [dtype, stored]), store, {});
    return terms && { ...terms, store };
  }

  #dtypeOf(slot: number): DType {
    return this.#program.buffers[this.#product.epilogue.buffers[slot] as number]?.dtype as DType;
  }

  /** The value before roundings that change nothing, as what cuBLASLt computes with is no wider. */
  #unrounded(value: Value, dtypes: readonly DType[] = [this.#product.dtype]): Value {
    let current = value;
    for (let instruction = this.#values.get(current); instruction?.op === "roundTo"; ) {
      if (!dtypes.includes(instruction.to)) break;
      current = instruction.args[0];
      instruction = this.#values.get(current);
    }
    return current;
  }

  /** A matrix whose rows lie side by side, the same way for each of a batch. */
  #isPlain({ at, slot }: Store): boolean {
    const { rowVariable, columnVariable, rows, columns } = this.#product;
    const { strides, offset, dynamic = [] } = at;
    const row = strides[rowVariable] as number;
    return (
      dynamic.length === 0 &&
      strides[columnVariable] === 1 &&
      (row >= columns || rows === 1) &&
      isAligned(this.#dtypeOf(slot), offset)
    );
  }

  /** accumulator · scale + what is added. */
  #terms(
    value: Value,
    store: Store,
    found: { readonly residual?: Load; readonly bias?: Load },
  ): { readonly scale: number; readonly residual?: Load; readonly bias?: Load } | undefined {
    const instruction = this.#values.get(value);
    if (instruction?.op === "add") {
      for (const [term, rest] of [instruction.args, [...instruction.args].reverse()] as [Value, Value][]) {
        const load = this.#values.get(this.#unrounded(term));
        if (load?.op !== "load") continue;
        if (this.#isBias(load, store) && !found.bias)
          return this.#terms(this.#unrounded(rest), store, { ...found, bias: load });
        if (this.#isResidual(load, store) && !found.residual)
          return this.#terms(this.#unrounded(rest), store, { ...found, residual: load });
      }
      return undefined;
    }
    const scale = this.#scaleOf(value);
    return scale === undefined ? undefined : { scale, ...found };
  }

  /** The constant that the accumulator is multiplied by. */
  #scaleOf(value: Value): number | undefined {
    const instruction = this.#values.get(value);
    if (instruction?.op === "accumulator") return 1;
    if (instruction?.op !== "mul" && instruction?.op !== "div") return undefined;
    const [left, right] = instruction.args;
    const constantOf = (operand: Value): number | undefined => {
      const found = this.#values.get(operand);
      return found?.op === "constant" ? found.value : undefined;
    };
    const accumulatorIs = (operand: Value): boolean => this.#values.get(this.#unrounded(operand))?.op === "accumulator";
    const divisor = constantOf(right);
    if (divisor !== undefined && accumulatorIs(left)) {
      if (instruction.op === "mul") return divisor;
      // A quotient is the product with the reciprocal where that is exact.
      return Number.isInteger(Math.log2(Math.abs(divisor))) ? 1 / divisor : undefined;
    }
    return instruction.op === "mul" && accumulatorIs(right) ? constantOf(left) : undefined;
  }

  #isBias({ at, slot, conditions = [] }: Load, store: Store): boolean {
    const { columnVariable, epilogue } = this.#product;
    const dtype = this.#dtypeOf(slot);
    const [buffer, stored] = [slot, store.slot].map((named) => epilogue.buffers[named] as number) as [number, number];
    return (
      conditions.length === 0 &&
      (at.dynamic ?? []).length === 0 &&
      at.strides.every((stride, variable) => stride === (variable === columnVariable ? 1 : 0)) &&
      // cuBLASLt has no biases for float64.
      dtype === this.#dtypeOf(store.slot) &&
      dtype !== "float64" &&
      isAligned(dtype, at.offset) &&
      !mayOverlap(this.#program, buffer, stored)
    );
  }

  #isResidual({ at, slot, conditions = [] }: Load, store: Store): boolean {
    const { epilogue } = this.#product;
    const dtype = this.#dtypeOf(slot);
    const [buffer, stored] = [slot, store.slot].map((named) => epilogue.buffers[named] as number) as [number, number];
    const same = buffer === stored && at.offset === store.at.offset;
    return (
      conditions.length === 0 &&
      (at.dynamic ?? []).length === 0 &&
      at.strides.every((stride, variable) => stride === store.at.strides[variable]) &&
      dtype === this.#dtypeOf(store.slot) &&
      isAligned(dtype, at.offset) &&
      (same || !mayOverlap(this.#program, buffer, stored))
    );
  }
}

/** Undefined where cuBLASLt cannot do it. */
export const libraryEpilogue = (product: Product, program: Program): LibraryEpilogue | undefined =>
  new Matcher(product, program).match();
