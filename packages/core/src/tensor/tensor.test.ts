import { describe, expect, it } from "vitest";
import { grad } from "../autodiff/index.ts";
import { evaluateNode } from "../graph/evaluate.ts";
import * as t from "./index.ts";
import type { Tensor } from "./tensor.ts";

const values = (x: Tensor): number[] => [...evaluateNode(x.node).values];
const counting = (...shape: number[]): Tensor =>
  t.reshape(
    t.arange(
      shape.reduce((a, b) => a * b, 1),
      null,
      1,
      { dtype: "float32" },
    ),
    shape,
  );

describe("views", () => {
  it("reshape infers one size and refuses what cannot be", () => {
    expect(t.reshape(t.zeros([2, 6]), [3, -1]).shape).toEqual([3, 4]);
    expect(() => t.reshape(t.zeros([2, 3]), [4, -1])).toThrow("reshape: cannot infer -1 in [4, -1] for [2, 3]");
    expect(() => t.reshape(t.zeros([2, 3]), [5])).toThrow("reshape: [2, 3] has 6 elements, [5] has 5");
    expect(() => t.reshape(t.zeros([0]), [0, -1])).toThrow("cannot infer");
  });
  it("slice clips its bounds as Python does", () => {
    const x = counting(5);
    expect(values(t.slice(x, { axis: 0, start: -2 }))).toEqual([3, 4]);
    expect(values(t.slice(x, { axis: 0, start: 3, end: 1 }))).toEqual([]);
    expect(values(t.slice(x, { axis: 0, start: -99, end: 99, step: 3 }))).toEqual([0, 3]);
    expect(() => t.slice(x, { axis: 0, step: -1 })).toThrow("slice: expected a positive whole step, got -1");
    expect(() => t.slice(x, { axis: 1 })).toThrow("slice: axis 1 is out of range for rank 1");
    expect(values(t.select(counting(2, 3), { axis: 1, index: -1 }))).toEqual([2, 5]);
  });
  it("pad crops with negative widths", () => {
    expect(values(t.pad(counting(4), [-1, 2], { value: 9 }))).toEqual([1, 2, 3, 9, 9]);
    expect(() => t.pad(counting(2), [-3, 1])).toThrow("pad: [-3, 1] crops more than [2] has");
    expect(() => t.pad(counting(2), [1])).toThrow("pad: expected up to 1 pairs of whole widths");
  });
  it("expand keeps axes of -1 and adds leading ones", () => {
    expect(t.expand(t.zeros([3, 1]), [2, -1, 4]).shape).toEqual([2, 3, 4]);
    expect(() => t.expand(t.zeros([3]), [4])).toThrow("expand: [3] does not expand to [4]");
    expect(t.expand(t.zeros([1]), [0]).shape).toEqual([0]);
  });
  it("squeeze and unsqueeze", () => {
    expect(t.squeeze(t.zeros([1, 2, 1])).shape).toEqual([2]);
    expect(t.squeeze(t.zeros([1, 2, 1]), 1).shape).toEqual([1, 2, 1]);
    expect(t.unsqueeze(t.zeros([2]), -1).shape).toEqual([2, 1]);
  });
  it("identities add no nodes", () => {
    const x = counting(2, 3);
    expect(t.permute(x, [0, 1])).toBe(x);
    expect(t.reshape(x, [2, 3])).toBe(x);
    expect(t.slice(x, { axis: 0 })).toBe(x);
    expect(t.cast(x, "float32")).toBe(x);
  });
  it("concat keeps -0 and NaN, drops [0] vectors and needs matching shapes", () => {
    const joined = t.concat([t.tensor([-0, Number.NaN]), t.zeros([0]), t.tensor([1]), t.tensor([-0])]);
    expect(values(joined)).toEqual([-0, Number.NaN, 1, -0]);
    expect(() => t.concat([t.zeros([2, 3]), t.zeros([2, 4])])).toThrow(
      "concat: shapes differ off axis 0: [2, 3] and [2, 4]",
    );
    expect(() => t.concat([])).toThrow("concat: expected at least one tensor");
    expect(() => t.stack([t.zeros([2]), t.zeros([3])])).toThrow("stack: shapes differ");
  });
  it("split and chunk", () => {
    expect(t.split(counting(5), 2).map(({ shape }) => shape)).toEqual([[2], [2], [1]]);
    expect(t.chunk(counting(7), 3).map(({ size }) => size)).toEqual([3, 3, 1]);
    expect(() => t.split(counting(5), [2, 2])).toThrow("split: sizes [2, 2] do not add up to 5");
  });
  it("diagonals and traces", () => {
    const x = counting(3, 4);
    expect(values(t.diagonal(x))).toEqual([0, 5, 10]);
    expect(values(t.diagonal(x, { offset: 2 }))).toEqual([2, 7]);
    expect(values(t.diagonal(x, { offset: -1 }))).toEqual([4, 9]);
    expect(t.diagonal(x, { offset: 9 }).shape).toEqual([0]);
    expect(values(t.diagonal(counting(2, 2, 2), { axis0: 0, axis1: 2 }))).toEqual([0, 5, 2, 7]);
    expect(values(t.trace(x))).toEqual([15]);
  });
  it("window slides with stride, dilation and offset, zeros beyond", () => {
    const w = t.window(counting(5), { axis: 0, size: 3, count: 3, stride: 2, dilation: 1, offset: -1 });
    expect(w.shape).toEqual([3, 3]);
    expect(values(w)).toEqual([0, 0, 1, 1, 2, 3, 3, 4, 0]);
    expect(values(t.window(counting(6), { axis: 0, size: 2, count: 3, stride: 2 }))).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("creation", () => {
  it("counts and spaces", () => {
    expect(values(t.arange(3))).toEqual([0, 1, 2]);
    expect(t.arange(3).dtype).toBe("int32");
    expect(values(t.arange(5, 0, -2))).toEqual([5, 3, 1]);
    expect(t.arange(0, 1, 0.25).dtype).toBe("float32");
    expect(values(t.arange(0, 1, 0.25))).toEqual([0, 0.25, 0.5, 0.75]);
    expect(t.arange(0).shape).toEqual([0]);
    expect(values(t.linspace(0, 1, 5))).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(values(t.linspace(2, 9, 1))).toEqual([2]);
    expect(values(t.eye(2, 3))).toEqual([1, 0, 0, 0, 1, 0]);
    expect(() => t.arange(0, 5, 0)).toThrow("arange: expected finite bounds and a step other than 0");
  });
  it("fills like another", () => {
    expect(t.zerosLike(t.tensor([1, 2], { dtype: "bfloat16" })).dtype).toBe("bfloat16");
    expect(values(t.full([2], true))).toEqual([1, 1]);
    expect(t.full([], true).dtype).toBe("bool");
    expect(() => t.zeros([2, -1])).toThrow("sizes must be whole and non-negative");
    expect(() => t.zeros(new Array(9).fill(1))).toThrow("rank 9 is over the limit of 8");
  });
});

describe("reductions", () => {
  it("treat an empty list of axes as all, and scalars as one row", () => {
    expect(t.sum(t.zeros([2, 3]), { axis: [] }).shape).toEqual([]);
    expect(t.sum(t.tensor(3), { axis: -1, keepDim: true }).shape).toEqual([]);
    expect(values(t.softmax(t.tensor(3)))).toEqual([1]);
  });
  it("over nothing: identities, NaN or an error", () => {
    const empty = t.zeros([2, 0]);
    expect(values(t.sum(empty, { axis: 1 }))).toEqual([0, 0]);
    expect(values(t.prod(empty, { axis: 1 }))).toEqual([1, 1]);
    expect(values(t.mean(empty, { axis: 1 }))).toEqual([Number.NaN, Number.NaN]);
    expect(values(t.logSumExp(empty, { axis: 1 }))).toEqual([-Infinity, -Infinity]);
    expect(values(t.all(empty, { axis: 1 }))).toEqual([1, 1]);
    expect(values(t.any(empty, { axis: 1 }))).toEqual([0, 0]);
    expect(t.max(empty, { axis: 0 }).shape).toEqual([0]);
    expect(() => t.max(empty, { axis: 1 })).toThrow("max: expected at least one element to reduce, got shape [2, 0]");
    expect(() => t.argMin(empty)).toThrow("argMin: expected at least one element");
    expect(t.softmax(empty).shape).toEqual([2, 0]);
  });
  it("norms of every order", () => {
    const x = t.tensor([3, 0, -4], { dtype: "float64" });
    expect(values(t.norm(x))).toEqual([5]);
    expect(values(t.norm(x, { p: 0 }))).toEqual([2]);
    expect(values(t.norm(x, { p: -Infinity }))).toEqual([0]);
    expect(values(t.norm(x, { p: -1 }))).toEqual([0]);
    expect(values(t.norm(x, { p: 0.5 }))[0]).toBeCloseTo((Math.sqrt(3) + 2) ** 2, 12);
  });
  it("say what is wrong", () => {
    expect(() => t.sum(t.zeros([2]), { axis: 1 })).toThrow("sum: axis 1 is out of range for rank 1");
    expect(() => t.sum(t.zeros([2, 2]), { axis: [0, -2] })).toThrow("axis repeated");
    expect(() => t.variance(t.zeros([2], { dtype: "int32" }))).toThrow("variance: takes floats, got int32");
  });
});

describe("products", () => {
  it("matmul follows torch's rank rules", () => {
    const shape = (a: number[], b: number[]): readonly number[] => t.matmul(t.zeros(a), t.zeros(b)).shape;
    expect(shape([3], [3])).toEqual([]);
    expect(shape([3], [3, 4])).toEqual([4]);
    expect(shape([2, 3], [3])).toEqual([2]);
    expect(shape([5, 2, 3], [3, 4])).toEqual([5, 2, 4]);
    expect(shape([2, 3], [5, 3, 4])).toEqual([5, 2, 4]);
    expect(shape([7, 1, 2, 3], [5, 3, 4])).toEqual([7, 5, 2, 4]);
    expect(shape([3], [5, 3, 4])).toEqual([5, 4]);
    expect(shape([5, 2, 3], [3])).toEqual([5, 2]);
    expect(values(t.matmul(t.zeros([2, 0]), t.zeros([0, 2])))).toEqual([0, 0, 0, 0]);
    expect(() => shape([2, 3], [4, 5])).toThrow("matmul: inner sizes differ: [2, 3] × [4, 5]");
    expect(() => shape([], [2])).toThrow("matmul: expected vectors, matrices or batches, got [] × [2]");
    expect(() => t.matmul(t.zeros([2, 2]), t.zeros([2, 2], { dtype: "float64" }))).toThrow("float32 and float64");
  });
  it("a batch times one matrix does not repeat the matrix", () => {
    const { node } = t.matmul(t.zeros([5, 2, 3]), t.zeros([3, 4]));
    expect(node.op).toBe("reshape");
    expect(node.inputs[0]?.inputs.map(({ shape }) => shape)).toEqual([
      [10, 3],
      [3, 4],
    ]);
  });
  it("linear checks its operands", () => {
    expect(t.linear(t.zeros([2, 3]), t.zeros([4, 3]), t.zeros([4])).shape).toEqual([2, 4]);
    expect(() => t.linear(t.zeros([2, 3]), t.zeros([4, 2]))).toThrow(
      "linear: input [2, 3] does not end in the weight's 2 inputs",
    );
    expect(() => t.linear(t.zeros([2, 3]), t.zeros([4, 3]), t.zeros([3]))).toThrow(
      "linear: expected a bias [4], got [3]",
    );
  });
  it("einsum: implicit output, ellipsis, repeated labels, sums and broadcasts", () => {
    const [a, b] = [counting(2, 3), counting(3, 2)];
    expect(values(t.einsum("ij,jk", a, b))).toEqual(values(t.matmul(a, b)));
    expect(values(t.einsum("ba", a))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(values(t.einsum("ii", counting(3, 3)))).toEqual([12]);
    expect(values(t.einsum("ii->i", counting(3, 3)))).toEqual([0, 4, 8]);
    expect(values(t.einsum("ij->", a))).toEqual([15]);
    expect(values(t.einsum("iij->j", counting(2, 2, 2)))).toEqual([6, 8]);
    expect(t.einsum("...ij,...jk->...ik", counting(4, 1, 2, 3), counting(5, 3, 2)).shape).toEqual([4, 5, 2, 2]);
    expect(values(t.einsum("...i,i->...", a, t.tensor([1, 2, 3])))).toEqual([8, 26]);
    expect(values(t.einsum("i,ij,j->", t.tensor([1, 2]), a, t.tensor([1, 1, 1])))).toEqual([27]);
    expect(values(t.einsum("ij,j->i", t.tensor([[2], [3]]), t.tensor([1, 2, 4])))).toEqual([14, 21]);
    expect(values(t.einsum("i...->...", a))).toEqual([3, 5, 7]);
    expect(() => t.einsum("ij,jk->ik", a)).toThrow('einsum: "ij,jk->ik": names 2 operands, got 1');
    expect(() => t.einsum("ij->ik", a)).toThrow('output "k" is in no operand');
    expect(() => t.einsum("ij,jk->ik", a, a)).toThrow('"j" has sizes 3 and 2');
    expect(() => t.einsum("i->i", a)).toThrow('"i" does not name the axes of operand 0, [2, 3]');
  });
});

describe("convolution and pooling", () => {
  it("conv shapes, unbatched inputs, same padding", () => {
    expect(t.conv2d(t.zeros([3, 8, 8]), t.zeros([4, 3, 3, 3]), null, { padding: 1 }).shape).toEqual([4, 8, 8]);
    expect(t.conv2d(t.zeros([1, 1, 5, 6]), t.zeros([2, 1, 2, 4]), null, { padding: "same" }).shape).toEqual([
      1, 2, 5, 6,
    ]);
    expect(t.conv1d(t.zeros([2, 3, 9]), t.zeros([4, 3, 3]), undefined, { stride: 2 }).shape).toEqual([2, 4, 4]);
    const up = t.convTranspose1d(t.tensor([[[1, 2]]]), t.tensor([[[1, 10, 100]]]), null, { stride: 2 });
    expect(values(up)).toEqual([1, 10, 102, 20, 200]);
    expect(values(t.conv1d(t.tensor([[[1, 2, 3]]]), t.tensor([[[1, 1]]]), null, { padding: "same" }))).toEqual([
      3, 5, 3,
    ]);
  });
  it("conv errors", () => {
    const conv = (x: number[], w: number[], options = {}) => t.conv2d(t.zeros(x), t.zeros(w), null, options);
    expect(() => conv([1, 2, 4, 4], [3, 3, 2, 2])).toThrow(
      "conv2d: weight [3, 3, 2, 2] does not fit 2 input channels in 1 group",
    );
    expect(() => conv([1, 1, 2, 2], [1, 1, 3, 3])).toThrow(
      "conv2d: kernel [3, 3] (dilation 1, 1) is larger than the padded input",
    );
    expect(() => conv([4, 4], [1, 1, 1, 1])).toThrow("conv2d: expected input and weight of rank 4, got [4, 4]");
    expect(() => conv([1, 1, 4, 4], [1, 1, 2, 2], { stride: 0 })).toThrow(
      "conv2d: expected stride of one or two whole numbers ≥ 1, got 0",
    );
  });
  it("maxPool2d: -Infinity everywhere, NaN, dilation and unbatched input", () => {
    const low = t.full([1, 1, 3, 3], Number.NEGATIVE_INFINITY);
    expect(values(t.maxPool2d(low, { kernelSize: 3, stride: 1, padding: 1 }))).toEqual(new Array(9).fill(-Infinity));
    const withNaN = t.tensor([[[1, Number.NaN, 3, 4]]]);
    expect(values(t.maxPool2d(withNaN, { kernelSize: [1, 2] }))).toEqual([Number.NaN, 4]);
    expect(values(t.maxPool2d(counting(1, 4, 4), { kernelSize: 2, stride: 1, dilation: 2 }))).toEqual([10, 11, 14, 15]);
    expect(values(t.maxPool2d(low, { kernelSize: 2, stride: 1, padding: 1, dilation: 2 }))).toEqual(
      new Array(9).fill(-Infinity),
    );
  });
  it("avgPool2d: ceilMode counts as PyTorch does", () => {
    const pool = (options: object): number[] =>
      values(t.avgPool2d(counting(1, 1, 5), { kernelSize: [1, 2], ...options }));
    expect(pool({})).toEqual([0.5, 2.5]);
    expect(pool({ ceilMode: true })).toEqual([0.5, 2.5, 4]);
    expect(pool({ divisorOverride: 1 })).toEqual([1, 5]);
    expect(pool({ stride: [1, 2], padding: [0, 1], countIncludePad: true })).toEqual([0, 1.5, 3.5]);
    expect(pool({ stride: [1, 2], padding: [0, 1], countIncludePad: false })).toEqual([0, 1.5, 3.5]);
    expect(() => pool({ padding: 2 })).toThrow("avgPool2d: padding 2 is more than half of kernel size 1");
  });
  it("adaptive pooling does not let infinities leak into other regions", () => {
    const x = t.tensor([[[Number.POSITIVE_INFINITY, 1, 2, 3, 4]]]);
    expect(values(t.adaptiveAvgPool2d(x, { outputSize: [1, 3] }))).toEqual([Infinity, 2, 3.5]);
    expect(t.adaptiveAvgPool2d(t.zeros([1, 2, 4, 6]), { outputSize: [null, 3] }).shape).toEqual([1, 2, 4, 3]);
  });
});

describe("losses", () => {
  const logits = t.tensor(
    [
      [1, 2, 3],
      [0, 0, 0],
    ],
    { dtype: "float64" },
  );
  it("crossEntropy: lists, probabilities, ignored and impossible targets", () => {
    const perRow = values(t.crossEntropy(logits, [2, 0], { reduction: "none" }));
    expect(perRow[1]).toBeCloseTo(Math.log(3), 14);
    const probabilities = t.tensor(
      [
        [0, 0, 1],
        [1, 0, 0],
      ],
      { dtype: "float64" },
    );
    expect(values(t.crossEntropy(logits, probabilities, { reduction: "none" }))).toEqual(perRow);
    expect(values(t.crossEntropy(logits, [-100, -100]))).toEqual([Number.NaN]);
    expect(values(t.crossEntropy(logits, [-100, -100], { reduction: "sum" }))).toEqual([0]);
    expect(values(t.crossEntropy(logits, [3, 0], { reduction: "none" }))[0]).toBeNaN();
    expect(values(t.crossEntropy(t.tensor([0, 0]), t.tensor(1, { dtype: "int32" })))[0]).toBeCloseTo(Math.log(2), 6);
    expect(() => t.crossEntropy(logits, t.tensor([0, 1]))).toThrow("class numbers must be int32");
    expect(() => t.crossEntropy(logits, [0, 1, 2])).toThrow(
      "crossEntropy: expected target [2] for input [2, 3], got [3]",
    );
    expect(() => t.crossEntropy(logits, [0, 1], { weight: [1, 2] })).toThrow(
      "crossEntropy: expected weight [3], got [2]",
    );
  });
  it("classes of images lie on axis 1", () => {
    const target = t.zeros([2, 4, 4], { dtype: "int32" });
    expect(t.crossEntropy(t.zeros([2, 3, 4, 4]), target, { reduction: "none" }).shape).toEqual([2, 4, 4]);
  });
  it("do not broadcast input and target", () => {
    expect(() => t.mseLoss(t.zeros([4, 1]), t.zeros([4]))).toThrow(
      "mseLoss: expected input and target of one shape, got [4, 1] and [4]",
    );
    expect(values(t.mseLoss(t.ones([3]), 0))).toEqual([1]);
    expect(() => t.l1Loss(t.ones([3]), 0, { reduction: "avg" as never })).toThrow(
      'expected reduction "mean", "sum" or "none", got avg',
    );
  });
});

describe("the rest", () => {
  it("indexing checks shapes and takes lists", () => {
    const x = counting(3, 2);
    expect(values(t.indexSelect(x, [2, 0], { axis: 0 }))).toEqual([4, 5, 0, 1]);
    expect(values(t.take(x, [[5, 0]]))).toEqual([5, 0]);
    expect(t.embedding([[0, 2]], x).shape).toEqual([1, 2, 2]);
    expect(() => t.gather(x, t.zeros([3, 3], { dtype: "int32" }), { axis: 0 })).toThrow(
      "gather: index [3, 3] does not fit [3, 2] off axis 0",
    );
    expect(() => t.gather(x, t.zeros([3, 2]), { axis: 0 })).toThrow("gather: expected int32 indices, got float32");
    expect(() => t.topK(x, 3)).toThrow("topK: k = 3 is out of range for axis -1 of size 2");
    expect(values(t.oneHot([2, 5], 3))).toEqual([0, 0, 1, 0, 0, 0]);
  });
  it("a scalar has one largest element, itself", () => {
    const { values: largest, indices } = t.topK(t.tensor(7), 1, { axis: 0 });
    expect([largest.shape, values(largest), indices.shape, values(indices)]).toEqual([[], [7], [], [0]]);
    expect(() => t.topK(t.tensor(7), 2)).toThrow("topK: k = 2 is out of range for a scalar");
  });
  it("klDiv leaves the divergence of scalars as it is under batchmean", () => {
    const loss = t.klDiv(t.tensor(-2), t.tensor(1), { reduction: "batchmean" });
    expect([loss.shape, values(loss)]).toEqual([[], [2]]);
  });
  it("cosineSimilarity differentiates a norm below eps as the norm", () => {
    const a = t.tensor([[0.03, 0.04]], { dtype: "float64" });
    const similarity = t.cosineSimilarity(a, t.tensor([[1, 0]], { dtype: "float64" }), { eps: 1 });
    const [x, y] = values(grad(t.sum(similarity), a)) as [number, number];
    expect(values(similarity)[0]).toBeCloseTo(0.03, 12);
    expect([x, y].map((v) => Number(v.toFixed(12)))).toEqual([0.982, -0.024]);
  });
  it("attention: float masks, empty rows", () => {
    const one = t.ones([1, 1, 2]);
    const masked = t.scaledDotProductAttention(one, one, one, { mask: t.tensor([[false]]) });
    expect(values(masked)).toEqual([Number.NaN, Number.NaN]);
    expect(values(t.scaledDotProductAttention(one, one, one, { mask: t.tensor([[-3]]) }))).toEqual([1, 1]);
  });
  it("batchNorm needs more than one value in training and statistics outside", () => {
    expect(() => t.batchNorm(t.zeros([1, 3]), { training: true })).toThrow(
      "batchNorm: expected more than one value per channel",
    );
    expect(() => t.batchNorm(t.zeros([2, 3]))).toThrow(
      "batchNorm: expected runningMean and runningVar when not training",
    );
  });
  it("methods do what the functions do", () => {
    const x = counting(2, 3);
    expect(values(x.add(1).mul(2).sum({ axis: 1 }))).toEqual([12, 30]);
    expect(x.transpose().shape).toEqual([3, 2]);
    expect(x.to("int32").dtype).toBe("int32");
    expect(x.detach().mul(3).node.inputs[0]?.op).toBe("stopGradient");
    expect(x.split(1).length).toBe(2);
    expect(values(x.topK(1).indices)).toEqual([2, 2]);
  });
});

describe("text", () => {
  it("aligns columns and marks whole floats", () => {
    expect(t.formatElements([1, -20, 3, 4], [2, 2], "float32")).toBe("[[  1., -20.],\n [  3.,   4.]]");
    expect(t.formatElements([1, 2, 3], [3], "int32")).toBe("[1, 2, 3]");
    expect(t.formatElements([1, 0], [2], "bool")).toBe("[ true, false]");
    expect(t.formatElements([0.5, Number.NaN, -0], [3], "float32")).toBe("[ 0.5,  NaN, -0.0]");
    expect(t.formatElements([1e-10, 1], [2], "float32")).toBe(
      "[1.0000e-10, 1.0000e+0]".replace("1.0000e+0", " 1.0000e+0"),
    );
    expect(t.formatElements([7], [], "float32")).toBe("7.");
    expect(t.formatElements([], [0], "float32")).toBe("[]");
  });
  it("leaves out the middle of long tensors", () => {
    const data = Array.from({ length: 2000 }, (_, i) => i);
    expect(t.formatElements(data, [2000], "int32")).toBe("[   0,    1,    2, …, 1997, 1998, 1999]");
  });
  it("inspects without computing", () => {
    const lazy = t.add(t.zeros([2]), 1);
    expect(String(lazy)).toBe("Tensor float32 [2] (lazy: add)");
    expect(String(t.tensor([1, 2]))).toBe("Tensor float32 [2] (lazy: data)".replace(" (lazy: data)", "\n[1., 2.]"));
    expect(String(t.asTensor(3))).toBe("Tensor float32 [] 3.");
  });
});
