/** The trust ratio as a piece. You et al. 2017, https://arxiv.org/abs/1708.03888 (LARS); 2019, https://arxiv.org/abs/1904.00962. */
import { add, div, maximum, mul } from "../../tensor/elementwise.ts";
import { norm } from "../../tensor/reduce.ts";
import { checkNonNegative } from "../checks.ts";
import type { ScheduledOptions } from "../hyperparameters.ts";
import { trustedRatio } from "../trustRatio.ts";
import type { Piece } from "./piece.ts";

export interface ScaleByTrustRatioOptions {
  /** Norms count as at least this. Default 0. */
  minNorm: number;
  /** Factor on the ratio. Default 1. */
  trustCoefficient: number;
  /** Added to the norm of the update. Default 0. */
  eps: number;
}

/**
 *     u ← u · trustCoefficient ‖p‖ / (‖u‖ + eps)
 *
 * per tensor, where neither norm is 0: every layer moves at the same rate relative to its weights. As optax's
 * `scale_by_trust_ratio`. No state; two reductions.
 *
 * @throws ArgumentError, in a chain, for options out of range.
 */
export const scaleByTrustRatio = (
  options: Partial<ScheduledOptions<ScaleByTrustRatioOptions>> = {},
): Piece<never, ScaleByTrustRatioOptions> => ({
  name: "scaleByTrustRatio",
  options: { minNorm: 0, trustCoefficient: 1, eps: 0, ...options },
  check({ minNorm, trustCoefficient, eps }) {
    checkNonNegative("scaleByTrustRatio", "minNorm", minNorm);
    checkNonNegative("scaleByTrustRatio", "trustCoefficient", trustCoefficient);
    checkNonNegative("scaleByTrustRatio", "eps", eps);
  },
  update(u, { parameter, scalar }) {
    const least = scalar("minNorm", ({ options }) => options.minNorm);
    const parameterNorm = maximum(norm(parameter), least);
    const updateNorm = maximum(norm(u), least);
    const coefficient = scalar("trustCoefficient", ({ options }) => options.trustCoefficient);
    const length = add(
      updateNorm,
      scalar("eps", ({ options }) => options.eps),
    );
    const ratio = div(mul(parameterNorm, coefficient), length);
    return { update: mul(u, trustedRatio(parameterNorm, updateNorm, ratio)) };
  },
});
