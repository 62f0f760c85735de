/** Schedules that are constant between jumps. */
import { ArgumentError } from "../graph/errors.ts";
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, increasing, listOf, optional, wholeNumber, within } from "./option.ts";

export interface ConstantOptions {
  /** The rate from `totalIters` on. */
  readonly baseLr: number;
  /** What it is multiplied by before, in [0, 1]. Default 1/3. */
  readonly factor?: number | undefined;
  /** Steps. Default 5. */
  readonly totalIters?: number | undefined;
}

/**
 * A smaller rate for a while, then the rate:
 *
 *     lr(t) = baseLr · factor    t < totalIters
 *             baseLr             otherwise
 *
 * Source: PyTorch's `ConstantLR`, its defaults too. A rate that never changes needs no schedule: give the number.
 */
export const constant = namedSchedule<{ torch: ConstantOptions }>("constant", {
  torch: {
    options: {
      baseLr: atLeast(0),
      factor: optional(within(0, 1), 1 / 3),
      totalIters: optional(wholeNumber(0), 5),
    },
    build: ({ baseLr, factor, totalIters }) => ({
      at: (step) => (step < totalIters ? baseLr * factor : baseLr),
      horizon: 2 * totalIters + 2,
    }),
  },
});

export interface StepOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps between jumps. */
  readonly stepSize: number;
  /** What each jump multiplies by. Default 0.1. */
  readonly gamma?: number | undefined;
}

/**
 * A jump every so many steps:
 *
 *     lr(t) = baseLr · gamma^⌊t / stepSize⌋
 *
 * Source: PyTorch's `StepLR`.
 */
export const step = namedSchedule<{ torch: StepOptions }>("step", {
  torch: {
    options: { baseLr: atLeast(0), stepSize: wholeNumber(1), gamma: optional(atLeast(0), 0.1) },
    build: ({ baseLr, stepSize, gamma }) => ({
      at: (t) => baseLr * gamma ** Math.floor(t / stepSize),
      horizon: 4 * stepSize,
    }),
  },
});

export interface MultiStepOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps from which on a jump is done, in any order; one that is given twice counts twice. */
  readonly milestones: readonly number[];
  /** What each jump multiplies by. Default 0.1. */
  readonly gamma?: number | undefined;
}

/**
 * A jump at each milestone:
 *
 *     lr(t) = baseLr · gamma^(number of milestones ≤ t)
 *
 * Source: PyTorch's `MultiStepLR`.
 */
export const multiStep = namedSchedule<{ torch: MultiStepOptions }>("multiStep", {
  torch: {
    options: { baseLr: atLeast(0), milestones: listOf(wholeNumber(0)), gamma: optional(atLeast(0), 0.1) },
    build: ({ baseLr, milestones, gamma }) => ({
      at: (t) => baseLr * gamma ** milestones.filter((milestone) => milestone <= t).length,
      horizon: afterLast(milestones),
    }),
  },
});

export interface PiecewiseConstantOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps from which on a factor applies, each above the one before. */
  readonly boundaries: readonly number[];
  /** What is multiplied by at each boundary. */
  readonly scales: readonly number[];
}

export interface PiecewiseConstantKerasOptions {
  /** No effect: the values are what they are. Taken, so that conventions can be exchanged. Default 0. */
  readonly baseLr?: number | undefined;
  /** The last step of each value but the last, each above the one before. */
  readonly boundaries: readonly number[];
  /** The rates, one more than there are boundaries. */
  readonly values: readonly number[];
}

/**
 * A rate of its own between each two boundaries:
 *
 *     lr(t) = baseLr · ∏ scaleᵢ over all boundaryᵢ ≤ t
 *
 * Source: optax's `piecewise_constant_schedule`. `convention: "keras"` is `PiecewiseConstantDecay`: rates instead of
 * factors, and a rate holds up to and including its boundary, one step longer.
 */
export const piecewiseConstant = namedSchedule<{
  torch: PiecewiseConstantOptions;
  keras: PiecewiseConstantKerasOptions;
}>("piecewiseConstant", {
  torch: {
    options: { baseLr: atLeast(0), boundaries: increasing, scales: listOf(atLeast(0)) },
    build: ({ baseLr, boundaries, scales }) => {
      checkCount("scales", scales.length, boundaries.length, "one per boundary");
      return {
        at: (t) => scales.reduce((lr, scale, i) => ((boundaries[i] as number) <= t ? lr * scale : lr), baseLr),
        horizon: afterLast(boundaries),
      };
    },
  },
  keras: {
    options: { baseLr: optional(atLeast(0), 0), boundaries: increasing, values: listOf(atLeast(0)) },
    build: ({ boundaries, values }) => {
      checkCount("values", values.length, boundaries.length + 1, "one more than boundaries");
      return {
        at: (t) => values[boundaries.filter((boundary) => boundary < t).length] as number,
        horizon: afterLast(boundaries),
      };
    },
  },
});

function checkCount(option: string, got: number, expected: number, why: string): void {
  if (got !== expected) {
    throw new ArgumentError("piecewiseConstant", `${option} must be ${expected} numbers, ${why}, got ${got}`);
  }
}

const afterLast = (steps: readonly number[]): number => Math.max(8, Math.ceil(1.25 * Math.max(0, ...steps)));
