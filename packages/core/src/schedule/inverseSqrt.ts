/**
 * A warm-up and then one over the root of the time: the schedules of the first transformers.
 *
 * Ashish Vaswani et al.: Attention Is All You Need, section 5.3, https://arxiv.org/abs/1706.03762
 */
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, orNull, positive, wholeNumber } from "./option.ts";

export interface InverseSqrtOptions {
  /** The rate at the end of the warm-up. */
  readonly baseLr: number;
  /** Steps of the warm-up; the rate of step 0 is 0, unless there are none. */
  readonly numWarmupSteps: number;
  /** Steps the decay is measured in. Default null: `numWarmupSteps`, or 10000 where that is 0. */
  readonly timescale?: number | null | undefined;
}

/**
 * Up along a line, down as one over the root. With w = numWarmupSteps:
 *
 *     lr(t) = baseLr · t / w                                          t < w
 *             baseLr / √((t - w + timescale) / timescale)
 *
 * Source: transformers' `get_inverse_sqrt_schedule`, after that of big_vision.
 */
export const inverseSqrt = namedSchedule<{ torch: InverseSqrtOptions }>("inverseSqrt", {
  torch: {
    options: { baseLr: atLeast(0), numWarmupSteps: wholeNumber(0), timescale: orNull(positive) },
    build: ({ baseLr, numWarmupSteps, timescale }) => {
      const scale = timescale ?? (numWarmupSteps || 10_000);
      return {
        at: (t) =>
          t < numWarmupSteps ? baseLr * (t / numWarmupSteps) : baseLr / Math.sqrt((t - numWarmupSteps + scale) / scale),
        horizon: Math.ceil(numWarmupSteps + 10 * scale),
      };
    },
  },
});

export interface NoamOptions {
  /** A factor of the rate, usually 1 or 2. */
  readonly baseLr: number;
  /** Width of the model. */
  readonly dModel: number;
  /** Steps of the warm-up. */
  readonly warmupSteps: number;
}

/**
 * The schedule of the Transformer, which scales with the model's width. With k = t + 1:
 *
 *     lr(t) = baseLr · dModel^-0.5 · min(k^-0.5, k · warmupSteps^-1.5)
 *
 * Its peak, at k = warmupSteps, is baseLr / √(dModel · warmupSteps).
 */
export const noam = namedSchedule<{ torch: NoamOptions }>("noam", {
  torch: {
    options: { baseLr: atLeast(0), dModel: positive, warmupSteps: wholeNumber(1) },
    build: ({ baseLr, dModel, warmupSteps }) => ({
      at: (t) => (baseLr / Math.sqrt(dModel)) * Math.min((t + 1) ** -0.5, (t + 1) * warmupSteps ** -1.5),
      horizon: 10 * warmupSteps,
    }),
  },
});
