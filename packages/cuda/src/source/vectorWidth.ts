/** How many neighbours a thread should compute. */
import { bytesPerElement, type DType, type Instruction } from "@thalweg/core/backend";
import { packetSize } from "./access.ts";

const widths = [8, 4, 2] as const;

/**
 * The largest number of neighbours along `variable` (8, 4, 2 or 1) whose contiguous accesses are vectors of at most 16
 * bytes each. 1 where none is contiguous. `size`: of that loop; its tail is the caller's (`count`), but a loop is not
 * given more lanes than it has elements. At least half the bytes that are contiguous must move as vectors.
 */
export function vectorWidth(
  bodies: readonly (readonly Instruction[])[],
  dtypes: readonly DType[],
  variable: number,
  size: number,
): number {
  const contiguous: { bytes: number; fits(packet: number): boolean }[] = [];
  for (const body of bodies) {
    for (const instruction of body) {
      if (instruction.op !== "load" && instruction.op !== "store") continue;
      const { offset, strides, dynamic = [] } = instruction.at;
      if (strides[variable] !== 1) continue;
      const others = [offset, ...strides.filter((_, i) => i !== variable), ...dynamic.map(({ stride }) => stride)];
      const bytes = bytesPerElement(dtypes[instruction.slot] as DType);
      contiguous.push({ bytes, fits: (packet) => others.every((stride) => stride % packet === 0) });
    }
  }
  const total = contiguous.reduce((sum, { bytes }) => sum + bytes, 0);
  const widest = contiguous.reduce((most, { bytes }) => Math.max(most, bytes), 0);
  for (const width of widths) {
    if (width > size || width * widest > 16) continue;
    const vectors = contiguous.filter(({ bytes, fits }) => fits(packetSize(width, bytes)));
    if (total > 0 && vectors.reduce((sum, { bytes }) => sum + bytes, 0) * 2 >= total) return width;
  }
  return 1;
}
