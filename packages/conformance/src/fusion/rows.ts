/** Row programs: several reductions over one input that is read once. */
import {
  batchNorm,
  crossEntropy,
  grad,
  groupNorm,
  layerNorm,
  logSoftmax,
  mseLoss,
  rmsNorm,
  softmax,
  type Tensor,
} from "@thalweg/core";
import { type FusionGraph, gradients, graph, type Input, int32 } from "./graph.ts";

const [rows, width] = [64, 32] as const;
const x = [rows, width] as const;
const scale = [width] as const;
const image = [2, 4, 6, 6] as const;

interface RowProgram {
  readonly name: string;
  readonly inputs: readonly Input[];
  /** Inputs that gradients are taken by. */
  readonly by: readonly (readonly number[])[];
  readonly fn: (...args: readonly Tensor[]) => Tensor;
}

const programs: readonly RowProgram[] = [
  { name: "softmax", inputs: [x], by: [[0]], fn: (a) => softmax(a) },
  { name: "softmax over columns", inputs: [x], by: [[0]], fn: (a) => softmax(a, { axis: 0 }) },
  { name: "logSoftmax", inputs: [x], by: [[0]], fn: (a) => logSoftmax(a) },
  {
    name: "layerNorm",
    inputs: [x, scale, scale],
    by: [[0], [0, 1, 2]],
    fn: (a, weight, bias) => layerNorm(a, { normalizedShape: [width], weight, bias }),
  },
  {
    name: "rmsNorm",
    inputs: [x, scale],
    by: [[0], [0, 1]],
    fn: (a, weight) => rmsNorm(a, { normalizedShape: [width], weight }),
  },
  {
    name: "groupNorm",
    inputs: [image, [4], [4]],
    by: [[0]],
    fn: (a, weight, bias) => groupNorm(a, { numGroups: 2, weight, bias }),
  },
  {
    name: "batchNorm",
    inputs: [image, [4], [4]],
    by: [[0], [0, 1, 2]],
    fn: (a, weight, bias) => batchNorm(a, { weight, bias, training: true }).output,
  },
];

export const rowGraphs: readonly FusionGraph[] = [
  ...programs.flatMap(({ name, inputs, by, fn }) => [
    graph(name, inputs, fn),
    ...by.map((wanted) => gradients(wanted.length > 1 ? `${name} by all` : name, wanted, inputs, fn)),
  ]),
  graph("crossEntropy", [x, int32(rows)], (a, y) => crossEntropy(a, y)),
  graph("crossEntropy and its gradient", [x, int32(rows)], (a, y) => {
    const loss = crossEntropy(a, y);
    return [loss, grad(loss, a)];
  }),
  graph("crossEntropy of probabilities and its gradient", [x, x], (a, y) => {
    const loss = crossEntropy(a, y);
    return [loss, grad(loss, a)];
  }),
  graph("mseLoss and its gradient", [x, x], (a, y) => {
    const loss = mseLoss(a, y);
    return [loss, grad(loss, a)];
  }),
];
