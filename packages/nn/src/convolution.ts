/** Convolutions. Weights are [out, in / groups, …kernel], images [batch, channels, height, width]. */
import {
  ArgumentError,
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d as convolve1d,
  conv2d as convolve2d,
  convTranspose2d as convolveTransposed2d,
  type Pair,
  Parameter,
  type Shape,
  type Tensor,
} from "@thalweg/core";
import { checkCount } from "./checks.ts";
import { fans, kaimingUniform, uniform } from "./initializers.ts";
import type { LayerOptions } from "./layerOptions.ts";
import { type ModuleMethods, module } from "./module.ts";

export type Convolution = ModuleMethods &
  ((x: Tensor) => Tensor) & { readonly weight: Parameter; readonly bias: Parameter | undefined };

interface Parts {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
}

/** Weight and bias as PyTorch starts them: both U(±1/√fanIn). */
function makeParts(shape: Shape, outChannels: number, { bias = true, dtype = "float32" }: LayerOptions): Parts {
  const { fanIn } = fans("convolution", shape);
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  return {
    weight: new Parameter(kaimingUniform(shape, { a: Math.sqrt(5), dtype })),
    bias: bias ? new Parameter(uniform([outChannels], { low: -bound, high: bound, dtype })) : undefined,
  };
}

function checkChannels(subject: string, inChannels: number, outChannels: number, groups: number): void {
  checkCount(subject, "inChannels", inChannels);
  checkCount(subject, "outChannels", outChannels);
  checkCount(subject, "groups", groups);
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new ArgumentError(
      subject,
      `inChannels ${inChannels} and outChannels ${outChannels} must both be divisible by groups ${groups}`,
    );
  }
}

function sizes(subject: string, kernelSize: Pair, axes: 1 | 2): number[] {
  const list = typeof kernelSize === "number" ? new Array<number>(axes).fill(kernelSize) : [...kernelSize];
  if (list.length !== axes) {
    throw new ArgumentError(
      subject,
      `kernelSize must be ${axes === 1 ? "one number" : "one or two numbers"}, got [${list}]`,
    );
  }
  for (const size of list) checkCount(subject, "kernelSize", size);
  return list;
}

/**
 * Convolution of [batch, inChannels, length], as torch.nn.Conv1d. Options of core's `conv1d`, and `bias` and `dtype`.
 */
export function conv1d(
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  options: ConvOptions<Pair> & LayerOptions = {},
): Convolution {
  const { groups = 1 } = options;
  checkChannels("conv1d", inChannels, outChannels, groups);
  const parts = makeParts([outChannels, inChannels / groups, ...sizes("conv1d", kernelSize, 1)], outChannels, options);
  return module({ ...parts }, (x: Tensor) => convolve1d(x, parts.weight, parts.bias, geometry(options)), "conv1d");
}

/**
 * Convolution of [batch, inChannels, height, width], as torch.nn.Conv2d. Options of core's `conv2d`, and `bias` and
 * `dtype`.
 */
export function conv2d(
  inChannels: number,
  outChannels: number,
  kernelSize: Pair,
  options: ConvOptions<Pair> & LayerOptions = {},
): Convolution {
  const { groups = 1 } = options;
  checkChannels("conv2d", inChannels, outChannels, groups);
  const parts = makeParts([outChannels, inChannels / groups, ...sizes("conv2d", kernelSize, 2)], outChannels, options);
  return module({ ...parts }, (x: Tensor) => convolve2d(x, parts.weight, parts.bias, geometry(options)), "conv2d");
}

/**
 * Transposed convolution of [batch, inChannels, height, width], as torch.nn.ConvTranspose2d: weight [in, out / groups,
 * kh, kw]. Options of core's `convTranspose2d`, and `bias` and `dtype`.
 */
export function convTranspose2d(
  inChannels: number,
  outChannels: number,
  kernelSize: Pair,
  options: ConvTransposeOptions<Pair> & LayerOptions = {},
): Convolution {
  const { groups = 1 } = options;
  checkChannels("convTranspose2d", inChannels, outChannels, groups);
  const shape = [inChannels, outChannels / groups, ...sizes("convTranspose2d", kernelSize, 2)];
  const parts = makeParts(shape, outChannels, options);
  const forward = (x: Tensor): Tensor => convolveTransposed2d(x, parts.weight, parts.bias, geometry(options));
  return module({ ...parts }, forward, "convTranspose2d");
}

function geometry<Options extends LayerOptions>({
  bias: _,
  dtype: __,
  ...rest
}: Options): Omit<Options, keyof LayerOptions> {
  return rest;
}
