/** Matrix products and convolutions: by tiles of registers where there is SIMD, as loops otherwise. */
import { type ContractionKernel, contractionAsLoop, type Program } from "@thalweg/core/backend";
import { compileConvolution } from "../convolution/index.ts";
import type { Features } from "../features.ts";
import type { CompiledKernel } from "../launch.ts";
import { compileLoop } from "../loop/index.ts";
import { compileMatmul } from "./matmul.ts";

export function compileContraction(kernel: ContractionKernel, program: Program, features: Features): CompiledKernel {
  return compileFast(kernel, program, features) ?? compileLoop(contractionAsLoop(kernel), program, features);
}

/** Undefined where there is no fast path. */
function compileFast(kernel: ContractionKernel, program: Program, features: Features): CompiledKernel | undefined {
  return kernel.kind === "matmul"
    ? compileMatmul(kernel, program, features)
    : compileConvolution(kernel, program, features);
}
