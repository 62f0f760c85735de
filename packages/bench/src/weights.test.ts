import { expect, it } from "vitest";
import { numbers } from "./values.ts";
import { cnnWeights, gptWeights, mlpWeights, type ParameterStart, startOf } from "./weights.ts";

const size = ({ shape }: ParameterStart): number => shape.reduce((product, n) => product * n, 1);
const total = (starts: readonly ParameterStart[]): number => starts.reduce((sum, start) => sum + size(start), 0);

it("has weight and bias of each dense layer, each with a seed of its own", () => {
  const starts = mlpWeights({ widths: [784, 256, 128, 10] });
  expect(starts.map(({ name, shape, seed }) => [name, shape, seed])).toEqual([
    ["layers.0.weight", [256, 784], 11],
    ["layers.0.bias", [256], 12],
    ["layers.1.weight", [128, 256], 21],
    ["layers.1.bias", [128], 22],
    ["layers.2.weight", [10, 128], 31],
    ["layers.2.bias", [10], 32],
  ]);
  expect(starts.map(({ scale }) => scale)).toEqual([
    1 / 28,
    1 / 28,
    1 / 16,
    1 / 16,
    1 / Math.sqrt(128),
    1 / Math.sqrt(128),
  ]);
});

it("scales a convolution by the values under its window", () => {
  const starts = cnnWeights();
  expect(starts.map(({ shape }) => shape)).toEqual([
    [32, 1, 5, 5],
    [32],
    [64, 32, 5, 5],
    [64],
    [256, 3136],
    [256],
    [10, 256],
    [10],
  ]);
  expect(starts[2]?.scale).toBeCloseTo(1 / Math.sqrt(800), 15);
  expect(new Set(starts.map(({ seed }) => seed)).size).toBe(8);
});

it("lists a GPT's parameters in their order, seeds counting up", () => {
  const starts = gptWeights({ vocabulary: 65, width: 128, layers: 4, context: 64 });
  expect(starts.map(({ seed }) => seed)).toEqual(starts.map((_, i) => 101 + i));
  expect(starts.length).toBe(2 + 4 * 12 + 3);
  expect(starts.slice(0, 4).map(({ name }) => name)).toEqual([
    "tokens.weight",
    "positions.weight",
    "blocks.0.norm1.weight",
    "blocks.0.norm1.bias",
  ]);
  expect(starts.at(-1)).toMatchObject({ name: "head.weight", shape: [65, 128] });
  // 12 width² + 13 width per layer, as of every GPT of this form.
  expect(total(starts)).toBe(65 * 128 + 64 * 128 + 4 * (12 * 128 ** 2 + 13 * 128) + 2 * 128 + 65 * 128);
});

it("has no head of its own where it is tied to the embedding", () => {
  const sizes = { vocabulary: 65, width: 128, layers: 4, context: 64 };
  const starts = gptWeights({ ...sizes, tied: true });
  expect(starts).toEqual(gptWeights(sizes).slice(0, -1));
  expect(starts.at(-1)?.name).toBe("norm.bias");
});

it("fills layerNorm's weights around 1", () => {
  const start: ParameterStart = { name: "norm.weight", shape: [2, 3], seed: 5, scale: 0.1, offset: 1 };
  expect([...startOf(start)]).toEqual([...numbers(6, 5, 0.1, 1)]);
  const offsets = gptWeights({ vocabulary: 5, width: 4, layers: 1, context: 3 }).filter(({ offset }) => offset === 1);
  expect(offsets.map(({ name }) => name)).toEqual(["blocks.0.norm1.weight", "blocks.0.norm2.weight", "norm.weight"]);
});
