/** A kernel of a Program as launches, whatever its kind. */
import type { Kernel } from "@thalweg/core/backend";
import { compileMatmul } from "../contraction/index.ts";
import { compileConvolution } from "../convolution/index.ts";
import { compileIndexed } from "../indexed/index.ts";
import { compileLoop } from "../loop/index.ts";
import type { CompiledKernel, KernelContext } from "./launch.ts";

export function compileKernel(kernel: Kernel, context: KernelContext): CompiledKernel {
  switch (kernel.kind) {
    case "loop":
      return compileLoop(kernel, context);
    case "matmul":
      return compileMatmul(kernel, context);
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient":
      return compileConvolution(kernel, context);
    case "scatterAdd":
    case "cumSum":
    case "argSort":
      return compileIndexed(kernel, context);
    default:
      return kernel satisfies never;
  }
}
