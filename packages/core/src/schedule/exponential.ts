/** Schedules that decay without an end: exponentially, or as one over the time. */
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, boolean, optional, orNull, positive, wholeNumber } from "./option.ts";

export interface ExponentialOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** What every step multiplies by, > 0. */
  readonly gamma: number;
}

export interface ExponentialKerasOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps in which the rate is multiplied by `decayRate`. */
  readonly decaySteps: number;
  readonly decayRate: number;
  /** Whether that happens in jumps. Default false. */
  readonly staircase?: boolean | undefined;
}

export interface ExponentialOptaxOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps in which the rate is multiplied by `decayRate`. */
  readonly transitionSteps: number;
  readonly decayRate: number;
  /** Steps before anything changes. Default 0. */
  readonly transitionBegin?: number | undefined;
  /** Whether it happens in jumps. Default false. */
  readonly staircase?: boolean | undefined;
  /** Where to stop: a lower bound for a `decayRate` below 1, else an upper one. Default null: nowhere. */
  readonly endValue?: number | null | undefined;
}

/** Steps until a rate that is multiplied by `rate` every `steps` has changed tenfold, within reason. */
const tenfold = (rate: number, steps: number): number =>
  Math.max(8, Math.ceil(steps * Math.min(10_000, rate === 1 ? 4 : Math.LN10 / Math.abs(Math.log(rate)))));

/**
 * The same factor at every step:
 *
 *     lr(t) = baseLr · gamma^t
 *
 * Source: PyTorch's `ExponentialLR`. `convention: "keras"` (`ExponentialDecay`) and `"optax"` (`exponential_decay`)
 * give a factor for a number of steps, baseLr · decayRate^(t / T), and may do it in jumps; optax may begin later and has
 * a bound.
 */
export const exponential = namedSchedule<{
  torch: ExponentialOptions;
  keras: ExponentialKerasOptions;
  optax: ExponentialOptaxOptions;
}>("exponential", {
  torch: {
    options: { baseLr: atLeast(0), gamma: positive },
    build: ({ baseLr, gamma }) => ({ at: (t) => baseLr * gamma ** t, horizon: tenfold(gamma, 1) }),
  },
  keras: {
    options: {
      baseLr: atLeast(0),
      decaySteps: wholeNumber(1),
      decayRate: positive,
      staircase: optional(boolean, false),
    },
    build: ({ baseLr, decaySteps, decayRate, staircase }) => ({
      at: (t) => baseLr * decayRate ** (staircase ? Math.floor(t / decaySteps) : t / decaySteps),
      horizon: tenfold(decayRate, decaySteps),
    }),
  },
  optax: {
    options: {
      baseLr: atLeast(0),
      transitionSteps: wholeNumber(1),
      decayRate: positive,
      transitionBegin: optional(wholeNumber(0), 0),
      staircase: optional(boolean, false),
      endValue: orNull(atLeast(0)),
    },
    build: ({ baseLr, transitionSteps, decayRate, transitionBegin, staircase, endValue }) => ({
      at: (t) => {
        const done = Math.max(0, t - transitionBegin) / transitionSteps;
        const lr = baseLr * decayRate ** (staircase ? Math.floor(done) : done);
        if (endValue === null) return lr;
        return decayRate < 1 ? Math.max(lr, endValue) : Math.min(lr, endValue);
      },
      horizon: transitionBegin + tenfold(decayRate, transitionSteps),
    }),
  },
});

export interface InverseTimeOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Steps the decay is measured in. */
  readonly decaySteps: number;
  /** What the divisor grows by in as many steps. */
  readonly decayRate: number;
  /** Whether that happens in jumps. Default false. */
  readonly staircase?: boolean | undefined;
}

/**
 * One over the time:
 *
 *     lr(t) = baseLr / (1 + decayRate · t / decaySteps)
 *
 * with ⌊t / decaySteps⌋ where `staircase`. Source: Keras' `InverseTimeDecay`.
 */
export const inverseTime = namedSchedule<{ torch: InverseTimeOptions }>("inverseTime", {
  torch: {
    options: {
      baseLr: atLeast(0),
      decaySteps: wholeNumber(1),
      decayRate: atLeast(0),
      staircase: optional(boolean, false),
    },
    build: ({ baseLr, decaySteps, decayRate, staircase }) => ({
      at: (t) => baseLr / (1 + decayRate * (staircase ? Math.floor(t / decaySteps) : t / decaySteps)),
      horizon: 10 * decaySteps,
    }),
  },
});
