/** Convolutions whose windows are single pixels: products of matrices, one for each image and group. */
import { type Affine, type ConvolutionKernel, type MatmulKernel, mapAffines } from "@thalweg/core/backend";
import { groupChannels } from "./form.ts";
import { isContinued } from "./resultAxes.ts";

/**
 * The kernel as a product: rows are channels, columns an image's pixels. Undefined where it is none. The weight's gradient
 * sums over images as well as pixels, which are not one axis.
 */
export function pointwiseProduct(kernel: ConvolutionKernel): MatmulKernel | undefined {
  const { kind, geometry, x, y, weight, epilogue, label, dtype } = kernel;
  const { stride, padding, groups } = geometry;
  const single = weight[2] === 1 && weight[3] === 1 && padding.every((size) => size === 0);
  if (kind === "conv2dWeightGradient" || !single || stride.some((step) => step !== 1)) return undefined;
  // Windows left out at the ends: rows of pixels are then not one axis.
  if (x[2] !== y[2] || x[3] !== y[3] || !isContinued(epilogue.body, 2, 3, x[3])) return undefined;
  const { inputs, outputs } = groupChannels(kernel);
  const pixels = x[2] * x[3];
  const forward = kind === "conv2d";
  const [m, k] = forward ? [outputs, inputs] : [inputs, outputs];
  const ofPoint = ({ strides: [n, channel, , pixel], ...rest }: Affine): Affine => ({
    ...rest,
    strides: [n as number, (channel as number) * m, channel as number, pixel as number],
  });
  return {
    kind: "matmul",
    label,
    dtype,
    batch: [x[0], groups],
    m,
    n: pixels,
    k,
    a: {
      buffer: kernel.b,
      offset: 0,
      strides: forward ? [0, outputs * inputs, inputs, 1] : [0, outputs * inputs, 1, inputs],
    },
    b: { buffer: kernel.a, offset: 0, strides: [groups * k * pixels, k * pixels, pixels, 1] },
    epilogue: { ...epilogue, body: epilogue.body.map((instruction) => mapAffines(instruction, ofPoint)) },
  };
}
