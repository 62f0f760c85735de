/**
 * Host arrays to the device while it computes: through page-locked segments, on a stream of their own. The compute stream
 * waits for them only when a run is about to use what they bring.
 */
import type { NativeContext, NativeEvent, NativePinned, NativeStream } from "../native/addon.ts";
import type { Timeline } from "../stream/timeline.ts";

interface Segment {
  readonly pinned: NativePinned;
  readonly bytes: Uint8Array;
  /** Recorded after each copy out of it. */
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
  readonly #segments: Segment[] = [];
  #current = 0;
  #position = 0;
  /** Number of the last copy, and of the last one that the compute stream waits for. */
  #sent = 0;
  #awaited = 0;
  /** Recorded after the last copy. */
  #last: NativeEvent | undefined;

  constructor(context: NativeContext, timeline: Timeline) {
    this.#context = context;
    this.#timeline = timeline;
    this.#stream = context.createStream(true);
  }

  /** Makes the segments that so many bytes take, before any is sent: there may be no memory for them. */
  #reserve(bytes: number): void {
    const wanted = this.#current + Math.ceil((this.#position + bytes) / segmentBytes);
    while (this.#segments.length < Math.min(wanted, segmentCount)) {
      const pinned = this.#context.allocatePinned(segmentBytes);
      const copied = this.#context.createEvent(false);
      this.#segments.push({ pinned, bytes: new Uint8Array(pinned.data), copied, used: false });
    }
  }

  /** The segment that is written to next, which has room. */
  #segment(): Segment {
    if (this.#position >= segmentBytes) {
      this.#current = (this.#current + 1) % segmentCount;
      this.#position = 0;
    }
    const segment = this.#segments[this.#current] as Segment;
    if (this.#position === 0 && segment.used) segment.copied.synchronize();
    return segment;
  }

  /**
   * Sends bytes to the device once submission `after` is done there. Gives the number to ask `await` for before the
   * compute stream uses them. `data` may change when this returns.
   */
  send(address: number, data: Uint8Array, after: number): number {
    this.#reserve(data.length);
    this.#timeline.makeWait(this.#stream, after);
    for (let sent = 0; sent < data.length; ) {
      const segment = this.#segment();
      const length = Math.min(data.length - sent, segmentBytes - this.#position);
      segment.bytes.set(data.subarray(sent, sent + length), this.#position);
      this.#stream.copyToDevice(address + sent, segment.pinned.address + this.#position, length);
      segment.copied.record(this.#stream);
      segment.used = true;
      this.#last = segment.copied;
      this.#position = Math.ceil((this.#position + length) / alignment) * alignment;
      sent += length;
    }
    return ++this.#sent;
  }

  /** From here on the compute stream's work comes after copy `number`. */
  await(number: number): void {
    if (number <= this.#awaited || this.#last === undefined) return;
    // The event was recorded after the newest copy, so all before it are waited for too.
    this.#timeline.stream.waitFor(this.#last);
    this.#awaited = this.#sent;
  }

  dispose(): void {
    this.#stream.synchronize();
    for (const { pinned, copied } of this.#segments) {
      copied.dispose();
      pinned.dispose();
    }
    this.#stream.dispose();
  }
}
