/** Which buffers of a Program may lie in the same memory. */
import { bytesPerElement } from "../graph/dtype.ts";
import type { BufferSpec, LoopKernel, Program, Segment } from "./program.ts";

/** Whether two buffers of a Program may lie in the same bytes. */
export function mayOverlap(program: Program, a: number, b: number): boolean {
  if (a === b) return true;
  const [x, y] = [program.buffers[a], program.buffers[b]];
  if (x?.offset === undefined || y?.offset === undefined) return false;
  const end = ({ dtype, size, offset = 0 }: BufferSpec): number => offset + size * bytesPerElement(dtype);
  return x.offset < end(y) && y.offset < end(x);
}

/** The segments of a kernel in groups: those whose slots have the same dtypes and the same overlaps can run the same code. */
export function groupSegments(kernel: LoopKernel, program: Program): Segment[][] {
  const found = new Map<string, Segment[]>();
  for (const segment of kernel.segments) {
    const key = segment.buffers
      .map((buffer) => {
        const overlapped = segment.buffers.flatMap((other, slot) => (mayOverlap(program, buffer, other) ? [slot] : []));
        return `${program.buffers[buffer]?.dtype}@${overlapped.join("+")}`;
      })
      .join();
    const members = found.get(key);
    if (members) members.push(segment);
    else found.set(key, [segment]);
  }
  return [...found.values()];
}
