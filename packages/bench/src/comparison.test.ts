import { describe, expect, it } from "vitest";
import { compareRounds, generator, type Pair, type Verdict } from "./comparison.ts";

/**
 * Rounds of measurements that scatter by 4 % within a process and by 1 % from one to the next, with outliers to one side, on
 * a machine that becomes slower.
 */
function sample(factor: number, seed: number): Pair[][] {
  const draw = generator(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
  const time = (center: number) => center * (1 + 0.04 * normal()) * (draw() < 0.05 ? 1.5 : 1);
  return Array.from({ length: 5 }, (_, round) => {
    const usual = 10 + round;
    const [ours, theirs] = [factor * usual * (1 + 0.01 * normal()), usual * (1 + 0.01 * normal())];
    return Array.from({ length: 6 }, () => ({ ours: time(ours), theirs: time(theirs) }));
  });
}

/** How many of 50 samples get each verdict. */
function verdicts(factor: number): Partial<Record<Verdict, number>> {
  const counts: Partial<Record<Verdict, number>> = {};
  for (let seed = 1; seed <= 50; seed++) {
    const { verdict } = compareRounds(sample(factor, seed));
    counts[verdict] = (counts[verdict] ?? 0) + 1;
  }
  return counts;
}

describe("compareRounds", () => {
  it("sees no change where there is none", () => {
    expect(verdicts(1)["no change"]).toBeGreaterThanOrEqual(47);
  });

  it("finds a shift by a tenth, in either direction", () => {
    expect(verdicts(1.1).slower).toBeGreaterThanOrEqual(47);
    expect(verdicts(1 / 1.1).faster).toBeGreaterThanOrEqual(47);
  });

  it("does not call a change that is sure but small one", () => {
    const rounds = Array.from({ length: 5 }, () => Array.from({ length: 4 }, () => ({ ours: 10.2, theirs: 10 })));
    expect(compareRounds(rounds)).toEqual({ ratio: 1.02, low: 1.02, high: 1.02, verdict: "no change" });
  });

  it("does not trust a change that only one process showed", () => {
    const rounds = Array.from({ length: 5 }, (_, i) =>
      Array.from({ length: 4 }, (_, j) => ({ ours: i === 2 ? 14 : 10 + 0.1 * j, theirs: 10 + 0.1 * j })),
    );
    expect(compareRounds(rounds).verdict).toBe("no change");
  });

  it("comes to the same interval every time", () => {
    expect(compareRounds(sample(1.03, 7))).toEqual(compareRounds(sample(1.03, 7)));
  });
});
