import { matmul, ones, tensor, transpose, useBackend, zeros } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type AnyModule,
  adaptiveAvgPool2d,
  avgPool2d,
  batchNorm,
  conv1d,
  conv2d,
  convTranspose2d,
  embedding,
  flatten,
  gelu,
  groupNorm,
  gruCell,
  layerNorm,
  linear,
  lstmCell,
  maxPool2d,
  multiHeadAttention,
  parameterCount,
  relu,
  rmsNorm,
  sequential,
  summary,
} from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const shapes = (model: AnyModule) =>
  Object.fromEntries(Object.entries(model.namedParameters()).map(([name, { shape }]) => [name, [...shape]]));

describe("parameters have PyTorch's names and shapes", () => {
  const cases: [string, AnyModule, Record<string, number[]>][] = [
    ["linear", linear(3, 5), { weight: [5, 3], bias: [5] }],
    ["linear without bias", linear(3, 5, { bias: false }), { weight: [5, 3] }],
    ["conv1d", conv1d(4, 6, 3, { groups: 2 }), { weight: [6, 2, 3], bias: [6] }],
    ["conv2d", conv2d(4, 6, [3, 5]), { weight: [6, 4, 3, 5], bias: [6] }],
    ["convTranspose2d", convTranspose2d(4, 6, 3, { groups: 2 }), { weight: [4, 3, 3, 3], bias: [6] }],
    ["embedding", embedding(10, 4), { weight: [10, 4] }],
    ["layerNorm", layerNorm([2, 3]), { weight: [2, 3], bias: [2, 3] }],
    ["layerNorm without affine", layerNorm(3, { affine: false }), {}],
    ["rmsNorm", rmsNorm(4), { weight: [4] }],
    ["groupNorm", groupNorm(2, 4), { weight: [4], bias: [4] }],
    ["batchNorm", batchNorm(4), { weight: [4], bias: [4] }],
    [
      "multiHeadAttention",
      multiHeadAttention(6, 2),
      { inProjWeight: [18, 6], inProjBias: [18], "outProj.weight": [6, 6], "outProj.bias": [6] },
    ],
    ["lstmCell", lstmCell(3, 5), { weightIH: [20, 3], weightHH: [20, 5], biasIH: [20], biasHH: [20] }],
    ["gruCell", gruCell(3, 5, { bias: false }), { weightIH: [15, 3], weightHH: [15, 5] }],
  ];
  it.each(cases)("%s", (_, model, expected) => expect(shapes(model)).toEqual(expected));
});

describe("forward", () => {
  it("gives PyTorch's shapes", () => {
    const image = zeros([2, 4, 8, 8]);
    expect(conv2d(4, 6, 3, { stride: 2, padding: 1 })(image).shape).toEqual([2, 6, 4, 4]);
    expect(convTranspose2d(4, 6, 2, { stride: 2 })(image).shape).toEqual([2, 6, 16, 16]);
    expect(conv1d(4, 6, 3)(zeros([2, 4, 8])).shape).toEqual([2, 6, 6]);
    expect(maxPool2d(2)(image).shape).toEqual([2, 4, 4, 4]);
    expect(maxPool2d(3, { stride: 1, padding: 1 })(image).shape).toEqual([2, 4, 8, 8]);
    expect(avgPool2d([2, 4])(image).shape).toEqual([2, 4, 4, 2]);
    expect(adaptiveAvgPool2d(1)(image).shape).toEqual([2, 4, 1, 1]);
    expect(flatten()(image).shape).toEqual([2, 256]);
    expect(
      embedding(
        10,
        3,
      )(
        tensor(
          [
            [1, 2],
            [3, 4],
          ],
          { dtype: "int32" },
        ),
      ).shape,
    ).toEqual([2, 2, 3]);
    expect(groupNorm(2, 4)(image).shape).toEqual([2, 4, 8, 8]);
    expect(gruCell(3, 5)(zeros([2, 3])).shape).toEqual([2, 5]);
    expect(lstmCell(3, 5)(zeros([2, 3])).map(({ shape }) => shape)).toEqual([
      [2, 5],
      [2, 5],
    ]);
  });

  it("linear is x weightᵀ + bias", () => {
    const layer = linear(3, 2);
    const x = tensor([[1, 2, 3]]);
    const product = matmul(x, transpose(layer.weight)).dataSync();
    const bias = layer.bias?.dataSync() ?? [];
    const y = layer(x).dataSync();
    for (const i of [0, 1]) expect(y[i]).toBeCloseTo((product[i] as number) + (bias[i] as number), 6);
  });

  it("normalisation starts as the plain one", () => {
    const y = layerNorm(4)(tensor([[1, 2, 3, 4]])).dataSync();
    for (const [i, value] of [-1.3416354, -0.4472118, 0.4472118, 1.3416354].entries())
      expect(y[i]).toBeCloseTo(value, 5);
    expect(rmsNorm(2, { eps: 0 })(tensor([3, 4])).dataSync()[1]).toBeCloseTo(4 / Math.sqrt(12.5), 6);
  });

  it("recurrent cells start from zeros and go on from a state", () => {
    const cell = lstmCell(2, 3);
    const x = ones([1, 2]);
    const [h, c] = cell(x);
    const again = cell(x, [zeros([1, 3]), zeros([1, 3])]);
    expect(h.arraySync()).toEqual(again[0].arraySync());
    expect(cell(x, [h, c])[0].arraySync()).not.toEqual(h.arraySync());
  });
});

describe("arguments are checked", () => {
  const cases: [() => unknown, string][] = [
    [() => linear(0, 1), "linear: inFeatures must be a whole number ≥ 1, got 0"],
    [() => conv2d(3, 4, 3, { groups: 2 }), "conv2d: inChannels 3 and outChannels 4 must both be divisible by groups 2"],
    [() => conv2d(3, 4, [3, 3, 3]), "conv2d: kernelSize must be one or two numbers, got [3,3,3]"],
    [() => conv2d(3, 4, 0), "conv2d: kernelSize must be a whole number ≥ 1, got 0"],
    [() => groupNorm(3, 4), "groupNorm: numChannels 4 is not divisible by numGroups 3"],
    [() => multiHeadAttention(6, 4), "multiHeadAttention: embedDim 6 is not divisible by numHeads 4"],
    [() => layerNorm([]), "layerNorm: normalizedShape must name at least one axis, got []"],
  ];
  it.each(cases)("%#", (make, message) => expect(make).toThrow(message));
});

describe("counts", () => {
  const model = sequential(flatten(), linear(784, 256), relu(), linear(256, 128), gelu(), linear(128, 10));

  it("are those of the network", () => {
    expect(parameterCount(model)).toBe(784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10);
    expect(parameterCount(batchNorm(3))).toBe(6);
  });

  it("stand in a table", () => {
    expect(summary(sequential(conv2d(1, 8, 5), batchNorm(8), relu(), linear(1000, 2)))).toBe(
      [
        "name           type       shape         parameters",
        "─".repeat(50),
        "0.weight       conv2d     [8, 1, 5, 5]         200",
        "0.bias         conv2d     [8]                    8",
        "1.weight       batchNorm  [8]                    8",
        "1.bias         batchNorm  [8]                    8",
        "1.runningMean  batchNorm  [8]                  (8)",
        "1.runningVar   batchNorm  [8]                  (8)",
        "3.weight       linear     [2, 1000]          2,000",
        "3.bias         linear     [2]                    2",
        "─".repeat(50),
        "2,226 parameters, 16 in buffers",
      ].join("\n"),
    );
  });
});
