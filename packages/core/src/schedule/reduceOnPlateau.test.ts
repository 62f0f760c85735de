import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PlateauState, reduceOnPlateau, scheduleFrom, warmup } from "./index.ts";

const ratesOf = (plateau: ReturnType<typeof reduceOnPlateau>, metrics: readonly number[]): number[] =>
  metrics.map((metric, step) => {
    const rate = plateau(step);
    plateau.report(metric);
    return rate;
  });

describe("reduceOnPlateau", () => {
  it("reduces after more reports without improvement than it has patience for", () => {
    const plateau = reduceOnPlateau({ baseLr: 1, factor: 0.5, patience: 1, threshold: 0.1 });
    // 0.95 is no improvement on 1 by a tenth, 0.85 is.
    expect(ratesOf(plateau, [1, 0.95, 0.85, 0.85, 0.8, 0.85, 0.85, 9])).toEqual([1, 1, 1, 1, 1, 0.5, 0.5, 0.25]);
  });

  it("does not count reports while it cools down", () => {
    const plateau = reduceOnPlateau({ baseLr: 1, factor: 0.5, patience: 0, cooldown: 2 });
    expect(ratesOf(plateau, [1, 1, 1, 1, 1, 1])).toEqual([1, 1, 0.5, 0.5, 0.5, 0.25]);
  });

  it("goes up for mode max, by a difference for thresholdMode abs", () => {
    const options = { baseLr: 1, factor: 0.5, patience: 0, mode: "max", thresholdMode: "abs", threshold: 0.5 } as const;
    expect(ratesOf(reduceOnPlateau(options), [0, 1, 1.5, 1.6, 0])).toEqual([1, 1, 1, 0.5, 0.5]);
  });

  it("stops at minLr, and does not bother with less than eps", () => {
    const plateau = reduceOnPlateau({ baseLr: 1, factor: 0.5, patience: 0, minLr: 0.3 });
    expect(ratesOf(plateau, [1, 1, 1, 1, 1])).toEqual([1, 1, 0.5, 0.3, 0.3]);
    const still = reduceOnPlateau({ baseLr: 1, factor: 0.5, patience: 0, eps: 0.6 });
    expect(ratesOf(still, [1, 1, 1])).toEqual([1, 1, 1]);
  });

  it("takes NaN for no improvement", () => {
    const plateau = reduceOnPlateau({ baseLr: 1, factor: 0.5, patience: 0 });
    expect(ratesOf(plateau, [Number.NaN, Number.NaN, 3])).toEqual([1, 0.5, 0.25]);
  });

  it("goes on from its saved state", () => {
    const metric = fc.double({ min: 0, max: 2, noNaN: true });
    fc.assert(
      fc.property(fc.array(metric, { minLength: 1, maxLength: 30 }), fc.nat(30), (metrics, at) => {
        const options = { baseLr: 1, factor: 0.5, patience: 1, cooldown: 2 };
        const straight = ratesOf(reduceOnPlateau(options), metrics);
        const first = reduceOnPlateau(options);
        const rates = ratesOf(first, metrics.slice(0, at));
        const second = reduceOnPlateau(options);
        second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())));
        expect([...rates, ...ratesOf(second, metrics.slice(at))]).toEqual(straight);
      }),
    );
  });

  it("can be part of others, which reports move", () => {
    const plateau = reduceOnPlateau({ baseLr: 1, factor: 0.5, patience: 0 });
    const warmed = warmup({ schedule: plateau, numWarmupSteps: 2 });
    expect(warmed.members).toEqual([plateau]);
    expect([0, 1, 2].map(warmed)).toEqual([0, 0.5, 1]);
    plateau.report(1);
    plateau.report(1);
    expect(warmed(3)).toBe(0.5);
    // From JSON it begins anew.
    expect(scheduleFrom(JSON.parse(JSON.stringify(warmed)))(3)).toBe(1);
  });

  it("says what is wrong", () => {
    const plateau = reduceOnPlateau({ baseLr: 1 });
    expect(() => plateau.report("1" as unknown as number)).toThrow("reduceOnPlateau: report got 1, no number");
    expect(() => plateau.loadStateDict({ ...plateau.stateDict(), lr: -1, badReports: 0.5 })).toThrow(
      "reduceOnPlateau: the state does not fit: lr must be a finite number ≥ 0, got -1; badReports must be a whole number ≥ 0, got 0.5",
    );
    expect(() => plateau.loadStateDict(null as unknown as PlateauState)).toThrow(
      "reduceOnPlateau: got null for a state",
    );
    expect(() => reduceOnPlateau({ baseLr: 1, factor: 1 })).toThrow(
      "reduceOnPlateau: factor must be a number in [0, 1), got 1",
    );
    expect(plateau(0)).toBe(1);
  });
});
