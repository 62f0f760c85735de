/** Layer-wise trust ratios, by which lars and lamb scale the step of a whole tensor. */
import { greater, logicalAnd, where } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** `ratio` where both norms are positive; 1 elsewhere, so that a tensor of zeros, or without gradient, is not stuck. */
export function trustedRatio(parameterNorm: Tensor, updateNorm: Tensor, ratio: Tensor): Tensor {
  return where(logicalAnd(greater(parameterNorm, 0), greater(updateNorm, 0)), ratio, 1);
}
