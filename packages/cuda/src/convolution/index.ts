/** Convolutions as launches: products by tiles, directly where groups are too small for those, or as plain products. */
import type { ConvolutionKernel } from "@thalweg/core/backend";
import { compileMatmul } from "../contraction/index.ts";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import type { IndexType } from "../source/index.ts";
import { directPixels, directWeights } from "./direct.ts";
import { type ConvolutionForm, formsOf } from "./form.ts";
import { pointwiseProduct } from "./pointwise.ts";
import { multiplyForm } from "./products.ts";

/** Rows of a group with which most of a tile would be empty. */
const fewRows = 4;

export function compileConvolution(kernel: ConvolutionKernel, context: KernelContext): CompiledKernel {
  const product = pointwiseProduct(kernel);
  if (product && product.m > fewRows) return compileMatmul(product, context);
  const index = indexTypeOf(kernel, context);
  const compiled = formsOf(kernel, context.program, index)
    .filter(({ rows, columns }) => rows * columns > 0)
    .map((form) => compileForm(kernel, form, index, context));
  // Forms run one after another: they share the scratch. So could they share counters, each of which ends at zero.
  return {
    launches: compiled.flatMap(({ launches }) => launches),
    scratchBytes: Math.max(0, ...compiled.map(({ scratchBytes }) => scratchBytes)),
    counterBytes: Math.max(0, ...compiled.map(({ counterBytes }) => counterBytes)),
  };
}

function compileForm(
  kernel: ConvolutionKernel,
  form: ConvolutionForm,
  index: IndexType,
  context: KernelContext,
): CompiledKernel {
  if (form.rows > fewRows) return multiplyForm(kernel, form, index, context);
  return kernel.kind === "conv2dWeightGradient"
    ? directWeights(kernel, form, index, context)
    : directPixels(kernel, form, index, context);
}

/** int where no offset, and no step past the end, leaves its range. */
function indexTypeOf({ a, b, epilogue }: ConvolutionKernel, { program }: KernelContext): IndexType {
  const buffers = [a, b, ...epilogue.buffers];
  return buffers.every((buffer) => (program.buffers[buffer]?.size as number) < 2 ** 30) ? "int" : "long long";
}
