/** One or more small cases of every differentiable operation, away from kinks, for checks by finite differences. */
import type { GoldenOpCase } from "./opCases.ts";
import type { GoldenInput } from "./schema.ts";

export interface DifferentiableCase {
  readonly op: string;
  readonly attributes: GoldenOpCase["attributes"];
  readonly inputs: readonly GoldenInput[];
  /** Names of the inputs to differentiate by. */
  readonly by: readonly string[];
}

/** Numbers that are spread out, distinct and the same every time: a golden-ratio sequence over (from, to). */
function spread(count: number, from: number, to: number, seed: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => from + (to - from) * (((i + 1) * 0.6180339887498949 + seed * 0.7548776662) % 1),
  );
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, n) => size * n, 1);

interface FloatInput {
  readonly shape: readonly number[];
  readonly from?: number;
  readonly to?: number;
}

/** Inputs by name: a shape is a float input over (-1.9, 2.1); `int` and `bool` ones give their values. */
type InputSpec =
  | readonly number[]
  | FloatInput
  | { readonly int: readonly number[]; readonly shape: readonly number[] }
  | { readonly bool: readonly number[]; readonly shape: readonly number[] };

function makeInput(name: string, spec: InputSpec, seed: number): GoldenInput {
  if ("int" in spec) return { name, shape: spec.shape, dtype: "int32", values: spec.int };
  if ("bool" in spec) return { name, shape: spec.shape, dtype: "bool", values: spec.bool };
  const { shape, from = -1.9, to = 2.1 } = "shape" in spec ? spec : { shape: spec };
  return { name, shape, dtype: "float64", values: spread(sizeOf(shape), from, to, seed) };
}

function differentiable(
  op: string,
  inputs: Readonly<Record<string, InputSpec>>,
  attributes: GoldenOpCase["attributes"] = {},
  constant: readonly string[] = [],
): DifferentiableCase {
  const list = Object.entries(inputs).map(([name, spec], i) => makeInput(name, spec, i + 1));
  const by = list.filter(({ name, dtype }) => dtype === "float64" && !constant.includes(name)).map(({ name }) => name);
  return { op, attributes, inputs: list, by };
}

const unary = (op: string, from = -1.9, to = 2.1, attributes: GoldenOpCase["attributes"] = {}): DifferentiableCase =>
  differentiable(op, { x: { shape: [7], from, to } }, attributes);

const reductions = { axis: [0, 2], keepDim: false };
const image = [2, 2, 5, 4];
const square = { stride: [2, 1], padding: [1, 0], dilation: [1, 2], groups: 2 };
const gates = (size: number) => ({
  x: [2, 3],
  h: [2, 2],
  ...(size === 4 ? { c: [2, 2] } : {}),
  weightIH: [2 * size, 3],
  weightHH: [2 * size, 2],
  biasIH: [2 * size],
  biasHH: [2 * size],
});
const losses = ["mean", "none", "sum"];

export const differentiableCases: readonly DifferentiableCase[] = [
  ...["add", "sub", "mul", "maximum", "minimum"].map((op) => differentiable(op, { a: [2, 3], b: [3] })),
  differentiable("div", { a: [2, 3], b: { shape: [2, 1], from: 0.5, to: 2 } }),
  differentiable("pow", { a: { shape: [2, 3], from: 0.4, to: 2 }, b: [3] }),
  ...[
    "neg",
    "abs",
    "sign",
    "exp",
    "expm1",
    "square",
    "sin",
    "cos",
    "tanh",
    "sigmoid",
    "erf",
    "relu",
    "silu",
    "mish",
  ].map((op) => unary(op)),
  ...["log", "sqrt", "rsqrt", "reciprocal"].map((op) => unary(op, 0.3, 3)),
  unary("log1p", -0.7, 3),
  unary("tan", -1.2, 1.2),
  unary("relu6", -3, 9.3),
  unary("hardSwish", -5, 5.3),
  ...["floor", "ceil", "round"].map((op) => unary(op)),
  unary("leakyRelu", -1.9, 2.1, { negativeSlope: 0.2 }),
  unary("elu", -1.9, 2.1, { alpha: 0.7 }),
  unary("gelu", -1.9, 2.1, { approximate: "none" }),
  unary("gelu", -1.9, 2.1, { approximate: "tanh" }),
  unary("softplus", -1.9, 2.1, { beta: 2, threshold: 3 }),
  unary("clamp", -1.9, 2.1, { min: -1, max: 1 }),
  differentiable("where", { condition: { bool: [1, 0, 1], shape: [3] }, a: [2, 3], b: [] }),

  ...["sum", "mean", "prod", "max", "min", "logSumExp"].map((op) => differentiable(op, { x: [2, 3, 2] }, reductions)),
  ...["variance", "std"].map((op) => differentiable(op, { x: [2, 3, 2] }, { ...reductions, correction: 1 })),
  ...[1, 2, 3, "Infinity"].map((p) => differentiable("norm", { x: [2, 3] }, { p, axis: 1, keepDim: true })),
  ...["softmax", "logSoftmax", "cumSum"].map((op) => differentiable(op, { x: [2, 4] }, { axis: 1 })),

  differentiable("matmul", { a: [2, 1, 2, 3], b: [2, 3, 2] }),
  differentiable("linear", { x: [2, 2, 3], weight: [2, 3], bias: [2] }),
  differentiable("einsum", { a: [2, 3, 2], b: [2, 2] }, { equation: "bij,jk->ik" }),
  differentiable(
    "conv1d",
    { x: [2, 2, 6], weight: [4, 1, 3], bias: [4] },
    { stride: 2, padding: 1, dilation: 1, groups: 2 },
  ),
  differentiable("conv2d", { x: image, weight: [4, 1, 3, 2], bias: [4] }, square),
  differentiable(
    "convTranspose2d",
    { x: [1, 2, 3, 2], weight: [2, 1, 3, 2], bias: [2] },
    { ...square, outputPadding: [1, 0] },
  ),
  differentiable(
    "maxPool2d",
    { x: image },
    { kernelSize: [3, 2], stride: [2, 1], padding: [1, 0], dilation: [1, 2], ceilMode: true },
  ),
  differentiable(
    "avgPool2d",
    { x: image },
    { kernelSize: [3, 2], stride: [2, 2], padding: [1, 0], ceilMode: true, countIncludePad: false },
  ),
  differentiable("adaptiveAvgPool2d", { x: image }, { outputSize: [3, 2] }),

  differentiable("layerNorm", { x: [3, 4], weight: [4], bias: [4] }, { normalizedShape: [4], eps: 1e-5 }),
  differentiable("rmsNorm", { x: [3, 4], weight: [4] }, { normalizedShape: [4], eps: 1e-6 }),
  differentiable("groupNorm", { x: [2, 4, 3], weight: [4], bias: [4] }, { numGroups: 2, eps: 1e-5 }),
  ...[true, false].map((training) =>
    differentiable(
      "batchNorm",
      { x: [3, 2, 2], runningMean: [2], runningVar: { shape: [2], from: 0.5, to: 2 }, weight: [2], bias: [2] },
      { training, momentum: 0.1, eps: 1e-5 },
      ["runningMean", "runningVar"],
    ),
  ),

  differentiable("embedding", { indices: { int: [2, 0, 2], shape: [3] }, weight: [4, 3] }),
  differentiable("gather", { x: [3, 4], index: { int: [2, 0, 1, 1, 2, 2], shape: [2, 3] } }, { axis: 0 }),
  differentiable("indexSelect", { x: [3, 4], index: { int: [3, 0, 3], shape: [3] } }, { axis: 1 }),
  differentiable(
    "scatterAdd",
    { x: [3, 4], index: { int: [2, 0, 1, 1, 2, 2], shape: [2, 3] }, source: [2, 3] },
    { axis: 0 },
  ),

  differentiable("reshape", { x: [2, 3] }, { shape: [3, 2] }),
  differentiable("permute", { x: [2, 3, 2] }, { axes: [2, 0, 1] }),
  differentiable("expand", { x: [2, 1] }, { shape: [3, 2, 4] }),
  differentiable("slice", { x: [3, 7] }, { axis: 1, start: 1, end: null, step: 3 }),
  differentiable("pad", { x: [2, 3] }, { padding: [1, 2, 0, 1], value: 2 }),
  differentiable("flip", { x: [2, 3] }, { axes: [0, 1] }),
  ...["concat", "stack"].map((op) => differentiable(op, { x0: [2, 3], x1: [2, 3] }, { axis: 1 })),
  differentiable("split", { x: [5, 2] }, { sizes: [2, 3], axis: 0 }),
  ...["tril", "triu"].map((op) => differentiable(op, { x: [3, 4] }, { diagonal: 1 })),
  differentiable("sort", { x: [3, 4] }, { axis: 1, descending: true, stable: true }),
  differentiable("topK", { x: [3, 4] }, { k: 2, axis: 1, largest: false, sorted: true }),

  ...losses.map((reduction) =>
    differentiable(
      "crossEntropy",
      { input: [3, 4], target: { int: [1, -100, 3], shape: [3] }, weight: { shape: [4], from: 0.2, to: 1 } },
      { reduction, ignoreIndex: -100, labelSmoothing: 0.1 },
      ["weight"],
    ),
  ),
  differentiable(
    "nllLoss",
    { input: [3, 4], target: { int: [1, 0, 3], shape: [3] } },
    { reduction: "mean", ignoreIndex: 0 },
  ),
  ...losses.flatMap((reduction) => [
    differentiable("mseLoss", { input: [2, 3], target: [2, 3] }, { reduction }),
    differentiable("l1Loss", { input: [2, 3], target: [2, 3] }, { reduction }),
    differentiable("smoothL1Loss", { input: [2, 3], target: [2, 3] }, { reduction, beta: 0.8 }),
    differentiable("huberLoss", { input: [2, 3], target: [2, 3] }, { reduction, delta: 0.8 }),
    differentiable(
      "bceWithLogits",
      { input: [2, 3], target: { shape: [2, 3], from: 0, to: 1 }, posWeight: { shape: [3], from: 0.5, to: 2 } },
      { reduction },
      ["posWeight"],
    ),
  ]),
  ...[false, true].map((logTarget) =>
    differentiable(
      "klDiv",
      { input: { shape: [2, 3], from: -3, to: -0.1 }, target: { shape: [2, 3], from: 0.1, to: 0.9 } },
      { reduction: "batchmean", logTarget },
    ),
  ),
  differentiable("cosineSimilarity", { a: [2, 3], b: [2, 3] }, { axis: 1, eps: 1e-8 }),

  differentiable(
    "scaledDotProductAttention",
    { query: [2, 3, 2], key: [2, 3, 2], value: [2, 3, 2] },
    { causal: true, scale: null },
  ),
  differentiable(
    "scaledDotProductAttention",
    { query: [2, 2], key: [3, 2], value: [3, 4], mask: [2, 3] },
    { causal: false, scale: 0.3 },
    ["mask"],
  ),
  differentiable("lstmCell", gates(4)),
  differentiable("gruCell", gates(3)),
];

/** Golden operations whose outputs are integers or booleans. */
export const notDifferentiable: ReadonlySet<string> = new Set([
  "equal",
  "less",
  "greater",
  "logicalAnd",
  "isNaN",
  "argMax",
  "argMin",
  "oneHot",
]);
