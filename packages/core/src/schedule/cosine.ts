/**
 * Half a wave of a cosine, once or again and again.
 *
 * Ilya Loshchilov, Frank Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts, https://arxiv.org/abs/1608.03983
 */
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, optional, orNull, wholeNumber } from "./option.ts";

/** From 1 to 0 as `progress` goes from 0 to 1. */
export const halfWave = (progress: number): number => (1 + Math.cos(Math.PI * progress)) / 2;

export interface CosineOptions {
  /** The rate at first, the highest. */
  readonly baseLr: number;
  /** Steps to the lowest rate. */
  readonly tMax: number;
  /** The lowest rate. Default 0. */
  readonly etaMin?: number | undefined;
}

export interface CosineKerasOptions {
  /** The rate at first; with `warmupTarget`, where the warm-up starts. */
  readonly baseLr: number;
  /** Steps from the highest rate to the lowest. */
  readonly decaySteps: number;
  /** The lowest rate, as a part of the highest. Default 0. */
  readonly alpha?: number | undefined;
  /** The rate a linear warm-up leads to. Default null: no warm-up. */
  readonly warmupTarget?: number | null | undefined;
  /** Steps of the warm-up. Default 0. */
  readonly warmupSteps?: number | undefined;
}

export interface CosineOptaxOptions {
  /** The rate at first, the highest. */
  readonly baseLr: number;
  /** Steps to the lowest rate. */
  readonly decaySteps: number;
  /** The lowest rate, as a part of the highest. Default 0. */
  readonly alpha?: number | undefined;
  /** Power the wave is raised to. Default 1. */
  readonly exponent?: number | undefined;
}

/**
 * Down along a cosine, and up again:
 *
 *     lr(t) = etaMin + (baseLr - etaMin) · (1 + cos(π t / tMax)) / 2
 *
 * Source: PyTorch's `CosineAnnealingLR`: after `tMax` the rate rises again. The others stay at the lowest rate, which is
 * the multiple alpha of the highest. `convention: "optax"`: `cosine_decay_schedule`, baseLr · ((1 - alpha) · wave^exponent + alpha);
 * `"keras"`: `CosineDecay`, the same without exponent, perhaps after a linear warm-up.
 */
export const cosine = namedSchedule<{ torch: CosineOptions; keras: CosineKerasOptions; optax: CosineOptaxOptions }>(
  "cosine",
  {
    torch: {
      options: { baseLr: atLeast(0), tMax: wholeNumber(1), etaMin: optional(atLeast(0), 0) },
      build: ({ baseLr, tMax, etaMin }) => ({
        at: (t) => etaMin + (baseLr - etaMin) * halfWave(t / tMax),
        horizon: 2 * tMax + 1,
      }),
    },
    keras: {
      options: {
        baseLr: atLeast(0),
        decaySteps: wholeNumber(1),
        alpha: optional(atLeast(0), 0),
        warmupTarget: orNull(atLeast(0)),
        warmupSteps: optional(wholeNumber(0), 0),
      },
      build: ({ baseLr, decaySteps, alpha, warmupTarget, warmupSteps }) => {
        const peak = warmupTarget ?? baseLr;
        const rise = warmupTarget === null ? 0 : warmupSteps;
        return {
          at: (t) => {
            if (t < rise) return baseLr + (peak - baseLr) * (t / rise);
            return peak * ((1 - alpha) * halfWave(Math.min(t - rise, decaySteps) / decaySteps) + alpha);
          },
          horizon: rise + decaySteps + 1,
        };
      },
    },
    optax: {
      options: {
        baseLr: atLeast(0),
        decaySteps: wholeNumber(1),
        alpha: optional(atLeast(0), 0),
        exponent: optional(atLeast(0), 1),
      },
      build: ({ baseLr, decaySteps, alpha, exponent }) => ({
        at: (t) => baseLr * ((1 - alpha) * halfWave(Math.min(t, decaySteps) / decaySteps) ** exponent + alpha),
        horizon: decaySteps + 1,
      }),
    },
  },
);

export interface CosineWarmRestartsOptions {
  /** The rate at each restart. */
  readonly baseLr: number;
  /** Steps to the first restart. */
  readonly t0: number;
  /** How many times as long each further period is, a whole number. Default 1. */
  readonly tMult?: number | undefined;
  /** What the rate goes down to. Default 0. */
  readonly etaMin?: number | undefined;
}

export interface CosineWarmRestartsKerasOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps to the first restart. */
  readonly firstDecaySteps: number;
  /** How many times as long each further period is, ≥ 1. Default 2. */
  readonly tMult?: number | undefined;
  /** What each restart multiplies the rate by. Default 1. */
  readonly mMult?: number | undefined;
  /** The lowest rate, as a part of the first one. Default 0. */
  readonly alpha?: number | undefined;
}

/** Which period a step is in, from 0, and which part of it is over. */
function period(step: number, first: number, growth: number): { readonly index: number; readonly progress: number } {
  if (growth === 1) {
    const index = Math.floor(step / first);
    return { index, progress: step / first - index };
  }
  let [index, start, length] = [0, 0, first];
  // Where rounding puts a restart just after a step, it is at that step.
  while (step - start >= length * (1 - 1e-12)) {
    start += length;
    length *= growth;
    index++;
  }
  return { index, progress: Math.max(0, step - start) / length };
}

/**
 * Down along a cosine, then at once up again, in periods that may grow. With T the length of the period and s the steps
 * since it began:
 *
 *     lr(t) = etaMin + (baseLr - etaMin) · (1 + cos(π s / T)) / 2
 *
 * Source: PyTorch's `CosineAnnealingWarmRestarts`, stepped once per step. `convention: "keras"`: `CosineDecayRestarts`,
 * whose periods double by default and may start lower each time, baseLr · ((1 - alpha) · mMult^n · wave + alpha).
 */
export const cosineWarmRestarts = namedSchedule<{
  torch: CosineWarmRestartsOptions;
  keras: CosineWarmRestartsKerasOptions;
}>("cosineWarmRestarts", {
  torch: {
    options: {
      baseLr: atLeast(0),
      t0: wholeNumber(1),
      tMult: optional(wholeNumber(1), 1),
      etaMin: optional(atLeast(0), 0),
    },
    build: ({ baseLr, t0, tMult, etaMin }) => ({
      at: (t) => etaMin + (baseLr - etaMin) * halfWave(period(t, t0, tMult).progress),
      horizon: t0 * (1 + tMult + tMult ** 2),
    }),
  },
  keras: {
    options: {
      baseLr: atLeast(0),
      firstDecaySteps: wholeNumber(1),
      tMult: optional(atLeast(1), 2),
      mMult: optional(atLeast(0), 1),
      alpha: optional(atLeast(0), 0),
    },
    build: ({ baseLr, firstDecaySteps, tMult, mMult, alpha }) => ({
      at: (t) => {
        const { index, progress } = period(t, firstDecaySteps, tMult);
        return baseLr * ((1 - alpha) * mMult ** index * halfWave(progress) + alpha);
      },
      horizon: Math.ceil(firstDecaySteps * (1 + tMult + tMult ** 2)),
    }),
  },
});
