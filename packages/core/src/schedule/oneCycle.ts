/**
 * One rise of the rate to a peak and one long fall, momentum the other way round.
 *
 * Leslie N. Smith, Nicholay Topin: Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates,
 * https://arxiv.org/abs/1708.07120
 */
import { halfWave } from "./cosine.ts";
import { namedSchedule } from "./namedSchedule.ts";
import { atLeast, boolean, oneOf, optional, positive, wholeNumber, within } from "./option.ts";
import type { Schedule } from "./schedule.ts";

type AnnealStrategy = "cos" | "linear";

export interface OneCycleOptions {
  /** No effect: `maxLr / divFactor` overrides it, as in PyTorch. Taken, so that schedules can be exchanged. Default 0. */
  readonly baseLr?: number | undefined;
  /** The peak. */
  readonly maxLr: number;
  /** Steps of the whole cycle; the last rate is that of step `totalSteps - 1`, and stays. */
  readonly totalSteps: number;
  /** Part of the cycle in which the rate rises, in [0, 1]. Default 0.3. */
  readonly pctStart?: number | undefined;
  /** Shape of the phases. Default `cos`. */
  readonly annealStrategy?: AnnealStrategy | undefined;
  /** Whether there is a `momentum` to go with it. Default true. */
  readonly cycleMomentum?: boolean | undefined;
  /** Momentum at the peak of the rate. Default 0.85. */
  readonly baseMomentum?: number | undefined;
  /** Momentum at both ends. Default 0.95. */
  readonly maxMomentum?: number | undefined;
  /** The first rate is `maxLr` divided by this. Default 25. */
  readonly divFactor?: number | undefined;
  /** The last rate is the first one divided by this. Default 1e4. */
  readonly finalDivFactor?: number | undefined;
  /** Whether the rate falls to the first one as fast as it rose, and only then to the last. Default false. */
  readonly threePhase?: boolean | undefined;
}

export interface OneCycleOptaxOptions {
  /** The peak. */
  readonly baseLr: number;
  /** Steps until the last rate. */
  readonly transitionSteps: number;
  /** Shape of the phases: `linear` has three of them, `cos` two. Default `cos`. */
  readonly annealStrategy?: AnnealStrategy | undefined;
  /** Part of the steps after which the peak is reached, in [0, 1]. Default 0.3. */
  readonly pctStart?: number | undefined;
  /** Part of the steps after which the first rate is reached again, in [0, 1]; for `linear`. Default 0.85. */
  readonly pctFinal?: number | undefined;
  /** The first rate is the peak divided by this. Default 25. */
  readonly divFactor?: number | undefined;
  /** The last rate is the first one divided by this. Default 1e4. */
  readonly finalDivFactor?: number | undefined;
}

/** A value that is reached at a time. */
interface Mark {
  readonly step: number;
  readonly value: number;
}

/** From mark to mark in the given shape; after the last one, its value. Marks that lie before the first count not. */
function through(first: Mark, marks: readonly Mark[], strategy: AnnealStrategy): Schedule {
  return (t) => {
    let from = first;
    for (const to of marks) {
      if (t <= to.step && to.step > from.step) {
        const progress = (t - from.step) / (to.step - from.step);
        const left = strategy === "cos" ? halfWave(progress) : 1 - progress;
        return to.value + (from.value - to.value) * left;
      }
      from = to;
    }
    return from.value;
  };
}

/**
 * Up to the peak and down again, in phases shaped like half a cosine. With m = maxLr, i = m / divFactor,
 * f = i / finalDivFactor, s = pctStart · totalSteps:
 *
 *     lr:       i → m       0 … s - 1,   m → f       s - 1 … totalSteps - 1
 *     momentum: max → base               base → max
 *     threePhase: m → i until 2s - 2, then i → f
 *
 * Its `momentum` goes with it: `sgd(parameters, { lr: cycle, momentum: cycle.momentum })`. Source: PyTorch's
 * `OneCycleLR`, which throws after the last step, where this stays at the last rate. `convention: "optax"`:
 * `cosine_onecycle_schedule` or `linear_onecycle_schedule` with phases that end at whole steps one later (the peak at
 * ⌊pctStart · T⌋, the last rate at T), and no momentum.
 */
export const oneCycle = namedSchedule<{ torch: OneCycleOptions; optax: OneCycleOptaxOptions }>("oneCycle", {
  torch: {
    options: {
      baseLr: optional(atLeast(0), 0),
      maxLr: atLeast(0),
      totalSteps: wholeNumber(1),
      pctStart: optional(within(0, 1), 0.3),
      annealStrategy: optional(oneOf<AnnealStrategy>("cos", "linear"), "cos"),
      cycleMomentum: optional(boolean, true),
      baseMomentum: optional(within(0, 1), 0.85),
      maxMomentum: optional(within(0, 1), 0.95),
      divFactor: optional(positive, 25),
      finalDivFactor: optional(positive, 1e4),
      threePhase: optional(boolean, false),
    },
    build: (options) => {
      const { maxLr, totalSteps, pctStart, annealStrategy, baseMomentum, maxMomentum, threePhase } = options;
      const initial = maxLr / options.divFactor;
      const final = initial / options.finalDivFactor;
      const phases = threePhase
        ? [
            { step: pctStart * totalSteps - 1, lr: maxLr, momentum: baseMomentum },
            { step: 2 * pctStart * totalSteps - 2, lr: initial, momentum: maxMomentum },
            { step: totalSteps - 1, lr: final, momentum: maxMomentum },
          ]
        : [
            { step: pctStart * totalSteps - 1, lr: maxLr, momentum: baseMomentum },
            { step: totalSteps - 1, lr: final, momentum: maxMomentum },
          ];
      const lrs = phases.map(({ step, lr }) => ({ step, value: lr }));
      const momenta = phases.map(({ step, momentum }) => ({ step, value: momentum }));
      return {
        at: through({ step: 0, value: initial }, lrs, annealStrategy),
        momentum: options.cycleMomentum ? through({ step: 0, value: maxMomentum }, momenta, annealStrategy) : undefined,
        horizon: totalSteps,
      };
    },
  },
  optax: {
    options: {
      baseLr: atLeast(0),
      transitionSteps: wholeNumber(1),
      annealStrategy: optional(oneOf<AnnealStrategy>("cos", "linear"), "cos"),
      pctStart: optional(within(0, 1), 0.3),
      pctFinal: optional(within(0, 1), 0.85),
      divFactor: optional(positive, 25),
      finalDivFactor: optional(positive, 1e4),
    },
    build: ({ baseLr, transitionSteps, annealStrategy, pctStart, pctFinal, divFactor, finalDivFactor }) => {
      const whole = (part: number): number => Math.trunc(part * transitionSteps);
      // By step, as in the original: of boundaries at one step the last one counts, and they apply in order of time.
      const scales = new Map(
        annealStrategy === "linear"
          ? [
              [whole(pctStart), divFactor],
              [whole(pctFinal), 1 / divFactor],
              [transitionSteps, 1 / finalDivFactor],
            ]
          : [
              [whole(pctStart), divFactor],
              [transitionSteps, 1 / (divFactor * finalDivFactor)],
            ],
      );
      let value = baseLr / divFactor;
      const first = { step: 0, value };
      const marks = [...scales]
        .sort(([a], [b]) => a - b)
        .map(([step, scale]) => {
          value *= scale;
          return { step, value };
        });
      return { at: through(first, marks, annealStrategy), horizon: transitionSteps + 1 };
    },
  },
});
