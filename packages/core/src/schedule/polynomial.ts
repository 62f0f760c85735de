/** Schedules that follow a line or a power of the time left. */
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, boolean, type Option, optional, wholeNumber } from "./option.ts";

export interface LinearOptions {
  /** The rate where the factor is 1. */
  readonly baseLr: number;
  /** What it is multiplied by at first, in (0, 1]. Default 1/3. */
  readonly startFactor?: number | undefined;
  /** What it is multiplied by at the end, in [0, 1]. Default 1. */
  readonly endFactor?: number | undefined;
  /** Steps from the one to the other. Default 5. */
  readonly totalIters?: number | undefined;
}

const fraction = (zero: boolean): Option<number> => ({
  expected: `a number in ${zero ? "[" : "("}0, 1]`,
  holds: (value) => typeof value === "number" && (zero ? value >= 0 : value > 0) && value <= 1,
});

/**
 * A line between two multiples of the rate, then the second:
 *
 *     lr(t) = baseLr · (startFactor + (endFactor - startFactor) · min(t, totalIters) / totalIters)
 *
 * Source: PyTorch's `LinearLR`, its defaults too: a short warm-up.
 */
export const linear = namedSchedule<{ torch: LinearOptions }>("linear", {
  torch: {
    options: {
      baseLr: atLeast(0),
      startFactor: optional(fraction(false), 1 / 3),
      endFactor: optional(fraction(true), 1),
      totalIters: optional(wholeNumber(1), 5),
    },
    build: ({ baseLr, startFactor, endFactor, totalIters }) => ({
      at: (t) => baseLr * (startFactor + (endFactor - startFactor) * (Math.min(t, totalIters) / totalIters)),
      horizon: 2 + Math.ceil(1.25 * totalIters),
    }),
  },
});

export interface PolynomialOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps until it is 0. Default 5. */
  readonly totalIters?: number | undefined;
  /** Default 1: a line. */
  readonly power?: number | undefined;
}

export interface PolynomialKerasOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps until the last rate. */
  readonly decaySteps: number;
  /** The last rate. Default 1e-4. */
  readonly endLr?: number | undefined;
  /** Default 1: a line. */
  readonly power?: number | undefined;
  /** Whether to start again, ever more slowly, once the last rate is reached. Default false. */
  readonly cycle?: boolean | undefined;
}

export interface PolynomialOptaxOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** The last rate, which may be above the first. */
  readonly endValue: number;
  /** 1: a line. */
  readonly power: number;
  /** Steps from the one to the other. */
  readonly transitionSteps: number;
  /** Steps before anything changes. Default 0. */
  readonly transitionBegin?: number | undefined;
}

/**
 * A power of the time left:
 *
 *     lr(t) = baseLr · (1 - min(t, totalIters) / totalIters)^power
 *
 * Source: PyTorch's `PolynomialLR`. The others go from baseLr = I to a rate E that is not 0,
 * (I - E) · (1 - t / T)^power + E. `convention: "keras"`: `PolynomialDecay`, which may start again with T the next
 * multiple of `decaySteps`; `"optax"`: `polynomial_schedule`, which may begin later.
 */
export const polynomial = namedSchedule<{
  torch: PolynomialOptions;
  keras: PolynomialKerasOptions;
  optax: PolynomialOptaxOptions;
}>("polynomial", {
  torch: {
    options: { baseLr: atLeast(0), totalIters: optional(wholeNumber(1), 5), power: optional(atLeast(0), 1) },
    build: ({ baseLr, totalIters, power }) => ({
      at: (t) => baseLr * (1 - Math.min(t, totalIters) / totalIters) ** power,
      horizon: totalIters + 1,
    }),
  },
  keras: {
    options: {
      baseLr: atLeast(0),
      decaySteps: wholeNumber(1),
      endLr: optional(atLeast(0), 1e-4),
      power: optional(atLeast(0), 1),
      cycle: optional(boolean, false),
    },
    build: ({ baseLr, decaySteps, endLr, power, cycle }) => ({
      at: (t) => {
        const total = cycle ? decaySteps * Math.max(1, Math.ceil(t / decaySteps)) : decaySteps;
        return (baseLr - endLr) * (1 - Math.min(t, total) / total) ** power + endLr;
      },
      horizon: cycle ? 4 * decaySteps : decaySteps + 1,
    }),
  },
  optax: {
    options: {
      baseLr: atLeast(0),
      endValue: atLeast(0),
      power: atLeast(0),
      transitionSteps: wholeNumber(1),
      transitionBegin: optional(wholeNumber(0), 0),
    },
    build: ({ baseLr, endValue, power, transitionSteps, transitionBegin }) => ({
      at: (t) => {
        const done = Math.min(Math.max(t - transitionBegin, 0), transitionSteps);
        return (baseLr - endValue) * (1 - done / transitionSteps) ** power + endValue;
      },
      horizon: transitionBegin + transitionSteps + 1,
    }),
  },
});
