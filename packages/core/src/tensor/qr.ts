/**
 * QR decomposition by Householder reflections (Golub & Van Loan, Matrix Computations, algorithm 5.2.1), with LAPACK's
 * signs. Each reflection is two kernels, whatever the batch: its vector, and all columns reflected at once.
 */
import { ShapeError } from "../graph/errors.ts";
import { formatShape, sizeOf } from "../graph/shape.ts";
import { asTensor, broadcastTo, castTo, reshapeTo, type TensorLike, toFloat, widen } from "./convert.ts";
import { eye } from "./creation.ts";
import {
  abs,
  add,
  barrier,
  div,
  equal,
  less,
  mul,
  neg,
  sqrt,
  square,
  stopGradient,
  sub,
  where,
} from "./elementwise.ts";
import { concat } from "./join.ts";
import { max, sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { iotaAlong, slice, transpose, triu } from "./views.ts";

export interface QR {
  /** Orthonormal columns [..., m, k], k the smaller of m and n. */
  readonly q: Tensor;
  /** Upper triangular [..., k, n]. */
  readonly r: Tensor;
}

/**
 * x = Q R for matrices [..., m, n]: the reduced decomposition of numpy.linalg.qr, signs included (an element on R's
 * diagonal has the sign opposite to the one that met the reflection). Q's columns are orthonormal whatever the rank of
 * x; columns of zeros are fine.
 *
 * Takes 2 min(m, n) small kernels, whatever the batch.
 */
export function qr(x: TensorLike): QR {
  const given = toFloat(x);
  if (given.rank < 2) throw new ShapeError("qr", `expected matrices [..., m, n], got ${formatShape(given.shape)}`);
  const batch = given.shape.slice(0, -2);
  const [m, n] = given.shape.slice(-2) as [number, number];
  const k = Math.min(m, n);
  const wide = widen(given);
  const b = sizeOf(batch);
  const matrix = reshapeTo(wide, [b, m, n]);
  const identity = broadcastTo(eye(m, m, { dtype: wide.dtype }), [b, m, m]);
  if (k === 0 || b === 0) {
    const empty = (shape: readonly number[]): Tensor => castTo(broadcastTo(asTensor(0), shape), given.dtype);
    return { q: empty([...batch, m, k]), r: empty([...batch, k, n]) };
  }
  // Q does not depend on the scale of a column; with its largest element 1, squares neither overflow nor vanish.
  const largest = stopGradient(max(abs(matrix), { axis: 1, keepDim: true }));
  const scale = barrier(where(equal(largest, 0), 1, largest));
  // Reflected together: the matrix, which becomes R, and the identity, which becomes Qᵀ.
  let both = barrier(concat([div(matrix, scale), identity], { axis: 2 }));
  for (let j = 0; j < Math.min(k, m - 1); j++) both = reflected(both, j);
  const r = triu(mul(slice(slice(both, { axis: 1, end: k }), { axis: 2, end: n }), scale));
  const q = slice(transpose(slice(both, { axis: 2, start: n })), { axis: 2, end: k });
  return {
    q: castTo(reshapeTo(q, [...batch, m, k]), given.dtype),
    r: castTo(reshapeTo(r, [...batch, k, n]), given.dtype),
  };
}

/** x [b, m, n] after the reflection that makes column j zero below row j. */
function reflected(x: Tensor, j: number): Tensor {
  const m = x.shape[1] as number;
  const column = slice(x, { axis: 2, start: j, end: j + 1 });
  const below = less(j, iotaAlong(m, 1, 3));
  const tail = where(below, column, 0);
  const square_ = sum(square(tail), { axis: 1, keepDim: true });
  const head = slice(column, { axis: 1, start: j, end: j + 1 });
  const none = equal(square_, 0);
  const length = sqrt(add(square(head), where(none, 1, square_)));
  const image = where(less(head, 0), length, neg(length));
  // H = I - tau v vᵀ with v[j] = 1. Where nothing is below, H = I.
  const tau = where(none, 0, div(sub(image, head), image));
  const vector = where(equal(iotaAlong(m, 1, 3), j), 1, div(tail, sub(head, image)));
  const v = barrier(vector);
  const along = sum(mul(v, x), { axis: 1, keepDim: true });
  return barrier(sub(x, mul(mul(barrier(tau), v), along)));
}
