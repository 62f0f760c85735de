/** Options of schedules: what each may be, and what it is by default. */
import { ArgumentError } from "../graph/errors.ts";
import { isNamedSchedule } from "./schedule.ts";

/** One option: which values it takes. Required, unless it has a default. */
export interface Option<Value> {
  /** Ends "must be …". */
  readonly expected: string;
  readonly holds: (value: unknown) => boolean;
  readonly default?: Value;
}

/** Options as they are once the defaults are in. */
export type Complete<Options extends object> = {
  readonly [Key in keyof Options]-?: Exclude<Options[Key], undefined>;
};

export type OptionTable<Options extends object> = {
  readonly [Key in keyof Options]-?: Option<Exclude<Options[Key], undefined>>;
};

const finite = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

export const atLeast = (least: number): Option<number> => ({
  expected: `a finite number ≥ ${least}`,
  holds: (value) => finite(value) && value >= least,
});
export const positive: Option<number> = {
  expected: "a finite number > 0",
  holds: (value) => finite(value) && value > 0,
};
export const within = (least: number, most: number): Option<number> => ({
  expected: `a number in [${least}, ${most}]`,
  holds: (value) => finite(value) && value >= least && value <= most,
});
export const wholeNumber = (least: number): Option<number> => ({
  expected: `a whole number ≥ ${least}`,
  holds: (value) => Number.isSafeInteger(value) && (value as number) >= least,
});
export const boolean: Option<boolean> = { expected: "true or false", holds: (value) => typeof value === "boolean" };
export const oneOf = <Word extends string>(...words: readonly Word[]): Option<Word> => ({
  expected: `one of ${words.join(", ")}`,
  holds: (value) => words.includes(value as Word),
});
export const listOf = <Value>(entry: Option<Value>): Option<readonly Value[]> => ({
  expected: `a list, each entry ${entry.expected}`,
  holds: (value) => Array.isArray(value) && value.every(entry.holds),
});
/** Steps that follow each other. */
export const increasing: Option<readonly number[]> = {
  expected: "a list of whole numbers ≥ 0, each above the one before",
  holds: (value) =>
    Array.isArray(value) && value.every((step, i) => wholeNumber(i === 0 ? 0 : value[i - 1] + 1).holds(step)),
};
export const orNull = <Value>(option: Option<Value>): Option<Value | null> => ({
  expected: `${option.expected}, or null`,
  holds: (value) => value === null || option.holds(value),
  default: null,
});
export const optional = <Value>(option: Option<Value>, byDefault: Value): Option<Value> => ({
  ...option,
  default: byDefault,
});

const show = (value: unknown): string => {
  if (isNamedSchedule(value)) return value.schedule;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
};

/** A copy that nobody can change, but of functions, which are schedules. */
function frozen(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(frozen));
  if (typeof value !== "object" || value === null) return value;
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, frozen(entry)])));
}

/** Says what an option should have been. */
export const wrongOption = (schedule: string, option: string, expected: string, value: unknown): ArgumentError =>
  new ArgumentError(schedule, `${option} must be ${expected}, got ${show(value)}`);

/**
 * `given` with the defaults, frozen.
 *
 * @throws ArgumentError that names the option and its value.
 */
export function completeOptions<Options extends object>(
  schedule: string,
  table: OptionTable<Options>,
  given: object,
): Complete<Options> {
  const known = Object.entries(table) as [string, Option<unknown>][];
  for (const [key, value] of Object.entries(given)) {
    if (value !== undefined && !Object.hasOwn(table, key)) {
      const names = known.map(([name]) => name).join(", ");
      throw new ArgumentError(schedule, `unknown option ${key}; expected one of ${names}`);
    }
  }
  const values = new Map(Object.entries(given));
  const complete = known.map(([key, option]) => {
    const value = values.get(key);
    if (value === undefined) {
      if (!("default" in option)) throw new ArgumentError(schedule, `${key} is required: ${option.expected}`);
      return [key, option.default];
    }
    if (!option.holds(value)) throw wrongOption(schedule, key, option.expected, value);
    return [key, frozen(value)];
  });
  return Object.freeze(Object.fromEntries(complete)) as Complete<Options>;
}
