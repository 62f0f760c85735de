/** Every differentiable operation on small inputs away from kinks: golden ones, and those that have no golden vectors. */
import type { Tensor } from "@thalweg/core";
import * as t from "@thalweg/core";
import { type DifferentiableCase, differentiableCases } from "../golden/differentiable.ts";
import { callGoldenOp } from "../golden/opCases.ts";
import { type FloatDType, makeInput } from "../golden/schema.ts";
import { signlessEigen } from "../ops/decompositions.ts";
import { floats, floatsOf, type Input, integersOf, makeTensor } from "../ops/inputs.ts";
import type { Outputs } from "../ops/operation.ts";

/** A function of some float inputs, given as they are built on: other inputs are constants of it. */
export interface Differentiable {
  /** Unique. */
  readonly name: string;
  readonly op: string;
  /** What it is differentiated by, in row-major order. Exact in float32. */
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly values: Float64Array;
  }[];
  /** The float outputs of the operation on `variables`, one per input; constants in `floats`. */
  readonly outputs: (variables: readonly Tensor[], floats: FloatDType) => readonly Tensor[];
  /** Elements that meet in one sum, at most. */
  readonly length: number;
  /** Whether its derivatives have none themselves. */
  readonly once?: boolean;
}

const asList = (outputs: Outputs): readonly Tensor[] => (outputs instanceof t.Tensor ? [outputs] : outputs);

function fromGolden(golden: DifferentiableCase, name: string): Differentiable {
  const { op, attributes, inputs, by } = golden;
  return {
    name,
    op,
    inputs: by.map((variable) => {
      const input = inputs.find((candidate) => candidate.name === variable) as (typeof inputs)[number];
      return {
        name: variable,
        shape: input.shape,
        values: Float64Array.from(input.values, (value) => Math.fround(Number(value))),
      };
    }),
    outputs(variables, floatDType) {
      const tensors = new Map(
        inputs.map((input) => [input.name, variables[by.indexOf(input.name)] ?? makeInput(input, floatDType)]),
      );
      // The new running statistics of batchNorm, its further outputs, carry no gradient.
      const outputs = callGoldenOp(op, tensors, attributes).slice(0, op === "batchNorm" ? 1 : undefined);
      return outputs.filter(({ dtype }) => t.isFloat(dtype));
    },
    length: Math.max(...inputs.map(({ values }) => values.length)),
  };
}

/** `call` gets variables for the float inputs, constants for the others. */
function further(op: string, call: (...inputs: Tensor[]) => Outputs, ...inputs: readonly Input[]): Differentiable {
  const variables = inputs.filter(({ dtype }) => dtype === "float");
  return {
    name: op,
    op,
    inputs: variables.map(({ shape, values }, i) => ({ name: `input ${i}`, shape, values: Float64Array.from(values) })),
    outputs(tensors, floatDType) {
      const given = inputs.map((input) => tensors[variables.indexOf(input)] ?? makeTensor(input, floatDType));
      return asList(call(...given)).filter(({ dtype }) => t.isFloat(dtype));
    },
    length: Math.max(...inputs.map(({ values }) => values.length)),
  };
}

const matrix = floats([3, 4]);
const box = floats([2, 3, 4], { seed: 1 });
const positive = floats([7], { from: 0.3, to: 3 });
const vector = floats([7], { from: -1.9, to: 2.1 });

const furtherCases: readonly Differentiable[] = [
  further("log2", t.log2, positive),
  further("log10", t.log10, positive),
  further("log1pExp", t.log1pExp, vector),
  further("celu", (x) => t.celu(x, { alpha: 0.7 }), vector),
  further("selu", t.selu, vector),
  further("logSigmoid", t.logSigmoid, vector),
  further("softsign", t.softsign, vector),
  further("hardTanh", (x) => t.hardTanh(x, { min: -0.9, max: 1.1 }), vector),
  further("hardSigmoid", t.hardSigmoid, floats([7], { from: -5, to: 5 })),
  further("prelu", (x, weight) => t.prelu(x, weight), box, floats([3], { from: 0.1, to: 0.5 })),
  further("glu", (x) => t.glu(x), matrix),
  further("trunc", t.trunc, vector),
  further("remainder", t.remainder, floatsOf([1.25, -3.5, 7.75]), floatsOf([0.75, 1.5, -2.25])),
  further("fmod", t.fmod, floatsOf([1.25, -3.5, 7.75]), floatsOf([0.75, 1.5, -2.25])),
  further("floorDivide", t.floorDivide, floatsOf([1.25, -3.5, 7.75]), floatsOf([0.75, 1.6, -2.25])),
  further("maskedFill", (x, mask) => t.maskedFill(x, t.cast(mask, "bool"), 3), matrix, integersOf([1, 0, 0, 1])),
  further("cast", (x) => t.cast(x, x.dtype), vector),
  further("barrier", (x) => t.square(t.barrier(t.sin(x))), vector),
  further("transpose", (x) => t.transpose(x, 0, 2), box),
  further("broadcastTo", (x) => t.broadcastTo(x, [2, 3, 4]), floats([3, 1])),
  further("flatten", (x) => t.flatten(x, { startAxis: 1 }), box),
  further("squeeze", (x) => t.squeeze(x), floats([1, 3, 1])),
  further("unsqueeze", (x) => t.unsqueeze(x, 1), matrix),
  further("select", (x) => t.select(x, { axis: 1, index: -1 }), box),
  further("window", (x) => t.window(x, { axis: 1, size: 3, count: 3, dilation: 2, offset: -1 }), matrix),
  further("diagonal", (x) => t.diagonal(x, { offset: 1 }), matrix),
  further("trace", (x) => t.trace(x), floats([3, 3])),
  further("chunk", (x) => t.chunk(x, 3, { axis: 1 }), matrix),
  further("take", (x, index) => t.take(x, index), matrix, integersOf([11, 0, 5, 5])),
  further("outer", t.outer, floats([3]), floats([4], { seed: 1 })),
  further("qr", (x) => Object.values(t.qr(x)) as Tensor[], floats([3, 2], { seed: 1 })),
  further("newtonSchulz", (x) => t.newtonSchulz(t.mul(x, 0.25), { steps: 2 }), floats([2, 3])),
  { ...further("eigh", signlessEigen, floats([3, 3], { seed: 2 })), once: true },
  { ...further("inverseRoot", (x) => t.inverseRoot(x, 4, { eps: 6 }), floats([3, 3])), once: true },
  further(
    "convTranspose1d",
    (x, weight, bias) => t.convTranspose1d(x, weight, bias, { stride: 2, padding: 1, outputPadding: 1 }),
    floats([2, 2, 4]),
    floats([2, 3, 3], { seed: 1 }),
    floats([3], { seed: 2 }),
  ),
];

/** Operations of the table without derivatives, besides the golden ones of `notDifferentiable`. */
export const withoutDerivatives: ReadonlySet<string> = new Set(
  (
    "notEqual lessEqual greaterEqual logicalOr logicalXor logicalNot bitwiseAnd bitwiseOr bitwiseXor bitwiseNot " +
    "shiftLeft shiftRight mulHigh isInf isFinite any all argSort stopGradient arange linspace eye full zeros ones " +
    "fullLike zerosLike onesLike tensor"
  ).split(" "),
);

/** Every case of every differentiable operation. */
export const differentiables: readonly Differentiable[] = [
  ...differentiableCases.map((golden, i) => {
    const same = differentiableCases.filter(({ op }) => op === golden.op);
    const place = same.indexOf(differentiableCases[i] as DifferentiableCase);
    return fromGolden(golden, same.length === 1 ? golden.op : `${golden.op} ${place + 1}`);
  }),
  ...furtherCases,
];
