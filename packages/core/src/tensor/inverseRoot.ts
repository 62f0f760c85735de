/** Inverse roots of symmetric positive matrices, by their eigenvalues. */
import { ArgumentError } from "../graph/errors.ts";
import { sizeOf } from "../graph/shape.ts";
import { asTensor, castTo, reshapeTo, type TensorLike, toFloat, widen } from "./convert.ts";
import { eigenOf, squareShape } from "./eigh.ts";
import { abs, add, div, less, lessEqual, maximum, mul, pow, stopGradient, sub, where } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { max } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { transpose, unsqueeze } from "./views.ts";

export interface InverseRootOptions {
  /** Added to every eigenvalue, which rounding may have made negative. Number or scalar tensor; default 0. */
  readonly eps?: TensorLike | undefined;
}

/**
 * (x + eps I)^(-1/p) for symmetric positive semidefinite matrices [..., n, n]. Negative eigenvalues, which only
 * rounding gives such a matrix, count as 0; with eps 0, a singular matrix has no inverse root, and the result is not
 * finite. Costs one `eigh`; the first derivative is exact, also between equal eigenvalues.
 *
 * @param p The root: a number > 0. 1 gives the inverse, 2 the inverse square root.
 * @throws ArgumentError for p ≤ 0; ShapeError for matrices that are not square.
 */
export function inverseRoot(x: TensorLike, p: number, { eps = 0 }: InverseRootOptions = {}): Tensor {
  if (!(p > 0 && p < Number.POSITIVE_INFINITY))
    throw new ArgumentError("inverseRoot", `p must be a finite number > 0, got ${p}`);
  const given = toFloat(x);
  const { batch, n } = squareShape("inverseRoot", given);
  if (given.size === 0) return given;
  const wide = widen(given);
  const flat = reshapeTo(wide, [sizeOf(batch), n, n]);
  const symmetric = mul(add(flat, transpose(flat)), 0.5);
  const { values, vectors } = eigenOf(stopGradient(symmetric));
  const shifted = add(maximum(values, 0), asTensor(eps, wide.dtype));
  const roots = pow(shifted, -1 / p);
  const change = matmul(matmul(transpose(vectors), symmetric), vectors);
  // Zero, with the derivative of x in the basis of its eigenvectors; by eps it is that of the roots.
  const inner = mul(sub(change, stopGradient(change)), stopGradient(quotients(values, shifted, roots, p)));
  const core = matmul(add(mul(vectors, unsqueeze(roots, 1)), matmul(vectors, inner)), transpose(vectors));
  return castTo(reshapeTo(core, given.shape), given.dtype);
}

/** (f(a) - f(b)) / (a - b) of every two eigenvalues [b, n], the derivative f'(a) where they are as good as equal. */
function quotients(values: Tensor, shifted: Tensor, roots: Tensor, p: number): Tensor {
  const between = (x: Tensor): Tensor => sub(unsqueeze(x, 2), unsqueeze(x, 1));
  const slope = where(less(0, values), mul(div(roots, shifted), -1 / p), 0);
  const middle = mul(add(unsqueeze(slope, 1), unsqueeze(slope, 2)), 0.5);
  const gap = between(values);
  const size = unsqueeze(max(shifted, { axis: 1, keepDim: true }), 2);
  const none = lessEqual(abs(gap), mul(size, values.dtype === "float64" ? 2 ** -40 : 2 ** -18));
  return where(none, middle, div(between(roots), where(none, 1, gap)));
}
