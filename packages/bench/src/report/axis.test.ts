import { expect, it } from "vitest";
import { logAxis } from "./axis.ts";

it("holds all values and spans at least a decade", () => {
  const { domain, ticks } = logAxis([3, 4]);
  expect(domain[0]).toBeLessThan(3);
  expect(domain[1]).toBeGreaterThan(4);
  expect(domain[1] / domain[0]).toBeCloseTo(10, 10);
  expect(ticks).toEqual([2, 5, 10]);
});

it("has fewer ticks the longer it is", () => {
  expect(logAxis([1, 30]).ticks).toEqual([1, 2, 5, 10, 20]);
  expect(logAxis([1, 200]).ticks).toEqual([1, 3, 10, 30, 100]);
  expect(logAxis([1, 1e4]).ticks).toEqual([1, 10, 100, 1000, 10000]);
  expect(logAxis([1e-7, 1e3]).ticks).toEqual([1e-7, 1e-5, 1e-3, 0.1, 10, 1000]);
});

it("has more where labels stand above each other", () => {
  expect(logAxis([1, 200], 10, "vertical").ticks).toEqual([1, 2, 5, 10, 20, 50, 100, 200]);
});

it("leaves out what has no logarithm", () => {
  expect(logAxis([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 3, 4])).toEqual(logAxis([3, 4]));
  const { domain, ticks } = logAxis([]);
  expect([...domain, ...ticks].every(Number.isFinite)).toBe(true);
  expect(ticks.length).toBeGreaterThan(1);
});
