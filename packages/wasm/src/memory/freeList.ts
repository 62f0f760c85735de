/** Which stretches of an address range are free: the smallest that is large enough is taken, neighbours are joined. */

interface Stretch {
  start: number;
  size: number;
}

export class FreeList {
  /** In order of address; no two touch. */
  readonly #stretches: Stretch[] = [];

  get bytes(): number {
    return this.#stretches.reduce((sum, { size }) => sum + size, 0);
  }

  get largest(): number {
    return this.#stretches.reduce((most, { size }) => Math.max(most, size), 0);
  }

  /** The start of `size` bytes that are free no more; undefined when no stretch is large enough. */
  take(size: number): number | undefined {
    let best = -1;
    for (let i = 0; i < this.#stretches.length; i++) {
      const found = (this.#stretches[i] as Stretch).size;
      if (found < size || (best >= 0 && found >= (this.#stretches[best] as Stretch).size)) continue;
      best = i;
      if (found === size) break;
    }
    const stretch = this.#stretches[best];
    if (!stretch) return undefined;
    const { start } = stretch;
    if (stretch.size === size) this.#stretches.splice(best, 1);
    else {
      stretch.start += size;
      stretch.size -= size;
    }
    return start;
  }

  give(start: number, size: number): void {
    let low = 0;
    let high = this.#stretches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#stretches[middle] as Stretch).start < start) low = middle + 1;
      else high = middle;
    }
    const before = this.#stretches[low - 1];
    const after = this.#stretches[low];
    const joinsBefore = before !== undefined && before.start + before.size === start;
    const joinsAfter = after !== undefined && start + size === after.start;
    if (joinsBefore) {
      before.size += size + (joinsAfter ? after.size : 0);
      if (joinsAfter) this.#stretches.splice(low, 1);
    } else if (joinsAfter) {
      after.start = start;
      after.size += size;
    } else this.#stretches.splice(low, 0, { start, size });
  }
}
