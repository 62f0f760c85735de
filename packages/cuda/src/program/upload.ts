/**
 * The page-locked slots through which each run sends its status and uniforms: one for each submission that may be under way,
 * so that the next run can write its own while the device still reads the last ones.
 */
import type { NativeContext, NativePinned } from "../native/addon.ts";
import type { Timeline } from "../stream/timeline.ts";
import { writeStatus } from "./status.ts";

const firstSlotBytes = 1024;

export class UploadSlots {
  readonly #context: NativeContext;
  readonly #timeline: Timeline;
  /** Address of the backend's own status, which all runs report to. */
  readonly #failure: number;
  #pinned: NativePinned | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #address = 0;
  #slotBytes = 0;

  constructor(context: NativeContext, timeline: Timeline, failure: number) {
    this.#context = context;
    this.#timeline = timeline;
    this.#failure = failure;
  }

  /** Sees to it that a slot has at least `bytes`. */
  reserve(bytes: number): void {
    if (bytes <= this.#slotBytes) return;
    const slotBytes = Math.max(firstSlotBytes, 2 ** Math.ceil(Math.log2(bytes)));
    const { stream, depth } = this.#timeline;
    const pinned = this.#context.allocatePinned(slotBytes * depth);
    // Submissions under way still read the old slots.
    stream.synchronize();
    this.#pinned?.dispose();
    this.#pinned = pinned;
    this.#address = pinned.address;
    this.#slotBytes = slotBytes;
    this.#view = new DataView(pinned.data);
    for (let slot = 0; slot < depth; slot++) writeStatus(this.#view, slot * slotBytes, this.#failure);
  }

  /** To write through, at `offset` of a submission. Each begins with a status, of which only the Program is missing. */
  get view(): DataView {
    return this.#view;
  }

  offset(submission: number): number {
    return (submission % this.#timeline.depth) * this.#slotBytes;
  }

  address(submission: number): number {
    return this.#address + this.offset(submission);
  }

  dispose(): void {
    this.#pinned?.dispose();
  }
}
