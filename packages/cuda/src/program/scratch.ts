/** Where in the scratch memory of a Program each kernel's part lies. */
import type { CompiledKernel } from "../kernel/launch.ts";

/** Up to this the parts lie one behind the other; what is larger is shared, and its kernels run one after the other. */
const mostApart = 256 * 2 ** 20;
const alignment = 256;

export interface ScratchLayout {
  readonly bytes: number;
  /** Byte of each kernel's part. */
  readonly offsets: readonly number[];
  readonly shared: boolean;
}

export function layOutScratch(kernels: readonly Pick<CompiledKernel, "scratchBytes">[]): ScratchLayout {
  let bytes = 0;
  const offsets = kernels.map(({ scratchBytes }) => {
    const begin = bytes;
    bytes += Math.ceil(scratchBytes / alignment) * alignment;
    return begin;
  });
  if (bytes <= mostApart) return { bytes, offsets, shared: false };
  return {
    bytes: kernels.reduce((most, { scratchBytes }) => Math.max(most, scratchBytes), 0),
    offsets: kernels.map(() => 0),
    shared: true,
  };
}
