/** Normalization, losses, attention and cells: many operations that compilers fuse. */
import type { Tensor } from "@thalweg/core";
import * as t from "@thalweg/core";
import { floats, type Input, integers, integersOf } from "./inputs.ts";
import { type Operation, type Outputs, type Variant, variant } from "./operation.ts";

const row = (op: string, ...variants: readonly Variant[]): Operation => ({ op, variants, signedZeros: false });
const weights = (shape: readonly number[], seed = 1): Input => floats(shape, { from: 0.5, to: 1.5, seed });

const batchNorm =
  (training: boolean) =>
  (x: Tensor, runningMean: Tensor, runningVar: Tensor, weight?: Tensor, bias?: Tensor): Outputs => {
    const updated = t.batchNorm(x, { runningMean, runningVar, weight, bias, training });
    return training ? [updated.output, updated.runningMean as Tensor, updated.runningVar as Tensor] : updated.output;
  };

const normalizations: readonly Operation[] = [
  row(
    "layerNorm",
    variant(
      "rows of 65",
      (x, weight, bias) => t.layerNorm(x, { normalizedShape: 65, weight, bias }),
      floats([19, 65]),
      weights([65]),
      floats([65], { seed: 2 }),
    ),
    variant(
      "two axes of a permuted one",
      (x) => t.layerNorm(x, { normalizedShape: [4, 5] }),
      floats([3, 4, 5], { layout: "permuted" }),
    ),
    variant(
      "of what was computed",
      (x, y) => t.mul(t.layerNorm(t.add(x, y), { normalizedShape: 9 }), x),
      floats([7, 9]),
      floats([9], { seed: 3 }),
    ),
  ),
  row(
    "rmsNorm",
    variant(
      "rows of 65",
      (x, weight) => t.rmsNorm(x, { normalizedShape: 65, weight }),
      floats([19, 65]),
      weights([65]),
    ),
    variant(
      "two axes of a slice",
      (x) => t.rmsNorm(x, { normalizedShape: [4, 5] }),
      floats([3, 4, 5], { layout: "sliced" }),
    ),
  ),
  row(
    "groupNorm",
    variant(
      "2 groups of 3",
      (x, weight, bias) => t.groupNorm(x, { numGroups: 2, weight, bias }),
      floats([3, 6, 5, 4]),
      weights([6]),
      floats([6], { seed: 2 }),
    ),
    variant(
      "every channel, permuted",
      (x) => t.groupNorm(x, { numGroups: 4 }),
      floats([2, 4, 9], { layout: "permuted" }),
    ),
  ),
  row(
    "batchNorm",
    variant(
      "training",
      batchNorm(true),
      floats([9, 5, 4, 3]),
      floats([5], { seed: 1 }),
      weights([5]),
      weights([5], 2),
      floats([5], { seed: 3 }),
    ),
    variant(
      "training, permuted",
      batchNorm(true),
      floats([17, 3], { layout: "permuted" }),
      floats([3], { seed: 1 }),
      weights([3]),
    ),
    variant(
      "evaluation",
      batchNorm(false),
      floats([9, 5, 7]),
      floats([5], { seed: 1 }),
      weights([5]),
      weights([5], 2),
      floats([5], { seed: 3 }),
    ),
  ),
];

const reductions = ["mean", "sum", "none"] as const;
/** A loss with every reduction. */
const all = (loss: (reduction: (typeof reductions)[number]) => Tensor): Outputs => reductions.map(loss);

type Loss = (input: Tensor, target: Tensor, options: { reduction: (typeof reductions)[number] }) => Tensor;
const regression = (op: string, loss: Loss): Operation =>
  row(
    op,
    variant(
      "33 by 9",
      (input, target) => all((reduction) => loss(input, target, { reduction })),
      floats([33, 9]),
      floats([33, 9], { seed: 1 }),
    ),
    variant(
      "views",
      (input, target) => all((reduction) => loss(input, target, { reduction })),
      floats([5, 7], { layout: "permuted" }),
      floats([5, 7], { seed: 1, layout: "sliced" }),
    ),
    variant(
      "exact predictions",
      (input) => all((reduction) => loss(input, t.stopGradient(input), { reduction })),
      floats([5]),
    ),
  );

const losses: readonly Operation[] = [
  regression("mseLoss", t.mseLoss),
  regression("l1Loss", t.l1Loss),
  regression("smoothL1Loss", (input, target, options) => t.smoothL1Loss(input, target, { ...options, beta: 0.5 })),
  regression("huberLoss", (input, target, options) => t.huberLoss(input, target, { ...options, delta: 0.75 })),
  row(
    "crossEntropy",
    variant(
      "33 of 19 classes",
      (input, target) => all((reduction) => t.crossEntropy(input, target, { reduction })),
      floats([33, 19]),
      integers([33], 0, 19),
    ),
    variant(
      "ignored, weighted, smoothed",
      (input, target, weight) =>
        all((reduction) => t.crossEntropy(input, target, { reduction, weight, labelSmoothing: 0.1 })),
      floats([6, 5], { layout: "permuted" }),
      integersOf([4, -100, 0, 2, -100, 1]),
      weights([5]),
    ),
    variant(
      "images",
      (input, target) => t.crossEntropy(input, target),
      floats([2, 4, 3, 5]),
      integers([2, 3, 5], 0, 4),
    ),
    variant(
      "probabilities",
      (input, target) => t.crossEntropy(input, t.softmax(target)),
      floats([7, 5]),
      floats([7, 5], { seed: 1 }),
    ),
  ),
  row(
    "nllLoss",
    variant(
      "33 of 19 classes",
      (input, target) => all((reduction) => t.nllLoss(input, target, { reduction })),
      floats([33, 19], { from: -4, to: -0.1 }),
      integers([33], 0, 19),
    ),
    variant(
      "ignored and weighted",
      (input, target, weight) => t.nllLoss(input, target, { weight, ignoreIndex: 1 }),
      floats([6, 5]),
      integers([6], 0, 5),
      weights([5]),
    ),
  ),
  row(
    "bceWithLogits",
    variant(
      "33 by 9",
      (input, target) => all((reduction) => t.bceWithLogits(input, target, { reduction })),
      floats([33, 9], { from: -6, to: 6 }),
      floats([33, 9], { from: 0, to: 1, seed: 1 }),
    ),
    variant(
      "weighted",
      (input, target, weight, posWeight) => t.bceWithLogits(input, target, { weight, posWeight }),
      floats([5, 7], { layout: "sliced" }),
      floats([5, 7], { from: 0, to: 1, seed: 1 }),
      weights([5, 1]),
      weights([7], 2),
    ),
  ),
  row(
    "klDiv",
    variant(
      "probabilities",
      (input, target) =>
        [...reductions, "batchmean" as const].map((reduction) => t.klDiv(input, target, { reduction })),
      floats([9, 7], { from: -4, to: -0.1 }),
      floats([9, 7], { from: 0, to: 1, seed: 1 }),
    ),
    variant(
      "logarithms, permuted",
      (input, target) => t.klDiv(input, target, { logTarget: true }),
      floats([5, 7], { from: -4, to: -0.1, layout: "permuted" }),
      floats([5, 7], { from: -4, to: -0.1, seed: 1 }),
    ),
  ),
  row(
    "cosineSimilarity",
    variant("rows of 65", (a, b) => t.cosineSimilarity(a, b), floats([9, 65]), floats([9, 65], { seed: 1 })),
    variant(
      "columns that broadcast",
      (a, b) => t.cosineSimilarity(a, b, { axis: 0 }),
      floats([7, 5], { layout: "permuted" }),
      floats([7, 1], { seed: 1 }),
    ),
  ),
];

const cell = (gates: number): readonly Input[] => [
  floats([3, 5]),
  floats([3, 4], { seed: 1 }),
  ...(gates === 4 ? [floats([3, 4], { seed: 2 })] : []),
  floats([4 * gates, 5], { seed: 3 }),
  floats([4 * gates, 4], { seed: 4 }),
  floats([4 * gates], { seed: 5 }),
  floats([4 * gates], { seed: 6 }),
];

const networks: readonly Operation[] = [
  row(
    "scaledDotProductAttention",
    variant(
      "causal heads",
      (q, k, v) => t.scaledDotProductAttention(q, k, v, { causal: true }),
      floats([2, 3, 9, 4]),
      floats([2, 3, 9, 4], { seed: 1 }),
      floats([2, 3, 9, 5], { seed: 2 }),
    ),
    variant(
      "a mask, permuted",
      (q, k, v, mask) => t.scaledDotProductAttention(q, k, v, { mask, scale: 0.3 }),
      floats([4, 5, 3], { layout: "permuted" }),
      floats([4, 7, 3], { seed: 1 }),
      floats([4, 7, 2], { seed: 2 }),
      floats([5, 7], { seed: 3 }),
    ),
  ),
  row(
    "lstmCell",
    variant(
      "3 of 5 to 4",
      (x, h, c, weightIH, weightHH, biasIH, biasHH) =>
        t.lstmCell(x as Tensor, [h as Tensor, c as Tensor], {
          weightIH: weightIH as Tensor,
          weightHH: weightHH as Tensor,
          biasIH,
          biasHH,
        }),
      ...cell(4),
    ),
  ),
  row(
    "gruCell",
    variant(
      "3 of 5 to 4",
      (x, h, weightIH, weightHH, biasIH, biasHH) =>
        t.gruCell(x as Tensor, h as Tensor, {
          weightIH: weightIH as Tensor,
          weightHH: weightHH as Tensor,
          biasIH,
          biasHH,
        }),
      ...cell(3),
    ),
  ),
];

/** Every operation that is made of many others. */
export const compositeOperations: readonly Operation[] = [...normalizations, ...losses, ...networks];
