/**
 * The order of what is sent to the device: every submission on the compute stream has a number, and its event says when it
 * is done. At most `depth` are under way: the host waits rather than run further ahead, which bounds what a loop without
 * reads can pile up, and makes what belongs to submission n free again at n + depth.
 */
import type { NativeContext, NativeEvent, NativeStream } from "../native/addon.ts";

export class Timeline {
  readonly stream: NativeStream;
  readonly depth = 64;
  readonly #events: NativeEvent[];
  #submitted = 0;
  #done = 0;

  constructor(context: NativeContext) {
    this.stream = context.createStream(false);
    this.#events = Array.from({ length: this.depth }, () => context.createEvent(false));
  }

  /** Number of the last submission. */
  get submitted(): number {
    return this.#submitted;
  }

  #event(submission: number): NativeEvent {
    return this.#events[submission % this.depth] as NativeEvent;
  }

  /** Begins a submission: its number modulo `depth` is a slot nobody uses now. Record `event` when all of it is sent. */
  begin(): { readonly slot: number; readonly event: NativeEvent } {
    const next = this.#submitted + 1;
    if (next > this.depth && !this.isDone(next - this.depth)) {
      this.#event(next).synchronize();
      this.#done = next - this.depth;
    }
    this.#submitted = next;
    return { slot: next % this.depth, event: this.#event(next) };
  }

  isDone(submission: number): boolean {
    if (submission <= this.#done) return true;
    if (submission <= this.#submitted - this.depth) return true;
    if (!this.#event(submission).done()) return false;
    this.#done = submission;
    return true;
  }

  /** Makes another stream wait for a submission. */
  makeWait(stream: NativeStream, submission: number): void {
    if (!this.isDone(submission)) stream.waitFor(this.#event(submission));
  }

  dispose(): void {
    this.stream.synchronize();
    for (const event of this.#events) event.dispose();
    this.stream.dispose();
  }
}
