/** Weight decay as a part of the gradient: penalties on the size of the parameters. */
import { add, cast, mul, neg, sign } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNonNegative } from "./checks.ts";
import { described, type GradientTransform } from "./gradientTransform.ts";
import { type MatchOptions, predicateOfOptions, showMatchOptions } from "./parameterMatch.ts";
import type { Schedule } from "./rule.ts";
import { numberAt, showNumber } from "./transformNumber.ts";

/** Adds weightDecay · penalty(p); where the rule goes up the gradient, subtracts it. */
function decay(
  name: string,
  weightDecay: number | Schedule,
  options: MatchOptions,
  penalty: (parameter: Tensor) => Tensor,
): GradientTransform {
  const rateAt = numberAt(name, "weightDecay", weightDecay, checkNonNegative);
  const isMeant = predicateOfOptions(name, options);
  const description = `${name}(${showNumber(weightDecay)}${showMatchOptions(options)})`;
  return described(description, (gradients, parameters, { names, maximize, scalar }) =>
    gradients.map((g, i) => {
      const parameter = parameters[i] as Tensor;
      if (!isMeant(parameter, names[i] as string)) return g;
      const value = parameter.dtype === g.dtype ? parameter : cast(parameter, g.dtype);
      const added = mul(penalty(value), scalar("weightDecay", g, rateAt));
      return add(g, maximize[i] ? neg(added) : added);
    }),
  );
}

/**
 * L2 decay: g ← g + weightDecay · p, the gradient of ½ weightDecay ‖p‖². For parameters that match `only` and not
 * `except`: `l2Decay(1e-4, { except: "*.bias" })`.
 *
 * @throws ArgumentError for a weightDecay out of range or a match that is none.
 */
export const l2Decay = (weightDecay: number | Schedule, options: MatchOptions = {}): GradientTransform =>
  decay("l2Decay", weightDecay, options, (parameter) => parameter);

/**
 * L1 decay: g ← g + weightDecay · sign(p), a subgradient of weightDecay Σ|p|. For parameters that match `only` and not
 * `except`.
 *
 * @throws ArgumentError for a weightDecay out of range or a match that is none.
 */
export const l1Decay = (weightDecay: number | Schedule, options: MatchOptions = {}): GradientTransform =>
  decay("l1Decay", weightDecay, options, sign);
