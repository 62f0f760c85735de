/**
 * Convolutions (cross-correlations, as everywhere in deep learning): images [n, c, h, w], weights [o, c/groups, kh, kw].
 * A one-dimensional one is a two-dimensional one of height 1. Unbatched inputs (one rank lower) are taken too.
 */
import { isFloat } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { type ConvGeometry, makeNode } from "../graph/node.ts";
import { formatShape, type Shape } from "../graph/shape.ts";
import { productOperand } from "./autocast.ts";
import { checkSameDType, reshapeTo, type TensorLike, wrap } from "./convert.ts";
import { add } from "./elementwise.ts";
import type { Tensor } from "./tensor.ts";
import { padAxes, unsqueeze } from "./views.ts";

/** One number for both axes, or [height, width]. */
export type Pair = number | readonly number[];

export interface ConvOptions<Size> {
  /** Default 1. */
  stride?: Size | undefined;
  /** Zeros on each side, or "same" (output as large as input; stride 1 only), or "valid" (none). Default 0. */
  padding?: Size | "same" | "valid" | undefined;
  /** Default 1. */
  dilation?: Size | undefined;
  /** Default 1. */
  groups?: number | undefined;
}

export interface ConvTransposeOptions<Size> {
  /** Default 1. */
  stride?: Size | undefined;
  /** Default 0. */
  padding?: Size | undefined;
  /** Rows and columns added at the end of the output; less than stride or dilation. Default 0. */
  outputPadding?: Size | undefined;
  /** Default 1. */
  dilation?: Size | undefined;
  /** Default 1. */
  groups?: number | undefined;
}

/** `value` as [height, width]. Throws ArgumentError unless whole and at least `least`. */
export function pair(subject: string, name: string, value: Pair, least: number): [number, number] {
  const list = typeof value === "number" ? [value, value] : value;
  if (list.length !== 2 || list.some((n) => !Number.isInteger(n) || n < least)) {
    throw new ArgumentError(subject, `expected ${name} of one or two whole numbers ≥ ${least}, got ${String(value)}`);
  }
  return [list[0] as number, list[1] as number];
}

function single(subject: string, name: string, value: Pair, least: number): number {
  const n = typeof value === "number" ? value : value.length === 1 ? value[0] : undefined;
  if (n === undefined || !Number.isInteger(n) || n < least) {
    throw new ArgumentError(subject, `expected ${name} to be a whole number ≥ ${least}, got ${String(value)}`);
  }
  return n;
}

function check(
  subject: string,
  x: Tensor,
  weight: Tensor,
  rank: number,
  groups: number,
  inputChannels: "first" | "second",
): void {
  const dtype = checkSameDType(subject, x, weight);
  if (!isFloat(dtype)) throw new DTypeError(subject, `takes floats, got ${dtype}`);
  if (!Number.isInteger(groups) || groups < 1)
    throw new ArgumentError(subject, `expected groups to be a positive whole number, got ${groups}`);
  if (x.rank !== rank || weight.rank !== rank) {
    throw new ShapeError(
      subject,
      `expected input and weight of rank ${rank}, got ${formatShape(x.shape)} and ${formatShape(weight.shape)}`,
    );
  }
  const channels = x.shape[1] as number;
  const [w0, w1] = weight.shape as [number, number];
  const fits =
    inputChannels === "second"
      ? w1 * groups === channels && w0 % groups === 0
      : w0 === channels && channels % groups === 0;
  if (!fits) {
    throw new ShapeError(
      subject,
      `weight ${formatShape(weight.shape)} does not fit ${channels} input channels in ${groups} group${groups === 1 ? "" : "s"}`,
    );
  }
}

function withBias(subject: string, out: Tensor, bias: TensorLike | null | undefined): Tensor {
  if (bias === undefined || bias === null) return out;
  const b = productOperand(bias);
  const channels = out.shape[1] as number;
  if (b.rank !== 1 || b.size !== channels)
    throw new ShapeError(subject, `expected a bias [${channels}], got ${formatShape(b.shape)}`);
  checkSameDType(subject, out, b);
  return add(out, reshapeTo(b, [channels, ...new Array<number>(out.rank - 2).fill(1)]));
}

/** Runs `build` on a batch of one where x lacks the batch axis. */
function batched(x: Tensor, rank: number, build: (x: Tensor) => Tensor): Tensor {
  if (x.rank !== rank - 1) return build(x);
  const out = build(unsqueeze(x, 0));
  return reshapeTo(out, out.shape.slice(1));
}

const outputSize = (n: number, k: number, stride: number, padding: number, dilation: number): number =>
  Math.floor((n + 2 * padding - dilation * (k - 1) - 1) / stride) + 1;

/** The conv2d primitive with checked operands. */
function convolve(subject: string, x: Tensor, weight: Tensor, geometry: ConvGeometry): Tensor {
  const [n, , h, w] = x.shape as [number, number, number, number];
  const [o, , kh, kw] = weight.shape as [number, number, number, number];
  const { stride, padding, dilation } = geometry;
  const oh = outputSize(h, kh, stride[0], padding[0], dilation[0]);
  const ow = outputSize(w, kw, stride[1], padding[1], dilation[1]);
  if (oh < 1 || ow < 1) {
    throw new ShapeError(
      subject,
      `kernel [${kh}, ${kw}] (dilation ${dilation.join(", ")}) is larger than the padded input of ${formatShape(x.shape)}`,
    );
  }
  return wrap(makeNode("conv2d", [x.node, weight.node], geometry, [n, o, oh, ow], x.dtype));
}

/** Zeros on both sides per axis; "same" may leave one more at the end, which is padded onto x beforehand. */
function resolvePadding(
  subject: string,
  x: Tensor,
  kernel: Shape,
  padding: Pair | "same" | "valid",
  stride: readonly [number, number],
  dilation: readonly [number, number],
): { x: Tensor; padding: [number, number] } {
  if (padding === "valid") return { x, padding: [0, 0] };
  if (padding !== "same") return { x, padding: pair(subject, "padding", padding, 0) };
  if (stride[0] !== 1 || stride[1] !== 1)
    throw new ArgumentError(subject, `padding "same" needs stride 1, got ${stride.join(", ")}`);
  const total = [0, 1].map((i) => (dilation[i] as number) * ((kernel[i] as number) - 1)) as [number, number];
  const extra = total.map((t) => t % 2);
  return { x: padAxes(x, [0, 0, 0, 0], [0, 0, ...extra]), padding: [total[0] >> 1, total[1] >> 1] };
}

/**
 * Two-dimensional convolution. x [n, c, h, w], weight [o, c/groups, kh, kw], bias [o]; gives [n, o, oh, ow] with
 * oh = ⌊(h + 2·padding - dilation·(kh - 1) - 1) / stride⌋ + 1.
 */
export function conv2d(
  x: TensorLike,
  weight: TensorLike,
  bias?: TensorLike | null,
  options: ConvOptions<Pair> = {},
): Tensor {
  const kernel = productOperand(weight);
  const { groups = 1 } = options;
  const stride = pair("conv2d", "stride", options.stride ?? 1, 1);
  const dilation = pair("conv2d", "dilation", options.dilation ?? 1, 1);
  return batched(productOperand(x), 4, (image) => {
    check("conv2d", image, kernel, 4, groups, "second");
    const padded = resolvePadding("conv2d", image, kernel.shape.slice(2), options.padding ?? 0, stride, dilation);
    const out = convolve("conv2d", padded.x, kernel, { stride, padding: padded.padding, dilation, groups });
    return withBias("conv2d", out, bias);
  });
}

/** One-dimensional convolution. x [n, c, l], weight [o, c/groups, k], bias [o]; gives [n, o, ol]. */
export function conv1d(
  x: TensorLike,
  weight: TensorLike,
  bias?: TensorLike | null,
  options: ConvOptions<Pair> = {},
): Tensor {
  const kernel = productOperand(weight);
  const { groups = 1, padding = 0 } = options;
  const stride: [number, number] = [1, single("conv1d", "stride", options.stride ?? 1, 1)];
  const dilation: [number, number] = [1, single("conv1d", "dilation", options.dilation ?? 1, 1)];
  const around: Pair | "same" | "valid" =
    typeof padding === "string" ? padding : [0, single("conv1d", "padding", padding, 0)];
  return batched(productOperand(x), 3, (signal) => {
    check("conv1d", signal, kernel, 3, groups, "second");
    const flat = unsqueeze(kernel, 2);
    const padded = resolvePadding("conv1d", unsqueeze(signal, 2), flat.shape.slice(2), around, stride, dilation);
    const out = convolve("conv1d", padded.x, flat, { stride, padding: padded.padding, dilation, groups });
    return withBias("conv1d", reshapeTo(out, [out.shape[0], out.shape[1], out.shape[3]] as number[]), bias);
  });
}

function transposed(
  subject: string,
  x: Tensor,
  weight: Tensor,
  geometry: ConvGeometry,
  extra: readonly [number, number],
): Tensor {
  const { stride, padding, dilation, groups } = geometry;
  const size = [0, 1].map((i) => {
    const [n, k] = [x.shape[i + 2] as number, weight.shape[i + 2] as number];
    const [s, d, e] = [stride[i] as number, dilation[i] as number, extra[i] as number];
    if (e >= Math.max(s, d))
      throw new ArgumentError(subject, `outputPadding ${e} must be less than stride ${s} or dilation ${d}`);
    return (n - 1) * s - 2 * (padding[i] as number) + d * (k - 1) + e + 1;
  });
  const shape = [x.shape[0] as number, (weight.shape[1] as number) * groups, ...size];
  if (size.some((n) => n < 1))
    throw new ShapeError(subject, `output would be ${formatShape(shape)} for input ${formatShape(x.shape)}`);
  return wrap(makeNode("conv2dInputGradient", [x.node, weight.node], geometry, shape, x.dtype));
}

/**
 * Transposed convolution: the gradient of conv2d with regard to its input. x [n, c, h, w], weight [c, o/groups, kh, kw],
 * bias [o]; gives [n, o, oh, ow] with oh = (h - 1)·stride - 2·padding + dilation·(kh - 1) + outputPadding + 1.
 */
export function convTranspose2d(
  x: TensorLike,
  weight: TensorLike,
  bias?: TensorLike | null,
  options: ConvTransposeOptions<Pair> = {},
): Tensor {
  const subject = "convTranspose2d";
  const kernel = productOperand(weight);
  const { groups = 1 } = options;
  const geometry: ConvGeometry = {
    stride: pair(subject, "stride", options.stride ?? 1, 1),
    padding: pair(subject, "padding", options.padding ?? 0, 0),
    dilation: pair(subject, "dilation", options.dilation ?? 1, 1),
    groups,
  };
  const extra = pair(subject, "outputPadding", options.outputPadding ?? 0, 0);
  return batched(productOperand(x), 4, (image) => {
    check(subject, image, kernel, 4, groups, "first");
    return withBias(subject, transposed(subject, image, kernel, geometry, extra), bias);
  });
}

/** Transposed one-dimensional convolution. x [n, c, l], weight [c, o/groups, k], bias [o]; gives [n, o, ol]. */
export function convTranspose1d(
  x: TensorLike,
  weight: TensorLike,
  bias?: TensorLike | null,
  options: ConvTransposeOptions<Pair> = {},
): Tensor {
  const subject = "convTranspose1d";
  const kernel = productOperand(weight);
  const { groups = 1 } = options;
  const geometry: ConvGeometry = {
    stride: [1, single(subject, "stride", options.stride ?? 1, 1)],
    padding: [0, single(subject, "padding", options.padding ?? 0, 0)],
    dilation: [1, single(subject, "dilation", options.dilation ?? 1, 1)],
    groups,
  };
  const extra: [number, number] = [0, single(subject, "outputPadding", options.outputPadding ?? 0, 0)];
  return batched(productOperand(x), 3, (signal) => {
    check(subject, signal, kernel, 3, groups, "first");
    const out = transposed(subject, unsqueeze(signal, 2), unsqueeze(kernel, 2), geometry, extra);
    return withBias(subject, reshapeTo(out, [out.shape[0], out.shape[1], out.shape[3]] as number[]), bias);
  });
}

/** The conv2dInputGradient primitive, for derivative rules: `shape` is that of the convolution's input. */
export const conv2dInputGradient = (
  outputGradient: Tensor,
  weight: Tensor,
  shape: Shape,
  geometry: ConvGeometry,
): Tensor =>
  wrap(makeNode("conv2dInputGradient", [outputGradient.node, weight.node], geometry, [...shape], outputGradient.dtype));

/** The conv2dWeightGradient primitive, for derivative rules: `shape` is that of the convolution's weight. */
export const conv2dWeightGradient = (x: Tensor, outputGradient: Tensor, shape: Shape, geometry: ConvGeometry): Tensor =>
  wrap(makeNode("conv2dWeightGradient", [x.node, outputGradient.node], geometry, [...shape], x.dtype));
