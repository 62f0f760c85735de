/** Convolutions in their three forms: every kind of geometry, dtypes, epilogues. */
import {
  type ComputeDType,
  type ConvolutionKernel,
  contiguousStrides,
  type DType,
  sizeOf,
} from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { checkAll, checkProgram } from "./checkProgram.ts";
import { epilogues } from "./epilogues.ts";
import { Draft } from "./programs.ts";
import { fewBits } from "./values.ts";

type Pair = readonly [number, number];

interface Convolution {
  readonly n?: number;
  /** Of the input, per group. */
  readonly channels?: number;
  /** Of the output, per group. */
  readonly outputs?: number;
  readonly size?: Pair;
  readonly kernel?: Pair;
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
  /** Windows left out at the end of each axis. */
  readonly fewer?: Pair;
  readonly dtype?: ComputeDType;
  readonly storage?: DType;
  readonly values?: (size: number, seed: number) => readonly number[];
}

const kinds = ["conv2d", "conv2dInputGradient", "conv2dWeightGradient"] as const;

/** Bias of a channel: after the batch axis, but first in a weight. */
const channelBias = (kind: ConvolutionKernel["kind"]) => (kind === "conv2dWeightGradient" ? 0 : 1);

function convolution(kind: ConvolutionKernel["kind"], options: Convolution, finish: string): Draft {
  const { n = 2, channels = 2, outputs = 3, size = [7, 6], kernel = [3, 2], stride = [1, 1] } = options;
  const { padding = [0, 0], dilation = [1, 1], groups = 1, fewer = [0, 0] } = options;
  const { dtype = "float32", storage = dtype, values = (length, seed) => fewBits(storage, length, seed) } = options;
  const windows = ([0, 1] as const).map((axis) => {
    const room = size[axis] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1;
    return Math.floor(room / stride[axis]) + 1 - fewer[axis];
  });
  const x = [n, channels * groups, ...size] as const;
  const weight = [outputs * groups, channels, ...kernel] as const;
  const y = [n, outputs * groups, windows[0] as number, windows[1] as number] as const;
  const shapes = {
    conv2d: [x, weight, y],
    conv2dInputGradient: [y, weight, x],
    conv2dWeightGradient: [x, y, weight],
  } as const;
  const [left, right, result] = shapes[kind];
  const draft = new Draft();
  const a = draft.input(storage, values(sizeOf(left), 5));
  const b = draft.input(storage, values(sizeOf(right), 6));
  const operands = { dtype, geometry: { stride, padding, dilation, groups }, x, weight, y, a, b };
  if (finish === "plain") {
    const output = draft.output(dtype, sizeOf(result));
    return draft.convolution(kind, operands, (body) =>
      body.store(output, contiguousStrides(result), body.accumulator(dtype)),
    );
  }
  if (finish === "bias") {
    const axis = channelBias(kind);
    const bias = draft.input(dtype, fewBits(dtype, result[axis], 7));
    const output = draft.output(dtype, sizeOf(result));
    return draft.convolution(kind, operands, (body) => {
      const along = result.map((_, i) => (i === axis ? 1 : 0));
      const sum = body.binary("add", body.accumulator(dtype), body.load(bias, along));
      body.store(output, contiguousStrides(result), body.unary("relu", sum));
    });
  }
  const write = epilogues[finish]?.(draft, result, dtype);
  if (!write) throw new Error(`there is no epilogue ${finish}`);
  return draft.convolution(kind, operands, write);
}

const geometries: Readonly<Record<string, Convolution>> = {
  "one tap": { kernel: [1, 1], outputs: 5 },
  "one tap, with stride": { kernel: [1, 1], stride: [2, 2], padding: [1, 0] },
  "no padding": {},
  "one image": { n: 1, kernel: [3, 3], padding: [1, 1] },
  "padding, unlike on the axes": { n: 3, padding: [2, 1] },
  "padding wider than the kernel": { kernel: [2, 2], padding: [3, 4] },
  stride: { stride: [2, 3], padding: [1, 1] },
  "a stride larger than the kernel": { kernel: [2, 2], stride: [3, 4], size: [11, 13] },
  dilation: { dilation: [2, 3], padding: [2, 2], size: [9, 9] },
  "stride and dilation with a common factor": {
    stride: [2, 4],
    dilation: [2, 2],
    padding: [1, 3],
    kernel: [3, 3],
    size: [10, 11],
  },
  "stride 6, dilation 4": { stride: [6, 6], dilation: [4, 4], padding: [5, 5], kernel: [4, 5], size: [20, 22], n: 1 },
  groups: { groups: 3, padding: [1, 1] },
  depthwise: { groups: 5, channels: 1, outputs: 1, kernel: [3, 3], padding: [1, 1] },
  "depthwise with a multiplier": {
    groups: 3,
    channels: 1,
    outputs: 2,
    stride: [2, 2],
    kernel: [3, 3],
    padding: [1, 1],
  },
  "one dimension": { size: [1, 300], kernel: [1, 5], padding: [0, 2], channels: 3 },
  "a kernel as large as the image": { size: [6, 7], kernel: [6, 7], n: 3 },
  "a kernel larger than the image": { size: [2, 3], kernel: [4, 5], padding: [2, 3] },
  "windows left out at the end": { stride: [2, 2], padding: [1, 1], size: [8, 9], fewer: [1, 2] },
  "no images": { n: 0 },
  "no channels": { channels: 0 },
  "many small images": { n: 20, size: [3, 3], kernel: [3, 3], padding: [1, 1], outputs: 7 },
  "many channels": { n: 2, size: [11, 12], kernel: [3, 3], padding: [1, 1], channels: 17, outputs: 9 },
};

const convolutionCase = (name: string, drafts: () => Iterable<Draft>): Case => ({
  layer: "kernels",
  name,
  run: ({ backend }) => checkAll(backend, drafts()),
});

const geometryCases: Case[] = kinds.flatMap((kind) =>
  Object.entries(geometries).map(([name, options]) =>
    convolutionCase(`${kind}: ${name}`, () => ["plain", "bias"].map((finish) => convolution(kind, options, finish))),
  ),
);

const formCases: Case[] = kinds.flatMap((kind) => [
  ...(["float64", "int32"] as const).map((dtype) =>
    convolutionCase(`${kind}: of ${dtype}`, () => [
      convolution(kind, { dtype, padding: [1, 1], stride: [1, 2] }, "bias"),
      convolution(kind, { dtype, groups: 2, kernel: [1, 1] }, "plain"),
    ]),
  ),
  ...(["bfloat16", "float16"] as const).map((storage) =>
    convolutionCase(`${kind}: of operands kept as ${storage}`, () => [
      convolution(kind, { storage, padding: [1, 1] }, "plain"),
    ]),
  ),
  ...Object.keys(epilogues).map((finish) =>
    convolutionCase(`${kind}: followed by ${finish}`, () => [
      convolution(kind, { padding: [1, 1] }, finish),
      convolution(kind, { groups: 2, stride: [2, 1], kernel: [2, 2], size: [9, 8] }, finish),
    ]),
  ),
  convolutionCase(`${kind}: NaN and infinity reach what they are multiplied with`, () =>
    // A backend may multiply zeros in the padding, or not. Without padding there is none but around an output gradient.
    [Number.NaN, Number.POSITIVE_INFINITY].flatMap((special) =>
      (kind === "conv2dInputGradient" ? [5] : [5, 6]).map((operand) => {
        const values = (size: number, seed: number) => {
          const all = fewBits("float32", size, seed);
          if (seed === operand) all[Math.floor(size / 2)] = special;
          return all;
        };
        return convolution(kind, { values, n: 3, size: [8, 9] }, "plain");
      }),
    ),
  ),
]);

const knownCases: Case[] = [
  {
    layer: "kernels",
    name: "conv2d: a three by three image, by hand",
    run: async ({ backend }) => {
      const contents: Readonly<Record<number, readonly number[]>> = {
        5: [1, 2, 3, 4, 5, 6, 7, 8, 9],
        6: [1, 0, 0, -1],
      };
      const values = (_: number, seed: number) => contents[seed] as readonly number[];
      const draft = convolution(
        "conv2d",
        { n: 1, channels: 1, outputs: 1, size: [3, 3], kernel: [2, 2], values },
        "plain",
      );
      await checkProgram(backend, draft, { known: [[2, [-4, -4, -4, -4]]] });
    },
  },
];

export const convolutionCases: readonly Case[] = [...geometryCases, ...formCases, ...knownCases];
