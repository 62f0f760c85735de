/** Normalisation layers. Scales start as ones, shifts as zeros. */
import {
  ArgumentError,
  type DType,
  groupNorm as normalizeGroups,
  layerNorm as normalizeLayer,
  rmsNorm as normalizeRootMeanSquare,
  ones,
  Parameter,
  type Shape,
  type Tensor,
  zeros,
} from "@thalweg/core";
import { checkCount } from "./checks.ts";
import { type ModuleMethods, module } from "./module.ts";

interface Affine {
  /** Whether there are a scale and a shift to train. Default true. */
  readonly affine?: boolean;
  readonly dtype?: DType;
}

export type Normalization = ModuleMethods &
  ((x: Tensor) => Tensor) & { readonly weight: Parameter | undefined; readonly bias: Parameter | undefined };

const shapeOf = (subject: string, shape: number | Shape): Shape => {
  const list = typeof shape === "number" ? [shape] : shape;
  if (list.length === 0) throw new ArgumentError(subject, "normalizedShape must name at least one axis, got []");
  for (const size of list) checkCount(subject, "normalizedShape", size);
  return list;
};

/**
 * Normalises over the last axes, those of `normalizedShape`, as torch.nn.LayerNorm. `bias: false` leaves out the shift
 * alone. Ba et al. 2016, https://arxiv.org/abs/1607.06450
 */
export function layerNorm(
  normalizedShape: number | Shape,
  {
    eps = 1e-5,
    affine = true,
    bias = true,
    dtype = "float32",
  }: Affine & { readonly eps?: number; readonly bias?: boolean } = {},
): Normalization {
  const shape = shapeOf("layerNorm", normalizedShape);
  const weight = affine ? new Parameter(ones(shape, { dtype })) : undefined;
  const shift = affine && bias ? new Parameter(zeros(shape, { dtype })) : undefined;
  return module(
    { weight, bias: shift },
    (x: Tensor) => normalizeLayer(x, { normalizedShape: shape, weight, bias: shift, eps }),
    "layerNorm",
  );
}

/**
 * Divides by the root of the mean square over the last axes, as torch.nn.RMSNorm, with eps 1e-6.
 * Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467
 */
export function rmsNorm(
  normalizedShape: number | Shape,
  { eps = 1e-6, affine = true, dtype = "float32" }: Affine & { readonly eps?: number } = {},
): ModuleMethods & ((x: Tensor) => Tensor) & { readonly weight: Parameter | undefined } {
  const shape = shapeOf("rmsNorm", normalizedShape);
  const weight = affine ? new Parameter(ones(shape, { dtype })) : undefined;
  return module(
    { weight },
    (x: Tensor) => normalizeRootMeanSquare(x, { normalizedShape: shape, weight, eps }),
    "rmsNorm",
  );
}

/**
 * Normalises over groups of channels of [batch, channels, …], as torch.nn.GroupNorm. Wu & He 2018,
 * https://arxiv.org/abs/1803.08494
 *
 * @throws ArgumentError unless numGroups divides numChannels.
 */
export function groupNorm(
  numGroups: number,
  numChannels: number,
  { eps = 1e-5, affine = true, dtype = "float32" }: Affine & { readonly eps?: number } = {},
): Normalization {
  checkCount("groupNorm", "numGroups", numGroups);
  checkCount("groupNorm", "numChannels", numChannels);
  if (numChannels % numGroups !== 0) {
    throw new ArgumentError("groupNorm", `numChannels ${numChannels} is not divisible by numGroups ${numGroups}`);
  }
  const weight = affine ? new Parameter(ones([numChannels], { dtype })) : undefined;
  const bias = affine ? new Parameter(zeros([numChannels], { dtype })) : undefined;
  return module({ weight, bias }, (x: Tensor) => normalizeGroups(x, { numGroups, weight, bias, eps }), "groupNorm");
}
