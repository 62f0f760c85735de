import type { Kernel, Program } from "@thalweg/core/backend";
import { compileContraction } from "./contraction/index.ts";
import type { Features } from "./features.ts";
import { compileIndexed } from "./indexed/index.ts";
import type { CompiledKernel } from "./launch.ts";
import { compileLoop } from "./loop/index.ts";

/** The functions that run one kernel. */
export function compileKernel(kernel: Kernel, program: Program, features: Features): CompiledKernel {
  switch (kernel.kind) {
    case "loop":
      return compileLoop(kernel, program, features);
    case "matmul":
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient":
      return compileContraction(kernel, program, features);
    case "scatterAdd":
    case "cumSum":
    case "argSort":
      return compileIndexed(kernel, program, features);
    default:
      return kernel satisfies never;
  }
}
