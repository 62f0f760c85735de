/**
 * Device memory to the host. A read is sent behind the work submitted so far and then waited for, so that a loop may go on
 * submitting steps while the loss of an earlier one is on its way.
 */
import { BackendError } from "@thalweg/core/backend";
import type { NativeContext, NativeEvent, NativePinned } from "../native/addon.ts";
import type { Timeline } from "../stream/timeline.ts";

export interface Piece {
  readonly address: number;
  readonly bytes: number;
}

/** Page-locked memory and the event of the copy into it; kept for the next read of about that size. */
interface Landing {
  readonly pinned: NativePinned;
  readonly capacity: number;
  readonly arrived: NativeEvent;
}

/** A read under way: what is asked for, and where it arrives. */
export interface Download {
  readonly pieces: readonly Piece[];
  readonly landing: Landing;
}

const smallest = 4096;
/** Landings that are larger are not kept. */
const largestKept = 64 * 2 ** 20;

/** Landings are found by these, so that one does for reads of about its size. */
function capacityOf(bytes: number): number {
  if (bytes > largestKept) return bytes;
  let capacity = smallest;
  while (capacity < bytes) capacity *= 2;
  return capacity;
}

export class Downloads {
  readonly #context: NativeContext;
  readonly #timeline: Timeline;
  readonly #idle = new Map<number, Landing[]>();
  /** Settles with the last of the reads that are waited for. */
  #waiting: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(context: NativeContext, timeline: Timeline) {
    this.#context = context;
    this.#timeline = timeline;
  }

  #take(bytes: number): Landing {
    const capacity = capacityOf(bytes);
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

  /** Sends a read of pieces of device memory, as they are once all that was sent before is done. Then `wait` or `waitSync`. */
  send(pieces: readonly Piece[]): Download {
    const { stream } = this.#timeline;
    const landing = this.#take(pieces.reduce((sum, { bytes }) => sum + bytes, 0));
    let at = landing.pinned.address;
    for (const { address, bytes } of pieces) {
      if (bytes > 0) stream.copyToHost(at, address, bytes);
      at += bytes;
    }
    landing.arrived.record(stream);
    this.#timeline.note();
    return { pieces, landing };
  }

  #collect({ landing, pieces }: Download): Uint8Array<ArrayBuffer>[] {
    let at = 0;
    return pieces.map(({ bytes }) => {
      const copy = new Uint8Array(landing.pinned.data, at, bytes).slice();
      at += bytes;
      return copy;
    });
  }

  /** They arrive in order, so each waits for the one before, and all of them occupy one thread. */
  async #arrival(arrived: NativeEvent): Promise<void> {
    const before = this.#waiting;
    const done = (async () => {
      await before.catch(() => undefined);
      if (!this.#disposed && !arrived.done()) await arrived.wait();
    })();
    this.#waiting = done;
    await done;
  }

  async wait(download: Download): Promise<Uint8Array<ArrayBuffer>[]> {
    const { landing } = download;
    try {
      if (!landing.arrived.done()) {
        await this.#arrival(landing.arrived).catch((error: unknown) => {
          // Disposing ends the wait.
          if (!this.#disposed) throw error;
        });
        if (this.#disposed) throw new BackendError("cuda", "read: the backend was disposed before the data was there");
      }
      return this.#collect(download);
    } finally {
      this.#giveBack(landing);
    }
  }

  waitSync(download: Download): Uint8Array<ArrayBuffer>[] {
    const { landing } = download;
    try {
      landing.arrived.synchronize();
      return this.#collect(download);
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
