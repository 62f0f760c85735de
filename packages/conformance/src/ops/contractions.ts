/** Sums of products: sizes off the blocks of kernels, strided operands, batches, what is fused behind them. */
import type { Tensor } from "@thalweg/core";
import * as t from "@thalweg/core";
import { floats, type Input, integers } from "./inputs.ts";
import { type Operation, type Outputs, type Variant, variant } from "./operation.ts";

const row = (op: string, ...variants: readonly Variant[]): Operation => ({ op, variants, signedZeros: false });

const operand = (shape: readonly number[], layout: Input["layout"] = "contiguous", seed = 1): Input =>
  floats(shape, { layout, seed });
const matmul = (name: string, a: Input, b: Input): Variant => variant(name, t.matmul, a, b);

const products: readonly Operation[] = [
  row(
    "matmul",
    matmul("64 by 65 by 33", floats([64, 65]), operand([65, 33])),
    matmul("17 by 1 by 19", floats([17, 1]), operand([1, 19])),
    matmul("1 by 1037 by 1", floats([1, 1037]), operand([1037, 1])),
    matmul("both transposed", floats([13, 21], { layout: "permuted" }), operand([21, 11], "permuted")),
    matmul("every other column", floats([9, 10], { layout: "sliced" }), operand([10, 7], "sliced")),
    matmul("backwards", floats([6, 5], { layout: "reversed" }), operand([5, 6], "reversed")),
    matmul("one row of all", floats([8, 5], { layout: "expanded" }), operand([5, 4], "expanded")),
    matmul("batches that broadcast", floats([3, 1, 4, 5]), operand([2, 5, 6])),
    matmul("a permuted batch", floats([4, 5, 6], { layout: "permuted" }), operand([6, 3])),
    matmul("a vector and a matrix", floats([33]), operand([33, 9])),
    matmul("a batch and a vector", floats([3, 5, 7]), operand([7])),
    matmul("two vectors", floats([65]), operand([65])),
    matmul("sums of nothing", floats([4, 0]), operand([0, 3])),
    matmul("nothing", floats([0, 4]), operand([4, 3])),
    matmul("integers", integers([5, 9], -9, 9), integers([9, 4], -9, 9, { seed: 1, layout: "permuted" })),
    variant(
      "with an epilogue",
      (a, b, c) => t.relu(t.add(t.mul(t.matmul(a, b), 0.5), c)),
      floats([33, 18]),
      operand([18, 21]),
      operand([21]),
    ),
    variant(
      "of what was computed, then reduced",
      (a, b) => t.sum(t.square(t.matmul(t.tanh(a), t.sub(b, 1))), { axis: 0 }),
      floats([12, 9]),
      operand([9, 14]),
    ),
    variant("with itself", (a) => t.matmul(a, t.transpose(a)), floats([21, 10])),
  ),
  row(
    "linear",
    variant("33 of 18 to 21", t.linear, floats([33, 18]), operand([21, 18]), operand([21])),
    variant(
      "a permuted batch without bias",
      (x, weight) => t.linear(x, weight),
      floats([3, 4, 5], { layout: "permuted" }),
      operand([7, 5]),
    ),
    variant("a vector", t.linear, floats([9]), operand([4, 9], "sliced"), operand([4])),
  ),
  row(
    "outer",
    variant("33 by 65", t.outer, floats([33]), operand([65])),
    variant("views", t.outer, floats([9], { layout: "sliced" }), operand([5], "reversed")),
  ),
  row(
    "einsum",
    variant(
      "a product with a transposed result",
      (a, b) => t.einsum("ij,jk->ki", a, b),
      floats([17, 9]),
      operand([9, 13]),
    ),
    variant("a batched outer product", (a, b) => t.einsum("bi,bj->bij", a, b), floats([5, 7]), operand([5, 9])),
    variant(
      "a sum over two axes",
      (a, b) => t.einsum("bhij,bhjk->ik", a, b),
      floats([2, 3, 4, 5], { layout: "permuted" }),
      operand([2, 3, 5, 4]),
    ),
    variant("a diagonal", (a) => t.einsum("ii->i", a), floats([9, 9])),
    variant(
      "three operands",
      (a, b, c) => t.einsum("ij,jk,k->i", a, b, c),
      floats([4, 5]),
      operand([5, 6]),
      operand([6]),
    ),
  ),
];

type Pair = readonly [number, number];
interface Geometry {
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
}
const conv =
  (geometry: Geometry = {}) =>
  (x: Tensor, weight: Tensor, bias?: Tensor): Outputs =>
    t.conv2d(x, weight, bias, geometry);
const transposed =
  (geometry: Geometry & { readonly outputPadding?: Pair } = {}) =>
  (x: Tensor, weight: Tensor, bias?: Tensor): Outputs =>
    t.convTranspose2d(x, weight, bias, geometry);

const convolutions: readonly Operation[] = [
  row(
    "conv2d",
    variant(
      "3 to 9 channels, 3 by 3",
      conv({ padding: [1, 1] }),
      floats([2, 3, 9, 11]),
      operand([9, 3, 3, 3]),
      operand([9]),
    ),
    variant("1 by 1", conv(), floats([2, 5, 4, 7]), operand([6, 5, 1, 1])),
    variant(
      "strided, dilated, padded unevenly",
      conv({ stride: [2, 3], padding: [2, 1], dilation: [1, 2] }),
      floats([1, 2, 9, 12]),
      operand([3, 2, 4, 3]),
    ),
    variant(
      "depthwise",
      conv({ groups: 4, padding: [0, 1] }),
      floats([2, 4, 6, 5]),
      operand([8, 1, 2, 3]),
      operand([8]),
    ),
    variant("a kernel as large as the image", conv(), floats([3, 2, 4, 5]), operand([4, 2, 4, 5])),
    variant(
      "channels last in memory",
      conv({ padding: [1, 0] }),
      floats([2, 3, 5, 4], { layout: "permuted" }),
      operand([2, 3, 3, 2], "sliced"),
    ),
    variant(
      "with an epilogue",
      (x, weight, bias) => t.relu(t.mul(t.conv2d(x, weight, bias), 2)),
      floats([1, 2, 7, 7]),
      operand([5, 2, 3, 3]),
      operand([5]),
    ),
  ),
  row(
    "conv1d",
    variant(
      "strided",
      (x, weight, bias) => t.conv1d(x, weight, bias, { stride: 2, padding: 2 }),
      floats([2, 3, 33]),
      operand([5, 3, 5]),
      operand([5]),
    ),
    variant(
      "dilated groups",
      (x, weight) => t.conv1d(x, weight, undefined, { dilation: 3, groups: 2 }),
      floats([1, 4, 19], { layout: "permuted" }),
      operand([6, 2, 3]),
    ),
  ),
  row(
    "convTranspose2d",
    variant(
      "strided",
      transposed({ stride: [2, 3], padding: [1, 0], outputPadding: [1, 2] }),
      floats([2, 3, 4, 3]),
      operand([3, 4, 3, 2]),
      operand([4]),
    ),
    variant(
      "dilated groups",
      transposed({ groups: 2, dilation: [2, 1] }),
      floats([1, 4, 3, 4], { layout: "permuted" }),
      operand([4, 2, 2, 3]),
    ),
  ),
  row(
    "convTranspose1d",
    variant(
      "strided",
      (x, weight, bias) => t.convTranspose1d(x, weight, bias, { stride: 3, padding: 1, outputPadding: 1 }),
      floats([2, 3, 9]),
      operand([3, 4, 4]),
      operand([4]),
    ),
    variant(
      "groups",
      (x, weight) => t.convTranspose1d(x, weight, undefined, { groups: 2, dilation: 2 }),
      floats([1, 4, 5], { layout: "sliced" }),
      operand([4, 2, 3]),
    ),
  ),
  row(
    "maxPool2d",
    variant("overlapping", (x) => t.maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }), floats([2, 3, 9, 11])),
    variant(
      "uneven, ceil",
      (x) => t.maxPool2d(x, { kernelSize: [2, 3], stride: [3, 2], ceilMode: true }),
      floats([1, 2, 8, 8], { layout: "permuted" }),
    ),
    variant(
      "dilated, all negative",
      (x) => t.maxPool2d(x, { kernelSize: 2, stride: 1, padding: 1, dilation: 2 }),
      floats([1, 2, 5, 6], { from: -3, to: -1 }),
    ),
  ),
  row(
    "avgPool2d",
    variant("overlapping", (x) => t.avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }), floats([2, 3, 9, 11])),
    variant(
      "uneven, ceil, without padding",
      (x) =>
        t.avgPool2d(x, { kernelSize: [2, 3], stride: [3, 2], padding: [1, 1], ceilMode: true, countIncludePad: false }),
      floats([1, 2, 8, 8], { layout: "sliced" }),
    ),
  ),
  row(
    "adaptiveAvgPool2d",
    variant("uneven windows", (x) => t.adaptiveAvgPool2d(x, { outputSize: [4, 3] }), floats([2, 3, 9, 11])),
    variant(
      "all of a permuted one",
      (x) => t.adaptiveAvgPool2d(x, { outputSize: 1 }),
      floats([2, 3, 5, 4], { layout: "permuted" }),
    ),
  ),
];

/** Every operation that is a sum of products over axes or windows. */
export const contractionOperations: readonly Operation[] = [...products, ...convolutions];
