/** Schedules made of schedules, and the names all of them go by, through which a description becomes a schedule. */
import { ArgumentError } from "../graph/errors.ts";
import { cosine, cosineWarmRestarts } from "./cosine.ts";
import { cyclic } from "./cyclic.ts";
import { exponential, inverseTime } from "./exponential.ts";
import { inverseSqrt, noam } from "./inverseSqrt.ts";
import { namedSchedule } from "./namedSchedule.ts";
import { oneCycle } from "./oneCycle.ts";
import { atLeast, increasing, type Option, oneOf, optional, orNull, wholeNumber, within } from "./option.ts";
import { linear, polynomial } from "./polynomial.ts";
import { reduceOnPlateau } from "./reduceOnPlateau.ts";
import { rex } from "./rex.ts";
import { isNamedSchedule, type NamedSchedule, type ScheduleDescription } from "./schedule.ts";
import { constant, multiStep, piecewiseConstant, step } from "./steps.ts";
import { warmupCosine, warmupLinear } from "./warmupDecay.ts";
import { type WarmupType, warmupShapes, warmupTypes } from "./warmupShapes.ts";
import { wsd } from "./wsd.ts";

/** A schedule, or its description, which may leave its `baseLr` to the whole it is part of. */
export type ScheduleMember = NamedSchedule | ScheduleDescription;

/** What a schedule made of schedules carries. */
export interface Members {
  /** The schedules it is made of: what to `report` to, where one is a `reduceOnPlateau`. */
  readonly members: readonly NamedSchedule[];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const memberOption: Option<ScheduleMember> = {
  expected: "a schedule or its description { schedule, options }",
  holds: (value) => isNamedSchedule(value) || (isRecord(value) && "schedule" in value),
};

const membersOption: Option<readonly ScheduleMember[]> = {
  expected: `a list, not empty, each entry ${memberOption.expected}`,
  holds: (value) => Array.isArray(value) && value.length > 0 && value.every(memberOption.holds),
};

function resolve(member: ScheduleMember, baseLr: number | null): NamedSchedule {
  if (isNamedSchedule(member)) return member;
  const { options } = member;
  if (baseLr === null || !isRecord(options) || "baseLr" in options) return scheduleFrom(member);
  return scheduleFrom({ ...member, options: { ...options, baseLr } });
}

const baseLrOf = (schedule: NamedSchedule): number | null => {
  const { baseLr } = schedule.options as { readonly baseLr?: number | null };
  return baseLr ?? null;
};

export interface ChainedOptions {
  /** What the factors multiply, and the `baseLr` of descriptions without one. Default null: that of the first schedule. */
  readonly baseLr?: number | null | undefined;
  /** The schedules. */
  readonly schedulers: readonly ScheduleMember[];
}

/**
 * All at once: what each schedule makes of its own rate are factors of one rate.
 *
 *     lr(t) = baseLr · ∏ sᵢ(t) / baseLrᵢ
 *
 * Source: PyTorch's `ChainedScheduler`, for schedules that multiply the rate. Those that do not (a lowest rate, a cycle
 * between bounds) are factors here all the same, whereas there they overwrite what came before them.
 */
export const chained = namedSchedule<{ torch: ChainedOptions }, Members>("chained", {
  torch: {
    options: { baseLr: orNull(atLeast(0)), schedulers: membersOption },
    build: ({ baseLr, schedulers }) => {
      const members = schedulers.map((member) => resolve(member, baseLr));
      const bases = members.map((member, i) => {
        const base = baseLrOf(member);
        if (base !== null && base > 0) return base;
        throw new ArgumentError("chained", `schedulers[${i}], ${member.schedule}, must have a baseLr > 0, got ${base}`);
      });
      const first = baseLr ?? (bases[0] as number);
      return {
        at: (t) => members.reduce((lr, member, i) => (lr * member(t)) / (bases[i] as number), first),
        horizon: Math.max(...members.map(({ horizon }) => horizon)),
        extra: { members },
      };
    },
  },
});

export interface SequentialOptions {
  /** The `baseLr` of descriptions without one. Default null: there are none. */
  readonly baseLr?: number | null | undefined;
  /** The schedules. */
  readonly schedulers: readonly ScheduleMember[];
  /** The first step of each schedule but the first, each above the one before. */
  readonly milestones: readonly number[];
}

/**
 * One after another, each from its own step 0:
 *
 *     lr(t) = sᵢ(t - milestoneᵢ₋₁)        i: the number of milestones ≤ t
 *
 * Source: PyTorch's `SequentialLR`; optax's `join_schedules`.
 */
export const sequential = namedSchedule<{ torch: SequentialOptions }, Members>("sequential", {
  torch: {
    options: { baseLr: orNull(atLeast(0)), schedulers: membersOption, milestones: increasing },
    build: ({ baseLr, schedulers, milestones }) => {
      if (milestones.length !== schedulers.length - 1) {
        const expected = `${schedulers.length - 1} steps, one less than schedulers`;
        throw new ArgumentError("sequential", `milestones must be ${expected}, got ${milestones.length}`);
      }
      const members = schedulers.map((member) => resolve(member, baseLr));
      const last = members.at(-1) as NamedSchedule;
      return {
        at: (t) => {
          const index = milestones.filter((milestone) => milestone <= t).length;
          return (members[index] as NamedSchedule)(t - (milestones[index - 1] ?? 0));
        },
        horizon: (milestones.at(-1) ?? 0) + last.horizon,
        extra: { members },
      };
    },
  },
});

export interface WarmupOptions {
  /** The `baseLr` of a description without one. Default null: it has its own. */
  readonly baseLr?: number | null | undefined;
  /** What comes after, from its own step 0. */
  readonly schedule: ScheduleMember;
  /** Steps of the warm-up. */
  readonly numWarmupSteps: number;
  /** What the first rate of `schedule` is multiplied by at step 0, in [0, 1]. Default 0. */
  readonly startFactor?: number | undefined;
  /** Shape of the rise: `linear` (default), `cosine` or `1-sqrt`. */
  readonly warmupType?: WarmupType | undefined;
}

/**
 * A rise to the first rate of any schedule, then the schedule. With p = t / numWarmupSteps:
 *
 *     lr(t) = s(0) · (startFactor + (1 - startFactor) · up(p))        t < numWarmupSteps
 *             s(t - numWarmupSteps)
 *
 * and up(p) = p, (1 - cos πp) / 2 or 1 - √(1 - p).
 *
 * ```ts
 * warmup({ schedule: cosine({ baseLr: 0.1, tMax: 900 }), numWarmupSteps: 100 })
 * ```
 */
export const warmup = namedSchedule<{ torch: WarmupOptions }, Members>("warmup", {
  torch: {
    options: {
      baseLr: orNull(atLeast(0)),
      schedule: memberOption,
      numWarmupSteps: wholeNumber(0),
      startFactor: optional(within(0, 1), 0),
      warmupType: optional(oneOf(...warmupTypes), "linear"),
    },
    build: ({ baseLr, schedule, numWarmupSteps, startFactor, warmupType }) => {
      const after = resolve(schedule, baseLr);
      const up = warmupShapes[warmupType];
      return {
        at: (t) =>
          t < numWarmupSteps
            ? after(0) * (startFactor + (1 - startFactor) * up(t / numWarmupSteps))
            : after(t - numWarmupSteps),
        horizon: numWarmupSteps + after.horizon,
        extra: { members: [after] },
      };
    },
  },
});

/** Every function that makes schedules, by its public name. */
export const schedules = {
  constant,
  step,
  multiStep,
  piecewiseConstant,
  linear,
  polynomial,
  exponential,
  inverseTime,
  cosine,
  cosineWarmRestarts,
  oneCycle,
  cyclic,
  reduceOnPlateau,
  warmupCosine,
  warmupLinear,
  inverseSqrt,
  noam,
  rex,
  wsd,
  chained,
  sequential,
  warmup,
} as const;

type AnySchedule = (options: Readonly<Record<string, unknown>>) => NamedSchedule;

/**
 * The schedule of a description: what `toJSON` gave, parsed from a file or written by hand. A `reduceOnPlateau` begins
 * anew; its state is loaded with `loadStateDict`.
 *
 * @throws ArgumentError on anything that is not a description, an unknown name, or wrong options.
 */
export function scheduleFrom(description: unknown): NamedSchedule {
  if (!isRecord(description) || typeof description.schedule !== "string" || !isRecord(description.options)) {
    throw new ArgumentError("scheduleFrom", `expected { schedule, options }, got ${JSON.stringify(description)}`);
  }
  const { schedule: name, options, quantity } = description;
  if (!Object.hasOwn(schedules, name)) {
    const known = Object.keys(schedules).join(", ");
    throw new ArgumentError("scheduleFrom", `there is no schedule ${name}; expected one of ${known}`);
  }
  // Options come from outside, and are checked by the function itself.
  const made = (schedules as unknown as Readonly<Record<string, AnySchedule>>)[name]?.(options) as NamedSchedule;
  if (quantity === undefined) return made;
  if (quantity === "momentum" && made.momentum) return made.momentum;
  throw new ArgumentError("scheduleFrom", `${name} has no ${JSON.stringify(quantity)} with these options`);
}
