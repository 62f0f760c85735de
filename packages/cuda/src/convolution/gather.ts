/**
 * Where windows meet the images: along each axis at pixel · pixelStep + tap · tapStep + base. The convolution itself is of
 * this form; so is the gradient of its input, once the pixels are taken apart by what is left when their coordinates are
 * divided by the strides: each such phase meets the output's gradient with some of the taps only, at every pixel alike.
 */
import type { ConvolutionKernel } from "@thalweg/core/backend";

/** One of the two axes. */
export interface AxisGather {
  /** Pixels, and where they lie in what has pixels: every `pixelStride`-th from `firstPixel` on. */
  readonly pixels: number;
  readonly firstPixel: number;
  readonly pixelStride: number;
  /** Taps that are met, and which of the kernel's they are. */
  readonly taps: number;
  readonly firstTap: number;
  readonly tapStride: number;
  /** Size of the images that are read. */
  readonly size: number;
  readonly pixelStep: number;
  readonly tapStep: number;
  readonly base: number;
}

export type Gather = readonly [AxisGather, AxisGather];

type Axis = 0 | 1;
const axes = [0, 1] as const;

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

/** Pixels are the output's, images are the input's. */
export function forwardGather({ geometry, x, y, weight }: ConvolutionKernel): Gather {
  return axes.map((axis) => ({
    pixels: y[2 + axis] as number,
    firstPixel: 0,
    pixelStride: 1,
    taps: weight[2 + axis] as number,
    firstTap: 0,
    tapStride: 1,
    size: x[2 + axis] as number,
    pixelStep: geometry.stride[axis],
    tapStep: geometry.dilation[axis],
    base: -geometry.padding[axis],
  })) as unknown as Gather;
}

/** Pixels are the input's, images are the output's gradients: window (pixel + padding - tap · dilation) / stride. */
function phaseAxis({ geometry, x, y, weight }: ConvolutionKernel, axis: Axis, phase: number): AxisGather {
  const [stride, padding, dilation] = [geometry.stride[axis], geometry.padding[axis], geometry.dilation[axis]];
  const common = greatestCommonDivisor(stride, dilation);
  const tapStride = stride / common;
  const all = weight[2 + axis] as number;
  let firstTap = 0;
  while (firstTap < tapStride && (phase + padding - firstTap * dilation) % stride !== 0) firstTap++;
  const met = firstTap < tapStride && firstTap < all;
  return {
    pixels: Math.ceil(((x[2 + axis] as number) - phase) / stride),
    firstPixel: phase,
    pixelStride: stride,
    taps: met ? Math.ceil((all - firstTap) / tapStride) : 0,
    firstTap: met ? firstTap : 0,
    tapStride,
    size: y[2 + axis] as number,
    pixelStep: 1,
    tapStep: -dilation / common,
    base: met ? (phase + padding - firstTap * dilation) / stride : 0,
  };
}

/** Every phase that has pixels. */
export function inputGradientGathers(kernel: ConvolutionKernel): Gather[] {
  const phases = (axis: Axis): AxisGather[] =>
    Array.from({ length: Math.min(kernel.geometry.stride[axis], kernel.x[2 + axis] as number) }, (_, phase) =>
      phaseAxis(kernel, axis, phase),
    );
  return phases(0).flatMap((down) => phases(1).map((right): Gather => [down, right]));
}

/** The type of device/convolution.cuh. */
export function windowsType([down, right]: Gather): string {
  const pairs = (["size", "pixels", "taps", "pixelStep", "tapStep", "base"] as const).flatMap((what) => [
    down[what],
    right[what],
  ]);
  return `Windows<${pairs.join(", ")}>`;
}
