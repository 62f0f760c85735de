/** Fully connected layer and lookup table. */
import { linear as affine, embedding as lookUp, Parameter, type Tensor } from "@thalweg/core";
import { checkCount } from "./checks.ts";
import { kaimingUniform, normal, uniform } from "./initializers.ts";
import type { LayerOptions } from "./layerOptions.ts";
import { type ModuleMethods, module } from "./module.ts";

export type Linear = ModuleMethods &
  ((x: Tensor) => Tensor) & { readonly weight: Parameter; readonly bias: Parameter | undefined };

/**
 * x [..., inFeatures] → x weightᵀ + bias [..., outFeatures], as torch.nn.Linear: weight [out, in] and bias start as
 * U(±1/√inFeatures).
 */
export function linear(
  inFeatures: number,
  outFeatures: number,
  { bias = true, dtype = "float32" }: LayerOptions = {},
): Linear {
  checkCount("linear", "inFeatures", inFeatures);
  checkCount("linear", "outFeatures", outFeatures, 0);
  const weight = new Parameter(kaimingUniform([outFeatures, inFeatures], { a: Math.sqrt(5), dtype }));
  const bound = 1 / Math.sqrt(inFeatures);
  const shift = bias ? new Parameter(uniform([outFeatures], { low: -bound, high: bound, dtype })) : undefined;
  return module({ weight, bias: shift }, (x: Tensor) => affine(x, weight, shift), "linear");
}

export type Embedding = ModuleMethods & ((indices: Tensor) => Tensor) & { readonly weight: Parameter };

/**
 * Integer indices [...] → rows of weight [..., width], as torch.nn.Embedding: weight [count, width] starts as N(0, 1).
 * An index out of range throws IndexError when it is run.
 */
export function embedding(
  count: number,
  width: number,
  { dtype = "float32" }: Pick<LayerOptions, "dtype"> = {},
): Embedding {
  checkCount("embedding", "count", count);
  checkCount("embedding", "width", width, 0);
  const weight = new Parameter(normal([count, width], { dtype }));
  return module({ weight }, (indices: Tensor) => lookUp(indices, weight), "embedding");
}
