/**
 * A convolution as a matrix product for each group: lines of A are rows of the result, lines of B its columns. Where B, or
 * A's depth, has windows and taps, elements are gathered as they are needed; no matrix of windows is ever written.
 */
import { bytesPerElement, type ConvolutionKernel, type DType, type Program } from "@thalweg/core/backend";
import { type IndexType, storageTag } from "../source/index.ts";
import { forwardGather, type Gather, inputGradientGathers } from "./gather.ts";
import { isContinued } from "./resultAxes.ts";

/** A loader of device/tile.cuh or device/convolution.cuh. */
export interface Loader {
  /** C++ type, given the type of its tile and the core's threads. */
  readonly type: (tile: string, threads: string) => string;
  /** Its constructor's arguments; `line` names the tile's first, `lines` how many there are, `k` and `end` the depth. */
  readonly args: (line: string, lines: string, k: string, end: string) => string;
  readonly alongDepth: boolean;
}

/** Where an element of the result lies among the epilogue's variables. */
export interface Place {
  /** Statements that come before the variables, from `group`, `row` and `column`. */
  readonly text: string;
  /** Expressions; undefined for a variable that the last one walks over as well. */
  readonly variables: readonly (string | undefined)[];
}

export interface ConvolutionForm {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly gather: Gather;
  /** A is the kernel's operand b, called `rowsFrom` in the text; B is a, called `columnsFrom`. */
  readonly a: Loader;
  readonly b: Loader;
  /** Offset of A's element in its buffer, for a channel (of the sum) and a tap; only where columns are pixels. */
  readonly weightAt?: (channel: string, down: string, right: string) => string;
  /** Elements of the gathered operand from one image to the next, and channels of each group in it. */
  readonly imageSize: number;
  readonly channels: number;
  readonly place: Place;
  /** The result's variable along which columns are neighbours, and what widths of neighbours must divide. */
  readonly vector: { readonly variable: number; readonly size: number };
}

export const groupChannels = ({ weight, geometry }: ConvolutionKernel): { inputs: number; outputs: number } => ({
  inputs: weight[1],
  outputs: weight[0] / geometry.groups,
});

/** Forms of the kernel; those of one kernel write different elements. */
export function formsOf(kernel: ConvolutionKernel, program: Program, index: IndexType): ConvolutionForm[] {
  switch (kernel.kind) {
    case "conv2d":
      return [forwardForm(kernel, program, index)];
    case "conv2dInputGradient":
      return inputGradientGathers(kernel).map((gather) => inputGradientForm(kernel, gather, program, index));
    case "conv2dWeightGradient":
      return [weightGradientForm(kernel, program, index)];
    default:
      return kernel.kind satisfies never;
  }
}

const dtypeOf = (program: Program, buffer: number): DType => program.buffers[buffer]?.dtype as DType;

/** The most neighbours that move at once and divide `size`. */
function widthOf(dtype: DType, size: number): number {
  let width = Math.min(8, 16 / bytesPerElement(dtype));
  while (size % width !== 0) width /= 2;
  return width;
}

/** Images' pixels as columns: n, and the two axes as one number where that is how the epilogue takes them. */
function pixelPlace(
  kernel: ConvolutionKernel,
  [down, right]: Gather,
  rowVariable: string,
  index: IndexType,
): Pick<ConvolutionForm, "place" | "vector"> {
  const count = down.pixels * right.pixels;
  const whole = down.pixelStride === 1 && right.pixelStride === 1;
  const text = `const ${index} image = column / ${count};\nconst ${index} pixel = column % ${count};\n`;
  if (whole && isContinued(kernel.epilogue.body, 2, 3, right.pixels)) {
    return {
      place: { text, variables: ["image", rowVariable, undefined, "pixel"] },
      vector: { variable: 3, size: count },
    };
  }
  const at = (axis: { pixelStride: number; firstPixel: number }, number: string): string =>
    `${number} * ${axis.pixelStride} + ${axis.firstPixel}`;
  return {
    place: {
      text: `${text}const ${index} down = ${at(down, `(pixel / ${right.pixels})`)};\nconst ${index} right = ${at(right, `(pixel % ${right.pixels})`)};\n`,
      variables: ["image", rowVariable, "down", "right"],
    },
    vector: { variable: 3, size: right.pixelStride === 1 ? right.pixels : 1 },
  };
}

const windowLoader = (
  program: Program,
  buffer: number,
  index: IndexType,
  plane: number,
  channels: number,
  perGroup: number,
  pixels: number,
): Loader => ({
  type: (tile, threads) =>
    `WindowLoader<${tile}, ${storageTag(dtypeOf(program, buffer))}, Geometry, ${threads}, ${index}, ${channels * plane}>`,
  args: (line, _, k, end) => `columnsFrom + (${index})group * ${perGroup * plane}, ${line}, ${pixels}, ${k}, ${end}`,
  alongDepth: false,
});

function forwardForm(kernel: ConvolutionKernel, program: Program, index: IndexType): ConvolutionForm {
  const { x, y, weight, a, b } = kernel;
  const { inputs, outputs } = groupChannels(kernel);
  const gather = forwardGather(kernel);
  const depth = inputs * weight[2] * weight[3];
  const columns = y[0] * y[2] * y[3];
  const dtype = dtypeOf(program, b);
  const width = widthOf(dtype, depth);
  return {
    rows: outputs,
    columns,
    depth,
    gather,
    a: {
      type: (tile, threads) =>
        `StridedLoader<${tile}, ${storageTag(dtype)}, true, ${width}, ${threads}, ${index}, ${depth}, 1>`,
      args: (line, lines, k, end) =>
        `rowsFrom + ((${index})group * ${outputs} + ${line}) * ${depth} + ${k}, ${lines}, ${end} - ${k}`,
      alongDepth: true,
    },
    b: windowLoader(program, a, index, x[2] * x[3], x[1], inputs, columns),
    weightAt: (channel, i, j) =>
      `((group * ${outputs} + row) * ${inputs} + ${channel}) * ${weight[2] * weight[3]} + ${i} * ${weight[3]} + ${j}`,
    imageSize: x[1] * x[2] * x[3],
    channels: inputs,
    ...pixelPlace(kernel, gather, `group * ${outputs} + row`, index),
  };
}

function inputGradientForm(
  kernel: ConvolutionKernel,
  gather: Gather,
  program: Program,
  index: IndexType,
): ConvolutionForm {
  const { x, y, weight, a, b } = kernel;
  const { inputs, outputs } = groupChannels(kernel);
  const [down, right] = gather;
  const plane = weight[2] * weight[3];
  const columns = x[0] * down.pixels * right.pixels;
  const first = down.firstTap * weight[3] + right.firstTap;
  const steps = `${down.tapStride * weight[3]}, ${right.tapStride}`;
  return {
    rows: inputs,
    columns,
    depth: outputs * down.taps * right.taps,
    gather,
    a: {
      type: (tile, threads) =>
        `FilterLoader<${tile}, ${storageTag(dtypeOf(program, b))}, Geometry, ${threads}, ${inputs}, ${plane}, ${first}, ${steps}>`,
      args: (line, lines, k, end) =>
        `rowsFrom + ((${index})group * ${outputs * inputs} + ${line}) * ${plane}, ${lines}, ${k}, ${end}`,
      alongDepth: true,
    },
    b: windowLoader(program, a, index, y[2] * y[3], y[1], outputs, columns),
    weightAt: (channel, i, j) =>
      `((group * ${outputs} + ${channel}) * ${inputs} + row) * ${plane} + ${first} + ${i} * ${down.tapStride * weight[3]} + ${j} * ${right.tapStride}`,
    imageSize: y[1] * y[2] * y[3],
    channels: outputs,
    ...pixelPlace(kernel, gather, `group * ${inputs} + row`, index),
  };
}

function weightGradientForm(kernel: ConvolutionKernel, program: Program, index: IndexType): ConvolutionForm {
  const { x, y, weight, a, b, epilogue } = kernel;
  const { inputs, outputs } = groupChannels(kernel);
  const taps = weight[2] * weight[3];
  const plane = y[2] * y[3];
  const dtype = dtypeOf(program, b);
  const width = widthOf(dtype, plane);
  const flat = isContinued(epilogue.body, 2, 3, weight[3]) && isContinued(epilogue.body, 1, 3, taps);
  return {
    rows: outputs,
    columns: inputs * taps,
    depth: y[0] * plane,
    gather: forwardGather(kernel),
    a: {
      type: (tile, threads) =>
        `PlaneLoader<${tile}, ${storageTag(dtype)}, ${width}, ${threads}, ${index}, ${plane}, ${y[1] * plane}>`,
      args: (line, lines, k, end) =>
        `rowsFrom + ((${index})group * ${outputs} + ${line}) * ${plane}, ${lines}, ${k}, ${end}`,
      alongDepth: true,
    },
    b: {
      type: (tile, threads) =>
        `PatchLoader<${tile}, ${storageTag(dtypeOf(program, a))}, Geometry, ${threads}, ${index}, ${x[1] * x[2] * x[3]}>`,
      args: (line, lines, k, end) =>
        `columnsFrom + (${index})group * ${inputs * x[2] * x[3]}, ${line}, ${lines}, ${k}, ${end}`,
      alongDepth: true,
    },
    imageSize: x[1] * x[2] * x[3],
    channels: inputs,
    place: flat
      ? { text: "", variables: [`group * ${outputs} + row`, undefined, undefined, "column"] }
      : {
          text: `const ${index} channel = column / ${taps};\nconst ${index} down = column / ${weight[3]} % ${weight[2]};\nconst ${index} right = column % ${weight[3]};\n`,
          variables: [`group * ${outputs} + row`, "channel", "down", "right"],
        },
    vector: { variable: 3, size: flat ? inputs * taps : weight[3] },
  };
}
