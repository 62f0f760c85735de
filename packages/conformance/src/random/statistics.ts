/** How far samples are from the distribution they claim to be of. */
import { erf } from "@thalweg/core/backend";

export const meanOf = (values: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] as number;
  return total / values.length;
};

export const varianceOf = (values: ArrayLike<number>): number => {
  const center = meanOf(values);
  return meanOf(Float64Array.from(values, (x) => (x - center) ** 2));
};

export const uniformDistribution = (x: number): number => Math.min(1, Math.max(0, x));
export const normalDistribution = (x: number): number => (1 + erf(x * Math.SQRT1_2)) / 2;

/**
 * The Kolmogorov-Smirnov statistic times √n: the largest distance between the samples' distribution function and
 * `distribution`. Above 1.95 for one in a thousand of true samples.
 */
export function kolmogorovSmirnov(values: ArrayLike<number>, distribution: (x: number) => number): number {
  const sorted = Float64Array.from(values).sort();
  let largest = 0;
  for (const [i, x] of sorted.entries()) {
    const f = distribution(x);
    largest = Math.max(largest, f - i / sorted.length, (i + 1) / sorted.length - f);
  }
  return largest * Math.sqrt(sorted.length);
}
