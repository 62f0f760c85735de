/**
 * Statistics of a gradient along each of its axes, and products with a matrix along an axis: what Shampoo and SOAP
 * share.
 */
import { reshapeTo } from "../tensor/convert.ts";
import { square } from "../tensor/elementwise.ts";
import { stack } from "../tensor/join.ts";
import { matmul } from "../tensor/linalg.ts";
import { reduceNode } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { permute, select, transpose } from "../tensor/views.ts";

/** The axes of x with `axis` first. */
const order = (rank: number, axis: number): number[] => [
  axis,
  ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis),
];

/** x unfolded along an axis: [its size, everything else]. */
const unfolded = (x: Tensor, axis: number): Tensor => {
  const n = x.shape[axis] as number;
  return reshapeTo(permute(x, order(x.rank, axis)), [n, x.size / n]);
};

/** G Gᵀ of the gradient unfolded along an axis: [n, n]. */
export function secondMoment(x: Tensor, axis: number): Tensor {
  const g = unfolded(x, axis);
  return matmul(g, transpose(g));
}

/** The diagonal of `secondMoment`: [n]. */
export const secondMomentDiagonal = (x: Tensor, axis: number): Tensor =>
  reduceNode(
    "sum",
    square(x),
    Array.from({ length: x.rank }, (_, i) => i).filter((i) => i !== axis),
  );

/** x with every fibre v along an axis made matrix · v. */
export function alongAxis(x: Tensor, matrix: Tensor, axis: number): Tensor {
  const axes = order(x.rank, axis);
  const shape = axes.map((i) => x.shape[i] as number);
  const turned = reshapeTo(matmul(matrix, unfolded(x, axis)), shape);
  return permute(
    turned,
    axes.map((_, i) => axes.indexOf(i)),
  );
}

/** A vector along an axis, of a shape that broadcasts to that of x. */
export const onAxis = (vector: Tensor, x: Tensor, axis: number): Tensor =>
  reshapeTo(
    vector,
    x.shape.map((n, i) => (i === axis ? n : 1)),
  );

/**
 * `decompose` of every matrix, those of one size as one batch: a decomposition is a long chain of kernels, for one or
 * for many.
 */
export function inBatches(
  matrices: ReadonlyMap<number, Tensor>,
  decompose: (batch: Tensor) => Tensor,
): Map<number, Tensor> {
  const results = new Map<number, Tensor>();
  for (const alike of Map.groupBy(matrices, ([, matrix]) => matrix.shape[0]).values()) {
    const batch = decompose(stack(alike.map(([, matrix]) => matrix)));
    for (const [i, [axis]] of alike.entries()) results.set(axis, select(batch, { axis: 0, index: i }));
  }
  return results;
}
