/** The random layer: the same numbers on every backend, streams that advance as they should, plausible distributions. */
import {
  bernoulli,
  compile,
  Generator,
  manualSeed,
  mul,
  ones,
  permutation,
  rand,
  randint,
  randn,
  sum,
  type Tensor,
} from "@thalweg/core";
import { evaluateNodes, philoxWord } from "@thalweg/core/backend";
import { dropout } from "@thalweg/nn";
import type { Case, CaseContext } from "../case.ts";
import { largestOf, mismatch } from "../golden/compare.ts";
import type { FloatDType } from "../golden/schema.ts";
import { needDTypes } from "../needs.ts";
import { normalTolerance } from "../tolerances.ts";
import { exactDraws, normalDraws } from "./exact.ts";
import { kolmogorovSmirnov, meanOf, normalDistribution, uniformDistribution, varianceOf } from "./statistics.ts";

const named = (name: string, run: (context: CaseContext) => Promise<void>): Case => ({ layer: "random", name, run });

const differs = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return i;
  return -1;
};

function expectEqual(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const at = differs(actual, expected);
  if (at >= 0) throw new Error(`${what}, element ${at}: got ${actual[at]}, expected ${expected[at]}`);
}

function expectDifferent(what: string, a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (differs(a, b) < 0) throw new Error(`${what}: the same numbers twice, from ${a[0]} on`);
}

function expectBetween(what: string, x: number, low: number, high: number): void {
  if (!(x >= low && x <= high)) throw new Error(`${what}: got ${x}, expected it in [${low}, ${high}]`);
}

const exactCases = exactDraws.map(({ name, dtype, draw, expected }) =>
  named(`exact: ${name}`, async ({ backend }) => {
    needDTypes(backend, dtype);
    const drawn = draw();
    if (drawn.dtype !== dtype) throw new Error(`got dtype ${drawn.dtype}, expected ${dtype}`);
    expectEqual(name, await drawn.data(), expected);
  }),
);

/** Below and above a block of four words, a vector, a chunk of a thread. */
const counts = [0, 1, 3, 4, 5, 63, 1037, 70001];

const countCases = counts.flatMap((count): Case[] => [
  named(`every word of ${count}`, async ({ backend }) => {
    needDTypes(backend, "uint32");
    const expected = Uint32Array.from({ length: count }, (_, i) => philoxWord(i, 3, 1, 17, 2));
    const words = new Generator(3 + 2 ** 32, 17 + 2 * 2 ** 32).words(count);
    expectEqual("word", await words.data(), expected);
  }),
  named(`every uniform number of ${count}`, async () => {
    const expected = Float32Array.from({ length: count }, (_, i) => (philoxWord(i, 5, 0, 6, 0) >>> 8) / 2 ** 24);
    expectEqual("rand", await rand([count], { generator: new Generator(5, 6) }).data(), expected);
  }),
]);

const normalCases = (["float64", "float32"] as const).flatMap((floats): Case[] => {
  const compare = (actual: ArrayLike<number>, expected: ArrayLike<number>): void => {
    const message = mismatch({
      what: "randn",
      actual,
      expected,
      dtype: floats,
      tolerance: normalTolerance.output,
      length: 1,
      terms: largestOf(expected),
    });
    if (message) throw new Error(message);
  };
  return [
    named(`normal numbers (${floats})`, async ({ backend }) => {
      needDTypes(backend, floats);
      const { draw, expected } = normalDraws[floats];
      compare(await draw().data(), expected);
    }),
    named(`20000 normal numbers (${floats})`, async ({ backend }) => {
      needDTypes(backend, floats);
      const draw = (): Tensor => randn([200, 100], { dtype: floats, generator: new Generator(19, 4) });
      const [expected] = evaluateNodes([draw().node]);
      compare(await draw().data(), expected?.values as Float64Array);
    }),
  ];
});

/** Draws of every kind, as a user takes them. */
const draws: Readonly<Record<string, (generator: Generator) => Tensor>> = {
  rand: (generator) => rand([33], { generator }),
  randn: (generator) => randn([33], { generator }),
  randint: (generator) => randint(0, 1_000_000, [33], { generator }),
  bernoulli: (generator) => bernoulli(0.5, { shape: [64], generator }),
  permutation: (generator) => permutation(33, { generator }),
};

const streamCases = Object.entries(draws).flatMap(([name, draw]): Case[] => [
  named(`${name}: one seed, one sequence; consecutive draws differ`, async () => {
    const generator = new Generator(5);
    const [first, second] = [await draw(generator).data(), await draw(generator).data()];
    expectDifferent("consecutive draws", first, second);
    generator.manualSeed(5);
    expectEqual("first draw again", await draw(generator).data(), first);
    expectEqual("second draw again", await draw(generator).data(), second);
    expectDifferent("another seed", await draw(new Generator(6)).data(), first);
    expectDifferent("another seed in the high word", await draw(new Generator(5 + 2 ** 32)).data(), first);
    expectDifferent("another stream in the high word", await draw(new Generator(5, 2 ** 32)).data(), first);
    expectEqual("from a position", await draw(new Generator(5, 1)).data(), second);
  }),
  named(`${name}: replays of a compiled function draw what fresh graphs draw`, async () => {
    const [replayed, fresh] = [new Generator(8), new Generator(8)];
    const step = compile(() => [draw(replayed), draw(replayed)]);
    for (let run = 0; run < 3; run++) {
      const results = step();
      for (const [i, result] of results.entries()) {
        expectEqual(`run ${run}, draw ${i}`, await result.data(), await draw(fresh).data());
      }
    }
    if (step.traces !== 1) throw new Error(`traced ${step.traces} times`);
    if (replayed.position !== fresh.position)
      throw new Error(`the position is ${replayed.position}, expected ${fresh.position}`);
  }),
]);

const behaviourCases: readonly Case[] = [
  named("manualSeed sets the default generator", async () => {
    manualSeed(3);
    const first = await rand([9]).data();
    await rand([9]).data();
    manualSeed(3);
    expectEqual("after seeding again", await rand([9]).data(), first);
    expectEqual("the default generator's", await rand([9], { generator: new Generator(3) }).data(), first);
  }),
  named("generators are independent", async () => {
    const [a, b] = [new Generator(1), new Generator(2)];
    const alone = [await rand([7], { generator: a }).data(), await rand([7], { generator: a }).data()];
    a.manualSeed(1);
    const first = await rand([7], { generator: a }).data();
    await randn([7], { generator: b }).data();
    await rand([7]).data();
    expectEqual("first", first, alone[0] as ArrayLike<number>);
    expectEqual("after draws of others", await rand([7], { generator: a }).data(), alone[1] as ArrayLike<number>);
  }),
  named("a generator continues from a saved state", async () => {
    const generator = new Generator(4);
    await rand([5], { generator }).data();
    const state = generator.state();
    const next = await randn([5], { generator }).data();
    const other = new Generator();
    other.restore(state);
    expectEqual("restored", await randn([5], { generator: other }).data(), next);
  }),
  named("several draws of one graph have a stream each", async () => {
    const generator = new Generator(12);
    const draw = compile(() => {
      const [a, b] = [rand([40], { generator }), rand([40], { generator })];
      return [a, b, a.sub(b)];
    });
    const [a, b, difference] = await Promise.all(draw().map((x) => x.data() as Promise<Float32Array>));
    if (!a || !b || !difference) throw new Error("expected three results");
    const fresh = new Generator(12);
    expectEqual("first", a, await rand([40], { generator: fresh }).data());
    expectEqual("second", b, await rand([40], { generator: fresh }).data());
    expectEqual(
      "difference",
      difference,
      Float32Array.from({ length: 40 }, (_, i) => (a[i] as number) - (b[i] as number)),
    );
  }),
  named("one draw that is read twice is drawn once", async () => {
    const x = rand([50], { generator: new Generator(21) });
    const [zero, total, again] = [x.sub(x), sum(x), x];
    expectEqual("difference", await zero.data(), new Float32Array(50));
    const values = await again.data();
    expectBetween("sum", (await total.data())[0] as number, meanOf(values) * 50 - 1e-4, meanOf(values) * 50 + 1e-4);
  }),
  named("manualSeed in a compiled function starts every run over", async () => {
    const generator = new Generator(1);
    const draw = compile(() => {
      generator.manualSeed(30);
      return rand([6], { generator });
    });
    const expected = await rand([6], { generator: new Generator(30) }).data();
    for (let run = 0; run < 3; run++) expectEqual(`run ${run}`, await draw().data(), expected);
  }),
  named("dropout: new masks at every replay, as fresh graphs have", async () => {
    const layer = dropout(0.5);
    const x = ones([8, 16]);
    const step = compile((input: Tensor) => layer(input));
    manualSeed(77);
    const fresh = [await layer(x).data(), await layer(x).data()];
    expectDifferent("masks", fresh[0] as ArrayLike<number>, fresh[1] as ArrayLike<number>);
    manualSeed(77);
    for (const [run, expected] of fresh.entries()) expectEqual(`run ${run}`, await step(x).data(), expected);
  }),
  named("numbers fill a shape row by row", async () => {
    const shaped = rand([3, 5, 7], { generator: new Generator(9) });
    const flat = await rand([105], { generator: new Generator(9) }).data();
    expectEqual("rand", await shaped.data(), flat);
    const turned = await shaped.permute([2, 0, 1]).data();
    const expected = Float32Array.from(turned, (_, i) => flat[(i % 15) * 7 + Math.floor(i / 15)] as number);
    expectEqual("permuted", turned, expected);
  }),
  named("bernoulli with probability 0 and 1 is certain", async () => {
    expectEqual("p = 0", await bernoulli(0, { shape: [500] }).data(), new Float32Array(500));
    expectEqual("p = 1", await bernoulli(1, { shape: [500] }).data(), new Float32Array(500).fill(1));
  }),
];

/** Draws of the statistics, and how many standard errors a mean or variance may be off. */
const sampleSize = 100_000;
const standardErrors = 4;

function expectMoments(values: ArrayLike<number>, mean: number, variance: number, fourthMoment: number): void {
  const meanError = standardErrors * Math.sqrt(variance / values.length);
  const varianceError = standardErrors * Math.sqrt((fourthMoment - variance ** 2) / values.length);
  expectBetween("mean", meanOf(values), mean - meanError, mean + meanError);
  expectBetween("variance", varianceOf(values), variance - varianceError, variance + varianceError);
}

const samples = (draw: (shape: number[], options: { generator: Generator; dtype: FloatDType }) => Tensor) =>
  draw([sampleSize], { generator: new Generator(2026), dtype: "float32" }).data();

const statisticsCases: readonly Case[] = [
  named("statistics of uniform numbers", async () => {
    const values = await samples(rand);
    expectMoments(values, 1 / 2, 1 / 12, 1 / 80);
    expectBetween("Kolmogorov-Smirnov", kolmogorovSmirnov(values, uniformDistribution), 0, 1.95);
    for (let i = 0; i < values.length; i++) expectBetween(`element ${i}`, values[i] as number, 0, 1 - 2 ** -24);
  }),
  named("statistics of normal numbers", async () => {
    const values = await samples(randn);
    expectMoments(values, 0, 1, 3);
    expectBetween("Kolmogorov-Smirnov", kolmogorovSmirnov(values, normalDistribution), 0, 1.95);
  }),
  named("statistics of bernoulli and randint", async () => {
    const generator = new Generator(2027);
    const chosen = await bernoulli(0.2, { shape: [sampleSize], generator }).data();
    expectMoments(chosen, 0.2, 0.16, 0.16 * (0.2 ** 3 + 0.8 ** 3));
    const dice = await randint(1, 7, [sampleSize], { generator }).data();
    const counts = new Float64Array(8);
    for (let i = 0; i < dice.length; i++) counts[dice[i] as number] = (counts[dice[i] as number] ?? 0) + 1;
    const each = sampleSize / 6;
    const chiSquare = counts.slice(1, 7).reduce((total, count) => total + (count - each) ** 2 / each, 0);
    // 5 degrees of freedom: above 20.5 for one in a thousand.
    expectBetween("χ² of a die", chiSquare, 0, 20.5);
    if (counts[0] !== 0 || counts[7] !== 0) throw new Error("numbers outside the range");
  }),
  named("successive numbers are not correlated", async () => {
    const values = await samples(rand);
    const products = Float64Array.from(
      { length: values.length - 1 },
      (_, i) => 12 * ((values[i] as number) - 0.5) * ((values[i + 1] as number) - 0.5),
    );
    const allowed = standardErrors / Math.sqrt(products.length);
    expectBetween("correlation", meanOf(products), -allowed, allowed);
  }),
  named("random numbers fuse with what uses them", async () => {
    const generator = () => ({ generator: new Generator(31) });
    const fused = mul(rand([40, 50], generator()), ones([50]).mul(4)).sum({ axis: 1 });
    const values = await rand([40, 50], generator()).data();
    const expected = Float64Array.from({ length: 40 }, (_, i) => 200 * meanOf(values.slice(50 * i, 50 * (i + 1))));
    const actual = await fused.data();
    for (const [i, e] of expected.entries()) expectBetween(`sum ${i}`, actual[i] as number, e - 1e-4, e + 1e-4);
  }),
];

/** Every case of the layer. */
export const randomCases: readonly Case[] = [
  ...exactCases,
  ...countCases,
  ...normalCases,
  ...streamCases,
  ...behaviourCases,
  ...statisticsCases,
];
