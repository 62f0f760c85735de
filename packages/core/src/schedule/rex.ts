/**
 * Reflected exponential decay, for training on a budget.
 *
 * John Chen, Cameron Wolfe, Anastasios Kyrillidis: REX: Revisiting Budgeted Training with an Improved Schedule,
 * https://arxiv.org/abs/2107.04197
 */
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, optional, wholeNumber } from "./option.ts";

export interface RexOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps until the last rate. */
  readonly totalSteps: number;
  /** The last rate. Default 0. */
  readonly minLr?: number | undefined;
}

/**
 * Slowly at first, ever faster in the end. With z = t / totalSteps:
 *
 *     lr(t) = minLr + (baseLr - minLr) · (1 - z) / (1/2 + (1 - z) / 2)        minLr from totalSteps on
 *
 * Source: the paper's equation with β = 1/2, as in pytorch_optimizer's `REXScheduler`.
 */
export const rex = namedSchedule<{ torch: RexOptions }>("rex", {
  torch: {
    options: { baseLr: atLeast(0), totalSteps: wholeNumber(1), minLr: optional(atLeast(0), 0) },
    build: ({ baseLr, totalSteps, minLr }) => ({
      at: (t) => {
        const left = 1 - Math.min(t, totalSteps) / totalSteps;
        return minLr + (baseLr - minLr) * (left / (0.5 + left / 2));
      },
      horizon: totalSteps + 1,
    }),
  },
});
