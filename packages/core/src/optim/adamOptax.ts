/** Adam, AdamW and NAdam as optax has them (optax.adam, optax.amsgrad, optax.adamw, optax.nadam). */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, div, maximum, mul, sqrt, square } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import type { Rule, ScalarMaker, UpdateContext } from "./rule.ts";

/** What optax.nadam takes, and all of its relatives too. */
export interface NadamOptaxOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the corrected root. Default 1e-8. */
  eps: number;
  /** Added to the corrected second moment, under the root. Default 0. */
  epsRoot: number;
}

export interface AdamWOptaxOptions extends NadamOptaxOptions {
  /** Added to the direction as weightDecay · p, before lr scales it. Default 1e-4. */
  weightDecay: number;
  /** Look ahead along the first moment. Default false. */
  nesterov: boolean;
}

export interface AdamOptaxOptions extends NadamOptaxOptions {
  /** Look ahead along the first moment. Default false. */
  nesterov: boolean;
  /** Divide by the largest corrected second moment so far (optax.amsgrad). Default false. */
  amsgrad: boolean;
}

type State = "expAvg" | "expAvgSq" | "maxExpAvgSq";
type Betas = { readonly betas: readonly number[] };

/** m / (1 - β₁ᵗ); with nesterov β₁ m / (1 - β₁ᵗ⁺¹) + (1 - β₁) g / (1 - β₁ᵗ). */
export function correctedMean<Options extends Betas>(
  { scalar }: ScalarMaker<Options>,
  nesterov: boolean,
  expAvg: Tensor,
  g: Tensor,
): Tensor {
  const beta1 = ({ betas }: Betas): number => betas[0] as number;
  if (!nesterov) {
    const correction = scalar("1 / (1 - beta1^t)", ({ step, options }) => 1 / (1 - beta1(options) ** step));
    return mul(expAvg, correction);
  }
  const ahead = scalar("beta1 / (1 - beta1^(t + 1))", ({ step, options }) => {
    return beta1(options) / (1 - beta1(options) ** (step + 1));
  });
  const now = scalar("(1 - beta1) / (1 - beta1^t)", ({ step, options }) => {
    return (1 - beta1(options)) / (1 - beta1(options) ** step);
  });
  return add(mul(expAvg, ahead), mul(g, now));
}

/** v / (1 - β₂ᵗ). */
export const correctedSquare = <Options extends Betas>({ scalar }: ScalarMaker<Options>, expAvgSq: Tensor): Tensor =>
  mul(
    expAvgSq,
    scalar("1 / (1 - beta2^t)", ({ step, options }) => 1 / (1 - (options.betas[1] as number) ** step)),
  );

/** Defaults of `NadamOptaxOptions`. */
export const optaxDefaults = { betas: [0.9, 0.999], eps: 1e-8, epsRoot: 0 } as const;

/** Checks the options that all of optax's Adam family have. */
export function checkOptax(rule: string, { betas, eps, epsRoot }: Readonly<NadamOptaxOptions>): void {
  checkBetas(rule, betas);
  checkNonNegative(rule, "eps", eps);
  checkNonNegative(rule, "epsRoot", epsRoot);
}

/**
 *     m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
 *     m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)
 *     u = m̂ / (√(v̂ + epsRoot) + eps)
 *
 * With nesterov m̂ = β₁ m / (1 - β₁ᵗ⁺¹) + (1 - β₁) g / (1 - β₁ᵗ); with amsgrad v̂ is the largest so far.
 */
function optaxDirection<Options extends NadamOptaxOptions>(
  context: UpdateContext<State, Options>,
  { nesterov, amsgrad }: { readonly nesterov: boolean; readonly amsgrad: boolean },
): { direction: Tensor; state: Partial<Record<State, Tensor>> } {
  const { gradient: g, state, scalar } = context;
  const expAvg = moment(context, 0, state.expAvg, g);
  const expAvgSq = moment(context, 1, state.expAvgSq, square(g));
  const corrected = correctedSquare(context, expAvgSq);
  const maxExpAvgSq = amsgrad ? maximum(state.maxExpAvgSq, corrected) : undefined;
  const epsRoot = scalar("epsRoot", ({ options }) => options.epsRoot);
  const eps = scalar("eps", ({ options }) => options.eps);
  return {
    direction: div(correctedMean(context, nesterov, expAvg, g), add(sqrt(add(maxExpAvgSq ?? corrected, epsRoot)), eps)),
    state: maxExpAvgSq ? { expAvg, expAvgSq, maxExpAvgSq } : { expAvg, expAvgSq },
  };
}

const moments = (parameter: Tensor) => ({ expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) });

/** p ← p - lr u, with the u of `optaxDirection`. */
export const adamOptaxRule: Rule<State, AdamOptaxOptions> = {
  name: "adam",
  convention: "optax",
  defaults: { ...optaxDefaults, nesterov: false, amsgrad: false },
  check(options) {
    checkOptax("adam", options);
    checkBoolean("adam", "nesterov", options.nesterov);
    checkBoolean("adam", "amsgrad", options.amsgrad);
    if (options.nesterov && options.amsgrad) {
      throw new ArgumentError(
        "adam",
        "nesterov and amsgrad exclude each other in optax, got nesterov true, amsgrad true",
      );
    }
  },
  initialState: (parameter, { amsgrad }) =>
    amsgrad ? { ...moments(parameter), maxExpAvgSq: zerosLike(parameter) } : moments(parameter),
  update(context) {
    const { direction, state } = optaxDirection(context, context.options);
    return { ...descended(context.parameter, mul(context.lr, direction)), state };
  },
};

/** p ← p - lr (u + weightDecay p), with the u of `optaxDirection`. */
export const adamWOptaxRule: Rule<State, AdamWOptaxOptions> = {
  name: "adamW",
  convention: "optax",
  defaults: { ...optaxDefaults, weightDecay: 1e-4, nesterov: false },
  check(options) {
    checkOptax("adamW", options);
    checkNonNegative("adamW", "weightDecay", options.weightDecay);
    checkBoolean("adamW", "nesterov", options.nesterov);
  },
  initialState: moments,
  update(context) {
    const { parameter, options, lr, scalar } = context;
    const { direction, state } = optaxDirection(context, { nesterov: options.nesterov, amsgrad: false });
    const decay = scalar("weightDecay", ({ options }) => options.weightDecay);
    return { ...descended(parameter, mul(lr, add(direction, mul(parameter, decay)))), state };
  },
};

/** `adamOptaxRule` with nesterov. */
export const nadamOptaxRule: Rule<State, NadamOptaxOptions> = {
  name: "nadam",
  convention: "optax",
  defaults: optaxDefaults,
  check: (options) => checkOptax("nadam", options),
  initialState: moments,
  update(context) {
    const { direction, state } = optaxDirection(context, { nesterov: true, amsgrad: false });
    return { ...descended(context.parameter, mul(context.lr, direction)), state };
  },
};
