/** Adaptive gradient clipping. Brock et al. 2021, https://arxiv.org/abs/2102.06171 (section 4.1, equation 3). */
import { ArgumentError } from "../graph/errors.ts";
import { cast, div, less, logicalNot, maximum, mul, where } from "../tensor/elementwise.ts";
import { norm } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNonNegative } from "./checks.ts";
import { described, type GradientTransform } from "./gradientTransform.ts";
import type { Schedule } from "./rule.ts";
import { numberAt, showNumber } from "./transformNumber.ts";

export interface AdaptiveClipOptions {
  /** Largest allowed ratio of gradient norm to parameter norm; a number or a schedule. Default 0.01. */
  readonly clipFactor?: number | Schedule | undefined;
  /** Norms of parameters count as at least this, so that zeros can leave zero. Default 1e-3. */
  readonly eps?: number | Schedule | undefined;
  /** Order of the norm, > 0; `"inf"` or Infinity: the largest magnitude. Default 2. */
  readonly normType?: number | "inf" | undefined;
}

/** Norm of each slice of the first axis, shaped to broadcast; of all of a vector or scalar. */
function unitNorm(x: Tensor, p: number): Tensor {
  if (x.rank <= 1) return norm(x, { p });
  return norm(x, { p, axis: x.shape.slice(1).map((_, i) => i + 1), keepDim: true });
}

/**
 * Limits the norm of each unit's gradient relative to the norm of its weights. A unit is a slice of the first axis (an
 * output of a layer), or the whole of a vector:
 *
 *     limit = clipFactor · max(‖p‖, eps)
 *     g ← g where ‖g‖ < limit, g · limit / max(‖g‖, 1e-6) elsewhere
 *
 * As `timm.utils.agc`. Lets networks without normalisation train at large batches; the paper leaves out the last layer:
 * `mask((_, name) => !name.startsWith("head."), adaptiveClip())`.
 *
 * @throws ArgumentError for options out of range.
 */
export function adaptiveClip({
  clipFactor = 0.01,
  eps = 1e-3,
  normType = 2,
}: AdaptiveClipOptions = {}): GradientTransform {
  const factorAt = numberAt("adaptiveClip", "clipFactor", clipFactor, checkNonNegative);
  const epsAt = numberAt("adaptiveClip", "eps", eps, checkNonNegative);
  const p = normType === "inf" ? Number.POSITIVE_INFINITY : normType;
  if (typeof p !== "number" || !(p > 0)) {
    throw new ArgumentError("adaptiveClip", `normType must be a number > 0 or "inf", got ${String(normType)}`);
  }
  const description = `adaptiveClip(${showNumber(clipFactor)}, eps ${showNumber(eps)}${p === 2 ? "" : `, normType ${normType}`})`;
  return described(description, (gradients, parameters, { scalar, clipped }) =>
    gradients.map((g, i) => {
      const parameter = parameters[i] as Tensor;
      const size = unitNorm(parameter.dtype === g.dtype ? parameter : cast(parameter, g.dtype), p);
      const limit = mul(maximum(size, scalar("eps", g, epsAt)), scalar("clipFactor", g, factorAt));
      const gradientNorm = unitNorm(g, p);
      const below = less(gradientNorm, limit);
      clipped(i, logicalNot(below));
      return where(below, g, mul(g, div(limit, maximum(gradientNorm, 1e-6))));
    }),
  );
}
