import { expect, it } from "vitest";
import { median } from "./compare.ts";
import { denseLayers, labels, numbers, workloadNames, workloads } from "./workloads.ts";

it("takes the median", () => {
  expect(median([3])).toBe(3);
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 100])).toBe(3.5);
});

it("starts from the same numbers every time, within their scale", () => {
  expect([...numbers(3, 1)]).toEqual([...numbers(3, 1)]);
  const values = numbers(10_000, 4, 0.5);
  expect(Math.max(...values)).toBeLessThan(0.5);
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.5);
  expect(values.reduce((sum, x) => sum + x, 0) / values.length).toBeCloseTo(0, 1);
});

it("has one weight per connection", () => {
  const sizes = denseLayers([784, 256, 128, 10], 11).map(({ weight, bias }) => [weight.length, bias.length]);
  expect(sizes).toEqual([
    [200_704, 256],
    [32_768, 128],
    [1280, 10],
  ]);
  expect([...labels(11)]).toEqual([0, 7, 4, 1, 8, 5, 2, 9, 6, 3, 0]);
});

it("measures each workload often enough to have a middle", () => {
  for (const name of workloadNames) expect(workloads[name].repeats % 2).toBe(1);
});
