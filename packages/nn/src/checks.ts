/** Checks of arguments that many layers share. */
import { ArgumentError } from "@thalweg/core";

/** Throws ArgumentError unless `value` is a whole number ≥ `least`. */
export function checkCount(subject: string, option: string, value: unknown, least = 1): void {
  if (!Number.isInteger(value) || (value as number) < least) {
    throw new ArgumentError(subject, `${option} must be a whole number ≥ ${least}, got ${String(value)}`);
  }
}

/** Throws ArgumentError unless p is a probability. */
export function checkProbability(subject: string, option: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(subject, `${option} must be in [0, 1], got ${p}`);
}
