import { describe, expect, it } from "vitest";
import { strongWolfe } from "./strongWolfe.ts";

const search = async (value: (t: number) => number, slope: (t: number) => number, first: number, reach = 1) => {
  const looked: number[] = [];
  const at = (t: number) => ({ t, value: value(t), slope: slope(t), gradient: slope(t) });
  const { best, evaluations } = await strongWolfe(
    async (t) => {
      looked.push(t);
      return at(t);
    },
    at(0),
    first,
    reach,
  );
  expect(evaluations).toBe(looked.length);
  return { best, looked };
};

describe("strongWolfe", () => {
  const quadratic = [(t: number) => (t - 2) ** 2, (t: number) => 2 * (t - 2)] as const;

  it("takes the first place that fulfils both conditions", async () => {
    const { best, looked } = await search(...quadratic, 1);
    expect([best.t, best.gradient]).toEqual([1, -2]);
    expect(looked).toEqual([1]);
  });

  it("goes further, by at most ten times, while the slope is steep", async () => {
    const { best, looked } = await search(...quadratic, 0.01);
    // The cubic through two places of a parabola is the parabola: minimum 2, beyond 10 · 0.01.
    expect(looked[1]).toBeCloseTo(0.1, 14);
    expect(best.t).toBeGreaterThan(0.19);
  });

  it("comes back when it went too far", async () => {
    const { best, looked } = await search(...quadratic, 50);
    expect(looked[0]).toBe(50);
    expect(Math.abs(best.slope)).toBeLessThanOrEqual(0.9 * 4);
    expect(best.value).toBeLessThan(4);
  });

  it("ends where the bracket is too small to matter, or after 25 looks", async () => {
    // Falls on and on: every place is steep.
    const { looked } = await search(
      (t) => -t,
      () => -1,
      1,
    );
    expect(looked).toHaveLength(26);
    // A step up right behind the start: nothing fulfils the first condition.
    const cliff = await search(
      (t) => (t > 1e-12 ? 5 : -t),
      () => -1,
      1,
      1e-3,
    );
    expect(cliff.best.t).toBe(0);
    expect(cliff.looked.length).toBeLessThan(26);
  });
});
