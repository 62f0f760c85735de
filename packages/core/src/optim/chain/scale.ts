/** Pieces that multiply the update: by the learning rate, by a number or schedule, by its own sign. */
import { ArgumentError } from "../../graph/errors.ts";
import { mul, sign } from "../../tensor/elementwise.ts";
import type { LearningRate } from "../groups.ts";
import type { Schedule, Scheduled } from "../rule.ts";
import type { Piece } from "./piece.ts";

/**
 * u ← -lr u: down the gradient at the rate of the group. A chain ends with it, as a rule.
 *
 * @param lr Default rate of the optimizers of the chain; without one it has to be given to them.
 */
export const scaleByLearningRate = (lr?: LearningRate): Piece<never, object> => ({
  name: "scaleByLearningRate",
  options: {},
  check() {},
  update: (u, { scalar }) => ({
    update: mul(
      u,
      scalar("-lr", ({ lr }) => -lr),
    ),
  }),
  learningRate: lr ?? null,
});

interface ScaleOptions {
  /** What updates are multiplied by. */
  factor: number;
}

const scaleBy = (name: string, factor: Scheduled<number>): Piece<never, ScaleOptions> => ({
  name,
  options: { factor },
  check({ factor }) {
    if (!Number.isFinite(factor))
      throw new ArgumentError(name, `factor must be a finite number, got ${String(factor)}`);
  },
  update: (u, { scalar }) => ({
    update: mul(
      u,
      scalar("factor", ({ options }) => options.factor),
    ),
  }),
});

/** u ← factor u; a negative factor goes down. */
export const scale = (factor: number): Piece<never, ScaleOptions> => scaleBy("scale", factor);

/** u ← schedule(t) u, t updates done before, from 0. As optax's `scale_by_schedule`: the sign is the schedule's. */
export const scaleBySchedule = (schedule: Schedule): Piece<never, ScaleOptions> => scaleBy("scaleBySchedule", schedule);

/** u ← sign(u). As optax's `scale_by_sign`. */
export const scaleBySign = (): Piece<never, object> => ({
  name: "scaleBySign",
  options: {},
  check() {},
  update: (u) => ({ update: sign(u) }),
});
