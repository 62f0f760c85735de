import { expect, it } from "vitest";
import { median, percentile } from "./statistics.ts";

it("takes the median", () => {
  expect(median([3])).toBe(3);
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 100])).toBe(3.5);
  expect(median([])).toBeNaN();
});

it("takes percentiles between values in proportion, as NumPy does", () => {
  const values = [10, 1, 4, 7];
  expect(percentile(values, 0)).toBe(1);
  expect(percentile(values, 1)).toBe(10);
  expect(percentile(values, 0.1)).toBeCloseTo(1.9, 12);
  expect(percentile(values, 0.9)).toBeCloseTo(9.1, 12);
  expect(values).toEqual([10, 1, 4, 7]);
});
