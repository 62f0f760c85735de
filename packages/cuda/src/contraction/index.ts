import type { MatmulKernel } from "@thalweg/core/backend";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";

export function compileMatmul(kernel: MatmulKernel, _context: KernelContext): CompiledKernel {
  throw new Error(`${kernel.kind}: placeholder, overwrite this file`);
}
