/** One result of a golden case against the values expected of it. */
import { float32Ulp, float64Tolerance, type Tolerance } from "../tolerances.ts";
import type { FloatDType } from "./schema.ts";

export interface Comparison {
  /** What it is, for the message. */
  readonly what: string;
  readonly actual: ArrayLike<number>;
  readonly expected: ArrayLike<number>;
  /** Integers and booleans are exact. */
  readonly dtype: FloatDType | "exact";
  readonly tolerance: Tolerance;
  /** Largest number of elements that meet in one sum. */
  readonly length: number;
  /** Largest magnitude of the terms: see Scale. */
  readonly terms: number;
  /** Whether 0 and -0 differ. */
  readonly signedZeros?: boolean;
}

/** Largest finite magnitude. */
export function largestOf(...lists: readonly ArrayLike<number>[]): number {
  let largest = 0;
  for (const values of lists) {
    for (let i = 0; i < values.length; i++) {
      const size = Math.abs(values[i] as number);
      if (Number.isFinite(size)) largest = Math.max(largest, size);
    }
  }
  return largest;
}

/** How many times the tolerance element i is off: at most 1 passes. */
function errorOf({ dtype, tolerance, length, terms }: Comparison, actual: number, expected: number): number {
  if (dtype === "exact") return Number.POSITIVE_INFINITY;
  if (dtype === "float64") return Math.abs(actual - expected) / (float64Tolerance * Math.max(1, Math.abs(expected)));
  const floor = { value: 0, one: 1, terms: Math.max(1, terms) }[tolerance.scale];
  const off = Math.abs(actual - expected) / float32Ulp(Math.max(Math.abs(expected), floor));
  return off === 0 ? 0 : off / tolerance.ulp(length);
}

const show = (x: number): string => (Object.is(x, -0) ? "-0" : String(x));

/** What is wrong, if anything: the first element outside its tolerance. */
export function mismatch(comparison: Comparison): string | undefined {
  const { what, actual, expected, dtype, signedZeros } = comparison;
  if (actual.length !== expected.length) return `${what}: ${actual.length} elements, expected ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] as number;
    const e = dtype === "float32" ? Math.fround(expected[i] as number) : (expected[i] as number);
    if (Object.is(a, e)) continue;
    if (a === e && !(signedZeros && e === 0)) continue;
    const wrongZero = signedZeros && a === 0 && e === 0;
    const off = errorOf(comparison, a, e);
    // Not ≤ 1 where either is NaN.
    if (wrongZero || !(off <= 1)) {
      const times = Number.isFinite(off) && !wrongZero ? ` (${off.toPrecision(3)} times the tolerance)` : "";
      return `${what}, element ${i}: got ${show(a)}, expected ${show(e)}${times}`;
    }
  }
  return undefined;
}

/** The largest error of a comparison in units of its tolerance, for setting tolerances. */
export function largestError(comparison: Comparison): number {
  let largest = 0;
  for (let i = 0; i < comparison.expected.length; i++) {
    const [a, e] = [comparison.actual[i] as number, comparison.expected[i] as number];
    const expected = comparison.dtype === "float32" ? Math.fround(e) : e;
    if (a !== expected && !Object.is(a, expected)) largest = Math.max(largest, errorOf(comparison, a, expected));
  }
  return largest;
}
