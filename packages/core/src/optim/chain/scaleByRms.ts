/** RMSProp's scaling as a piece. Tieleman & Hinton 2012, "Neural networks for machine learning", lecture 6.5. */
import { fullLike } from "../../tensor/creation.ts";
import { add, div, sqrt, square } from "../../tensor/elementwise.ts";
import { checkBoolean, checkDecay, checkNonNegative, checkUnscheduled } from "../checks.ts";
import type { ScheduledOptions } from "../hyperparameters.ts";
import { runningAverage } from "../runningAverage.ts";
import type { Piece } from "./piece.ts";

export interface ScaleByRmsOptions {
  /** Decay rate of the running average. Default 0.9. */
  decay: number;
  /** Added to the mean square, or to its root. Default 1e-8. */
  eps: number;
  /** Whether eps is added inside the root. Default true. */
  epsInSqrt: boolean;
  /** Where the average starts. Default 0. */
  initialScale: number;
  /** Whether the average is corrected for its start. Default false. */
  biasCorrection: boolean;
}

/**
 *     v ← decay v + (1 - decay) u²
 *     u ← u / √(v + eps), or u / (√v + eps) without epsInSqrt
 *
 * With biasCorrection v is divided by 1 - decayᵗ first. As optax's `scale_by_rms`. One state tensor.
 *
 * @throws ArgumentError, in a chain, for options out of range.
 */
export const scaleByRms = (
  options: Partial<ScheduledOptions<ScaleByRmsOptions>> = {},
): Piece<"squareAvg", ScaleByRmsOptions> => ({
  name: "scaleByRms",
  options: { decay: 0.9, eps: 1e-8, epsInSqrt: true, initialScale: 0, biasCorrection: false, ...options },
  check({ decay, eps, epsInSqrt, initialScale, biasCorrection }) {
    checkDecay("scaleByRms", "decay", decay);
    checkNonNegative("scaleByRms", "eps", eps);
    checkBoolean("scaleByRms", "epsInSqrt", epsInSqrt);
    checkNonNegative("scaleByRms", "initialScale", initialScale);
    checkBoolean("scaleByRms", "biasCorrection", biasCorrection);
  },
  initialState(parameter, { initialScale }) {
    checkUnscheduled("scaleByRms", "initialScale", initialScale);
    return { squareAvg: fullLike(parameter, initialScale) };
  },
  nonNegativeState: ["squareAvg"],
  update(u, context) {
    const { state, options, scalar } = context;
    const squareAvg = runningAverage(context, "decay", ({ decay }) => decay, state.squareAvg, square(u));
    const eps = scalar("eps", ({ options }) => options.eps);
    const mean = options.biasCorrection
      ? div(
          squareAvg,
          scalar("correction", ({ step, options }) => 1 - options.decay ** step),
        )
      : squareAvg;
    return {
      update: div(u, options.epsInSqrt ? sqrt(add(mean, eps)) : add(sqrt(mean), eps)),
      state: { squareAvg },
    };
  },
});
