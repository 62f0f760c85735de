/** Programs of core's operations that have every form of generated kernel among them, each in a few shapes. */
import {
  add,
  argMax,
  argSort,
  autocast,
  cast,
  compile,
  conv2d,
  crossEntropy,
  cumSum,
  erf,
  gather,
  gelu,
  grad,
  layerNorm,
  linear,
  logSumExp,
  matmul,
  max,
  mean,
  mul,
  Parameter,
  permute,
  pow,
  rand,
  randn,
  relu,
  scatterAdd,
  sigmoid,
  sin,
  softmax,
  sum,
  type Tensor,
  tanh,
  transpose,
  useBackend,
  variance,
  zeros,
} from "@thalweg/core";
import type { DType, Program } from "@thalweg/core/backend";
import { adamW, type Optimizer, sgd } from "@thalweg/core/optim";
import type { Target } from "../src/target.ts";
import { blankBackend } from "./texts.ts";

type Shape = readonly number[];

const make = (shape: Shape, dtype: DType = "float32"): Tensor => zeros(shape, { dtype });

function programOf<Args extends Tensor[]>(fn: (...args: Args) => Tensor | Tensor[], ...args: Args): () => Program {
  return () => compile(fn).program(...args);
}

const unary = (fn: (x: Tensor) => Tensor | Tensor[], shape: Shape, dtype?: DType): (() => Program) =>
  programOf(fn, make(shape, dtype));

const product = (a: Shape, b: Shape, dtype?: DType): (() => Program) =>
  programOf((x: Tensor, y: Tensor) => matmul(x, y), make(a, dtype), make(b, dtype));

/** A batch of 8; the convolution and both its derivatives. */
function convolution(x: Shape, weight: Shape, options: Parameters<typeof conv2d>[3] = {}): () => Program {
  const derivatives = (image: Tensor, kernel: Tensor): Tensor[] => {
    const loss = (i: Tensor, k: Tensor): Tensor => sum(mul(tanh(conv2d(i, k, null, options)), 0.5));
    return grad(loss, { argnums: [0, 1] })(image, kernel);
  };
  return programOf(derivatives, make([8, ...x]), make(weight));
}

function update(shapes: readonly Shape[], rule: (parameters: readonly Parameter[]) => Optimizer) {
  return (): Program => {
    const parameters = shapes.map((shape, i) => new Parameter(make(shape), { name: `p${i}` }));
    const optimizer = rule(parameters);
    const step = compile((...gradients: Tensor[]) => optimizer.update(gradients));
    return step.program(...shapes.map((shape) => make(shape)));
  };
}

/** A step of a small network with an embedding, and of its dense layers in bfloat16. */
function trainingStep(): Program {
  const shapes: readonly Shape[] = [[65, 64], [256, 64], [256], [65, 256]];
  const parameters = shapes.map((shape, i) => new Parameter(make(shape), { name: `p${i}` }));
  const [table, first, bias, last] = parameters as [Parameter, Parameter, Parameter, Parameter];
  const optimizer = sgd(parameters, { lr: 0.1, momentum: 0.9 });
  const step = compile((indices: Tensor, target: Tensor) => {
    const embedded = gather(table, indices, { axis: 0 });
    return optimizer.minimize(
      autocast("bfloat16", () => crossEntropy(linear(gelu(linear(embedded, first, bias)), last), target)),
    );
  });
  return step.program(make([128, 64], "int32"), make([128], "int32"));
}

const programs: Readonly<Record<string, () => Program>> = {
  activation: programOf((x: Tensor, b: Tensor) => mul(tanh(add(mul(x, 1.5), b)), sigmoid(x)), make([4099]), make([1])),
  "activation, float64": unary((x) => erf(tanh(x)), [1000], "float64"),
  "functions with slow paths": unary((x) => add(sin(x), pow(x, 2.5)), [4096]),
  "activation, bfloat16": unary((x) => gelu(x), [1 << 20], "bfloat16"),
  "scaling, float16": unary((x) => cast(mul(cast(x, "float32"), 3), "float16"), [64, 1001], "float16"),
  integers: unary((x) => add(mul(x, x), 7), [1000], "int32"),
  random: programOf(() => [rand([1 << 16]), randn([1001])]),
  transposed: unary((x) => add(transpose(x), 1), [512, 768]),
  "transposed in batches": unary((x) => mul(permute(x, [0, 2, 1, 3]), 2), [8, 64, 4, 32]),
  "update of one tensor": update([[1 << 20]], (parameters) => adamW(parameters, { lr: 1e-3 })),
  "update of many tensors": update(
    Array.from({ length: 70 }, (_, i) => [64 + i]),
    (parameters) => adamW(parameters, { lr: 1e-3 }),
  ),
  "softmax of short rows": unary((x) => softmax(x), [4096, 20]),
  "softmax of rows": unary((x) => softmax(x), [4096, 512]),
  "softmax of long rows": unary((x) => softmax(x), [16, 50_304]),
  "softmax of rows, bfloat16": unary((x) => softmax(x), [4096, 1024], "bfloat16"),
  "softmax of columns": unary((x) => softmax(x, { axis: 0 }), [512, 1000]),
  "normalization of rows": programOf(
    (x: Tensor, weight: Tensor, bias: Tensor) => layerNorm(x, { normalizedShape: 768, weight, bias }),
    make([1024, 768]),
    make([768]),
    make([768]),
  ),
  "derivative of normalization": programOf(
    (x: Tensor, weight: Tensor) => [
      ...grad((t: Tensor, w: Tensor) => sum(tanh(layerNorm(t, { normalizedShape: 768, weight: w }))), {
        argnums: [0, 1],
      })(x, weight),
    ],
    make([1024, 768]),
    make([768]),
  ),
  "sums over rows": unary((x) => [sum(x, { axis: 1 }), argMax(x, { axis: 1 })], [4096, 300]),
  "sums over columns": unary((x) => [sum(x, { axis: 0 }), max(x, { axis: 0 })], [4096, 300]),
  "sums over long columns, bfloat16": unary(
    (x) => [sum(x, { axis: 0 }), max(x, { axis: 0 })],
    [60_000, 512],
    "bfloat16",
  ),
  "sums over outer and inner axes": unary((x) => variance(x, { axis: [0, 2, 3] }), [32, 64, 28, 28]),
  "sum of everything": unary((x) => [sum(x), logSumExp(x)], [1 << 22]),
  "sum of everything, float64": unary((x) => mean(x), [100_000], "float64"),
  "tiles of 4096": product([4096, 4096], [4096, 4096]),
  "tiles, unaligned": product([4095, 4097], [4097, 1023]),
  "tiles, transposed": programOf(
    (x: Tensor, y: Tensor) => matmul(transpose(x), y),
    make([4096, 256]),
    make([4096, 512]),
  ),
  "tiles of batches": product([64, 64, 32], [64, 32, 64]),
  "tiles with an epilogue": programOf(
    (x: Tensor, weight: Tensor, bias: Tensor) => relu(linear(x, weight, bias)),
    make([1024, 784]),
    make([256, 784]),
    make([256]),
  ),
  "tiles over parts of long sums": product([128, 8192], [8192, 128]),
  "few rows": product([2, 4096], [4096, 4096]),
  "products too small for tiles": product([5, 7], [7, 3]),
  "tiles, bfloat16": product([2048, 1024], [1024, 2048], "bfloat16"),
  "tiles over parts, bfloat16": product([128, 8192], [8192, 256], "bfloat16"),
  "tiles, float16": product([1024, 1024], [1024, 1024], "float16"),
  "tiles, float64": product([512, 512], [512, 512], "float64"),
  "tiles, int32": product([256, 256], [256, 256], "int32"),
  convolution: convolution([32, 28, 28], [64, 32, 3, 3], { padding: 1 }),
  "strided convolution": convolution([3, 56, 56], [64, 3, 7, 7], { padding: 3, stride: 2 }),
  "dilated convolution": convolution([8, 20, 20], [16, 8, 3, 3], { dilation: 2 }),
  "convolution in groups": convolution([32, 14, 14], [64, 8, 3, 3], { groups: 4, padding: 1 }),
  "depthwise convolution": convolution([32, 14, 14], [32, 1, 3, 3], { groups: 32, padding: 1 }),
  "scattered into rows": programOf(
    (x: Tensor, index: Tensor, source: Tensor) => scatterAdd(x, index, source, { axis: 0 }),
    make([1000, 64]),
    make([4096, 64], "int32"),
    make([4096, 64]),
  ),
  "scattered into a vector": programOf(
    (x: Tensor, index: Tensor, source: Tensor) => scatterAdd(x, index, source, { axis: 0 }),
    make([100]),
    make([100_000], "int32"),
    make([100_000]),
  ),
  "cumulated along rows": unary((x) => cumSum(x, { axis: 1 }), [512, 1000]),
  "cumulated along columns": unary((x) => cumSum(x, { axis: 0 }), [1000, 64]),
  "cumulated along one row": unary((x) => cumSum(x, { axis: 0 }), [1 << 20]),
  "sorted short rows": unary((x) => argSort(x), [512, 100]),
  "sorted long rows": unary((x) => argSort(x), [4, 100_000]),
  "a step of training": trainingStep,
};

/** Those with products or convolutions of float32, of which TF32 makes other kernels. */
const inTf32 = ["tiles of 4096", "tiles, unaligned", "tiles over parts of long sums", "convolution"];

/** A Program, and the precision its float32 products are compiled with. */
export interface Sample {
  readonly name: string;
  readonly precision: Target["precision"];
  readonly program: Program;
}

export function representativeSamples(): Sample[] {
  useBackend(blankBackend());
  const made = Object.entries(programs).map(([name, program]) => ({ name, program: program() }));
  return [
    ...made.map((sample) => ({ ...sample, precision: "highest" as const })),
    ...made
      .filter(({ name }) => inTf32.includes(name))
      .map((sample) => ({ ...sample, name: `${sample.name}, TF32`, precision: "tf32" as const })),
  ];
}
