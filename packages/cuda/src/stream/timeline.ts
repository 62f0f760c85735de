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
  /** Something was sent since the last submission: the next one stands for it too. */
  #noted = false;

  constructor(context: NativeContext) {
    this.stream = context.createStream(false);
    this.#events = Array.from({ length: this.depth }, () => context.createEvent(false));
  }

  /** Number of the last submission. */
  get submitted(): number {
    return this.#submitted;
  }

  /** The submission whose end is the end of all that has been sent; the next one, if something is part of none yet. */
  get latest(): number {
    return this.#noted ? this.#submitted + 1 : this.#submitted;
  }

  /**
   * Says that something is sent that is no submission of its own, such as a copy to the host: it costs no event, as few
   * ask when it is done. Gives the submission that stands for it.
   */
  note(): number {
    this.#noted = true;
    return this.#submitted + 1;
  }

  /** To record when all of a submission is sent. */
  event(submission: number): NativeEvent {
    return this.#events[submission % this.depth] as NativeEvent;
  }

  /** Begins a submission and gives its number. Modulo `depth` it is a slot that nobody uses now. */
  begin(): number {
    const next = this.#submitted + 1;
    const oldest = next - this.depth;
    // A later one is asked first: where the device keeps up, one answer does for many submissions.
    if (oldest > this.#done && !this.isDone(oldest + this.depth / 2) && !this.isDone(oldest)) {
      this.event(oldest).synchronize();
      this.#done = oldest;
    }
    this.#submitted = next;
    this.#noted = false;
    return next;
  }

  isDone(submission: number): boolean {
    if (submission <= this.#done) return true;
    if (submission > this.#submitted || !this.event(submission).done()) return false;
    this.#done = submission;
    return true;
  }

  /** Makes another stream wait for a submission. */
  makeWait(stream: NativeStream, submission: number): void {
    if (this.isDone(submission)) return;
    if (submission > this.#submitted) this.event(this.begin()).record(this.stream);
    stream.waitFor(this.event(submission));
  }

  dispose(): void {
    this.stream.synchronize();
    for (const event of this.#events) event.dispose();
    this.stream.dispose();
  }
}
