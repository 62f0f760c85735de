import type { Heap } from "./heap.ts";

/** A block of the heap that many Programs use one after the other: as large as the largest need so far. */
export class GrowingBlock {
  readonly #heap: Heap;
  #address: number | undefined;
  bytes = 0;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** Its address, with room for `bytes`. What it held before may be lost. */
  atLeast(bytes: number): number {
    if (this.#address !== undefined && bytes <= this.bytes) return this.#address;
    if (this.#address !== undefined) this.#heap.free(this.#address);
    // Until the new one is there, there is none: an allocation that fails leaves it so.
    this.#address = undefined;
    this.bytes = 0;
    this.#address = this.#heap.allocate(bytes);
    this.bytes = bytes;
    return this.#address;
  }
}
