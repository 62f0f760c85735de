/** Order statistics of measured times. */

/**
 * The value below which the fraction `p` of the values lies, between two of them in proportion (type 7 of Hyndman and Fan,
 * NumPy's default). Of no values, NaN.
 */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const place = p * (sorted.length - 1);
  const below = Math.floor(place);
  const lower = sorted[below] as number;
  const upper = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return lower + (upper - lower) * (place - below);
}

/** The middle of the values, or between the two in the middle. */
export const median = (values: readonly number[]): number => percentile(values, 0.5);
