/** Adam's scaling as a piece. Kingma & Ba 2014, https://arxiv.org/abs/1412.6980; Dozat 2016 (nesterov). */
import { zerosLike } from "../../tensor/creation.ts";
import { add, div, mul, sqrt, square } from "../../tensor/elementwise.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "../checks.ts";
import type { ScheduledOptions } from "../hyperparameters.ts";
import { runningAverage } from "../runningAverage.ts";
import type { Piece } from "./piece.ts";

export interface ScaleByAdamOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the root. Default 1e-8. */
  eps: number;
  /** Added inside the root. Default 0. */
  epsRoot: number;
  /** Look ahead along the first average. Default false. */
  nesterov: boolean;
}

/**
 *     m ← β₁ m + (1 - β₁) u,  v ← β₂ v + (1 - β₂) u²
 *     u ← m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ) + epsRoot) + eps)
 *
 * With nesterov the first factor is β₁ m / (1 - β₁ᵗ⁺¹) + (1 - β₁) u / (1 - β₁ᵗ). As optax's `scale_by_adam`. Two state tensors.
 *
 * @throws ArgumentError, in a chain, for options out of range.
 */
export const scaleByAdam = (
  options: Partial<ScheduledOptions<ScaleByAdamOptions>> = {},
): Piece<"expAvg" | "expAvgSq", ScaleByAdamOptions> => ({
  name: "scaleByAdam",
  options: { betas: [0.9, 0.999], eps: 1e-8, epsRoot: 0, nesterov: false, ...options },
  check({ betas, eps, epsRoot, nesterov }) {
    checkBetas("scaleByAdam", betas);
    checkNonNegative("scaleByAdam", "eps", eps);
    checkNonNegative("scaleByAdam", "epsRoot", epsRoot);
    checkBoolean("scaleByAdam", "nesterov", nesterov);
  },
  initialState: (parameter) => ({ expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) }),
  nonNegativeState: ["expAvgSq"],
  update(u, context) {
    const { state, options, scalar } = context;
    const expAvg = runningAverage(context, "beta1", ({ betas }) => betas[0], state.expAvg, u);
    const expAvgSq = runningAverage(context, "beta2", ({ betas }) => betas[1], state.expAvgSq, square(u));
    const correction1 = scalar("correction1", ({ step, options }) => 1 - options.betas[0] ** step);
    const correction2 = scalar("correction2", ({ step, options }) => 1 - options.betas[1] ** step);
    const eps = scalar("eps", ({ options }) => options.eps);
    const inside = div(expAvgSq, correction2);
    const root = sqrt(
      options.epsRoot === 0
        ? inside
        : add(
            inside,
            scalar("epsRoot", ({ options }) => options.epsRoot),
          ),
    );
    const mean = options.nesterov
      ? add(
          div(
            mul(
              expAvg,
              scalar("beta1", ({ options }) => options.betas[0]),
            ),
            scalar("next correction1", ({ step, options }) => 1 - options.betas[0] ** (step + 1)),
          ),
          div(
            mul(
              u,
              scalar("1 - beta1", ({ options }) => 1 - options.betas[0]),
            ),
            correction1,
          ),
        )
      : div(expAvg, correction1);
    return { update: div(mean, add(root, eps)), state: { expAvg, expAvgSq } };
  },
});
