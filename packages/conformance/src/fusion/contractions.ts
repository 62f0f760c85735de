/** Matrix products and convolutions: their epilogues, and operands that are read where they lie. */
import {
  add,
  conv1d,
  conv2d,
  convTranspose2d,
  gelu,
  linear,
  matmul,
  relu,
  scaledDotProductAttention,
  type Tensor,
  transpose,
} from "@thalweg/core";
import { type FusionGraph, gradients, graph, type Input } from "./graph.ts";

const [rows, width, wide] = [64, 32, 16] as const;
const x = [rows, width] as const;
const image = [2, 4, 8, 8] as const;
const layer: readonly Input[] = [x, [wide, width], [wide]];
const convolution: readonly Input[] = [image, [6, 4, 3, 3], [6]];
const attention: readonly Input[] = [
  [2, 2, 8, 6],
  [2, 2, 8, 6],
  [2, 2, 8, 6],
];

const dense = (a: Tensor, w: Tensor, b: Tensor): Tensor => relu(linear(a, w, b));
const filtered = (a: Tensor, w: Tensor, b: Tensor): Tensor => relu(conv2d(a, w, b, { padding: 1 }));
const product = (a: Tensor, b: Tensor): Tensor => matmul(a, b);
const attend = (q: Tensor, k: Tensor, v: Tensor): Tensor => scaledDotProductAttention(q, k, v, { causal: true });

export const contractionGraphs: readonly FusionGraph[] = [
  graph("matmul", [x, [width, wide]], product),
  graph("matmul of a transposed operand", [x, x], (a, b) => matmul(transpose(a), b)),
  gradients("matmul", [0, 1], [x, [width, wide]], product),
  gradients(
    "matmul of batches",
    [0, 1],
    [
      [4, 8, 6],
      [4, 6, 5],
    ],
    product,
  ),
  graph("linear and relu", layer, dense),
  gradients("linear and relu", [0, 1, 2], layer, dense),
  graph("linear, gelu and a residual", [...layer, [rows, wide]], (a, w, b, r) => add(gelu(linear(a, w, b)), r)),
  graph("conv2d and relu", convolution, filtered),
  gradients("conv2d and relu", [0, 1, 2], convolution, filtered),
  graph("conv2d in groups and relu", [image, [6, 2, 3, 3], [6]], (a, w, b) =>
    relu(conv2d(a, w, b, { groups: 2, stride: 2 })),
  ),
  graph("conv1d and relu", [[2, 3, 10], [5, 3, 3], [5]], (a, w, b) => relu(conv1d(a, w, b))),
  graph("convTranspose2d and relu", [image, [4, 3, 3, 3], [3]], (a, w, b) =>
    relu(convTranspose2d(a, w, b, { stride: 2 })),
  ),
  graph("attention", attention, attend),
  gradients("attention", [0, 1, 2], attention, attend),
];
