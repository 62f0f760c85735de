/** Where the sums of a convolution go: through its epilogue, or as they are to scratch memory. */
import type { Epilogue, Program } from "@thalweg/core/backend";
import { type EpilogueWriter, epilogueWriter, usesUniforms } from "../body/index.ts";
import type { Code } from "../code.ts";
import { epilogueKey } from "../contraction/key.ts";
import type { FunctionBuilder } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import type { Pointer } from "../launch.ts";
import { mergeAxes } from "./epilogueAxes.ts";

export interface Output {
  readonly epilogue: Epilogue;
  /** What the epilogue's buffers are numbers in. */
  readonly program: Program;
  /** Of the epilogue's slots, then of the uniforms, where it has any. */
  readonly pointers: readonly Pointer[];
}

export function outputOf(epilogue: Epilogue, program: Program): Output {
  const slots = epilogue.buffers.map((buffer): Pointer => ({ kind: "buffer", buffer }));
  return {
    epilogue,
    program,
    pointers: usesUniforms(epilogue.body) ? [...slots, { kind: "uniforms" }] : slots,
  };
}

/** Sums over variables of these strides as they are, to scratch memory of `size` elements. */
export function scratchOutput(strides: readonly number[], size: number, at: Pointer): Output {
  return {
    epilogue: {
      body: [
        { id: 0, op: "accumulator", dtype: "float32" },
        { id: 1, op: "store", slot: 0, at: { offset: 0, strides }, value: 0 },
      ],
      buffers: [0],
    },
    program: { buffers: [{ dtype: "float32", size, kind: "output" }], uniforms: [], kernels: [], arenaBytes: 0 },
    pointers: [at],
  };
}

/** With variables `axis` and `axis` + 1 numbered through, where that is possible. `sizes`: of all variables. */
export function mergedOutput(output: Output, sizes: readonly number[], axis: number): Output | undefined {
  const epilogue = mergeAxes(output.epilogue, sizes, axis);
  return epilogue && { ...output, epilogue };
}

/** What code that writes to it depends on. */
export const outputKey = ({ epilogue, program }: Output): unknown => epilogueKey(epilogue, program);

/** Writes to it in a function whose parameters from `first` on are its pointers. */
export function outputWriter(
  f: FunctionBuilder,
  code: Code,
  lanes: Lanes,
  { epilogue, program, pointers }: Output,
  first: number,
): EpilogueWriter {
  const locals = pointers.map((_, index) => f.parameter(first + index, "i32"));
  const slots = locals.slice(0, epilogue.buffers.length);
  return epilogueWriter(code, lanes, epilogue, program, slots, locals[slots.length]);
}
