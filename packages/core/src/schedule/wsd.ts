/**
 * Warm-up, stable, decay: a long plateau that one can decay from at any time.
 *
 * Shengding Hu et al.: MiniCPM, https://arxiv.org/abs/2404.06395; the shapes of the decay: Alexander Hägele et al.:
 * Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations, https://arxiv.org/abs/2405.18392
 */
import { ArgumentError } from "../graph/errors.ts";
import { halfWave } from "./cosine.ts";
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, oneOf, optional, orNull, wholeNumber, within } from "./option.ts";
import { type WarmupType, warmupShapes, warmupTypes } from "./warmupShapes.ts";

type DecayType = "linear" | "cosine" | "1-sqrt" | "1-square";

export interface WsdOptions {
  /** The rate of the plateau. */
  readonly baseLr: number;
  /** Steps up. */
  readonly numWarmupSteps: number;
  /** Steps at `baseLr`. Default null: what the others leave of `numTrainingSteps`. */
  readonly numStableSteps?: number | null | undefined;
  /** Steps down. */
  readonly numDecaySteps: number;
  /** All steps; needed where `numStableSteps` is not given, and without effect where it is. Default null. */
  readonly numTrainingSteps?: number | null | undefined;
  /** Shape of the way up: `linear` (default), `cosine` or `1-sqrt`. */
  readonly warmupType?: WarmupType | undefined;
  /** Shape of the way down: `cosine` (default), `linear`, `1-sqrt` or `1-square`. */
  readonly decayType?: DecayType | undefined;
  /** The first and the last rate as a part of `baseLr`, in [0, 1]. Default 0. */
  readonly minLrRatio?: number | undefined;
  /** Waves of a decay by `cosine`. Default 0.5: down, once. */
  readonly numCycles?: number | undefined;
}

function stableSteps(stable: number | null, training: number | null, others: number): number {
  if (stable !== null) return stable;
  if (training === null) throw new ArgumentError("wsd", "numStableSteps or numTrainingSteps is required");
  if (training < others) {
    throw new ArgumentError(
      "wsd",
      `numTrainingSteps must be ≥ numWarmupSteps + numDecaySteps, ${others}, got ${training}`,
    );
  }
  return training - others;
}

/**
 * Up, along, down. With p the part of a phase that is over and r = minLrRatio:
 *
 *     lr(t) = baseLr · (r + (1 - r) · up(p))        up(p): p, (1 - cos πp) / 2, 1 - √(1 - p)
 *             baseLr
 *             baseLr · (r + (1 - r) · down(p))      down(p): 1 - p, (1 + cos 2π·numCycles·p) / 2, 1 - √p, 1 - p²
 *             baseLr · r
 *
 * Source: transformers' `get_wsd_schedule`; `1-square` is pytorch_optimizer's.
 */
export const wsd = namedSchedule<{ torch: WsdOptions }>("wsd", {
  torch: {
    options: {
      baseLr: atLeast(0),
      numWarmupSteps: wholeNumber(0),
      numStableSteps: orNull(wholeNumber(0)),
      numDecaySteps: wholeNumber(0),
      numTrainingSteps: orNull(wholeNumber(1)),
      warmupType: optional(oneOf(...warmupTypes), "linear"),
      decayType: optional(oneOf<DecayType>("linear", "cosine", "1-sqrt", "1-square"), "cosine"),
      minLrRatio: optional(within(0, 1), 0),
      numCycles: optional(atLeast(0), 0.5),
    },
    build: (options) => {
      const { baseLr, numWarmupSteps, numDecaySteps, warmupType, decayType, minLrRatio, numCycles } = options;
      const stable = stableSteps(options.numStableSteps, options.numTrainingSteps, numWarmupSteps + numDecaySteps);
      const decayStart = numWarmupSteps + stable;
      const down: Readonly<Record<DecayType, (progress: number) => number>> = {
        linear: (progress) => 1 - progress,
        cosine: (progress) => halfWave(2 * numCycles * progress),
        "1-sqrt": (progress) => 1 - Math.sqrt(progress),
        "1-square": (progress) => 1 - progress ** 2,
      };
      const factor = (t: number): number => {
        if (t < numWarmupSteps) return warmupShapes[warmupType](t / numWarmupSteps);
        if (t < decayStart) return 1;
        return t < decayStart + numDecaySteps ? down[decayType]((t - decayStart) / numDecaySteps) : 0;
      };
      return {
        at: (t) => baseLr * (factor(t) * (1 - minLrRatio) + minLrRatio),
        horizon: decayStart + numDecaySteps + 1,
      };
    },
  },
});
