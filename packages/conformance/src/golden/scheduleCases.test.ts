import { describe, expect, it } from "vitest";
import {
  checkScheduleCase,
  type GoldenScheduleCase,
  type GoldenScheduleFile,
  unknownSchedule,
} from "./scheduleCases.ts";

const file = (schedule: string, golden: GoldenScheduleCase, convention?: string): GoldenScheduleFile => ({
  schema: "thalweg/golden-schedule/1",
  schedule,
  ...(convention === undefined ? {} : { convention }),
  cases: [golden],
});
const check = (schedule: string, golden: Omit<GoldenScheduleCase, "name">, convention?: string) => () =>
  checkScheduleCase(file(schedule, { name: "", ...golden }, convention), { name: "", ...golden });

describe("checkScheduleCase", () => {
  it("passes what is right, within the tolerance of the largest number", () => {
    const lr = [1, 0.5, 0.25 + 5e-10];
    expect(check("exponential", { options: { gamma: 0.5 }, baseLr: 1, lr })).not.toThrow();
  });

  it("names the step that is wrong", () => {
    expect(check("exponential", { options: { gamma: 0.5 }, baseLr: 1, lr: [1, 0.5, 0.26] })).toThrow(
      "lr at step 2: got 0.25, expected 0.26",
    );
  });

  it("checks momentum, and that there is one", () => {
    const options = { maxLr: 1, stepSizeUp: 1 };
    const golden = { options, baseLr: 0.5, lr: [0.5, 1, 0.5] };
    expect(check("cyclic", { ...golden, momentum: [0.9, 0.8, 0.9] })).not.toThrow();
    expect(check("cyclic", { ...golden, momentum: [0.9, 0.85, 0.9] })).toThrow(
      /^momentum at step 1: got 0\.8\d*, expected 0\.85$/,
    );
    expect(check("step", { options: { stepSize: 1 }, baseLr: 1, lr: [1], momentum: [0.9] })).toThrow(
      "step has no momentum",
    );
  });

  it("reports metrics to what takes them", () => {
    const metrics = [1, 1, 1, 1];
    const options = { patience: 0, factor: 0.5 };
    expect(check("reduceOnPlateau", { options, baseLr: 1, lr: [1, 1, 0.5, 0.25], metrics })).not.toThrow();
    expect(check("reduceOnPlateau", { options, baseLr: 1, lr: [1, 1, 1, 0.5], metrics })).toThrow("lr at step 2");
    expect(check("step", { options: { stepSize: 9 }, baseLr: 1, lr: [1], metrics: [1] })).toThrow("takes no metrics");
  });

  it("takes the file's convention", () => {
    const golden = { options: { decaySteps: 2 }, baseLr: 1, lr: [1, 0.5, 0, 0, 0] };
    expect(check("cosine", golden, "optax")).not.toThrow();
    expect(check("cosine", golden)).toThrow("cosine: unknown option decaySteps");
  });
});

describe("unknownSchedule", () => {
  it("says what is not known", () => {
    const golden = { name: "", options: {}, lr: [] };
    expect(unknownSchedule(file("cosine", golden, "optax"))).toBeUndefined();
    expect(unknownSchedule(file("cosine", golden))).toBeUndefined();
    expect(unknownSchedule(file("cosin", golden))).toBe("the schedule cosin is not known");
    expect(unknownSchedule(file("toString", golden))).toBe("the schedule toString is not known");
    expect(unknownSchedule(file("step", golden, "keras"))).toBe(
      "the schedule step with the conventions of keras is not known",
    );
  });
});
