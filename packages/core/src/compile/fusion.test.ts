/** What ends up in one kernel: a lost fusion is a failure. */
import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/interpreter.ts";
import { programStatistics } from "../backend/print.ts";
import type { Program } from "../backend/program.ts";
import { validateProgram } from "../backend/validate.ts";
import { bytesPerElement, type DType } from "../graph/dtype.ts";
import {
  add,
  avgPool2d,
  barrier,
  batchNorm,
  compile,
  conv2d,
  crossEntropy,
  exp,
  flip,
  full,
  gelu,
  grad,
  layerNorm,
  linear,
  logSoftmax,
  matmul,
  mean,
  mul,
  neg,
  ones,
  Parameter,
  permute,
  relu,
  rmsNorm,
  scaledDotProductAttention,
  slice,
  softmax,
  square,
  sub,
  type Tensor,
  tensor,
  transpose,
  useBackend,
  variance,
  vjp,
  zeros,
} from "../index.ts";
import { adamW, sgd } from "../optim/index.ts";

beforeAll(() => useBackend(referenceBackend()));

const leaf = (shape: readonly number[], dtype: DType = "float32"): Tensor =>
  tensor(new Float64Array(shape.reduce((size, n) => size * n, 1)), { shape, dtype });

/** The Program of a function of leaves, checked. */
function programOf(fn: (...args: Tensor[]) => unknown, ...args: Tensor[]): Program {
  const program = compile((...inputs: Tensor[]) => fn(...inputs)).program(...args);
  validateProgram(program);
  return program;
}
const labels = (program: Program): string[] => program.kernels.map(({ kind, label }) => `${kind}: ${label}`);

/** Gradients of `fn` with an incoming gradient that is a leaf, by the given arguments. */
function gradientsOf(fn: (...args: Tensor[]) => Tensor, by: readonly number[], ...args: Tensor[]): Program {
  const cotangent = leaf(fn(...args).shape);
  return programOf(
    (dy, ...inputs) =>
      vjp(
        [fn(...inputs)],
        by.map((i) => inputs[i] as Tensor),
        [dy as Tensor],
      ),
    cotangent,
    ...args,
  );
}

const [rows, width] = [64, 32];
const x = () => leaf([rows, width]);
const scale = () => leaf([width]);
const square32 = () => leaf([width, width]);
const image = () => leaf([2, 3, 8, 8]);

describe("element-wise chains", () => {
  it("are one kernel, several outputs included", () => {
    const program = programOf(
      (a, b) => {
        const total = add(a, b);
        const power = exp(total);
        return [total, power, mul(power, b)];
      },
      x(),
      x(),
    );
    expect(labels(program)).toEqual(["loop: add · exp · mul"]);
    const bytes = rows * width * 4;
    expect(programStatistics(program)).toMatchObject({ bytesRead: 2 * bytes, bytesWritten: 3 * bytes, arenaBytes: 0 });
  });

  it("compute what is costly and broadcast once, in a kernel before", () => {
    const program = programOf((a, gate) => mul(a, exp(gate)), x(), scale());
    expect(labels(program)).toEqual(["loop: exp", "loop: mul"]);
    expect(programStatistics(program)).toMatchObject({ bytesRead: 4 * (rows * width + 2 * width) });
  });

  it("take views along without copies", () => {
    const program = programOf(
      (a, b) => {
        const turned = permute(flip(slice(a, { axis: 0, start: 1, step: 2 }), 0), [1, 0]);
        return add(turned, b);
      },
      x(),
      leaf([width, 1]),
    );
    expect(labels(program)).toEqual(["loop: add"]);
  });

  it("compute equal expressions once", () => {
    const program = programOf((a) => add(exp(neg(a)), mul(exp(neg(a)), 2)), x());
    const [kernel] = program.kernels;
    const body = kernel?.kind === "loop" ? kernel.stages.flatMap((stage) => stage.body) : [];
    expect(body.filter(({ op }) => op === "exp")).toHaveLength(1);
  });

  it("fold constants", () => {
    const program = programOf((a) => mul(add(a, mul(zeros([1]), 3)), add(1, full([rows, width], 2))), x());
    const [kernel] = program.kernels;
    const body = kernel?.kind === "loop" ? kernel.stages.flatMap((stage) => stage.body) : [];
    // Rounding is what storing float32 does.
    const ops = body.map(({ op }) => op).filter((op) => op !== "roundTo");
    expect(ops.sort()).toEqual(["add", "constant", "constant", "load", "mul", "store"]);
    // Adding +0 stays: it turns -0 into 0. Subtracting it changes nothing.
    const [copy] = programOf((a) => sub(a, zeros([1])), x()).kernels;
    const copied = copy?.kind === "loop" ? copy.stages.flatMap((stage) => stage.body) : [];
    expect(copied.map(({ op }) => op).filter((op) => op !== "roundTo")).toEqual(["load", "store"]);
  });

  it("leave out what nothing needs", () => {
    const program = programOf((a) => {
      exp(a);
      return neg(a);
    }, x());
    expect(labels(program)).toEqual(["loop: neg"]);
  });
});

describe("row programs", () => {
  const norm = (a: Tensor, weight: Tensor, bias: Tensor) => layerNorm(a, { normalizedShape: [width], weight, bias });
  const rms = (a: Tensor, weight: Tensor) => rmsNorm(a, { normalizedShape: [width], weight });
  const bytes = rows * width * 4;

  it.each<[string, (...args: Tensor[]) => Tensor, Tensor[], string]>([
    ["softmax", (a) => softmax(a as Tensor), [x()], "max · sum · div"],
    ["softmax over columns", (a) => softmax(a as Tensor, { axis: 0 }), [x()], "max · sum · div"],
    ["logSoftmax", (a) => logSoftmax(a as Tensor), [x()], "max · sum · log · sub"],
    ["layerNorm", norm as (...args: Tensor[]) => Tensor, [x(), scale(), scale()], "sum · sum · add"],
    ["rmsNorm", rms as (...args: Tensor[]) => Tensor, [x(), scale()], "sum · mul"],
    ["variance", (a) => variance(a as Tensor, { axis: 1 }), [x()], "sum · sum · div"],
  ])("%s is one kernel that reads its input once", (_name, fn, args, label) => {
    const program = programOf(fn, ...args);
    expect(labels(program)).toEqual([`loop: ${label}`]);
    const { bytesRead, arenaBytes } = programStatistics(program);
    expect(bytesRead).toBe(args.reduce((total, { size }) => total + 4 * size, 0));
    expect(arenaBytes).toBe(0);
  });

  it.each<[string, (...args: Tensor[]) => Tensor, Tensor[], string]>([
    ["softmax", (a) => softmax(a as Tensor), [x()], "max · sum · sum · mul"],
    ["logSoftmax", (a) => logSoftmax(a as Tensor), [x()], "sum · max · sum · add"],
    ["layerNorm", norm as (...args: Tensor[]) => Tensor, [x(), scale(), scale()], "sum · sum · sum · div · sum · add"],
    ["rmsNorm", rms as (...args: Tensor[]) => Tensor, [x(), scale()], "sum · sum · div · add"],
  ])("the gradient of %s is one kernel", (_name, fn, args, label) => {
    const program = gradientsOf(fn, [0], ...args);
    expect(labels(program)).toEqual([`loop: ${label}`]);
    expect(programStatistics(program).bytesWritten).toBe(bytes);
  });

  it("add one kernel at most for each gradient of a weight", () => {
    const all = gradientsOf(norm as (...args: Tensor[]) => Tensor, [0, 1, 2], x(), scale(), scale());
    expect(all.kernels.length).toBeLessThanOrEqual(3);
    expect(gradientsOf(rms as (...args: Tensor[]) => Tensor, [0, 1], x(), scale()).kernels).toHaveLength(2);
  });

  it("normalise a batch in one kernel", () => {
    const program = programOf(
      (a, weight, bias) => batchNorm(a as Tensor, { weight, bias, training: true }).output,
      image(),
      ones([3]),
      zeros([3]),
    );
    expect(labels(program)).toEqual(["loop: sum · sum · add"]);
  });

  it("make cross entropy a kernel over rows and one over the batch", () => {
    const target = leaf([rows], "int32");
    const value = programOf((a, y) => crossEntropy(a as Tensor, y as Tensor), x(), target);
    expect(value.kernels).toHaveLength(2);
    const both = programOf(
      (a, y) => {
        const loss = crossEntropy(a as Tensor, y as Tensor);
        return [loss, grad(loss, a as Tensor)];
      },
      x(),
      target,
    );
    // The number of targets that count, the rows, their mean.
    expect(both.kernels).toHaveLength(3);
    expect(programStatistics(both).bytesWritten).toBeLessThan(1.1 * bytes);
  });
});

describe("reductions", () => {
  it("take an element-wise prologue and epilogue along", () => {
    const program = programOf((a) => add(mul(mean(square(sub(a, 1)), { axis: 1 }), 2), 1), x());
    expect(labels(program)).toEqual(["loop: sum · add"]);
  });
  it("pool in one kernel", () => {
    expect(labels(programOf((a) => avgPool2d(a as Tensor, { kernelSize: 2 }), image()))).toEqual(["loop: sum · div"]);
  });
});

describe("contractions", () => {
  it("continue with bias, activation and residual", () => {
    const dense = programOf((a, w, b) => relu(linear(a, w as Tensor, b)), x(), leaf([16, width]), leaf([16]));
    expect(labels(dense)).toEqual(["matmul: matmul · add · relu"]);
    const residual = programOf(
      (a, w, b, r) => add(gelu(linear(a, w as Tensor, b)), r),
      x(),
      leaf([16, width]),
      leaf([16]),
      leaf([rows, 16]),
    );
    expect(residual.kernels).toHaveLength(1);
    const convolution = programOf(
      (a, w, b) => relu(conv2d(a as Tensor, w as Tensor, b, { padding: 1 })),
      image(),
      leaf([4, 3, 3, 3]),
      leaf([4]),
    );
    expect(labels(convolution)).toEqual(["conv2d: conv2d · add · relu"]);
    for (const program of [dense, residual, convolution]) expect(program.arenaBytes).toBe(0);
  });

  it("read transposed operands where they lie", () => {
    const product = programOf((a, b) => matmul(transpose(a as Tensor), b as Tensor), x(), x());
    expect(labels(product)).toEqual(["matmul: matmul"]);
    const gradients = gradientsOf((a, b) => matmul(a as Tensor, b as Tensor), [0, 1], x(), leaf([width, 16]));
    expect(labels(gradients)).toEqual(["matmul: matmul", "matmul: matmul"]);
    expect(gradients.arenaBytes).toBe(0);
    const batched = gradientsOf((a, b) => matmul(a as Tensor, b as Tensor), [0, 1], leaf([4, 8, 6]), leaf([4, 6, 5]));
    expect(labels(batched)).toEqual(["matmul: matmul", "matmul: matmul"]);
  });

  it("mask the gradient of a following relu before it is multiplied", () => {
    const program = gradientsOf(
      (a, w, b) => relu(linear(a as Tensor, w as Tensor, b)),
      [0, 1, 2],
      x(),
      leaf([16, width]),
      leaf([16]),
    );
    // Once forward for the mask, by input, by weight, by bias.
    expect(labels(program)).toEqual([
      "matmul: matmul · lessEqual · where",
      "matmul: matmul",
      "matmul: matmul",
      "loop: sum",
    ]);
  });

  it("leave attention one kernel beside its two products", () => {
    const program = programOf(
      (q) => scaledDotProductAttention(q as Tensor, q as Tensor, q as Tensor, { causal: true }),
      leaf([2, 4, 8, 6]),
    );
    expect(labels(program)).toEqual(["matmul: matmul · where", "loop: max · sum · div", "matmul: matmul"]);
  });
});

describe("optimizers", () => {
  const shapes = [[256, 784], [256], [128, 256], [128], [10, 128], [10]];
  const make = () => shapes.map((shape, i) => new Parameter(zeros(shape), { name: `p${i}` }));
  const total = shapes.reduce((count, shape) => count + shape.reduce((size, n) => size * n, 1), 0);

  it("adamW over six parameters reads and writes everything once, in place, in one kernel", () => {
    const parameters = make();
    const optimizer = adamW(parameters);
    const program = programOf(
      (...gradients) => optimizer.update(new Map(parameters.map((p, i) => [p, gradients[i] as Tensor]))),
      ...shapes.map((shape) => leaf(shape)),
    );
    expect(program.kernels).toHaveLength(1);
    const [kernel] = program.kernels;
    expect(kernel?.kind === "loop" && kernel.segments.map(({ size }) => size)).toEqual(
      shapes.map((shape) => shape.reduce((size, n) => size * n, 1)),
    );
    expect(programStatistics(program)).toMatchObject({
      bytesRead: 4 * 4 * total,
      bytesWritten: 3 * 4 * total,
      arenaBytes: 0,
    });
    expect(program.buffers.filter(({ kind }) => kind === "output" || kind === "temporary")).toEqual([]);
  });

  it("sgd with momentum too", () => {
    const parameters = make();
    const optimizer = sgd(parameters, { lr: 0.1, momentum: 0.9 });
    const gradients = shapes.map((shape) => leaf(shape));
    // The first step starts the momentum from the gradient.
    optimizer.update(new Map(parameters.map((p, i) => [p, gradients[i] as Tensor])));
    const program = programOf(
      (...inputs) => optimizer.update(new Map(parameters.map((p, i) => [p, inputs[i] as Tensor]))),
      ...gradients,
    );
    expect(program.kernels).toHaveLength(1);
    expect(programStatistics(program)).toMatchObject({ bytesRead: 3 * 4 * total, bytesWritten: 2 * 4 * total });
  });
});

describe("a whole training step", () => {
  const shapes = [[64, 100], [64], [32, 64], [32], [10, 32], [10]];
  const [w1, b1, w2, b2, w3, b3] = shapes.map((shape, i) => new Parameter(zeros(shape), { name: `p${i}` })) as [
    Parameter,
    Parameter,
    Parameter,
    Parameter,
    Parameter,
    Parameter,
  ];
  const step = () => {
    const optimizer = adamW([w1, b1, w2, b2, w3, b3]);
    return programOf(
      (a, y) => {
        const hidden = relu(linear(relu(linear(a, w1, b1)), w2, b2));
        return optimizer.minimize(crossEntropy(linear(hidden, w3, b3), y as Tensor));
      },
      leaf([128, 100]),
      leaf([128], "int32"),
    );
  };

  it("is fifteen kernels at most, the last of them the update", () => {
    const program = step();
    // 3 forward, 3 for the loss, 5 products and 3 bias sums backward, 1 update.
    expect(program.kernels.length).toBeLessThanOrEqual(15);
    const last = program.kernels[program.kernels.length - 1];
    expect(last?.kind === "loop" && last.segments).toHaveLength(6);
  });

  it("uses the memory of values that are done with again", () => {
    const program = step();
    const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;
    const sum = program.buffers
      .filter(({ kind }) => kind === "temporary")
      .reduce((total, { size, dtype }) => total + aligned(size * bytesPerElement(dtype)), 0);
    expect(program.arenaBytes).toBeGreaterThan(0);
    expect(program.arenaBytes).toBeLessThan(0.95 * sum);
  });

  it("writes a value over one that is read for the last time, element by element", () => {
    const rows = (a: Tensor) => mul(softmax(a, { axis: 0 }), a);
    const program = programOf(
      (a, b) => matmul(rows(matmul(a as Tensor, b as Tensor)), b as Tensor),
      square32(),
      square32(),
    );
    expect(labels(program)).toEqual(["matmul: matmul", "loop: max · sum · mul", "matmul: matmul"]);
    expect(program.buffers.filter(({ kind }) => kind === "temporary")).toHaveLength(2);
  });

  it("does not where an element is still read for another", () => {
    const a = Float64Array.of(1, 2, 3, 4);
    const twice = compile((x: Tensor, y: Tensor) => {
      const product = matmul(x, y);
      const mixed = barrier(add(product, transpose(product)));
      return matmul(mixed, y);
    });
    const [x, y] = [
      tensor(a, { shape: [2, 2] }),
      tensor(
        a.map((v) => 5 - v),
        { shape: [2, 2] },
      ),
    ];
    // product [[8, 5], [20, 13]], mixed [[16, 25], [25, 26]].
    expect([...twice(x, y).dataSync()]).toEqual([16 * 4 + 25 * 2, 16 * 3 + 25, 25 * 4 + 26 * 2, 25 * 3 + 26]);
    const program = twice.program(x, y);
    validateProgram(program);
    const overlapping = program.buffers.filter(({ kind, offset }) => kind === "temporary" && offset === 0);
    expect(overlapping).toHaveLength(1);
  });
});

describe("segments", () => {
  it("do not move past a kernel that changes what they read", () => {
    const make = (values: number[], name: string) => new Parameter(tensor(values, { dtype: "float64" }), { name });
    const [p, q, a] = [make([1, 2], "p"), make([3, 4, 5], "q"), make([10, 20], "a")];
    const [b, c] = [make([6, 7, 8], "b"), make([10, 20], "c")];
    // The updates of p and q are alike; a, which p's reads, changes in between.
    const step = compile(() => {
      p.assign(add(p, a));
      a.assign(mul(mul(c, c), 0.5));
      q.assign(add(q, b));
    });
    step();
    expect([p, a, q].map((x) => [...x.dataSync()])).toEqual([
      [11, 22],
      [50, 200],
      [9, 11, 13],
    ]);
    const swap = compile(() => {
      q.assign(sub(q, b));
      p.assign(sub(p, a));
      a.assign(neg(a));
      b.assign(neg(b));
    });
    swap();
    expect([p, a, q, b].map((x) => [...x.dataSync()])).toEqual([
      [-39, -178],
      [-50, -200],
      [3, 4, 5],
      [-6, -7, -8],
    ]);
  });
});
