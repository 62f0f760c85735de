/**
 * Device memory to the host. A read is sent behind the work submitted so far and then waited for, so that a loop may go on
 * submitting steps while the loss of an earlier one is on its way.
 */
import type { NativeContext, NativeEvent, NativePinned } from "../native/addon.ts";
import type { Timeline } from "../stream/timeline.ts";

/** Page-locked memory and the event of the copy into it; kept for the next read of about that size. */
interface Landing {
  readonly pinned: NativePinned;
  readonly capacity: number;
  readonly arrived: NativeEvent;
}

const smallest = 4096;
/** Landings that are larger are not kept. */
const largestKept = 64 * 2 ** 20;

export class Downloads {
  readonly #context: NativeContext;
  readonly #timeline: Timeline;
  /** Idle ones by capacity, a power of two. */
  readonly #idle = new Map<number, Landing[]>();
  #disposed = false;

  constructor(context: NativeContext, timeline: Timeline) {
    this.#context = context;
    this.#timeline = timeline;
  }

  #take(bytes: number): Landing {
    let capacity = smallest;
    while (capacity < bytes) capacity *= 2;
    const idle = this.#idle.get(capacity)?.pop();
    if (idle) return idle;
    return { pinned: this.#context.allocatePinned(capacity), capacity, arrived: this.#context.createEvent(false) };
  }

  #giveBack(landing: Landing): void {
    if (landing.capacity > largestKept || this.#disposed) {
      landing.arrived.dispose();
      landing.pinned.dispose();
      return;
    }
    const list = this.#idle.get(landing.capacity);
    if (list) list.push(landing);
    else this.#idle.set(landing.capacity, [landing]);
  }

  /** Pieces of device memory, one behind the other, in a landing. */
  #send(pieces: readonly Piece[]): Landing {
    const landing = this.#take(pieces.reduce((sum, { bytes }) => sum + bytes, 0));
    let at = 0;
    for (const { address, bytes } of pieces) {
      this.#timeline.stream.copyToHost(landing.pinned.address + at, address, bytes);
      at += bytes;
    }
    landing.arrived.record(this.#timeline.stream);
    return landing;
  }

  #collect(landing: Landing, pieces: readonly Piece[]): Uint8Array<ArrayBuffer>[] {
    let at = 0;
    return pieces.map(({ bytes }) => {
      const copy = new Uint8Array(landing.pinned.data, at, bytes).slice();
      at += bytes;
      return copy;
    });
  }

  async read(pieces: readonly Piece[]): Promise<Uint8Array<ArrayBuffer>[]> {
    const landing = this.#send(pieces);
    try {
      if (!landing.arrived.done()) await landing.arrived.wait();
      return this.#collect(landing, pieces);
    } finally {
      this.#giveBack(landing);
    }
  }

  readSync(pieces: readonly Piece[]): Uint8Array<ArrayBuffer>[] {
    const landing = this.#send(pieces);
    try {
      landing.arrived.synchronize();
      return this.#collect(landing, pieces);
    } finally {
      this.#giveBack(landing);
    }
  }

  dispose(): void {
    this.#disposed = true;
    for (const landings of this.#idle.values()) {
      for (const landing of landings) {
        landing.arrived.dispose();
        landing.pinned.dispose();
      }
    }
    this.#idle.clear();
  }
}

export interface Piece {
  readonly address: number;
  readonly bytes: number;
}
