/** scatterAdd, cumSum and argSort as launches. */
import type { IndexedKernel } from "@thalweg/core/backend";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { compileArgSort } from "./argSort.ts";
import { compileCumSum } from "./cumSum.ts";
import { compileScatterAdd } from "./scatterAdd.ts";

export function compileIndexed(kernel: IndexedKernel, context: KernelContext): CompiledKernel {
  switch (kernel.kind) {
    case "scatterAdd":
      return compileScatterAdd(kernel, context);
    case "cumSum":
      return compileCumSum(kernel, context);
    case "argSort":
      return compileArgSort(kernel, context);
    default:
      return kernel satisfies never;
  }
}
