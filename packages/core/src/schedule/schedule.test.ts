/** Each schedule against numbers worked out by hand, what it carries, and what it refuses. */
import { describe, expect, it } from "vitest";
import {
  chained,
  constant,
  cosine,
  cosineWarmRestarts,
  cyclic,
  exponential,
  inverseSqrt,
  inverseTime,
  isNamedSchedule,
  linear,
  multiStep,
  type NamedSchedule,
  noam,
  oneCycle,
  piecewiseConstant,
  polynomial,
  rex,
  scheduleFrom,
  sequential,
  step,
  warmup,
  warmupCosine,
  warmupLinear,
  wsd,
} from "./index.ts";

function expectValues(schedule: NamedSchedule | undefined, expected: readonly number[]): void {
  for (const [t, value] of expected.entries()) expect(schedule?.(t), `step ${t}`).toBeCloseTo(value, 12);
}

describe("schedules by hand", () => {
  it.each<[string, NamedSchedule, readonly number[]]>([
    ["constant", constant({ baseLr: 0.3, totalIters: 2 }), [0.1, 0.1, 0.3, 0.3]],
    ["step", step({ baseLr: 1, stepSize: 2, gamma: 0.5 }), [1, 1, 0.5, 0.5, 0.25]],
    ["multiStep", multiStep({ baseLr: 1, milestones: [3, 1, 3], gamma: 0.5 }), [1, 0.5, 0.5, 0.125, 0.125]],
    ["piecewiseConstant", piecewiseConstant({ baseLr: 1, boundaries: [1, 3], scales: [0.5, 4] }), [1, 0.5, 0.5, 2, 2]],
    [
      "piecewiseConstant of keras: one step longer",
      piecewiseConstant({ boundaries: [1, 3], values: [1, 0.5, 2], convention: "keras" }),
      [1, 1, 0.5, 0.5, 2],
    ],
    ["linear", linear({ baseLr: 1, startFactor: 0.5, totalIters: 2 }), [0.5, 0.75, 1, 1]],
    ["polynomial", polynomial({ baseLr: 4, totalIters: 2, power: 2 }), [4, 1, 0, 0]],
    [
      "polynomial of keras, starting again",
      polynomial({ baseLr: 1, decaySteps: 2, endLr: 0, cycle: true, convention: "keras" }),
      [1, 0.5, 0, 0.25, 0, 1 / 6, 0],
    ],
    [
      "polynomial of optax",
      polynomial({ baseLr: 1, endValue: 3, power: 1, transitionSteps: 2, transitionBegin: 1, convention: "optax" }),
      [1, 1, 2, 3, 3],
    ],
    ["exponential", exponential({ baseLr: 8, gamma: 0.5 }), [8, 4, 2, 1]],
    [
      "exponential of keras",
      exponential({ baseLr: 8, decaySteps: 2, decayRate: 0.25, convention: "keras" }),
      [8, 4, 2, 1],
    ],
    [
      "exponential of optax, begun later, in jumps, with a bound",
      exponential({
        baseLr: 8,
        transitionSteps: 2,
        decayRate: 0.25,
        transitionBegin: 1,
        staircase: true,
        endValue: 1,
        convention: "optax",
      }),
      [8, 8, 8, 2, 2, 1, 1],
    ],
    ["inverseTime", inverseTime({ baseLr: 1, decaySteps: 2, decayRate: 2 }), [1, 1 / 2, 1 / 3, 1 / 4]],
    ["cosine, rising again", cosine({ baseLr: 1, tMax: 2, etaMin: 0.5 }), [1, 0.75, 0.5, 0.75, 1]],
    [
      "cosine of optax, clamped",
      cosine({ baseLr: 1, decaySteps: 2, exponent: 2, convention: "optax" }),
      [1, 0.25, 0, 0],
    ],
    [
      "cosine of keras, with a warm-up",
      cosine({ baseLr: 0, decaySteps: 2, warmupTarget: 1, warmupSteps: 2, alpha: 0.5, convention: "keras" }),
      [0, 0.5, 1, 0.75, 0.5, 0.5],
    ],
    ["cosineWarmRestarts", cosineWarmRestarts({ baseLr: 1, t0: 1, tMult: 2 }), [1, 1, 0.5, 1, (1 + Math.SQRT1_2) / 2]],
    [
      "cosineWarmRestarts of keras",
      cosineWarmRestarts({ baseLr: 1, firstDecaySteps: 2, tMult: 1, mMult: 0.5, convention: "keras" }),
      [1, 0.5, 0.5, 0.25, 0.25],
    ],
    ["warmupCosine", warmupCosine({ baseLr: 1, numWarmupSteps: 2, numTrainingSteps: 4 }), [0, 0.5, 1, 0.5, 0, 0.5]],
    [
      "warmupCosine of optax",
      warmupCosine({ baseLr: 0.5, peakValue: 1, warmupSteps: 1, decaySteps: 3, endValue: 0.2, convention: "optax" }),
      [0.5, 1, 0.6, 0.2, 0.2],
    ],
    ["warmupLinear", warmupLinear({ baseLr: 1, numWarmupSteps: 2, numTrainingSteps: 4 }), [0, 0.5, 1, 0.5, 0, 0]],
    [
      "inverseSqrt",
      inverseSqrt({ baseLr: 1, numWarmupSteps: 1, timescale: 3 }),
      [0, 1, Math.sqrt(3 / 4), Math.sqrt(3 / 5)],
    ],
    ["inverseSqrt without warm-up", inverseSqrt({ baseLr: 1, numWarmupSteps: 0 }), [1, Math.sqrt(10_000 / 10_001)]],
    ["noam", noam({ baseLr: 2, dModel: 4, warmupSteps: 4 }), [1 / 8, 2 / 8, 3 / 8, 1 / 2, Math.sqrt(1 / 5)]],
    ["rex", rex({ baseLr: 1, totalSteps: 2 }), [1, 2 / 3, 0, 0]],
    [
      "wsd",
      wsd({
        baseLr: 1,
        numWarmupSteps: 2,
        numStableSteps: 1,
        numDecaySteps: 2,
        decayType: "1-square",
        minLrRatio: 0.2,
      }),
      [0.2, 0.6, 1, 1, 0.8, 0.2, 0.2],
    ],
    [
      "wsd by its whole length",
      wsd({ baseLr: 1, numWarmupSteps: 1, numTrainingSteps: 4, numDecaySteps: 2, decayType: "linear" }),
      [0, 1, 1, 0.5, 0],
    ],
    [
      "chained: factors of one rate, whatever each one's own",
      chained({
        baseLr: 0.5,
        schedulers: [
          exponential({ baseLr: 3, gamma: 0.5 }),
          { schedule: "constant", options: { factor: 0.5, totalIters: 2 } },
        ],
      }),
      [0.25, 0.125, 0.125],
    ],
    [
      "chained, by default from the rate of the first",
      chained({ schedulers: [exponential({ baseLr: 3, gamma: 0.5 }), step({ baseLr: 7, stepSize: 1 })] }),
      [3, 0.15],
    ],
    [
      "sequential",
      sequential({
        baseLr: 2,
        schedulers: [
          { schedule: "linear", options: { startFactor: 0.5, totalIters: 2 } },
          exponential({ baseLr: 4, gamma: 0.5 }),
          { schedule: "constant", options: { factor: 0 } },
        ],
        milestones: [1, 3],
      }),
      [1, 4, 2, 0],
    ],
    [
      "warmup",
      warmup({ schedule: exponential({ baseLr: 1, gamma: 0.5 }), numWarmupSteps: 2, startFactor: 0.5 }),
      [0.5, 0.75, 1, 0.5],
    ],
    [
      "warmup by a cosine, of a description",
      warmup({
        baseLr: 2,
        schedule: { schedule: "step", options: { stepSize: 1 } },
        numWarmupSteps: 3,
        warmupType: "cosine",
      }),
      [0, 0.5, 1.5, 2, 0.2],
    ],
  ])("%s", (_name, schedule, expected) => expectValues(schedule, expected));

  it("oneCycle has its peak where the first phase ends, and momentum the other way round", () => {
    const cycle = oneCycle({
      maxLr: 1,
      totalSteps: 10,
      pctStart: 0.3,
      annealStrategy: "linear",
      divFactor: 2,
      finalDivFactor: 5,
      baseMomentum: 0.5,
      maxMomentum: 0.9,
    });
    expectValues(cycle, [0.5, 0.75, 1, ...[6, 5, 4, 3, 2, 1, 0].map((left) => 0.1 + (0.9 * left) / 7), 0.1]);
    expectValues(cycle.momentum, [0.9, 0.7, 0.5, ...[6, 5, 4, 3, 2, 1, 0].map((left) => 0.9 - (0.4 * left) / 7), 0.9]);
    expect(oneCycle({ maxLr: 1, totalSteps: 10, cycleMomentum: false }).momentum).toBeUndefined();
  });

  it("oneCycle of optax has its peak a step later", () => {
    const options = { baseLr: 1, transitionSteps: 4, pctStart: 0.5, divFactor: 2, finalDivFactor: 5 } as const;
    expectValues(oneCycle({ ...options, convention: "optax" }), [0.5, 0.75, 1, 0.55, 0.1, 0.1]);
    const linear = oneCycle({ ...options, annealStrategy: "linear", pctFinal: 0.75, convention: "optax" });
    expectValues(linear, [0.5, 0.75, 1, 0.5, 0.1, 0.1]);
  });

  it("cyclic goes up and down; momentum down and up", () => {
    const common = { baseLr: 1, maxLr: 3, stepSizeUp: 1, stepSizeDown: 2, baseMomentum: 0.5, maxMomentum: 0.9 };
    const triangular = cyclic(common);
    expectValues(triangular, [1, 3, 2, 1, 3, 2, 1]);
    expectValues(triangular.momentum, [0.9, 0.5, 0.7, 0.9]);
    expectValues(cyclic({ ...common, mode: "triangular2" }), [1, 3, 2, 1, 2, 1.5, 1, 1.5]);
    expectValues(cyclic({ ...common, mode: "expRange", gamma: 0.5 }), [1, 2, 1.25, 1, 1.125]);
  });

  it("cosineWarmRestarts begins again at the very step where a period ends", () => {
    // Counting periods by logarithms in float64 would be one step late at 16 · (1 + 1.25 + 1.25²) = 61.
    const schedule = cosineWarmRestarts({ baseLr: 1, firstDecaySteps: 16, tMult: 1.25, convention: "keras" });
    expect([16, 36, 61].map(schedule)).toEqual([1, 1, 1]);
    expect(schedule(60)).toBeLessThan(0.1);
  });
});

describe("a schedule", () => {
  it("carries name, options with their defaults, and no way to change them", () => {
    const schedule = cosine({ baseLr: 0.1, tMax: 100 });
    expect(schedule.schedule).toBe("cosine");
    expect(schedule.options).toEqual({ baseLr: 0.1, tMax: 100, etaMin: 0 });
    expect(schedule.options.etaMin).toBe(0);
    expect(Object.isFrozen(schedule.options)).toBe(true);
    expect(() => Object.assign(schedule, { options: {} })).toThrow(TypeError);
    expect(isNamedSchedule(schedule)).toBe(true);
    expect(isNamedSchedule((step: number) => step)).toBe(false);
    expect(JSON.stringify(cosine({ baseLr: 1, decaySteps: 5, convention: "keras" }))).toBe(
      '{"schedule":"cosine","options":{"baseLr":1,"decaySteps":5,"alpha":0,"warmupTarget":null,"warmupSteps":0,"convention":"keras"}}',
    );
  });

  it("keeps nothing that its maker can change", () => {
    const milestones = [2];
    const last = { schedule: "step", options: { stepSize: 1 } };
    const schedule = sequential({ baseLr: 1, schedulers: [constant({ baseLr: 1 }), last], milestones });
    const before = JSON.stringify(schedule);
    milestones[0] = 5;
    last.options.stepSize = 7;
    expect(JSON.stringify(schedule)).toBe(before);
    expect(schedule(3)).toBeCloseTo(0.1, 12);
  });

  it("gives its members, each with the rate of the whole where it has none", () => {
    const whole = sequential({
      baseLr: 0.5,
      schedulers: [{ schedule: "step", options: { stepSize: 3 } }, constant({ baseLr: 1 })],
      milestones: [0],
    });
    expect(whole.members.map(({ options }) => options)).toMatchObject([{ baseLr: 0.5 }, { baseLr: 1 }]);
  });
});

describe("errors", () => {
  it.each<[() => unknown, string]>([
    [() => cosine({ baseLr: 0.1, tMax: 0 }), "cosine: tMax must be a whole number ≥ 1, got 0"],
    [() => cosine({ baseLr: -1, tMax: 5 }), "cosine: baseLr must be a finite number ≥ 0, got -1"],
    [() => cosine({ baseLr: Number.NaN, tMax: 5 }), "cosine: baseLr must be a finite number ≥ 0, got NaN"],
    // @ts-expect-error tMax is missing
    [() => cosine({ baseLr: 0.1 }), "cosine: tMax is required: a whole number ≥ 1"],
    [
      // @ts-expect-error an option of another convention
      () => cosine({ baseLr: 0.1, tMax: 3, alpha: 0 }),
      "cosine: unknown option alpha; expected one of baseLr, tMax, etaMin",
    ],
    [
      // @ts-expect-error no such convention
      () => cosine({ baseLr: 0.1, tMax: 3, convention: "jax" }),
      "cosine: convention must be one of torch, keras, optax, got jax",
    ],
    // @ts-expect-error no such convention of this schedule
    [() => step({ baseLr: 0.1, stepSize: 3, convention: "keras" }), "step: convention must be one of torch, got keras"],
    // @ts-expect-error no options
    [() => step(), "step: expected an object of options, got undefined"],
    [() => constant({ baseLr: 1, factor: 2 }), "constant: factor must be a number in [0, 1], got 2"],
    [() => linear({ baseLr: 1, startFactor: 0 }), "linear: startFactor must be a number in (0, 1], got 0"],
    [() => exponential({ baseLr: 1, gamma: 0 }), "exponential: gamma must be a finite number > 0, got 0"],
    [
      () => multiStep({ baseLr: 1, milestones: [1, 2.5] }),
      "multiStep: milestones must be a list, each entry a whole number ≥ 0, got [1, 2.5]",
    ],
    [
      () => piecewiseConstant({ baseLr: 1, boundaries: [3, 3], scales: [1, 1] }),
      "piecewiseConstant: boundaries must be a list of whole numbers ≥ 0, each above the one before, got [3, 3]",
    ],
    [
      () => piecewiseConstant({ baseLr: 1, boundaries: [3], scales: [] }),
      "piecewiseConstant: scales must be 1 numbers, one per boundary, got 0",
    ],
    [
      () => piecewiseConstant({ boundaries: [3], values: [1], convention: "keras" }),
      "piecewiseConstant: values must be 2 numbers, one more than boundaries, got 1",
    ],
    [
      // @ts-expect-error no such mode
      () => cyclic({ baseLr: 0, maxLr: 1, mode: "exp_range" }),
      "cyclic: mode must be one of triangular, triangular2, expRange, got exp_range",
    ],
    [
      () => oneCycle({ maxLr: 1, totalSteps: 5, pctStart: 1.5 }),
      "oneCycle: pctStart must be a number in [0, 1], got 1.5",
    ],
    [
      () => warmupCosine({ baseLr: 0, peakValue: 1, warmupSteps: 5, decaySteps: 5, convention: "optax" }),
      "warmupCosine: decaySteps must be above warmupSteps, 5, got 5",
    ],
    [
      () => wsd({ baseLr: 1, numWarmupSteps: 1, numDecaySteps: 1 }),
      "wsd: numStableSteps or numTrainingSteps is required",
    ],
    [
      () => wsd({ baseLr: 1, numWarmupSteps: 2, numDecaySteps: 2, numTrainingSteps: 3 }),
      "wsd: numTrainingSteps must be ≥ numWarmupSteps + numDecaySteps, 4, got 3",
    ],
    [
      () => chained({ schedulers: [] }),
      "chained: schedulers must be a list, not empty, each entry a schedule or its description { schedule, options }, got []",
    ],
    [
      // @ts-expect-error a function has no name to be saved by
      () => warmup({ schedule: (step: number) => step, numWarmupSteps: 2 }),
      "warmup: schedule must be a schedule or its description { schedule, options }, got (step) => step",
    ],
    [
      () => chained({ schedulers: [oneCycle({ maxLr: 1, totalSteps: 5 })] }),
      "chained: schedulers[0], oneCycle, must have a baseLr > 0, got 0",
    ],
    [
      () => sequential({ schedulers: [constant({ baseLr: 1 })], milestones: [3] }),
      "sequential: milestones must be 0 steps, one less than schedulers, got 1",
    ],
    [
      () => sequential({ schedulers: [{ schedule: "rex", options: { totalSteps: 5 } }], milestones: [] }),
      "rex: baseLr is required: a finite number ≥ 0",
    ],
    [
      () => scheduleFrom({ schedule: "cosine" }),
      'scheduleFrom: expected { schedule, options }, got {"schedule":"cosine"}',
    ],
    [() => scheduleFrom(null), "scheduleFrom: expected { schedule, options }, got null"],
    [
      () => scheduleFrom({ schedule: "toString", options: {} }),
      "scheduleFrom: there is no schedule toString; expected one of constant, step, ",
    ],
    [
      () => scheduleFrom({ schedule: "rex", options: { baseLr: 1, totalSteps: 5 }, quantity: "momentum" }),
      'scheduleFrom: rex has no "momentum" with these options',
    ],
    [() => rex({ baseLr: 1, totalSteps: 5 })(-1), "rex: step must be a finite number ≥ 0, got -1"],
    [() => rex({ baseLr: 1, totalSteps: 5 })(Number.NaN), "rex: step must be a finite number ≥ 0, got NaN"],
    [() => rex({ baseLr: 1, totalSteps: 5 }).plot({ steps: 1 }), "rex: plot's steps must be a whole number ≥ 2, got 1"],
  ])("%#", (make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ name: "ArgumentError" }));
  });
});
