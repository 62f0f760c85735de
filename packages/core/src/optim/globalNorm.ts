/** The norm of several tensors as one vector. */
import { full } from "../tensor/creation.ts";
import { add, cast, maximum, pow, sqrt, square } from "../tensor/elementwise.ts";
import { norm } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The dtype scalars made of all of `tensors` have. */
export const commonDType = (tensors: readonly Tensor[]): "float32" | "float64" =>
  tensors.some((x) => x.dtype === "float64") ? "float64" : "float32";

/** (Σ|x|ᵖ)^(1/p) over all elements of all tensors, a scalar; the largest |x| for p = Infinity; 0 of no tensors. */
export function globalNorm(tensors: readonly Tensor[], p = 2): Tensor {
  const dtype = commonDType(tensors);
  const [first, ...others] = tensors.map((x) => norm(x.dtype === dtype ? x : cast(x, dtype), { p }));
  if (!first) return full([], 0, { dtype });
  if (others.length === 0) return first;
  const parts = [first, ...others];
  if (p === Number.POSITIVE_INFINITY) return parts.reduce(maximum);
  if (p === 1) return parts.reduce(add);
  if (p === 2) return sqrt(parts.map(square).reduce(add));
  return pow(parts.map((part) => pow(part, p)).reduce(add), 1 / p);
}
