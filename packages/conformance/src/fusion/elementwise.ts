/** Element-wise chains, views and reductions: one kernel, whatever is fused into it. */
import {
  add,
  argMax,
  argSort,
  avgPool2d,
  barrier,
  cast,
  concat,
  cumSum,
  embedding,
  exp,
  expand,
  flip,
  gelu,
  greater,
  indexSelect,
  logSumExp,
  matmul,
  max,
  maxPool2d,
  mean,
  mul,
  neg,
  oneHot,
  pad,
  permute,
  reshape,
  sigmoid,
  slice,
  split,
  square,
  stack,
  sub,
  sum,
  type Tensor,
  transpose,
  tril,
  variance,
  where,
} from "@thalweg/core";
import { type FusionGraph, gradients, graph, int32 } from "./graph.ts";

const [rows, width] = [64, 32] as const;
const x = [rows, width] as const;

const chains: readonly FusionGraph[] = [
  graph("chain of add, exp and mul, each a result", [x, x], (a, b) => {
    const total = add(a, b);
    const power = exp(total);
    return [total, power, mul(power, b)];
  }),
  graph("gelu of a sum", [x, x], (a, b) => gelu(add(a, b))),
  gradients("gelu of a sum", [0, 1], [x, x], (a, b) => gelu(add(a, b))),
  graph("sigmoid gate", [x, x], (a, b) => mul(a, sigmoid(b))),
  gradients("sigmoid gate", [0, 1], [x, x], (a, b) => mul(a, sigmoid(b))),
  graph("where of a comparison", [x, x], (a, b) => where(greater(a, b), a, neg(b))),
  graph("cast to int32 and back", [x], (a) => mul(cast(cast(a, "int32"), "float32"), 0.5)),
  graph("add a row", [x, [width]], (a, b) => add(a, b)),
  graph("add a column and a scalar", [x, [rows, 1], []], (a, b, c) => add(add(a, b), c)),
  gradients("add a row", [0, 1], [x, [width]], (a, b) => mul(add(a, b), 2)),
  graph("exp of a row that is broadcast", [x, [width]], (a, b) => mul(a, exp(b))),
  graph("chain cut by a barrier", [x], (a) => neg(barrier(exp(a)))),
];

const views: readonly FusionGraph[] = [
  graph("slice, flip and permute, then add", [x, [width, 1]], (a, b) =>
    add(permute(flip(slice(a, { axis: 0, start: 1, step: 2 }), 0), [1, 0]), b),
  ),
  graph("expand and reshape", [[rows, 1]], (a) => neg(reshape(expand(a, [rows, width]), [width, rows]))),
  graph("pad, then exp", [x], (a) => exp(pad(a, [1, 1, 2, 2]))),
  graph("concat of three, then exp", [x, x, x], (a, b, c) => exp(concat([a, b, c]))),
  graph("stack of two chains", [x, x], (a, b) => stack([exp(a), neg(b)])),
  graph("split, and the halves multiplied", [x], (a) => {
    const [left, right] = split(a, width / 2, { axis: 1 }) as [Tensor, Tensor];
    return mul(left, right);
  }),
  graph(
    "tril of a product",
    [
      [16, 8],
      [8, 16],
    ],
    (a, b) => tril(matmul(a, b)),
  ),
  graph("one hot, then mul", [int32(rows), [rows, 10]], (i, a) => mul(oneHot(i, 10), a)),
  graph("indexSelect, then add", [x, int32(10), [width]], (a, i, b) => add(indexSelect(a, i, { axis: 0 }), b)),
  gradients("embedding", [0], [x, int32(4, 5)], (weight, i) => embedding(i, weight)),
];

const reductions: readonly FusionGraph[] = [
  graph("sum of everything", [x], (a) => sum(a)),
  graph("mean of squares over rows with a chain before and after", [x], (a) =>
    add(mul(mean(square(sub(a, 1)), { axis: 1 }), 2), 1),
  ),
  graph("sum over columns", [x], (a) => sum(a, { axis: 0 })),
  graph("argMax over rows", [x], (a) => argMax(a, { axis: 1 })),
  graph("sum and max of one input", [x], (a) => [sum(a, { axis: 1 }), max(a, { axis: 1 })]),
  graph("variance", [x], (a) => variance(a, { axis: 1 })),
  graph("logSumExp", [x], (a) => logSumExp(a, { axis: 1 })),
  graph("avgPool2d", [[2, 3, 8, 8]], (a) => avgPool2d(a, { kernelSize: 2 })),
  graph("maxPool2d", [[2, 3, 8, 8]], (a) => maxPool2d(a, { kernelSize: 2 })),
  gradients("avgPool2d", [0], [[2, 3, 8, 8]], (a) => avgPool2d(a, { kernelSize: 2 })),
  gradients("maxPool2d", [0], [[2, 3, 8, 8]], (a) => maxPool2d(a, { kernelSize: 2 })),
  graph("cumSum of a chain", [x], (a) => neg(cumSum(exp(a), { axis: 1 }))),
  graph("argSort of a chain", [x], (a) => argSort(neg(transpose(a)), { axis: 0 })),
];

export const elementwiseGraphs: readonly FusionGraph[] = [...chains, ...views, ...reductions];
