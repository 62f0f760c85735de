/** Golden operations: how each is called with the inputs and attributes of a case, on whatever backend is current. */

import type { Tensor } from "@thalweg/core";
import * as t from "@thalweg/core";
import {
  decodeNumbers,
  type FloatDType,
  type GoldenInput,
  type GoldenNumber,
  type GoldenTensor,
  makeInput,
} from "./schema.ts";

type AttributeValue = number | string | boolean | readonly number[] | null;

export interface GoldenOpCase {
  readonly name: string;
  readonly note?: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly inputs: readonly GoldenInput[];
  readonly output?: GoldenTensor;
  readonly outputs?: readonly GoldenTensor[];
  readonly outputGradient?: readonly GoldenNumber[];
  readonly outputGradients?: readonly (readonly GoldenNumber[] | null)[];
  readonly inputGradients?: readonly (readonly GoldenNumber[] | null)[];
  readonly finiteDifferences?: false;
  readonly float64Range?: true;
}

export interface GoldenOpFile {
  readonly schema: "thalweg/golden-op/1";
  readonly op: string;
  readonly cases: readonly GoldenOpCase[];
}

/** Inputs and attributes by name. The schema says which exist and of what type; a wrong file fails in the operation. */
class Arguments {
  readonly #inputs: ReadonlyMap<string, Tensor>;
  readonly #attributes: GoldenOpCase["attributes"];

  constructor(inputs: ReadonlyMap<string, Tensor>, attributes: GoldenOpCase["attributes"]) {
    this.#inputs = inputs;
    this.#attributes = attributes;
  }

  get all(): Tensor[] {
    return [...this.#inputs.values()];
  }
  input(name: string): Tensor {
    const input = this.#inputs.get(name);
    if (!input) throw new Error(`the case has no input ${name}`);
    return input;
  }
  optional(name: string): Tensor | undefined {
    return this.#inputs.get(name);
  }
  /** Infinity, as every number that JSON lacks, is a string. */
  number(name: string): number {
    return Number(this.#attributes[name]);
  }
  list(name: string): readonly number[] {
    return this.#attributes[name] as readonly number[];
  }
  /** A 2-d size. */
  pair(name: string): [number, number] {
    return [...this.list(name)] as [number, number];
  }
  flag(name: string): boolean {
    return this.#attributes[name] as boolean;
  }
  /** An attribute that is one of a few words. */
  word<W extends string>(name: string): W {
    return this.#attributes[name] as W;
  }
  /** A number of which `null` means none. */
  optionalNumber(name: string): number | undefined {
    return this.#attributes[name] === null ? undefined : this.number(name);
  }
  /** Axes or sizes: one number, several, or `null` for all. */
  numbers(name: string): number | readonly number[] | null {
    return this.#attributes[name] as number | readonly number[] | null;
  }
}

type Call = (a: Arguments) => Tensor | readonly Tensor[];
type Reduction = "mean" | "none" | "sum";

const unary =
  (fn: (x: Tensor) => Tensor): Call =>
  (a) =>
    fn(a.input("x"));
const binary =
  (fn: (a: Tensor, b: Tensor) => Tensor): Call =>
  (a) =>
    fn(a.input("a"), a.input("b"));
const reduceOptions = (a: Arguments) => ({
  axis: a.numbers("axis"),
  keepDim: a.flag("keepDim"),
});
const reduction =
  (fn: (x: Tensor, options: ReturnType<typeof reduceOptions>) => Tensor): Call =>
  (a) =>
    fn(a.input("x"), reduceOptions(a));
const position =
  (fn: (x: Tensor, options: { axis?: number | null; keepDim: boolean }) => Tensor): Call =>
  (a) =>
    fn(a.input("x"), { axis: a.optionalNumber("axis") ?? null, keepDim: a.flag("keepDim") });

/** Every golden operation. */
export const goldenOps: Readonly<Record<string, Call>> = {
  add: binary(t.add),
  sub: binary(t.sub),
  mul: binary(t.mul),
  div: binary(t.div),
  pow: binary(t.pow),
  maximum: binary(t.maximum),
  minimum: binary(t.minimum),
  neg: unary(t.neg),
  abs: unary(t.abs),
  sign: unary(t.sign),
  exp: unary(t.exp),
  log: unary(t.log),
  log1p: unary(t.log1p),
  expm1: unary(t.expm1),
  sqrt: unary(t.sqrt),
  rsqrt: unary(t.rsqrt),
  reciprocal: unary(t.reciprocal),
  square: unary(t.square),
  sin: unary(t.sin),
  cos: unary(t.cos),
  tan: unary(t.tan),
  tanh: unary(t.tanh),
  sigmoid: unary(t.sigmoid),
  erf: unary(t.erf),
  relu: unary(t.relu),
  relu6: unary(t.relu6),
  leakyRelu: (a) => t.leakyRelu(a.input("x"), { negativeSlope: a.number("negativeSlope") }),
  elu: (a) => t.elu(a.input("x"), { alpha: a.number("alpha") }),
  gelu: (a) => t.gelu(a.input("x"), { approximate: a.word<"none" | "tanh">("approximate") }),
  silu: unary(t.silu),
  softplus: (a) => t.softplus(a.input("x"), { beta: a.number("beta"), threshold: a.number("threshold") }),
  mish: unary(t.mish),
  hardSwish: unary(t.hardSwish),
  floor: unary(t.floor),
  ceil: unary(t.ceil),
  round: unary(t.round),
  clamp: (a) => t.clamp(a.input("x"), { min: a.optionalNumber("min"), max: a.optionalNumber("max") }),
  where: (a) => t.where(a.input("condition"), a.input("a"), a.input("b")),
  equal: binary(t.equal),
  less: binary(t.less),
  greater: binary(t.greater),
  logicalAnd: binary(t.logicalAnd),
  isNaN: unary(t.isNaN),

  sum: reduction(t.sum),
  mean: reduction(t.mean),
  prod: reduction(t.prod),
  max: reduction(t.max),
  min: reduction(t.min),
  argMax: position(t.argMax),
  argMin: position(t.argMin),
  variance: (a) => t.variance(a.input("x"), { ...reduceOptions(a), correction: a.number("correction") }),
  std: (a) => t.std(a.input("x"), { ...reduceOptions(a), correction: a.number("correction") }),
  logSumExp: reduction(t.logSumExp),
  softmax: (a) => t.softmax(a.input("x"), { axis: a.number("axis") }),
  logSoftmax: (a) => t.logSoftmax(a.input("x"), { axis: a.number("axis") }),
  norm: (a) => t.norm(a.input("x"), { ...reduceOptions(a), p: a.number("p") }),
  cumSum: (a) => t.cumSum(a.input("x"), { axis: a.number("axis") }),

  matmul: binary(t.matmul),
  linear: (a) => t.linear(a.input("x"), a.input("weight"), a.optional("bias")),
  einsum: (a) => t.einsum(a.word("equation"), ...a.all),
  conv1d: (a) =>
    t.conv1d(a.input("x"), a.input("weight"), a.optional("bias"), {
      stride: a.number("stride"),
      padding: a.number("padding"),
      dilation: a.number("dilation"),
      groups: a.number("groups"),
    }),
  conv2d: (a) =>
    t.conv2d(a.input("x"), a.input("weight"), a.optional("bias"), {
      stride: a.pair("stride"),
      padding: a.pair("padding"),
      dilation: a.pair("dilation"),
      groups: a.number("groups"),
    }),
  convTranspose2d: (a) =>
    t.convTranspose2d(a.input("x"), a.input("weight"), a.optional("bias"), {
      stride: a.pair("stride"),
      padding: a.pair("padding"),
      outputPadding: a.pair("outputPadding"),
      dilation: a.pair("dilation"),
      groups: a.number("groups"),
    }),
  maxPool2d: (a) =>
    t.maxPool2d(a.input("x"), {
      kernelSize: a.pair("kernelSize"),
      stride: a.pair("stride"),
      padding: a.pair("padding"),
      dilation: a.pair("dilation"),
      ceilMode: a.flag("ceilMode"),
    }),
  avgPool2d: (a) =>
    t.avgPool2d(a.input("x"), {
      kernelSize: a.pair("kernelSize"),
      stride: a.pair("stride"),
      padding: a.pair("padding"),
      ceilMode: a.flag("ceilMode"),
      countIncludePad: a.flag("countIncludePad"),
    }),
  adaptiveAvgPool2d: (a) => t.adaptiveAvgPool2d(a.input("x"), { outputSize: a.pair("outputSize") }),

  layerNorm: (a) =>
    t.layerNorm(a.input("x"), {
      normalizedShape: a.list("normalizedShape"),
      weight: a.optional("weight"),
      bias: a.optional("bias"),
      eps: a.number("eps"),
    }),
  batchNorm: (a) => {
    const training = a.flag("training");
    const { output, runningMean, runningVar } = t.batchNorm(a.input("x"), {
      runningMean: a.input("runningMean"),
      runningVar: a.input("runningVar"),
      weight: a.optional("weight"),
      bias: a.optional("bias"),
      training,
      momentum: a.number("momentum"),
      eps: a.number("eps"),
    });
    return training ? [output, runningMean as Tensor, runningVar as Tensor] : output;
  },
  groupNorm: (a) =>
    t.groupNorm(a.input("x"), {
      numGroups: a.number("numGroups"),
      weight: a.optional("weight"),
      bias: a.optional("bias"),
      eps: a.number("eps"),
    }),
  rmsNorm: (a) =>
    t.rmsNorm(a.input("x"), {
      normalizedShape: a.list("normalizedShape"),
      weight: a.optional("weight"),
      eps: a.number("eps"),
    }),

  embedding: (a) => t.embedding(a.input("indices"), a.input("weight")),
  gather: (a) => t.gather(a.input("x"), a.input("index"), { axis: a.number("axis") }),
  indexSelect: (a) => t.indexSelect(a.input("x"), a.input("index"), { axis: a.number("axis") }),
  scatterAdd: (a) => t.scatterAdd(a.input("x"), a.input("index"), a.input("source"), { axis: a.number("axis") }),

  reshape: (a) => t.reshape(a.input("x"), a.list("shape")),
  permute: (a) => t.permute(a.input("x"), a.list("axes")),
  expand: (a) => t.expand(a.input("x"), a.list("shape")),
  slice: (a) =>
    t.slice(a.input("x"), {
      axis: a.number("axis"),
      start: a.optionalNumber("start"),
      end: a.optionalNumber("end"),
      step: a.number("step"),
    }),
  pad: (a) => t.pad(a.input("x"), a.list("padding"), { value: a.number("value") }),
  flip: (a) => t.flip(a.input("x"), a.list("axes")),
  concat: (a) => t.concat(a.all, { axis: a.number("axis") }),
  stack: (a) => t.stack(a.all, { axis: a.number("axis") }),
  split: (a) => t.split(a.input("x"), a.numbers("sizes") ?? [], { axis: a.number("axis") }),
  tril: (a) => t.tril(a.input("x"), { diagonal: a.number("diagonal") }),
  triu: (a) => t.triu(a.input("x"), { diagonal: a.number("diagonal") }),
  oneHot: (a) => t.oneHot(a.input("indices"), a.number("numClasses")),
  sort: (a) => {
    const { values, indices } = t.sort(a.input("x"), { axis: a.number("axis"), descending: a.flag("descending") });
    return [values, indices];
  },
  topK: (a) => {
    const options = { axis: a.number("axis"), largest: a.flag("largest"), sorted: a.flag("sorted") };
    const { values, indices } = t.topK(a.input("x"), a.number("k"), options);
    return [values, indices];
  },

  crossEntropy: (a) =>
    t.crossEntropy(a.input("input"), a.input("target"), {
      weight: a.optional("weight"),
      reduction: a.word<Reduction>("reduction"),
      ignoreIndex: a.number("ignoreIndex"),
      labelSmoothing: a.number("labelSmoothing"),
    }),
  nllLoss: (a) =>
    t.nllLoss(a.input("input"), a.input("target"), {
      weight: a.optional("weight"),
      reduction: a.word<Reduction>("reduction"),
      ignoreIndex: a.number("ignoreIndex"),
    }),
  mseLoss: (a) => t.mseLoss(a.input("input"), a.input("target"), { reduction: a.word<Reduction>("reduction") }),
  l1Loss: (a) => t.l1Loss(a.input("input"), a.input("target"), { reduction: a.word<Reduction>("reduction") }),
  smoothL1Loss: (a) =>
    t.smoothL1Loss(a.input("input"), a.input("target"), {
      reduction: a.word<Reduction>("reduction"),
      beta: a.number("beta"),
    }),
  huberLoss: (a) =>
    t.huberLoss(a.input("input"), a.input("target"), {
      reduction: a.word<Reduction>("reduction"),
      delta: a.number("delta"),
    }),
  bceWithLogits: (a) =>
    t.bceWithLogits(a.input("input"), a.input("target"), {
      weight: a.optional("weight"),
      posWeight: a.optional("posWeight"),
      reduction: a.word<Reduction>("reduction"),
    }),
  klDiv: (a) =>
    t.klDiv(a.input("input"), a.input("target"), {
      reduction: a.word<Reduction | "batchmean">("reduction"),
      logTarget: a.flag("logTarget"),
    }),
  cosineSimilarity: (a) =>
    t.cosineSimilarity(a.input("a"), a.input("b"), { axis: a.number("axis"), eps: a.number("eps") }),

  scaledDotProductAttention: (a) =>
    t.scaledDotProductAttention(a.input("query"), a.input("key"), a.input("value"), {
      mask: a.optional("mask"),
      causal: a.flag("causal"),
      scale: a.optionalNumber("scale"),
    }),
  lstmCell: (a) =>
    t.lstmCell(a.input("x"), [a.input("h"), a.input("c")], {
      weightIH: a.input("weightIH"),
      weightHH: a.input("weightHH"),
      biasIH: a.optional("biasIH"),
      biasHH: a.optional("biasHH"),
    }),
  gruCell: (a) =>
    t.gruCell(a.input("x"), a.input("h"), {
      weightIH: a.input("weightIH"),
      weightHH: a.input("weightHH"),
      biasIH: a.optional("biasIH"),
      biasHH: a.optional("biasHH"),
    }),
};

/** A case as lazy tensors beside the values expected of them. */
export interface OpResults {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly { readonly actual: Tensor; readonly expected: GoldenTensor }[];
  /** One per input whose gradient the case gives. */
  readonly gradients: readonly { readonly input: string; readonly actual: Tensor; readonly expected: Float64Array }[];
}

/** Outputs of a golden operation on inputs by name, in the order of the schema. */
export function callGoldenOp(
  op: string,
  inputs: ReadonlyMap<string, Tensor>,
  attributes: GoldenOpCase["attributes"],
): readonly Tensor[] {
  const call = goldenOps[op];
  if (!call) throw new Error(`no call is known for the golden operation ${op}`);
  const result = call(new Arguments(inputs, attributes));
  return result instanceof t.Tensor ? [result] : result;
}

/** Builds a case with float inputs in `floats`. Nothing is evaluated yet. */
export function buildOpCase(op: string, golden: GoldenOpCase, floats: FloatDType): OpResults {
  const inputs = golden.inputs.map((input) => makeInput(input, floats));
  const named = new Map(golden.inputs.map(({ name }, i) => [name, inputs[i] as Tensor]));
  const results = callGoldenOp(op, named, golden.attributes);
  const expected = golden.outputs ?? [golden.output as GoldenTensor];
  if (results.length !== expected.length)
    throw new Error(`${op} gave ${results.length} outputs, expected ${expected.length}`);
  const outputs = expected.map((output, i) => ({ actual: results[i] as Tensor, expected: output }));
  return { inputs, outputs, gradients: buildGradients(golden, inputs, results) };
}

function buildGradients(
  golden: GoldenOpCase,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
): OpResults["gradients"] {
  const { inputGradients } = golden;
  const outputGradients = golden.outputGradients ?? (golden.outputGradient ? [golden.outputGradient] : undefined);
  if (!inputGradients || !outputGradients) return [];
  const differentiated = outputs.flatMap((output, i) => {
    const values = outputGradients[i];
    if (!values) return [];
    return [{ output, cotangent: t.tensor(decodeNumbers(values), { shape: output.shape, dtype: output.dtype }) }];
  });
  const wanted = inputGradients.flatMap((values, i) => (values ? [{ i, values }] : []));
  const gradients = t.vjp(
    differentiated.map(({ output }) => output),
    wanted.map(({ i }) => inputs[i] as Tensor),
    differentiated.map(({ cotangent }) => cotangent),
    // An input may be unused in one case of an operation: attention with one key, a slice of nothing.
    { allowUnused: true },
  );
  return wanted.map(({ i, values }, place) => ({
    input: golden.inputs[i]?.name ?? "",
    actual: gradients[place] as Tensor,
    expected: decodeNumbers(values),
  }));
}
