/**
 * The page-locked slots through which each run sends its uniforms: one for each submission that may be under way, so that
 * the next run can write its own while the device still reads the last ones.
 */
import type { NativeContext, NativePinned } from "../native/addon.ts";
import type { Timeline } from "../stream/timeline.ts";

const firstSlotBytes = 1024;

export class UploadSlots {
  readonly #context: NativeContext;
  readonly #timeline: Timeline;
  #pinned: NativePinned | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #slotBytes = 0;

  constructor(context: NativeContext, timeline: Timeline) {
    this.#context = context;
    this.#timeline = timeline;
  }

  /** Sees to it that a slot has at least `bytes`. */
  reserve(bytes: number): void {
    if (bytes <= this.#slotBytes) return;
    // Submissions under way still read the old slots.
    this.#timeline.stream.synchronize();
    this.#pinned?.dispose();
    this.#slotBytes = Math.max(firstSlotBytes, 2 ** Math.ceil(Math.log2(bytes)));
    this.#pinned = this.#context.allocatePinned(this.#slotBytes * this.#timeline.depth);
    this.#view = new DataView(this.#pinned.data);
  }

  /** To write through, at `offset(slot)`. */
  get view(): DataView {
    return this.#view;
  }

  offset(slot: number): number {
    return slot * this.#slotBytes;
  }

  address(slot: number): number {
    return (this.#pinned as NativePinned).address + this.offset(slot);
  }

  dispose(): void {
    this.#pinned?.dispose();
  }
}
