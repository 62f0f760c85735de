/** A linear warm-up and then a decay over the rest of the training: what large models are trained with. */
import { halfWave } from "./cosine.ts";
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, optional, wholeNumber, within, wrongOption } from "./option.ts";

export interface WarmupCosineOptions {
  /** The rate at the end of the warm-up. */
  readonly baseLr: number;
  /** Steps of the warm-up; the rate of step 0 is 0, unless there are none. */
  readonly numWarmupSteps: number;
  /** All steps, those of the warm-up among them. */
  readonly numTrainingSteps: number;
  /** Waves of the cosine. Default 0.5: down, once. */
  readonly numCycles?: number | undefined;
  /** The lowest rate as a part of `baseLr`, in [0, 1]. Default 0. */
  readonly minLrRate?: number | undefined;
}

export interface WarmupCosineOptaxOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** The rate at the end of the warm-up. */
  readonly peakValue: number;
  /** Steps of the warm-up. */
  readonly warmupSteps: number;
  /** All steps, those of the warm-up among them. */
  readonly decaySteps: number;
  /** The last rate. Default 0. */
  readonly endValue?: number | undefined;
  /** Power the wave is raised to. Default 1. */
  readonly exponent?: number | undefined;
}

/**
 * Up along a line, down along a cosine. With w = numWarmupSteps, n = numTrainingSteps:
 *
 *     lr(t) = baseLr · t / w                                                             t < w
 *             baseLr · (minLrRate + (1 - minLrRate) · (1 + cos(2π · numCycles · (t - w) / (n - w))) / 2)
 *
 * Source: transformers' `get_cosine_schedule_with_warmup` and `get_cosine_with_min_lr_schedule_with_warmup`. As there,
 * the rate rises again after `numTrainingSteps`. `convention: "optax"`: `warmup_cosine_decay_schedule`, which starts at
 * `baseLr`, has its peak at `peakValue` and stays at `endValue`.
 */
export const warmupCosine = namedSchedule<{ torch: WarmupCosineOptions; optax: WarmupCosineOptaxOptions }>(
  "warmupCosine",
  {
    torch: {
      options: {
        baseLr: atLeast(0),
        numWarmupSteps: wholeNumber(0),
        numTrainingSteps: wholeNumber(1),
        numCycles: optional(atLeast(0), 0.5),
        minLrRate: optional(within(0, 1), 0),
      },
      build: ({ baseLr, numWarmupSteps, numTrainingSteps, numCycles, minLrRate }) => {
        const decay = Math.max(1, numTrainingSteps - numWarmupSteps);
        return {
          at: (t) => {
            if (t < numWarmupSteps) return baseLr * (t / numWarmupSteps);
            const wave = halfWave(2 * numCycles * ((t - numWarmupSteps) / decay));
            return baseLr * (wave * (1 - minLrRate) + minLrRate);
          },
          horizon: numWarmupSteps + decay + 1,
        };
      },
    },
    optax: {
      options: {
        baseLr: atLeast(0),
        peakValue: atLeast(0),
        warmupSteps: wholeNumber(0),
        decaySteps: wholeNumber(1),
        endValue: optional(atLeast(0), 0),
        exponent: optional(atLeast(0), 1),
      },
      build: ({ baseLr, peakValue, warmupSteps, decaySteps, endValue, exponent }) => {
        const decay = decaySteps - warmupSteps;
        if (decay <= 0)
          throw wrongOption("warmupCosine", "decaySteps", `above warmupSteps, ${warmupSteps}`, decaySteps);
        // With a peak of 0 the original knows no end other than 0.
        const end = peakValue === 0 ? 0 : endValue;
        return {
          at: (t) => {
            if (t < warmupSteps) return baseLr + (peakValue - baseLr) * (t / warmupSteps);
            const wave = halfWave(Math.min(t - warmupSteps, decay) / decay) ** exponent;
            return end + (peakValue - end) * wave;
          },
          horizon: decaySteps + 1,
        };
      },
    },
  },
);

export interface WarmupLinearOptions {
  /** The rate at the end of the warm-up. */
  readonly baseLr: number;
  /** Steps of the warm-up; the rate of step 0 is 0, unless there are none. */
  readonly numWarmupSteps: number;
  /** All steps, those of the warm-up among them; then the rate is 0. */
  readonly numTrainingSteps: number;
}

/**
 * Up along a line, down along a line. With w = numWarmupSteps, n = numTrainingSteps:
 *
 *     lr(t) = baseLr · t / w                          t < w
 *             baseLr · max(0, (n - t) / (n - w))
 *
 * Source: transformers' `get_linear_schedule_with_warmup`.
 */
export const warmupLinear = namedSchedule<{ torch: WarmupLinearOptions }>("warmupLinear", {
  torch: {
    options: { baseLr: atLeast(0), numWarmupSteps: wholeNumber(0), numTrainingSteps: wholeNumber(1) },
    build: ({ baseLr, numWarmupSteps, numTrainingSteps }) => {
      const decay = Math.max(1, numTrainingSteps - numWarmupSteps);
      return {
        at: (t) => baseLr * (t < numWarmupSteps ? t / numWarmupSteps : Math.max(0, (numTrainingSteps - t) / decay)),
        horizon: numWarmupSteps + decay + 1,
      };
    },
  },
});
