/** Options of which any number may be a schedule. */
import type { Schedule, Scheduled } from "./rule.ts";

export type ScheduledOptions<Options extends object> = { readonly [Key in keyof Options]: Scheduled<Options[Key]> };

const isSchedule = (value: unknown): value is Schedule => typeof value === "function";

const replace = (value: unknown, number: (schedule: Schedule) => number): unknown =>
  isSchedule(value) ? number(value) : Array.isArray(value) ? value.map((item) => replace(item, number)) : value;

const map = <Options extends object>(
  options: ScheduledOptions<Options>,
  number: (schedule: Schedule) => number,
): Readonly<Options> =>
  Object.freeze(
    Object.fromEntries(Object.entries(options).map(([key, value]) => [key, replace(value, number)])),
  ) as Readonly<Options>;

export const hasSchedules = (options: object): boolean =>
  Object.values(options).some((value) => isSchedule(value) || (Array.isArray(value) && value.some(isSchedule)));

/** The options at an update: `step` updates were done before it. */
export const optionsAt = <Options extends object>(
  options: ScheduledOptions<Options>,
  step: number,
): Readonly<Options> => map(options, (schedule) => schedule(step));

/** The options with NaN where a schedule gives the number. */
export const fixedOptions = <Options extends object>(options: ScheduledOptions<Options>): Readonly<Options> =>
  map(options, () => Number.NaN);
