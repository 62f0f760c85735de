/**
 * A matrix product apart from which of its two result axes is called what: `rows` are read one element at a time, and
 * vectors lie along `columns`. Every product can be seen both ways, cᵀ = bᵀ · aᵀ.
 */
import type { MatmulKernel, Operand } from "@thalweg/core/backend";

/** Bytes of a float32. */
export const elementBytes = 4;

/** Where an operand lies, in bytes. A line is a row of A or a column of B. */
export interface Side {
  readonly offset: number;
  /** Strides over the batch variables. */
  readonly batch: readonly number[];
  readonly line: number;
  readonly k: number;
}

export interface Product {
  readonly batch: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly k: number;
  readonly a: Side;
  readonly b: Side;
  /** Rows are j and columns i. */
  readonly swapped: boolean;
}

const side = ({ offset, strides }: Operand, rank: number, line: number, k: number): Side => ({
  offset: elementBytes * offset,
  batch: strides.slice(0, rank).map((stride) => elementBytes * stride),
  line: elementBytes * (strides[line] as number),
  k: elementBytes * (strides[k] as number),
});

export function productOf({ batch, m, n, k, a, b }: Omit<MatmulKernel, "epilogue">, swapped: boolean): Product {
  const rank = batch.length;
  const left = side(a, rank, rank, rank + 1);
  const right = side(b, rank, rank + 1, rank);
  return swapped
    ? { batch, rows: n, columns: m, k, a: right, b: left, swapped }
    : { batch, rows: m, columns: n, k, a: left, b: right, swapped };
}

/** Number of elements of the batch. */
export const batchSize = ({ batch }: Product): number => batch.reduce((count, size) => count * size, 1);
