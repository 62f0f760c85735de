/** Annealed gradient noise. Neelakantan et al. 2015, https://arxiv.org/abs/1511.06807 (equation 1). */
import { add, cast, mul } from "../tensor/elementwise.ts";
import { defaultGenerator, type Generator, randn } from "../tensor/random.ts";
import { checkNonNegative } from "./checks.ts";
import { described, type GradientTransform } from "./gradientTransform.ts";
import type { Schedule } from "./rule.ts";
import { numberAt, showNumber } from "./transformNumber.ts";

export interface AddNoiseOptions {
  /** Variance at the first update; a number or a schedule. The paper takes 0.01, 0.3 or 1. Default 0.01. */
  readonly eta?: number | Schedule | undefined;
  /** How fast the variance decays. Default 0.55. */
  readonly gamma?: number | Schedule | undefined;
  /** Where the noise comes from. Default: the default generator. */
  readonly generator?: Generator | undefined;
}

/**
 * Adds normal noise whose variance decays with the number t of updates done:
 *
 *     g ← g + N(0, eta / (1 + t)^gamma)
 *
 * Fresh numbers at every update, replays of a compiled step included; each gradient takes one random stream.
 *
 * @throws ArgumentError for options out of range.
 */
export function addNoise({
  eta = 0.01,
  gamma = 0.55,
  generator = defaultGenerator,
}: AddNoiseOptions = {}): GradientTransform {
  const etaAt = numberAt("addNoise", "eta", eta, checkNonNegative);
  const gammaAt = numberAt("addNoise", "gamma", gamma, checkNonNegative);
  return described(`addNoise(eta ${showNumber(eta)}, gamma ${showNumber(gamma)})`, (gradients, _, { scalar }) =>
    gradients.map((g) => {
      const deviation = scalar("deviation", g, (step) => Math.sqrt(etaAt(step) / (1 + step) ** gammaAt(step)));
      const noise = mul(randn(g.shape, { dtype: g.dtype, generator }), deviation);
      return add(g, noise.dtype === g.dtype ? noise : cast(noise, g.dtype));
    }),
  );
}
