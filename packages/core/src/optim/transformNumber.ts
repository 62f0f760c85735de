/** The numbers of gradient transforms: each may be a schedule, and is checked wherever it comes from. */
import type { Schedule } from "./rule.ts";

type Check = (subject: string, name: string, value: unknown) => void;

/**
 * `given` as a function of the step. Checked now, at step 0, and at every step asked for.
 *
 * @throws what `check` throws.
 */
export function numberAt(subject: string, name: string, given: number | Schedule, check: Check): Schedule {
  if (typeof given !== "function") {
    check(subject, name, given);
    return () => given;
  }
  const at: Schedule = (step) => {
    const value = given(step);
    check(subject, `${name} at step ${step}`, value);
    return value;
  };
  at(0);
  return at;
}

/** As it stands in descriptions. */
export const showNumber = (given: number | Schedule): string =>
  typeof given !== "function" ? String(given) : "schedule" in given ? String(given.schedule) : "a schedule";
