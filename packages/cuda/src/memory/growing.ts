/** One block that all Programs share, as large as the largest of them needs. */
import type { Timeline } from "../stream/timeline.ts";
import type { Block, DevicePool } from "./pool.ts";

export class GrowingBlock {
  readonly #pool: DevicePool;
  readonly #timeline: Timeline;
  #block: Block | undefined;

  constructor(pool: DevicePool, timeline: Timeline) {
    this.#pool = pool;
    this.#timeline = timeline;
  }

  get bytes(): number {
    return this.#block?.bytes ?? 0;
  }

  /** Its address with at least `bytes` behind it; changes when it grows. What it held is gone then. */
  address(bytes: number): number {
    if (bytes === 0) return 0;
    if (this.#block === undefined || this.#block.bytes < bytes) {
      // Given back first: where memory is short, the larger block may have to be where the smaller one was.
      if (this.#block) this.#pool.free(this.#block, this.#timeline.latest);
      this.#block = undefined;
      this.#block = this.#pool.allocate(bytes);
    }
    return this.#block.address;
  }
}
