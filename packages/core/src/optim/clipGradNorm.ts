/** Clipping by the norm of all gradients together. Pascanu et al. 2012, https://arxiv.org/abs/1211.5063 (algorithm 1). */
import { ArgumentError } from "../graph/errors.ts";
import { add, cast, div, less, logicalNot, minimum, mul, where } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNonNegative } from "./checks.ts";
import { globalNorm } from "./globalNorm.ts";
import { described, type GradientTransform } from "./gradientTransform.ts";
import type { Schedule } from "./rule.ts";
import { numberAt, showNumber } from "./transformNumber.ts";

export interface ClipGradNormOptions {
  /** Order of the norm, > 0; `"inf"` or Infinity: the largest magnitude. Default 2. */
  readonly normType?: number | "inf" | undefined;
  /** Whose formula. Default `torch`. */
  readonly convention?: "torch" | "optax" | undefined;
  /** Given the norm before clipping, a scalar, at each update; in a compiled function once, to be returned from it. */
  readonly onNorm?: ((norm: Tensor) => void) | undefined;
}

const conventions = ["torch", "optax"] as const;

/** x in the dtype of `like`. */
const inDTypeOf = (x: Tensor, like: Tensor): Tensor => (x.dtype === like.dtype ? x : cast(x, like.dtype));

function orderOf(normType: number | "inf"): number {
  const p = normType === "inf" ? Number.POSITIVE_INFINITY : normType;
  if (typeof p === "number" && p > 0) return p;
  throw new ArgumentError("clipGradNorm", `normType must be a number > 0 or "inf", got ${String(normType)}`);
}

/**
 * Scales all gradients by one factor so that their common norm is at most `maxNorm`, a number or a schedule:
 *
 *     g ← g · min(1, maxNorm / (‖g‖ + 1e-6))
 *
 * as `torch.nn.utils.clip_grad_norm_`. Missing gradients are left out of the norm. `optax` (`clip_by_global_norm`) has no
 * epsilon, and leaves gradients as they are where ‖g‖ < maxNorm: g / ‖g‖ · maxNorm elsewhere. Costs a reduction of the
 * gradients; the factor itself is applied by the kernel of the update.
 *
 * @throws ArgumentError for options out of range.
 */
export function clipGradNorm(
  maxNorm: number | Schedule,
  { normType = 2, convention = "torch", onNorm }: ClipGradNormOptions = {},
): GradientTransform {
  const limitAt = numberAt("clipGradNorm", "maxNorm", maxNorm, checkNonNegative);
  const order = orderOf(normType);
  if (!conventions.includes(convention)) {
    throw new ArgumentError(
      "clipGradNorm",
      `convention must be one of ${conventions.join(", ")}, got ${String(convention)}`,
    );
  }
  const details = `${order === 2 ? "" : `, normType ${normType}`}${convention === "torch" ? "" : `, ${convention}`}`;
  return described(`clipGradNorm(${showNumber(maxNorm)}${details})`, (gradients, _, { scalar, clipped }) => {
    const norm = globalNorm(gradients, order);
    onNorm?.(norm);
    const limit = scalar("maxNorm", norm, limitAt);
    const factor = minimum(div(limit, add(norm, 1e-6)), 1);
    const below = less(norm, limit);
    const unchanged = convention === "optax" ? below : logicalNot(less(factor, 1));
    return gradients.map((g, i) => {
      clipped(i, logicalNot(unchanged));
      if (convention === "torch") return mul(g, inDTypeOf(factor, g));
      return where(below, g, mul(div(g, inDTypeOf(norm, g)), inDTypeOf(limit, g)));
    });
  });
}
