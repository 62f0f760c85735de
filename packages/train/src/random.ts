/**
 * A small seeded generator for work on the host: drawing the data set. sfc32 (Chris Doty-Humphrey, PractRand): 128 bits
 * of state, 32 bits out. Tensors draw from core's Philox instead; a data set is drawn before there is any backend.
 */
export class HostRandom {
  #a: number;
  #b: number;
  #c = 0x9e3779b9;
  #counter = 1;

  /** The same `seed` (a whole number up to 2^53) gives the same numbers on every machine. */
  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    for (let i = 0; i < 16; i++) this.uint32();
  }

  /** Uniform over the 2^32 whole numbers. */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.uint32() / 2 ** 32);
  }

  /** Uniform over 0 … n - 1. */
  below(n: number): number {
    return Math.floor(this.uniform(0, n));
  }

  /**
   * Bell-shaped with mean 0 and standard deviation `deviation`: four uniform numbers added (Irwin-Hall). Never further out
   * than 3.5 deviations, so a distortion has a limit; only additions, so the same bits on every engine.
   */
  bell(deviation: number): number {
    const sum = this.uniform() + this.uniform() + this.uniform() + this.uniform();
    return (sum - 2) * Math.sqrt(3) * deviation;
  }

  /** The numbers 0 … n - 1 in random order (Fisher-Yates). */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const kept = order[i] as number;
      order[i] = order[j] as number;
      order[j] = kept;
    }
    return order;
  }
}
