/**
 * Matrix products and convolutions as JavaScript. Three layers: what a kernel is as blocks of a product (matmul.ts,
 * convolution.ts), the source of blocked products (blocked.ts with pack.ts, image.ts and finish.ts), and the micro-kernel
 * they all share (microKernel.ts).
 */
import type { ContractionKernel, Program } from "@thalweg/core/backend";
import type { EpilogueEmitter, KernelSource } from "../kernelSource.ts";
import { convolutionSource } from "./convolution.ts";
import { matmulSource } from "./matmul.ts";
import { microKernel } from "./microKernel.ts";
import { Arguments } from "./operands.ts";
import { contractionScratch } from "./scratch.ts";

/** What the generated source calls by name. */
export const contractionIntrinsics = { $contractionScratch: contractionScratch, $microKernel: microKernel } as const;

/** The JavaScript of one contraction. `emit` gives that of its epilogue. */
export function compileContraction(kernel: ContractionKernel, program: Program, emit: EpilogueEmitter): KernelSource {
  const values = new Arguments(program);
  // Every array is named before the source is written, since all its functions take all of them.
  const operands = kernel.kind === "matmul" ? [kernel.a.buffer, kernel.b.buffer] : [kernel.a, kernel.b];
  for (const buffer of [...operands, ...kernel.epilogue.buffers]) values.array(buffer);
  const { source, usesUniforms } =
    kernel.kind === "matmul" ? matmulSource(kernel, values, emit) : convolutionSource(kernel, values, emit);
  return { source, buffers: values.buffers, usesUniforms };
}
