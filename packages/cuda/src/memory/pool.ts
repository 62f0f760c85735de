/**
 * Device memory by the block: a few large chunks from the driver, cut up here. Freed blocks are reused at once: all work
 * is on one stream, so whoever gets the block next comes after whoever had it. Nothing is asked of the driver once a
 * training loop has gone round.
 */
import { BackendError, formatBytes } from "@thalweg/core/backend";
import type { CudaError, NativeContext, NativeMemory } from "../native/addon.ts";

/** A piece of a chunk: in use, or free and next to no other free one. */
export interface Block {
  readonly address: number;
  /** A multiple of `granularity`. */
  readonly bytes: number;
  /** The last submission that may use what it holds: a copy on another stream must wait for it. Set when it is freed. */
  lastUse: number;
}

interface Chunk {
  readonly memory: NativeMemory;
  readonly small: boolean;
}

class Piece implements Block {
  address: number;
  bytes: number;
  lastUse = 0;
  free = false;
  readonly chunk: Chunk;
  previous: Piece | undefined;
  next: Piece | undefined;

  constructor(chunk: Chunk, address: number, bytes: number) {
    this.chunk = chunk;
    this.address = address;
    this.bytes = bytes;
  }
}

/** Blocks begin at multiples of this, which vector accesses and cuBLASLt's fastest kernels want. */
export const granularity = 256;
/** Blocks below this come from chunks of their own, so that small ones that stay do not split the space of large ones. */
const smallBytes = 2 ** 20;
const smallChunk = 8 * 2 ** 20;
const largeChunk = 64 * 2 ** 20;
const chunkGranularity = 2 * 2 ** 20;

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

/** Free pieces by size; of equal ones the one that has been free for longest comes first: its last use is likeliest over. */
class FreeList {
  readonly #pieces: Piece[] = [];

  /** Where the first piece of at least `bytes` is. */
  #at(bytes: number): number {
    let [low, high] = [0, this.#pieces.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#pieces[middle] as Piece).bytes < bytes) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(piece: Piece): void {
    piece.free = true;
    this.#pieces.splice(this.#at(piece.bytes + 1), 0, piece);
  }

  remove(piece: Piece): void {
    piece.free = false;
    this.#pieces.splice(this.#pieces.indexOf(piece, this.#at(piece.bytes)), 1);
  }

  fitting(bytes: number): Piece | undefined {
    return this.#pieces[this.#at(bytes)];
  }

  [Symbol.iterator](): Iterator<Piece> {
    return [...this.#pieces][Symbol.iterator]();
  }
}

export class DevicePool {
  readonly #context: NativeContext;
  readonly #free = { small: new FreeList(), large: new FreeList() };
  readonly #chunks = new Set<Chunk>();
  #reserved = 0;
  #used = 0;

  constructor(context: NativeContext) {
    this.#context = context;
  }

  /** Bytes taken from the driver. */
  get reservedBytes(): number {
    return this.#reserved;
  }

  /** Bytes of blocks in use. */
  get usedBytes(): number {
    return this.#used;
  }

  /** What it holds is whatever was there. Throws BackendError when the device has no more. */
  allocate(bytes: number): Block {
    const size = roundUp(Math.max(bytes, 1), granularity);
    const small = size < smallBytes;
    const list = small ? this.#free.small : this.#free.large;
    if (!list.fitting(size)) this.#join(list);
    const piece = list.fitting(size) ?? this.#grow(size, small);
    list.remove(piece);
    const rest = piece.bytes - size;
    if (rest >= (small ? granularity : smallBytes)) {
      const tail = new Piece(piece.chunk, piece.address + size, rest);
      tail.lastUse = piece.lastUse;
      tail.previous = piece;
      tail.next = piece.next;
      if (piece.next) piece.next.previous = tail;
      piece.next = tail;
      piece.bytes = size;
      list.add(tail);
    }
    this.#used += piece.bytes;
    return piece;
  }

  /** `lastUse`: the last submission that may still use it. */
  free(block: Block, lastUse: number): void {
    const piece = block as Piece;
    this.#used -= piece.bytes;
    piece.lastUse = lastUse;
    this.#listOf(piece).add(piece);
  }

  #listOf({ chunk }: Piece): FreeList {
    return chunk.small ? this.#free.small : this.#free.large;
  }

  /**
   * Joins free neighbours. Only done when no piece fits: as long as the same sizes come and go, each finds one that was such
   * a block before, whose last use was its own and not a neighbour's.
   */
  #join(list: FreeList): void {
    for (const piece of list) {
      if (!piece.free || !piece.next?.free) continue;
      list.remove(piece);
      while (piece.next?.free) {
        list.remove(piece.next);
        this.#absorb(piece, piece.next);
      }
      list.add(piece);
    }
  }

  #absorb(piece: Piece, next: Piece): void {
    piece.bytes += next.bytes;
    piece.lastUse = Math.max(piece.lastUse, next.lastUse);
    piece.next = next.next;
    if (next.next) next.next.previous = piece;
  }

  #grow(size: number, small: boolean): Piece {
    const wanted = small ? smallChunk : Math.max(largeChunk, roundUp(size, chunkGranularity));
    let memory: NativeMemory | undefined;
    // When there is not enough: less than a whole chunk, then what lies free in other chunks is given back first.
    for (const bytes of [wanted, roundUp(size, granularity)]) {
      memory = this.#tryAllocate(bytes);
      if (memory) break;
    }
    if (!memory) {
      this.#context.synchronize();
      this.releaseFree();
      memory = this.#tryAllocate(roundUp(size, granularity));
    }
    if (!memory) {
      const [free, total] = this.#context.memoryInfo();
      throw new BackendError(
        "cuda",
        `allocate: ${formatBytes(size)} do not fit: ${formatBytes(free)} of the device's ${formatBytes(total)} are free, ${formatBytes(this.#used)} are used by this backend`,
      );
    }
    const chunk: Chunk = { memory, small };
    this.#chunks.add(chunk);
    this.#reserved += memory.bytes;
    const piece = new Piece(chunk, memory.address, memory.bytes);
    (small ? this.#free.small : this.#free.large).add(piece);
    return piece;
  }

  #tryAllocate(bytes: number): NativeMemory | undefined {
    try {
      return this.#context.allocate(bytes);
    } catch (error) {
      if ((error as CudaError).code === "CUDA_ERROR_OUT_OF_MEMORY") return undefined;
      throw error;
    }
  }

  /** Gives chunks that nothing is in back to the driver. The device must be done with them. */
  releaseFree(): void {
    for (const list of [this.#free.small, this.#free.large]) {
      this.#join(list);
      for (const piece of list) {
        if (piece.previous || piece.next) continue;
        list.remove(piece);
        this.#chunks.delete(piece.chunk);
        this.#reserved -= piece.chunk.memory.bytes;
        piece.chunk.memory.dispose();
      }
    }
  }

  dispose(): void {
    for (const { memory } of this.#chunks) memory.dispose();
    this.#chunks.clear();
    this.#reserved = 0;
    this.#used = 0;
  }
}
