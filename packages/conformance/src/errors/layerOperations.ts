/** Matrix products, convolutions, pooling, normalisation and losses with arguments that do not fit: what they throw. */
import {
  ArgumentError,
  avgPool2d,
  batchNorm,
  conv1d,
  conv2d,
  convTranspose2d,
  cosineSimilarity,
  crossEntropy,
  DTypeError,
  einsum,
  groupNorm,
  huberLoss,
  layerNorm,
  linear,
  lstmCell,
  matmul,
  maxPool2d,
  mseLoss,
  nllLoss,
  outer,
  ShapeError,
  scaledDotProductAttention,
  zeros,
} from "@thalweg/core";
import type { Case } from "../case.ts";
import { type BadCall, badCall } from "./expectError.ts";

const f = (...shape: number[]) => zeros(shape);
const i = (...shape: number[]) => zeros(shape, { dtype: "int32" });
const b = (...shape: number[]) => zeros(shape, { dtype: "bool" });

const products: readonly BadCall[] = [
  [
    "matmul of inner sizes that differ",
    ShapeError,
    "matmul: inner sizes differ: [2, 3] × [4, 5]",
    () => matmul(f(2, 3), f(4, 5)),
  ],
  [
    "matmul of batches that do not broadcast",
    ShapeError,
    "shapes do not broadcast",
    () => matmul(f(2, 3, 4), f(3, 4, 5)),
  ],
  [
    "matmul of a scalar",
    ShapeError,
    "matmul: expected vectors, matrices or batches, got [] × [2]",
    () => matmul(f(), f(2)),
  ],
  ["matmul of bool", DTypeError, "matmul: takes numbers, got bool", () => matmul(b(2, 2), b(2, 2))],
  [
    "linear of another width",
    ShapeError,
    "linear: input [2, 3] does not end in the weight's 5 inputs",
    () => linear(f(2, 3), f(4, 5)),
  ],
  [
    "linear with a bias of another width",
    ShapeError,
    "linear: expected a bias [4], got [5]",
    () => linear(f(2, 3), f(4, 3), f(5)),
  ],
  ["outer of matrices", ShapeError, "outer: expected two vectors, got [2, 2] and [2]", () => outer(f(2, 2), f(2))],
  [
    "einsum of sizes that differ",
    ShapeError,
    'einsum: "ij,jk->ik": "j" has sizes 3 and 4',
    () => einsum("ij,jk->ik", f(2, 3), f(4, 5)),
  ],
  [
    "einsum of too few axes",
    ShapeError,
    'einsum: "ijk->i": "ijk" does not name the axes of operand 0, [2, 3]',
    () => einsum("ijk->i", f(2, 3)),
  ],
  ["einsum to a letter that is not there", ArgumentError, 'einsum: "ij->k"', () => einsum("ij->k", f(2, 3))],
  [
    "conv2d of another number of channels",
    ShapeError,
    "conv2d: weight [4, 2, 3, 3] does not fit 3 input channels in 1 group",
    () => conv2d(f(1, 3, 5, 5), f(4, 2, 3, 3)),
  ],
  [
    "conv2d in groups that do not divide",
    ShapeError,
    "conv2d: weight [4, 1, 3, 3] does not fit 3 input channels in 2 groups",
    () => conv2d(f(1, 3, 5, 5), f(4, 1, 3, 3), null, { groups: 2 }),
  ],
  [
    "conv2d of a kernel that is too large",
    ShapeError,
    "conv2d: kernel [3, 3] (dilation 3, 3) is larger than the padded input of [1, 3, 5, 5]",
    () => conv2d(f(1, 3, 5, 5), f(4, 3, 3, 3), null, { dilation: 3 }),
  ],
  [
    "conv2d with stride 0",
    ArgumentError,
    "conv2d: expected stride of one or two whole numbers ≥ 1, got 0",
    () => conv2d(f(1, 3, 5, 5), f(4, 3, 3, 3), null, { stride: 0 }),
  ],
  ["conv2d of integers", DTypeError, "conv2d: takes floats, got int32", () => conv2d(i(1, 3, 5, 5), i(4, 3, 3, 3))],
  [
    "conv2d with a bias of another size",
    ShapeError,
    "conv2d: expected a bias [4], got [3]",
    () => conv2d(f(1, 3, 5, 5), f(4, 3, 3, 3), f(3)),
  ],
  [
    "conv1d of an image",
    ShapeError,
    "conv1d: expected input and weight of rank 3",
    () => conv1d(f(1, 3, 5, 5), f(4, 3, 3)),
  ],
  [
    "convTranspose2d with too much output padding",
    ArgumentError,
    "convTranspose2d: outputPadding 2 must be less than stride 2 or dilation 1",
    () => convTranspose2d(f(1, 3, 5, 5), f(3, 4, 3, 3), null, { stride: 2, outputPadding: 2 }),
  ],
  [
    "attention of other widths",
    ShapeError,
    "expected query [..., l, e], key [..., s, e], value [..., s, v]; got [2, 3], [4, 5], [4, 3]",
    () => scaledDotProductAttention(f(2, 3), f(4, 5), f(4, 3)),
  ],
];

const layers: readonly BadCall[] = [
  [
    "maxPool2d of a window that is too large",
    ShapeError,
    "maxPool2d: kernel size 6 (dilation 1) is larger than the padded input of [1, 1, 4, 4]",
    () => maxPool2d(f(1, 1, 4, 4), { kernelSize: 6 }),
  ],
  [
    "maxPool2d with too much padding",
    ArgumentError,
    "maxPool2d: padding 2 is more than half of kernel size 3",
    () => maxPool2d(f(1, 1, 4, 4), { kernelSize: 3, padding: 2 }),
  ],
  [
    "avgPool2d divided by 0",
    ArgumentError,
    "avgPool2d: expected a divisorOverride other than 0",
    () => avgPool2d(f(1, 1, 4, 4), { kernelSize: 2, divisorOverride: 0 }),
  ],
  [
    "avgPool2d of a matrix",
    ShapeError,
    "avgPool2d: expected input [n, c, h, w] or [c, h, w], got [4, 4]",
    () => avgPool2d(f(4, 4), { kernelSize: 2 }),
  ],
  [
    "layerNorm over another shape",
    ShapeError,
    "layerNorm: expected an input ending in [4], got [2, 3]",
    () => layerNorm(f(2, 3), { normalizedShape: [4] }),
  ],
  [
    "layerNorm with a weight of another shape",
    ShapeError,
    "layerNorm: expected weight [3], got [2]",
    () => layerNorm(f(2, 3), { normalizedShape: [3], weight: f(2) }),
  ],
  [
    "groupNorm of groups that do not divide",
    ArgumentError,
    "groupNorm: numGroups 3 does not divide 4 channels",
    () => groupNorm(f(2, 4, 3), { numGroups: 3 }),
  ],
  [
    "batchNorm without statistics",
    ArgumentError,
    "batchNorm: expected runningMean and runningVar when not training",
    () => batchNorm(f(2, 3)),
  ],
  [
    "batchNorm of one value in training",
    ShapeError,
    "batchNorm: expected more than one value per channel when training",
    () => batchNorm(f(1, 3), { training: true }),
  ],
  [
    "lstmCell with a weight of another size",
    ShapeError,
    "lstmCell: expected weightHH [16, 4]",
    () => lstmCell(f(2, 3), [f(2, 4), f(2, 4)], { weightIH: f(16, 3), weightHH: f(12, 4) }),
  ],
  [
    "crossEntropy of targets of another shape",
    ShapeError,
    "crossEntropy: expected target [2] for input [2, 3], got [3]",
    () => crossEntropy(f(2, 3), i(3)),
  ],
  [
    "crossEntropy of probabilities of another shape",
    ShapeError,
    "crossEntropy: probabilities must have the input's shape [2, 3], got [2]",
    () => crossEntropy(f(2, 3), f(2)),
  ],
  [
    "crossEntropy with smoothing above 1",
    ArgumentError,
    "crossEntropy: expected labelSmoothing in [0, 1], got 2",
    () => crossEntropy(f(2, 3), i(2), { labelSmoothing: 2 }),
  ],
  [
    "nllLoss of float targets",
    DTypeError,
    "nllLoss: expected int32 targets, got float32",
    () => nllLoss(f(2, 3), f(2)),
  ],
  [
    "mseLoss of other shapes",
    ShapeError,
    "mseLoss: expected input and target of one shape, got [2] and [3]",
    () => mseLoss(f(2), f(3)),
  ],
  [
    "mseLoss with another reduction",
    ArgumentError,
    'mseLoss: expected reduction "mean", "sum" or "none", got max',
    () => mseLoss(f(2), f(2), { reduction: "max" as "sum" }),
  ],
  [
    "huberLoss with delta 0",
    ArgumentError,
    "huberLoss: expected delta > 0, got 0",
    () => huberLoss(f(2), f(2), { delta: 0 }),
  ],
  [
    "cosineSimilarity of shapes that do not broadcast",
    ShapeError,
    "shapes do not broadcast",
    () => cosineSimilarity(f(2, 3), f(2, 4)),
  ],
];

export const layerOperationErrors: readonly Case[] = [...products, ...layers].map(badCall);
