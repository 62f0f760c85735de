/** The Newton-Schulz iteration that makes the singular values of a matrix nearly equal, by matrix products alone. */
import { ArgumentError, ShapeError } from "../graph/errors.ts";
import { formatShape } from "../graph/shape.ts";
import { asTensor, type TensorLike } from "./convert.ts";
import { add, mul } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import type { Tensor } from "./tensor.ts";
import { transpose } from "./views.ts";

export interface NewtonSchulzOptions {
  /** Numbers or scalar tensors. Default [3.4445, -4.775, 2.0315], which rise fastest from 0 (Jordan 2024). */
  readonly coefficients?: readonly [TensorLike, TensorLike, TensorLike] | undefined;
  /** Default 5. */
  readonly steps?: number | undefined;
}

/**
 * `steps` times x ← a x + b (x xᵀ) x + c (x xᵀ)² x, on matrices [..., m, n]: the singular vectors stay, and each
 * singular value s becomes a s + b s³ + c s⁵. Expects singular values of at most 1; divide by the Frobenius norm first.
 * With the default coefficients they end between about 0.7 and 1.2 (https://kellerjordan.github.io/posts/muon/), with
 * [2, -1.5, 0.5] and more steps they converge to 1.
 */
export function newtonSchulz(
  x: TensorLike,
  { coefficients = [3.4445, -4.775, 2.0315], steps = 5 }: NewtonSchulzOptions = {},
): Tensor {
  const given = asTensor(x);
  if (given.rank < 2)
    throw new ShapeError("newtonSchulz", `expected matrices [..., m, n], got ${formatShape(given.shape)}`);
  if (!Number.isInteger(steps) || steps < 0)
    throw new ArgumentError("newtonSchulz", `steps must be a whole number ≥ 0, got ${steps}`);
  const [rows, columns] = given.shape.slice(-2) as [number, number];
  // The smaller of the two products.
  const tall = rows > columns;
  const [a, b, c] = coefficients;
  let y = tall ? transpose(given) : given;
  for (let step = 0; step < steps; step++) {
    const gram = matmul(y, transpose(y));
    const mixed = add(mul(gram, b), mul(matmul(gram, gram), c));
    y = add(mul(y, a), matmul(mixed, y));
  }
  return tall ? transpose(y) : y;
}
