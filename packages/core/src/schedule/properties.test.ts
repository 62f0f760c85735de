/** What must hold of every schedule, whatever its options. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NamedSchedule, scheduleFrom, type schedules } from "./index.ts";

const firstOf = (schedule: NamedSchedule, count: number): number[] =>
  Array.from({ length: count }, (_, t) => schedule(t));

const rate = fc.double({ min: 1e-6, max: 10, noNaN: true });
const part = fc.double({ min: 0, max: 1, noNaN: true });
const count = fc.integer({ min: 1, max: 40 });
const optionally = { requiredKeys: [] as string[] };

interface Generated {
  readonly options: Readonly<Record<string, unknown>>;
  /** What no rate is above. */
  readonly most: number;
}

const record = (
  required: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  others: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  most: (options: Record<string, number>) => number = ({ baseLr }) => baseLr as number,
): fc.Arbitrary<Generated> =>
  fc
    .tuple(fc.record(required), fc.record(others, optionally))
    .map(([a, b]) => ({ options: { ...a, ...b }, most: most({ ...a, ...b } as Record<string, number>) }));

const ascending = fc.uniqueArray(count, { minLength: 1, maxLength: 5 }).map((steps) => steps.sort((a, b) => a - b));
const warmupType = fc.constantFrom("linear", "cosine", "1-sqrt");
const staircase = fc.boolean();

const leaf = {
  constant: [record({ baseLr: rate }, { factor: part, totalIters: count })],
  step: [record({ baseLr: rate, stepSize: count }, { gamma: part })],
  multiStep: [record({ baseLr: rate, milestones: fc.array(count) }, { gamma: part })],
  piecewiseConstant: [
    ascending.chain((boundaries) =>
      record(
        {
          baseLr: rate,
          boundaries: fc.constant(boundaries),
          scales: fc.array(part, { minLength: boundaries.length, maxLength: boundaries.length }),
        },
        {},
      ),
    ),
    ascending.chain((boundaries) =>
      record(
        {
          convention: fc.constant("keras"),
          boundaries: fc.constant(boundaries),
          values: fc.array(part, { minLength: boundaries.length + 1, maxLength: boundaries.length + 1 }),
        },
        {},
        () => 1,
      ),
    ),
  ],
  linear: [record({ baseLr: rate }, { startFactor: part.map((p) => 1 - p / 2), endFactor: part, totalIters: count })],
  polynomial: [
    record({ baseLr: rate }, { totalIters: count, power: rate }),
    record(
      { baseLr: rate, decaySteps: count, convention: fc.constant("keras") },
      { endLr: part, power: rate, cycle: staircase },
      ({ baseLr, endLr = 1e-4 }) => Math.max(baseLr as number, endLr),
    ),
    record(
      { baseLr: rate, endValue: rate, power: rate, transitionSteps: count, convention: fc.constant("optax") },
      { transitionBegin: count },
      ({ baseLr, endValue }) => Math.max(baseLr as number, endValue as number),
    ),
  ],
  exponential: [
    record({ baseLr: rate, gamma: part.map((p) => 1 - p / 2) }, {}),
    record(
      { baseLr: rate, decaySteps: count, decayRate: part.map((p) => 1 - p / 2), convention: fc.constant("keras") },
      { staircase },
    ),
    record(
      { baseLr: rate, transitionSteps: count, decayRate: part.map((p) => 1 - p / 2), convention: fc.constant("optax") },
      { transitionBegin: count, staircase, endValue: part },
      ({ baseLr, endValue = 0 }) => Math.max(baseLr as number, endValue, 1),
    ),
  ],
  inverseTime: [record({ baseLr: rate, decaySteps: count, decayRate: rate }, { staircase })],
  cosine: [
    record({ baseLr: rate, tMax: count }, { etaMin: fc.constant(0) }),
    record(
      { baseLr: part, decaySteps: count, convention: fc.constant("keras") },
      { alpha: part, warmupTarget: part, warmupSteps: count },
      () => 1,
    ),
    record({ baseLr: rate, decaySteps: count, convention: fc.constant("optax") }, { alpha: part, exponent: rate }),
  ],
  cosineWarmRestarts: [
    record({ baseLr: rate, t0: count }, { tMult: fc.integer({ min: 1, max: 4 }) }),
    record(
      { baseLr: rate, firstDecaySteps: count, convention: fc.constant("keras") },
      { tMult: part.map((p) => 1 + p), mMult: part, alpha: part },
    ),
  ],
  oneCycle: [
    record(
      { maxLr: part, totalSteps: count },
      {
        pctStart: part,
        annealStrategy: fc.constantFrom("cos", "linear"),
        threePhase: staircase,
        divFactor: part.map((p) => 1 + 10 * p),
        baseMomentum: part,
      },
      () => 1,
    ),
    record(
      { baseLr: rate, transitionSteps: count, convention: fc.constant("optax") },
      { pctStart: part, annealStrategy: fc.constantFrom("cos", "linear") },
    ),
  ],
  cyclic: [
    record(
      { baseLr: part, maxLr: part },
      {
        stepSizeUp: count,
        stepSizeDown: count,
        mode: fc.constantFrom("triangular", "triangular2", "expRange"),
        gamma: part,
        maxMomentum: part,
      },
      () => 1,
    ),
  ],
  reduceOnPlateau: [record({ baseLr: rate }, { patience: count, factor: part.map((p) => p / 2) })],
  warmupCosine: [
    record({ baseLr: rate, numWarmupSteps: count, numTrainingSteps: count }, { numCycles: part, minLrRate: part }),
    record(
      {
        baseLr: part,
        peakValue: part,
        warmupSteps: fc.integer({ min: 0, max: 10 }),
        decaySteps: fc.integer({ min: 11, max: 40 }),
        convention: fc.constant("optax"),
      },
      { endValue: part, exponent: rate },
      () => 1,
    ),
  ],
  warmupLinear: [
    record({ baseLr: rate, numWarmupSteps: count, numTrainingSteps: fc.integer({ min: 40, max: 80 }) }, {}),
  ],
  inverseSqrt: [record({ baseLr: rate, numWarmupSteps: count }, { timescale: count })],
  noam: [record({ baseLr: rate, dModel: count, warmupSteps: count }, {})],
  rex: [record({ baseLr: part, totalSteps: count }, { minLr: part }, () => 1)],
  wsd: [
    record(
      { baseLr: rate, numWarmupSteps: count, numStableSteps: count, numDecaySteps: count },
      {
        warmupType,
        decayType: fc.constantFrom("linear", "cosine", "1-sqrt", "1-square"),
        minLrRatio: part,
        numCycles: part,
      },
    ),
  ],
} satisfies Partial<Record<keyof typeof schedules, readonly fc.Arbitrary<Generated>[]>>;

const descriptions = Object.entries(leaf).flatMap(([schedule, kinds]) =>
  (kinds as readonly fc.Arbitrary<Generated>[]).map((kind) =>
    kind.map(({ options, most }) => ({ description: { schedule, options }, most })),
  ),
);
const anyLeaf = fc.oneof(...descriptions);
const members = fc.array(anyLeaf, { minLength: 1, maxLength: 3 });

const composed = {
  chained: fc
    .array(fc.oneof(...leaf.step, ...leaf.constant, ...leaf.exponential.slice(0, 2)), { minLength: 1, maxLength: 3 })
    .map((parts) => ({
      options: {
        baseLr: 2,
        schedulers: parts.map(({ options }) => ({
          schedule:
            "stepSize" in options ? "step" : "gamma" in options || "decayRate" in options ? "exponential" : "constant",
          options,
        })),
      },
      most: 2,
    })),
  sequential: members.chain((parts) =>
    fc.uniqueArray(count, { minLength: parts.length - 1, maxLength: parts.length - 1 }).map((milestones) => ({
      options: {
        schedulers: parts.map(({ description }) => description),
        milestones: milestones.sort((a, b) => a - b),
      },
      most: Math.max(...parts.map(({ most }) => most)),
    })),
  ),
  warmup: fc
    .tuple(
      anyLeaf,
      fc.record({ numWarmupSteps: count }),
      fc.record({ startFactor: part, warmupType }, { requiredKeys: [] }),
    )
    .map(([{ description, most }, a, b]) => ({ options: { schedule: description, ...a, ...b }, most })),
};

const everything: Readonly<Record<keyof typeof schedules, readonly fc.Arbitrary<Generated>[]>> = {
  ...leaf,
  chained: [composed.chained],
  sequential: [composed.sequential],
  warmup: [composed.warmup],
};

describe("every schedule", () => {
  const kinds = Object.entries(everything).flatMap(([name, list]) =>
    list.map((kind, i) => [list.length === 1 ? name : `${name} ${i}`, name, kind] as const),
  );

  it.each(kinds)("%s is a function of the step alone, between bounds, the same from its JSON", (_title, name, kind) => {
    fc.assert(
      fc.property(kind, fc.integer({ min: 0, max: 100 }), ({ options, most }, from) => {
        const schedule = scheduleFrom({ schedule: name, options });
        const values = firstOf(schedule, 120);
        expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...values)).toBeLessThanOrEqual(most * (1 + 1e-9));
        const copy = scheduleFrom(JSON.parse(JSON.stringify(schedule)));
        expect(copy.toJSON()).toEqual(schedule.toJSON());
        // Resumed at a step that neither has seen just before, and then backwards.
        const rest = values.slice(from);
        expect(rest.map((_, i) => copy(from + i))).toEqual(rest);
        expect(values.map((_, i) => schedule(119 - i)).reverse()).toEqual(values);
        const { momentum } = schedule;
        if (!momentum) return;
        const again = scheduleFrom(JSON.parse(JSON.stringify(momentum)));
        const momenta = firstOf(momentum, 120);
        expect(Math.min(...momenta)).toBeGreaterThanOrEqual(-1e-12);
        expect(Math.max(...momenta)).toBeLessThanOrEqual(1 + 1e-12);
        expect(firstOf(again, 120)).toEqual(momenta);
      }),
      { numRuns: 60 },
    );
  });
});
