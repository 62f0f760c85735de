/**
 * The rate up and down between two bounds, again and again.
 *
 * Leslie N. Smith: Cyclical Learning Rates for Training Neural Networks, https://arxiv.org/abs/1506.01186
 */
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, boolean, oneOf, optional, orNull, positive, within } from "./option.ts";

type CyclicMode = "triangular" | "triangular2" | "expRange";

export interface CyclicOptions {
  /** The lower bound. */
  readonly baseLr: number;
  /** The upper bound. */
  readonly maxLr: number;
  /** Steps up. Default 2000. */
  readonly stepSizeUp?: number | undefined;
  /** Steps down. Default null: as many as up. */
  readonly stepSizeDown?: number | null | undefined;
  /**
   * What becomes of the height: nothing (`triangular`), half of it at every cycle (`triangular2`), or gamma times it at
   * every step (`expRange`). Default `triangular`.
   */
  readonly mode?: CyclicMode | undefined;
  /** For `expRange`. Default 1. */
  readonly gamma?: number | undefined;
  /** Whether there is a `momentum` to go with it. Default true. */
  readonly cycleMomentum?: boolean | undefined;
  /** Momentum where the rate is highest. Default 0.8. */
  readonly baseMomentum?: number | undefined;
  /** Momentum where the rate is lowest. Default 0.9. */
  readonly maxMomentum?: number | undefined;
}

/**
 * Lines up and down. With x the height in the triangle at step t, from 0 to 1 in `stepSizeUp` steps and back in
 * `stepSizeDown`, and c the cycle, from 0:
 *
 *     lr(t)       = baseLr + (maxLr - baseLr) · x · h
 *     momentum(t) = maxMomentum - (maxMomentum - baseMomentum) · x · h
 *     h = 1 (triangular), 2^-c (triangular2), gamma^t (expRange)
 *
 * Source: PyTorch's `CyclicLR`. Its `momentum` goes with it: `sgd(parameters, { lr: cycle, momentum: cycle.momentum })`.
 */
export const cyclic = namedSchedule<{ torch: CyclicOptions }>("cyclic", {
  torch: {
    options: {
      baseLr: atLeast(0),
      maxLr: atLeast(0),
      stepSizeUp: optional(positive, 2000),
      stepSizeDown: orNull(positive),
      mode: optional(oneOf<CyclicMode>("triangular", "triangular2", "expRange"), "triangular"),
      gamma: optional(atLeast(0), 1),
      cycleMomentum: optional(boolean, true),
      baseMomentum: optional(within(0, 1), 0.8),
      maxMomentum: optional(within(0, 1), 0.9),
    },
    build: (options) => {
      const { baseLr, maxLr, stepSizeUp: up, mode, gamma, cycleMomentum, baseMomentum, maxMomentum } = options;
      const down = options.stepSizeDown ?? up;
      const height = (t: number): number => {
        const cycle = Math.floor(t / (up + down));
        const since = t - cycle * (up + down);
        const x = since <= up ? since / up : (up + down - since) / down;
        return mode === "triangular" ? x : mode === "triangular2" ? x * 2 ** -cycle : x * gamma ** t;
      };
      return {
        at: (t) => baseLr + (maxLr - baseLr) * height(t),
        momentum: cycleMomentum ? (t) => maxMomentum - (maxMomentum - baseMomentum) * height(t) : undefined,
        horizon: Math.ceil(3 * (up + down)) + 1,
      };
    },
  },
});
