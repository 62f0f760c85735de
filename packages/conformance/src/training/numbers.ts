/** Data from a written-down formula, the same in every language: starting weights and batches of the fixed models. */
import { type DType, type Shape, type Tensor, tensor } from "@thalweg/core";

/**
 * Numbers in [-1, 1), exact in float32: the upper 24 bits of the linear congruential generator of Numerical Recipes,
 * started at seed · 2654435761 so that neighbouring seeds have nothing in common.
 */
export function numbers(count: number, seed: number): Float64Array {
  let state = Math.imul(seed, 2654435761) >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

const sizeOf = (shape: Shape): number => shape.reduce((size, n) => size * n, 1);

/** A tensor of `numbers`. */
export const floats = (shape: Shape, seed: number, dtype: DType = "float32"): Tensor =>
  tensor(numbers(sizeOf(shape), seed), { shape, dtype });

/** Whole numbers from 0 to count - 1, int32. */
export const classes = (shape: Shape, count: number, seed: number): Tensor =>
  tensor(
    numbers(sizeOf(shape), seed).map((value) => Math.floor(((value + 1) / 2) * count)),
    { shape, dtype: "int32" },
  );

/** A list of whole numbers, int32. */
export const indices = (values: readonly number[]): Tensor => tensor([...values], { dtype: "int32" });
