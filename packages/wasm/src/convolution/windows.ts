/**
 * The form that forward convolutions and input gradients share: sums over the windows of an image,
 *
 *   out[n, g·rows + r, y, x] = Σ_{c, i, j} image[n, g·depth + c, y·step₀ + i·spread₀, x·step₁ + j·spread₁] · weight[g·rows + r][c, i, j]
 *
 * where the image is the operand with its padding written out, so that no window reaches beyond it. For the input gradient
 * (inputGradient.ts) the image is the output gradient, and the weights have input and output channels exchanged and their
 * taps reversed.
 */
import type { ConvolutionKernel } from "@thalweg/core/backend";
import type { PaddedImage } from "./paddedImage.ts";

export interface Windows {
  readonly image: PaddedImage;
  readonly images: number;
  readonly groups: number;
  /** Channels of the result in a group. */
  readonly rows: number;
  /** Channels of the image in a group. */
  readonly depth: number;
  readonly taps: readonly [number, number];
  readonly step: readonly [number, number];
  readonly spread: readonly [number, number];
  /** Rows and columns of the result. */
  readonly size: readonly [number, number];
  /** Row and column of the image where the first window begins. */
  readonly origin: readonly [number, number];
  /** Which weights, and in what order; undefined: [groups·rows, depth, taps], all of them. */
  readonly weights: ReversedWeights | undefined;
}

/**
 * Out of weights [groups·depth, rows, kernel] the taps first, first + step, …, the last of them first. On each axis.
 */
export interface ReversedWeights {
  readonly kernel: readonly [number, number];
  readonly first: readonly [number, number];
  readonly step: readonly [number, number];
}

/** Terms of a sum. */
export const termsOf = ({ depth, taps }: Windows): number => depth * taps[0] * taps[1];

export type Pair = readonly [number, number];
export const pair = (of: (axis: 0 | 1) => number): Pair => [of(0), of(1)];

/** Rows and columns that windows `size` reach. */
const reach = (size: Pair, step: Pair, taps: Pair, spread: Pair): Pair =>
  pair((axis) => (size[axis] - 1) * step[axis] + (taps[axis] - 1) * spread[axis] + 1);

/** Of a forward convolution; also what the weight gradient reads x by. */
export function forwardWindows({ geometry, x, weight, y }: ConvolutionKernel): Windows {
  const { stride, padding, dilation, groups } = geometry;
  const taps: Pair = [weight[2], weight[3]];
  const size: Pair = [y[2], y[3]];
  return {
    image: {
      planes: x[0] * x[1],
      source: [x[2], x[3]],
      low: padding,
      size: reach(size, stride, taps, dilation),
    },
    images: x[0],
    groups,
    rows: weight[0] / groups,
    depth: weight[1],
    taps,
    step: stride,
    spread: dilation,
    size,
    origin: [0, 0],
    weights: undefined,
  };
}
