/** Which buffers a Program writes in full: what they held before does not matter. */
import { sizeOf } from "../graph/shape.ts";
import { type Access, accessesOf } from "./accesses.ts";
import { isInjective } from "./bounds.ts";
import type { Program } from "./program.ts";

/** The store happens as often as the buffer has elements, each time at another one. */
function covers(program: Program, { buffer, kind, at, sizes }: Access): boolean {
  if (kind !== "write" || at.dynamic !== undefined) return false;
  return sizeOf(sizes) === program.buffers[buffer]?.size && isInjective(at, sizes);
}

/** For every buffer that is no temporary, in order. Outputs alone: inputs and parameters are read. */
export function overwrittenBuffers(program: Program): boolean[] {
  const whole = new Set<number>();
  const outputs = new Set<number>();
  program.buffers.forEach(({ kind }, index) => {
    if (kind === "output") outputs.add(index);
  });
  for (const kernel of program.kernels) {
    if (outputs.size === 0) break;
    for (const access of accessesOf(kernel)) {
      if (!outputs.has(access.buffer)) continue;
      // The first access decides: a kernel that reads the output first wants its zeros.
      if (covers(program, access)) whole.add(access.buffer);
      outputs.delete(access.buffer);
    }
  }
  return program.buffers.flatMap(({ kind }, index) => (kind === "temporary" ? [] : [whole.has(index)]));
}
