/** Where in the scratch memory of a Program each kernel's part lies. */
import type { CompiledKernel } from "../kernel/launch.ts";

/** Up to this the parts lie one behind the other. */
const mostApart = 256 * 2 ** 20;
/**
 * When they do not fit in that, the parts above this are one part, and its kernels run one after the other: they are the
 * large products, each of which fills the device. Those below stay apart.
 */
const small = 2 ** 20;
const alignment = 256;
const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export interface ScratchLayout {
  readonly bytes: number;
  /** Byte of each kernel's part. */
  readonly offsets: readonly number[];
  /** Whether the kernel's part is others', too: such kernels cannot run side by side. */
  readonly shared: readonly boolean[];
}

export function layOutScratch(kernels: readonly Pick<CompiledKernel, "scratchBytes">[]): ScratchLayout {
  const sizes = kernels.map(({ scratchBytes }) => align(scratchBytes));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const limit = total <= mostApart ? Number.POSITIVE_INFINITY : small;
  const shared = sizes.map((size) => size > limit);
  let bytes = sizes.reduce((most, size, i) => (shared[i] ? Math.max(most, size) : most), 0);
  const offsets = sizes.map((size, i) => {
    if (shared[i]) return 0;
    bytes += size;
    return bytes - size;
  });
  return { bytes, offsets, shared };
}
