/**
 * Checks of hyper-parameters that many rules share. Each throws ArgumentError naming the rule, the option and the
 * value.
 */
import { ArgumentError } from "../graph/errors.ts";

const show = (value: unknown): string => (Array.isArray(value) ? `[${value.join(", ")}]` : String(value));

/** `value` is a finite number ≥ 0. */
export function checkNonNegative(rule: string, option: string, value: unknown): void {
  if (typeof value !== "number" || !(value >= 0) || value === Number.POSITIVE_INFINITY) {
    throw new ArgumentError(rule, `${option} must be a finite number ≥ 0, got ${show(value)}`);
  }
}

/** `value` is null, which stands for none, or a finite number ≥ 0. */
export function checkNonNegativeOrNull(rule: string, option: string, value: unknown): void {
  if (value === null) return;
  if (typeof value !== "number" || !(value >= 0) || value === Number.POSITIVE_INFINITY) {
    throw new ArgumentError(rule, `${option} must be null or a finite number ≥ 0, got ${show(value)}`);
  }
}

/** `value` is a finite number > 0. */
export function checkPositive(rule: string, option: string, value: unknown): void {
  if (typeof value !== "number" || !(value > 0) || value === Number.POSITIVE_INFINITY) {
    throw new ArgumentError(rule, `${option} must be a finite number > 0, got ${show(value)}`);
  }
}

/** `value` is a number in [0, 1). */
export function checkDecay(rule: string, option: string, value: unknown): void {
  if (typeof value !== "number" || !(value >= 0 && value < 1)) {
    throw new ArgumentError(rule, `${option} must be in [0, 1), got ${show(value)}`);
  }
}

/** `value`, of the option `betas` or of `option`, is a list of `count` numbers in [0, 1). */
export function checkBetas(rule: string, value: unknown, count = 2, option = "betas"): void {
  if (!Array.isArray(value) || value.length !== count) {
    throw new ArgumentError(rule, `${option} must be a list of ${count} numbers, got ${show(value)}`);
  }
  for (const [i, beta] of value.entries()) checkDecay(rule, `${option}[${i}]`, beta);
}

export function checkBoolean(rule: string, option: string, value: unknown): void {
  if (typeof value !== "boolean") throw new ArgumentError(rule, `${option} must be true or false, got ${show(value)}`);
}

/** `value` is a whole number ≥ 1. */
export function checkPositiveInteger(rule: string, option: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1) {
    throw new ArgumentError(rule, `${option} must be a whole number ≥ 1, got ${show(value)}`);
  }
}

/** `value`, an option of an update as the rule sees it, is no schedule's: it decides what is computed. */
export function checkUnscheduled(rule: string, option: string, value: number): void {
  if (Number.isNaN(value)) throw new ArgumentError(rule, `${option} must be a number, not a schedule`);
}
