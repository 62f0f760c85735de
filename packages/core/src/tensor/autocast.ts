/**
 * Mixed precision as torch.autocast has it (https://pytorch.org/docs/stable/amp.html): inside the scope, products and
 * convolutions take 16-bit operands, what is sensitive to rounding float32 ones, and everything else the dtype it meets.
 * Parameters stay float32, the master weights: a cast to 16 bits becomes part of the graph, and its gradient comes back as
 * float32.
 */
import { ArgumentError } from "../graph/errors.ts";
import { asTensor, castTo, type TensorLike } from "./convert.ts";
import type { Tensor } from "./tensor.ts";

/** What autocast can compute products in; `float32` switches it off for an inner scope. */
export type AutocastDType = "bfloat16" | "float16" | "float32";

const dtypes: readonly AutocastDType[] = ["bfloat16", "float16", "float32"];

let current: AutocastDType = "float32";

/** The dtype of the innermost scope; `float32` outside of all. */
export const autocastDType = (): AutocastDType => current;

/**
 * Builds what `build` builds with products in `dtype`, and gives its result. Inside:
 *
 * - `matmul`, `linear`, `einsum`, convolutions, attention and recurrent cells cast float32 operands to `dtype` and give it;
 * - `exp`, `expm1`, `log`, `log1p`, `pow`, `reciprocal`, `rsqrt`, `softplus`, softmax and its kin, layer, group and rms
 *   normalization, `sum`, `mean`, `prod`, `cumSum`, `norm` and the losses cast 16-bit operands to float32;
 * - other operations promote as ever (16-bit with float32 gives float32).
 *
 * float64 and integers are left alone. Gradients and updates are not affected by the scope they are asked for in: the loss is
 * what should be built in it. float16 has few exponents: see `lossScaling` of `@thalweg/core/optim`. Scopes nest; the
 * inner one counts. `build` must not be asynchronous. Throws ArgumentError for another dtype, or if `build` returns a promise.
 */
export function autocast<T>(dtype: AutocastDType, build: () => T): T {
  if (!dtypes.includes(dtype))
    throw new ArgumentError("autocast", `expected one of ${dtypes.join(", ")}, got ${String(dtype)}`);
  const before = current;
  current = dtype;
  try {
    const result = build();
    if (result instanceof Promise)
      throw new ArgumentError("autocast", "build returned a promise; the scope ends when it returns");
    return result;
  } finally {
    current = before;
  }
}

/** An operand of a product: float32 becomes the dtype of the scope. */
export function productOperand(x: TensorLike): Tensor {
  const t = asTensor(x);
  return t.dtype === "float32" ? castTo(t, current) : t;
}

/** An operand of what should not be rounded on the way: inside a scope 16-bit floats become float32. */
export function sensitiveOperand(x: TensorLike): Tensor {
  const t = asTensor(x);
  return current !== "float32" && (t.dtype === "bfloat16" || t.dtype === "float16") ? castTo(t, "float32") : t;
}
