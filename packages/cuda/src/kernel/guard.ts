/** Which kernels must not write once an index was out of range. */
import { accessesOf, type Kernel, type Program } from "@thalweg/core/backend";

/** Whether an index that a kernel computes or loads may be out of range. */
export function kernelMayFail(kernel: Kernel): boolean {
  return kernel.kind === "scatterAdd" || accessesOf(kernel).some(({ at }) => at.dynamic !== undefined);
}

/**
 * For each kernel: whether an earlier one may meet an index out of range while this one writes a buffer that outlives the
 * run. Temporaries may hold anything after a failure, so what only writes those is spared the question.
 */
export function guardedKernels(program: Program): boolean[] {
  let failing = false;
  return program.kernels.map((kernel) => {
    const outlives = accessesOf(kernel).some(
      ({ kind, buffer }) => kind === "write" && program.buffers[buffer]?.kind !== "temporary",
    );
    const guarded = failing && outlives;
    failing ||= kernelMayFail(kernel);
    return guarded;
  });
}
