/** Clipping element by element. */
import { abs, greater, maximum, minimum, neg } from "../tensor/elementwise.ts";
import { checkNonNegative } from "./checks.ts";
import { described, type GradientTransform } from "./gradientTransform.ts";
import type { Schedule } from "./rule.ts";
import { numberAt, showNumber } from "./transformNumber.ts";

/**
 * Limits every element to [-clipValue, clipValue], as `torch.nn.utils.clip_grad_value_`. Part of the update's own kernel.
 *
 * @throws ArgumentError unless clipValue is a finite number ≥ 0, or a schedule of such.
 */
export function clipGradValue(clipValue: number | Schedule): GradientTransform {
  const limitAt = numberAt("clipGradValue", "clipValue", clipValue, checkNonNegative);
  return described(`clipGradValue(${showNumber(clipValue)})`, (gradients, _, { scalar, clipped }) =>
    gradients.map((g, i) => {
      const limit = scalar("clipValue", g, limitAt);
      clipped(i, greater(abs(g), limit));
      return minimum(maximum(g, neg(limit)), limit);
    }),
  );
}
