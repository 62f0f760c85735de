/** scatterAdd, cumSum and argSort as WebAssembly functions. */
import type { IndexedKernel, Program } from "@thalweg/core/backend";
import type { Features } from "../features.ts";
import type { CompiledKernel } from "../launch.ts";
import { compileArgSort } from "./argSort.ts";
import { compileCumSum } from "./cumSum.ts";
import { compileScatterAdd } from "./scatterAdd.ts";

export function compileIndexed(kernel: IndexedKernel, program: Program, features: Features): CompiledKernel {
  switch (kernel.kind) {
    case "scatterAdd":
      return compileScatterAdd(kernel, program, features);
    case "cumSum":
      return compileCumSum(kernel, program, features);
    case "argSort":
      return compileArgSort(kernel, program);
    default:
      return kernel satisfies never;
  }
}
