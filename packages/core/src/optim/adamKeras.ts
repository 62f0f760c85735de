/** Adam and AdamW as Keras has them (keras.optimizers.Adam, keras.optimizers.AdamW). */
import { zerosLike } from "../tensor/creation.ts";
import { add, div, maximum, mul, sqrt, square } from "../tensor/elementwise.ts";
import { checkBetas, checkBoolean, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import type { Rule } from "./rule.ts";
import { shrunk } from "./weightDecay.ts";

export interface AdamKerasOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the uncorrected root ("epsilon hat" of the paper). Default 1e-7. */
  eps: number;
  /** p shrinks by lr · weightDecay before the step; null for none. Default: adam null, adamW 0.004. */
  weightDecay: number | null;
  /** Divide by the largest second moment so far. Default false. */
  amsgrad: boolean;
}

type State = "expAvg" | "expAvgSq" | "maxExpAvgSq";

/**
 *     p ← (1 - lr weightDecay) p
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     p ← p - lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + eps)
 *
 * With amsgrad the root is of the largest v so far. t counts the updates of the optimizer.
 */
const kerasRule = (name: string, weightDecay: number | null): Rule<State, AdamKerasOptions> => ({
  name,
  convention: "keras",
  lr: 1e-3,
  defaults: { betas: [0.9, 0.999], eps: 1e-7, weightDecay, amsgrad: false },
  check({ betas, eps, weightDecay, amsgrad }) {
    checkBetas(name, betas);
    checkNonNegative(name, "eps", eps);
    checkNonNegativeOrNull(name, "weightDecay", weightDecay);
    checkBoolean(name, "amsgrad", amsgrad);
  },
  initialState(parameter, { amsgrad }) {
    const moments = { expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) };
    return amsgrad ? { ...moments, maxExpAvgSq: zerosLike(parameter) } : moments;
  },
  update(context) {
    const { gradient: g, state, options, scalar } = context;
    const stepSize = scalar("stepSize", ({ lr, optimizerStep: t, options: { betas } }) => {
      return (lr * Math.sqrt(1 - betas[1] ** t)) / (1 - betas[0] ** t);
    });
    const eps = scalar("eps", ({ options }) => options.eps);
    const expAvg = moment(context, 0, state.expAvg, g);
    const expAvgSq = moment(context, 1, state.expAvgSq, square(g));
    const maxExpAvgSq = options.amsgrad ? maximum(state.maxExpAvgSq, expAvgSq) : undefined;
    const denominator = add(sqrt(maxExpAvgSq ?? expAvgSq), eps);
    return {
      ...descended(shrunk(context), div(mul(expAvg, stepSize), denominator)),
      state: maxExpAvgSq ? { expAvg, expAvgSq, maxExpAvgSq } : { expAvg, expAvgSq },
    };
  },
});

/** Keras' Adam: without decay by default. */
export const adamKerasRule = kerasRule("adam", null);

/** Keras' AdamW: the same with decay 0.004. */
export const adamWKerasRule = kerasRule("adamW", 0.004);
