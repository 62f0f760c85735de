/** Scratch rows: values that one inner stage keeps in the thread's memory and later ones read back. */
import { contiguousStrides, type DType, type SharedValues, sizeOf } from "@thalweg/core/backend";
import { chain, constantOf } from "../body/affine.ts";
import type { Point } from "../body/index.ts";
import type { Local } from "../emit/index.ts";
import type { Vector } from "../lanes/index.ts";
import { loadVector, storeVector } from "../storage/index.ts";

/** Bytes of a scratch element: as the widest dtype needs. */
const elementBytes = (dtype: DType): number => (dtype === "float64" ? 8 : 4);

/** Bytes of all rows, when `width` elements stand side by side for every point of the inner space. */
export const scratchRowBytes = ({ rows }: SharedValues, inner: readonly number[], width: number): number =>
  rows * sizeOf(inner) * width * 8;

export class ScratchRows {
  readonly #pointer: Local<"i32">;
  /** Strides of an element's number over all variables. */
  readonly #strides: readonly number[];
  /** Elements of one row, of one copy. */
  readonly #length: number;
  readonly #copies: number;

  /** `width`: 1 where lanes lie along a row; where they lie along an outer variable, the elements of a vector. */
  constructor(pointer: Local<"i32">, outerRank: number, inner: readonly number[], width: number, copies: number) {
    this.#pointer = pointer;
    this.#copies = copies;
    this.#length = sizeOf(inner) * width;
    this.#strides = [
      ...new Array<number>(outerRank).fill(0),
      ...contiguousStrides(inner).map((stride) => stride * width),
    ];
  }

  #place(point: Point, row: number, copy: number, dtype: DType): { address: Local<"i32">; offset: number } {
    const bytes = elementBytes(dtype);
    const start = { base: this.#pointer, add: 0, depth: 0 };
    const address = chain(point, this.#strides, bytes, start).base as Local<"i32">;
    const fixed = constantOf(point, { offset: 0, strides: this.#strides }) * bytes;
    return { address, offset: (row * this.#copies + copy) * this.#length * 8 + fixed };
  }

  store(point: Point, row: number, copy: number, value: Vector): void {
    const { lanes } = point.surroundings;
    const { address, offset } = this.#place(point, row, copy, value.dtype);
    storeVector(lanes, value.dtype, address, offset, value, point.count);
  }

  load(point: Point, row: number, copy: number, dtype: Vector["dtype"]): Vector {
    const { lanes } = point.surroundings;
    const { address, offset } = this.#place(point, row, copy, dtype);
    return loadVector(lanes, dtype, address, offset, point.count);
  }
}
