import type { ConvolutionKernel } from "@thalweg/core/backend";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";

export function compileConvolution(kernel: ConvolutionKernel, _context: KernelContext): CompiledKernel {
  throw new Error(`${kernel.kind}: placeholder, overwrite this file`);
}
