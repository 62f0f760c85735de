/**
 * Host arrays to the device while it computes: through page-locked segments, on a stream of their own. The compute stream
 * waits for them only when a run is about to use what they bring.
 */
import type { NativeContext, NativeEvent, NativePinned, NativeStream } from "../native/addon.ts";
import type { Timeline } from "../stream/timeline.ts";

interface Segment {
  readonly pinned: NativePinned;
  readonly bytes: Uint8Array;
  /** Recorded after the last copy out of it. */
  readonly copied: NativeEvent;
  used: boolean;
}

const segmentBytes = 4 * 2 ** 20;
const segmentCount = 4;
const alignment = 256;

export class Uploads {
  readonly #context: NativeContext;
  readonly #timeline: Timeline;
  readonly #stream: NativeStream;
  readonly #done: NativeEvent;
  readonly #segments: Segment[] = [];
  #current = 0;
  #position = 0;
  /** Number of the last copy, and of the last one that the compute stream waits for. */
  #sent = 0;
  #awaited = 0;

  constructor(context: NativeContext, timeline: Timeline) {
    this.#context = context;
    this.#timeline = timeline;
    this.#stream = context.createStream(true);
    this.#done = context.createEvent(false);
  }

  /** Room in page-locked memory: at most `bytes`, at least one alignment's worth. */
  #room(bytes: number): { segment: Segment; position: number; length: number } {
    let segment = this.#segments[this.#current];
    if (segment === undefined || this.#position >= segmentBytes) {
      if (segment) this.#current = (this.#current + 1) % segmentCount;
      segment = this.#segments[this.#current];
      if (segment === undefined) {
        const pinned = this.#context.allocatePinned(segmentBytes);
        segment = { pinned, bytes: new Uint8Array(pinned.data), copied: this.#context.createEvent(false), used: false };
        this.#segments[this.#current] = segment;
      }
      if (segment.used) segment.copied.synchronize();
      this.#position = 0;
    }
    const position = this.#position;
    const length = Math.min(bytes, segmentBytes - position);
    this.#position = Math.ceil((position + length) / alignment) * alignment;
    return { segment, position, length };
  }

  /**
   * Sends bytes to the device once submission `after` is done there. Gives the number to ask `await` for before the
   * compute stream uses them. `data` may change when this returns.
   */
  send(address: number, data: Uint8Array, after: number): number {
    this.#timeline.makeWait(this.#stream, after);
    for (let sent = 0; sent < data.length; ) {
      const { segment, position, length } = this.#room(data.length - sent);
      segment.bytes.set(data.subarray(sent, sent + length), position);
      this.#stream.copyToDevice(address + sent, segment.pinned.address + position, length);
      segment.copied.record(this.#stream);
      segment.used = true;
      sent += length;
    }
    this.#done.record(this.#stream);
    return ++this.#sent;
  }

  /** From here on the compute stream's work comes after copy `number`. */
  await(number: number): void {
    if (number <= this.#awaited) return;
    // The event was recorded last after the newest copy, so all before it are waited for too.
    this.#timeline.stream.waitFor(this.#done);
    this.#awaited = this.#sent;
  }

  dispose(): void {
    this.#stream.synchronize();
    for (const { pinned, copied } of this.#segments) {
      copied.dispose();
      pinned.dispose();
    }
    this.#done.dispose();
    this.#stream.dispose();
  }
}
