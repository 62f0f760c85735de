/** Gradients of length 1. */
import { ArgumentError } from "../graph/errors.ts";
import { add, cast, div } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNonNegative } from "./checks.ts";
import { globalNorm } from "./globalNorm.ts";
import { described, type GradientTransform } from "./gradientTransform.ts";
import type { Schedule } from "./rule.ts";
import { numberAt } from "./transformNumber.ts";

export interface NormalizeGradientsOptions {
  /** Of all gradients together (default), or of each parameter's by itself. */
  readonly per?: "all" | "parameter" | undefined;
  /** Added to the norm. Default 1e-6. */
  readonly eps?: number | Schedule | undefined;
}

/**
 * g ← g / (‖g‖ + eps): only the direction counts. With `per: "all"`, optax's `normalize_by_update_norm`; with `"parameter"`,
 * the layer-wise normalised gradient descent of Yu et al. 2017, https://arxiv.org/abs/1707.04822.
 *
 * @throws ArgumentError for options out of range.
 */
export function normalizeGradients({ per = "all", eps = 1e-6 }: NormalizeGradientsOptions = {}): GradientTransform {
  const epsAt = numberAt("normalizeGradients", "eps", eps, checkNonNegative);
  if (per !== "all" && per !== "parameter") {
    throw new ArgumentError("normalizeGradients", `per must be all or parameter, got ${String(per)}`);
  }
  return described(`normalizeGradients(per ${per})`, (gradients, _, { scalar }) => {
    const scaled = (g: Tensor, norm: Tensor): Tensor => {
      const length = add(norm, scalar("eps", norm, epsAt));
      return div(g, length.dtype === g.dtype ? length : cast(length, g.dtype));
    };
    if (per === "parameter") return gradients.map((g) => scaled(g, globalNorm([g])));
    const norm = globalNorm(gradients);
    return gradients.map((g) => scaled(g, norm));
  });
}
