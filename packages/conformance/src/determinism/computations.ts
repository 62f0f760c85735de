/**
 * What must give the same bits however it is run: sizes are such that a backend with threads will want to share the work
 * out, and sums such that another order of adding would show.
 */
import {
  add,
  barrier,
  bernoulli,
  compile,
  conv2d,
  crossEntropy,
  cumSum,
  embedding,
  flip,
  grad,
  layerNorm,
  linear,
  matmul,
  maxPool2d,
  mean,
  mul,
  Parameter,
  permutation,
  rand,
  randint,
  randn,
  relu,
  scatterAdd,
  softmax,
  sort,
  square,
  sum,
  type Tensor,
  tanh,
} from "@thalweg/core";
import { dropout } from "@thalweg/nn";
import { type ModelName, models, startModel, valuesOf } from "../training/models.ts";
import { classes, floats } from "../training/numbers.ts";
import { makeOptimizer } from "../training/optimizers.ts";

/** Results by name. */
export type Results = Readonly<Record<string, Tensor>>;

export interface Computation {
  readonly name: string;
  /** Builds everything anew on the current backend. The random seed has just been set. */
  run(): Results | Promise<Results>;
}

const matmuls: Computation[] = (
  [
    [1, 1000, 1],
    [7, 13, 5],
    [64, 64, 64],
    [65, 257, 33],
    [96, 150, 80],
  ] as const
).map(([m, k, n]) => ({
  name: `matmul ${m}×${k}×${n}`,
  run: () => ({ product: matmul(floats([m, k], 1), floats([k, n], 2)) }),
}));

const fused: Computation = {
  name: "linear with an epilogue, and its gradients",
  run() {
    const [x, w, b] = [floats([64, 96], 1), floats([48, 96], 2), floats([48], 3)];
    const loss = mean(square(tanh(linear(x, w, b))));
    const [dx, dw, db] = grad(loss, [x, w, b]) as [Tensor, Tensor, Tensor];
    return { loss, dx, dw, db };
  },
};

const convolution: Computation = {
  name: "convolution with pooling, and its gradients",
  run() {
    const [x, w] = [floats([2, 3, 18, 18], 1), floats([8, 3, 3, 3], 2)];
    const y = maxPool2d(relu(conv2d(x, w, undefined, { padding: 1 })), { kernelSize: 2 });
    const [dx, dw] = grad(sum(square(y)), [x, w]) as [Tensor, Tensor];
    return { y, dx, dw };
  },
};

const grouped: Computation = {
  name: "convolution in groups with strides, and its gradients",
  run() {
    const [x, w] = [floats([2, 8, 21, 15], 1), floats([8, 4, 3, 3], 2)];
    const y = conv2d(x, w, undefined, { stride: 2, padding: 1, groups: 2 });
    const [dx, dw] = grad(sum(square(y)), [x, w]) as [Tensor, Tensor];
    return { y, dx, dw };
  },
};

const sums: Computation = {
  name: "long sums",
  run() {
    const x = floats([200_000], 1);
    const wide = floats([300, 400], 2);
    return {
      all: sum(x),
      squares: mean(square(x)),
      rows: sum(wide, { axis: 1 }),
      columns: sum(wide, { axis: 0 }),
    };
  },
};

const rows: Computation = {
  name: "rows of softmax and layerNorm, and their gradients",
  run() {
    const [x, scale, shift] = [floats([80, 150], 1), floats([150], 2), floats([150], 3)];
    const normalized = layerNorm(x, { normalizedShape: [150], weight: scale, bias: shift });
    const y = softmax(mul(normalized, 3));
    const [dx, dScale, dShift] = grad(sum(square(y)), [x, scale, shift]) as [Tensor, Tensor, Tensor];
    const loss = crossEntropy(x, classes([80], 150, 4));
    return { y, dx, dScale, dShift, loss, dLogits: grad(loss, x) };
  },
};

const scattered: Computation = {
  name: "scatterAdd and the gradient of an embedding, with many duplicates",
  run() {
    const at = classes([5_000], 37, 1);
    const added = scatterAdd(floats([37], 2), at, floats([5_000], 3), { axis: 0 });
    const table = floats([50, 24], 4);
    const looked = embedding(classes([40, 20], 50, 5), table);
    return { added, table: grad(sum(mul(square(looked), floats([40, 20, 24], 6))), table) };
  },
};

const scanned: Computation = {
  name: "cumSum and sort",
  run() {
    const x = floats([30, 200], 1);
    const { values, indices } = sort(classes([20, 60], 10, 2), { axis: 1 });
    return { rows: cumSum(x, { axis: 1 }), columns: cumSum(x, { axis: 0 }), values, indices };
  },
};

const random: Computation = {
  name: "random numbers and dropout",
  run() {
    const drop = dropout(0.3);
    const noisy = compile((x: Tensor) => drop(x));
    const x = floats([200, 50], 1);
    return {
      uniform: rand([4_001]),
      normal: randn([2_000]),
      whole: randint(-5, 1000, [3_000]),
      coins: bernoulli(0.4, { shape: [999] }),
      order: permutation(500),
      first: noisy(x),
      second: noisy(x),
    };
  },
};

const updates: Computation = {
  name: "updates of many parameters in one kernel",
  async run() {
    const shapes = [[5000], [1], [33, 77], [3], [128, 40]];
    const parameters = shapes.map((shape, i) => new Parameter(floats(shape, i + 1), { name: `p${i}` }));
    const optimizer = makeOptimizer("adamW", parameters, { lr: 0.01 });
    const step = compile((...gradients: Tensor[]) => optimizer.update(gradients));
    for (let t = 0; t < 3; t++) step(...shapes.map((shape, i) => floats(shape, 100 + 10 * t + i)));
    return Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter]));
  },
};

/** Three steps of training, and every parameter after them. */
const training = (model: ModelName, optimizerName: string, size: number): Computation => ({
  name: `three steps of training ${model}`,
  async run() {
    const trained = await startModel(models[model], "float32");
    const optimizer = makeOptimizer(optimizerName, trained.net.namedParameters(), { lr: 0.01 });
    const step = compile((...batch: Tensor[]) => optimizer.minimize(trained.loss(...batch)));
    const losses = [0, 1, 2].map((t) => [`loss of step ${t}`, step(...trained.batch(10 * t, size))] as const);
    return { ...Object.fromEntries(losses), ...valuesOf(trained.net) };
  },
});

/** What runs between two runs of another: it leaves large numbers in the memory that Programs share. */
export const disturbance: Computation = {
  name: "large temporaries",
  run() {
    const stored = barrier(add(mul(floats([30_000], 1), 1e6), 1e9));
    return { turned: flip(stored, 0), sum: sum(stored) };
  },
};

export const computations: readonly Computation[] = [
  ...matmuls,
  fused,
  convolution,
  grouped,
  sums,
  rows,
  scattered,
  scanned,
  random,
  updates,
  training("gpt", "adamW", 8),
  training("batchNorm", "sgd", 16),
  training("dropout", "adam", 64),
];
