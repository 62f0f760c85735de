/** The one schedule with state: it follows a metric. */
import { ArgumentError } from "../graph/errors.ts";
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, oneOf, optional, wholeNumber } from "./option.ts";
import type { Schedule } from "./schedule.ts";

export interface ReduceOnPlateauOptions {
  /** The rate at first. */
  readonly baseLr: number;
  /** Whether the metric is to fall (`min`, default) or to rise (`max`). */
  readonly mode?: "min" | "max" | undefined;
  /** What a reduction multiplies the rate by, in [0, 1). Default 0.1. */
  readonly factor?: number | undefined;
  /** Reports without improvement that are put up with; one more reduces the rate. Default 10. */
  readonly patience?: number | undefined;
  /** What counts as an improvement. Default 1e-4. */
  readonly threshold?: number | undefined;
  /** Whether `threshold` is a part of the best metric (`rel`, default) or a difference from it (`abs`). */
  readonly thresholdMode?: "rel" | "abs" | undefined;
  /** Reports after a reduction that do not count. Default 0. */
  readonly cooldown?: number | undefined;
  /** The least rate. Default 0. */
  readonly minLr?: number | undefined;
  /** Reductions by no more than this are not done. Default 1e-8. */
  readonly eps?: number | undefined;
}

/** Where a `reduceOnPlateau` stands, as plain JSON. */
export interface PlateauState {
  /** The rate in force. */
  readonly lr: number;
  /** The best metric so far; null before the first. */
  readonly best: number | null;
  /** Reports since then. */
  readonly badReports: number;
  /** Reports still not to count. */
  readonly cooldownLeft: number;
}

export interface Plateau {
  /**
   * Tells the metric of the steps so far, usually once per epoch; the rate may be another from the next update on. NaN
   * is no improvement.
   *
   * @throws ArgumentError for anything but a number.
   */
  report(metric: number): void;
  stateDict(): PlateauState;
  /** @throws ArgumentError on what is no state of a `reduceOnPlateau`; nothing has changed then. */
  loadStateDict(state: PlateauState): void;
}

const subject = "reduceOnPlateau";

function checkState(state: PlateauState): PlateauState {
  if (typeof state !== "object" || state === null) throw new ArgumentError(subject, `got ${String(state)} for a state`);
  const { lr, best, badReports, cooldownLeft } = state;
  const number = (value: unknown): boolean => typeof value === "number" && !Number.isNaN(value);
  const count = wholeNumber(0);
  const expected = {
    lr: [lr, "a finite number ≥ 0", atLeast(0).holds(lr)],
    best: [best, "a number or null", best === null || number(best)],
    badReports: [badReports, count.expected, count.holds(badReports)],
    cooldownLeft: [cooldownLeft, count.expected, count.holds(cooldownLeft)],
  } as const;
  const wrong = Object.entries(expected).flatMap(([name, [value, what, holds]]) =>
    holds ? [] : [`${name} must be ${what}, got ${String(value)}`],
  );
  if (wrong.length > 0) throw new ArgumentError(subject, `the state does not fit: ${wrong.join("; ")}`);
  return { lr, best, badReports, cooldownLeft };
}

/**
 * Reduces the rate once a metric has stopped improving:
 *
 *     better: metric < best · (1 - threshold)    mode min, rel        metric < best - threshold    min, abs
 *             metric > best · (1 + threshold)    mode max, rel        metric > best + threshold    max, abs
 *     after more than `patience` reports in a row that are not better: lr ← max(lr · factor, minLr)
 *
 * Source: PyTorch's `ReduceLROnPlateau`. It takes any step and gives the rate in force, so it stands wherever a schedule
 * stands; `report(metric)` moves it. It is the one schedule with state, which `stateDict` and `loadStateDict` save and
 * restore; `toJSON` holds its options only.
 */
export const reduceOnPlateau = namedSchedule<{ torch: ReduceOnPlateauOptions }, Plateau>(subject, {
  torch: {
    options: {
      baseLr: atLeast(0),
      mode: optional(oneOf<"min" | "max">("min", "max"), "min"),
      factor: optional(
        {
          expected: "a number in [0, 1)",
          holds: (value: unknown) => typeof value === "number" && value >= 0 && value < 1,
        },
        0.1,
      ),
      patience: optional(wholeNumber(0), 10),
      threshold: optional(atLeast(0), 1e-4),
      thresholdMode: optional(oneOf<"rel" | "abs">("rel", "abs"), "rel"),
      cooldown: optional(wholeNumber(0), 0),
      minLr: optional(atLeast(0), 0),
      eps: optional(atLeast(0), 1e-8),
    },
    build: (options) => {
      const { mode, factor, patience, threshold, thresholdMode, cooldown, minLr, eps } = options;
      let state: PlateauState = { lr: options.baseLr, best: null, badReports: 0, cooldownLeft: 0 };
      const sign = mode === "min" ? -1 : 1;
      const isBetter = (metric: number, best: number | null): boolean => {
        if (best === null) return !Number.isNaN(metric) && metric !== -sign * Number.POSITIVE_INFINITY;
        const bar = thresholdMode === "rel" ? best * (1 + sign * threshold) : best + sign * threshold;
        return mode === "min" ? metric < bar : metric > bar;
      };
      const at: Schedule = () => state.lr;
      const report = (metric: number): void => {
        if (typeof metric !== "number") throw new ArgumentError(subject, `report got ${String(metric)}, no number`);
        let { lr, best, badReports, cooldownLeft } = state;
        if (isBetter(metric, best)) [best, badReports] = [metric, 0];
        else badReports++;
        if (cooldownLeft > 0) [cooldownLeft, badReports] = [cooldownLeft - 1, 0];
        if (badReports > patience) {
          const reduced = Math.max(lr * factor, minLr);
          if (lr - reduced > eps) lr = reduced;
          [cooldownLeft, badReports] = [cooldown, 0];
        }
        state = { lr, best, badReports, cooldownLeft };
      };
      const extra: Plateau = {
        report,
        stateDict: () => ({ ...state }),
        loadStateDict: (given) => {
          state = checkState(given);
        },
      };
      return { at, horizon: 100, extra };
    },
  },
});
