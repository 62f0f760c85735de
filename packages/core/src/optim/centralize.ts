/** Gradient centralisation. Yong et al. 2020, https://arxiv.org/abs/2004.01461 (equation 1). */
import { sub } from "../tensor/elementwise.ts";
import { mean } from "../tensor/reduce.ts";
import { described, type GradientTransform } from "./gradientTransform.ts";

/**
 * Takes its mean out of each unit's gradient: g ← g - mean(g) over all axes but the first (the inputs of one output, of a
 * linear layer or a convolution). Vectors and scalars stay as they are.
 */
export function centralize(): GradientTransform {
  return described("centralize()", (gradients) =>
    gradients.map((g) =>
      g.rank <= 1 ? g : sub(g, mean(g, { axis: g.shape.slice(1).map((_, i) => i + 1), keepDim: true })),
    ),
  );
}
