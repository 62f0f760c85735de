/** Momentum as pieces: a trace of past updates, or their running average. */
import { zerosLike } from "../../tensor/creation.ts";
import { add, div, mul } from "../../tensor/elementwise.ts";
import { checkBoolean, checkDecay } from "../checks.ts";
import type { ScheduledOptions } from "../hyperparameters.ts";
import { runningAverage } from "../runningAverage.ts";
import type { Piece } from "./piece.ts";

export interface TraceOptions {
  /** Factor on the trace. Default 0.9. */
  decay: number;
  /** Look ahead along the trace. Default false. */
  nesterov: boolean;
}

/**
 *     t ← u + decay t
 *     u ← t, or u + decay t with nesterov
 *
 * The heavy ball of Polyak 1964; Sutskever et al. 2013 for nesterov. As optax's `trace`. One state tensor.
 *
 * @throws ArgumentError, in a chain, for options out of range.
 */
export const trace = (options: Partial<ScheduledOptions<TraceOptions>> = {}): Piece<"trace", TraceOptions> => ({
  name: "trace",
  options: { decay: 0.9, nesterov: false, ...options },
  check({ decay, nesterov }) {
    checkDecay("trace", "decay", decay);
    checkBoolean("trace", "nesterov", nesterov);
  },
  initialState: (parameter) => ({ trace: zerosLike(parameter) }),
  update(u, { state, options, scalar }) {
    const decay = scalar("decay", ({ options }) => options.decay);
    const after = add(u, mul(state.trace, decay));
    return { update: options.nesterov ? add(u, mul(after, decay)) : after, state: { trace: after } };
  },
});

export interface EmaOfGradientsOptions {
  /** Decay rate of the average. Default 0.9. */
  decay: number;
  /** Whether the average is corrected for its start at 0. Default true. */
  debias: boolean;
}

/**
 *     m ← decay m + (1 - decay) u
 *     u ← m / (1 - decayᵗ), or m without debias
 *
 * As optax's `ema`. One state tensor.
 *
 * @throws ArgumentError, in a chain, for options out of range.
 */
export const emaOfGradients = (
  options: Partial<ScheduledOptions<EmaOfGradientsOptions>> = {},
): Piece<"average", EmaOfGradientsOptions> => ({
  name: "emaOfGradients",
  options: { decay: 0.9, debias: true, ...options },
  check({ decay, debias }) {
    checkDecay("emaOfGradients", "decay", decay);
    checkBoolean("emaOfGradients", "debias", debias);
  },
  initialState: (parameter) => ({ average: zerosLike(parameter) }),
  update(u, context) {
    const { state, options, scalar } = context;
    const average = runningAverage(context, "decay", ({ decay }) => decay, state.average, u);
    const correction = scalar("correction", ({ step, options }) => 1 - options.decay ** step);
    return { update: options.debias ? div(average, correction) : average, state: { average } };
  },
});
