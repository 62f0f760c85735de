/** Loop kernels: element-wise ones here, those with inner loops in rows. */
import { groupSegments, type LoopKernel } from "@thalweg/core/backend";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { elementwiseLaunch } from "./elementwise.ts";
import { isElementwise } from "./elementwiseSpace.ts";
import { compileRows } from "./rows.ts";
import { segmentsLaunch } from "./segments.ts";

export function compileLoop(kernel: LoopKernel, context: KernelContext): CompiledKernel {
  if (!isElementwise(kernel)) return compileRows(kernel, context);
  const groups = groupSegments(kernel, context.program).map((group) => group.filter(({ size }) => size > 0));
  const launches = groups.flatMap((group) => {
    const [first, ...others] = group;
    if (first === undefined) return [];
    if (others.length > 0) return segmentsLaunch(kernel, group, context);
    const outer = kernel.segments.length > 1 ? [first.size] : kernel.outer;
    return elementwiseLaunch({ ...kernel, outer }, first.buffers, context) ?? [];
  });
  return { launches, scratchBytes: 0, counterBytes: 0 };
}
