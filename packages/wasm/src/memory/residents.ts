/**
 * Buffers and where they are. Nobody frees them by hand, and the engine, which sees only their small handles, neither
 * hurries to collect those nor says so before the event loop turns, which a training loop may not let it do for long. So
 * when the buffers in the memory pass a limit, those not used for longest move to arrays of the engine's own: the ones
 * nobody refers to any more vanish there with their handles, the others come back when they are next used.
 */
import type { Heap } from "./heap.ts";

/** What a handle refers to. Nothing else refers to it for good, so that an array it has moved to goes when it goes. */
export interface Cell {
  readonly bytes: number;
  /** Where it is in the memory; undefined while it is elsewhere. */
  address: number | undefined;
  /** Its contents while it is elsewhere. */
  saved: Uint8Array | undefined;
  /** It is to hold zeros, and its memory does not yet. */
  unset: boolean;
  /** The run that used it last. */
  used: number;
  /** What refers to it while it is in the memory, and learns of the end of its handle. */
  readonly token: Token;
}

interface Token {
  readonly bytes: number;
  cell: Cell | undefined;
}

const firstByteLimit = 2 ** 29;
const firstCountLimit = 2 ** 15;
/** Of the limit, how much is made room for at once. */
const share = 1 / 4;

export class Residents {
  readonly #heap: Heap;
  readonly #resident = new Set<Token>();
  readonly #collected = new FinalizationRegistry<Token>((token) => this.#forget(token));
  #byteLimit = firstByteLimit;
  #countLimit = firstCountLimit;
  #residentBytes = 0;
  #run = 0;
  /** The buffers of the current run stay where they are. */
  #running = false;
  /** Of all buffers, wherever they are. */
  bytes = 0;
  count = 0;

  constructor(heap: Heap) {
    this.#heap = heap;
    heap.reclaim = () => {
      const before = this.#resident.size;
      this.#makeRoom(0, Number.POSITIVE_INFINITY, 0);
      return this.#resident.size < before;
    };
  }

  /** A buffer of zeros for `handle`. */
  create(handle: (cell: Cell) => object, bytes: number): void {
    const token: Token = { bytes, cell: undefined };
    const cell: Cell = { bytes, address: undefined, saved: undefined, unset: true, used: this.#run, token };
    this.#place(cell);
    this.#collected.register(handle(cell), token, cell);
    this.bytes += bytes;
    this.count++;
  }

  #place(cell: Cell): void {
    const { bytes } = cell;
    if (bytes > this.#heap.capacity) throw this.#heap.full(bytes);
    if (this.#residentBytes + bytes > this.#byteLimit) this.#makeRoom(bytes, Math.ceil(this.#byteLimit * share), 0);
    if (this.#resident.size >= this.#countLimit) this.#makeRoom(0, 0, Math.ceil(this.#countLimit * share));
    const taken = this.#heap.take(bytes);
    if (taken === undefined) throw this.#heap.full(bytes);
    cell.address = taken.address;
    cell.unset &&= !taken.clean;
    cell.token.cell = cell;
    this.#resident.add(cell.token);
    this.#residentBytes += bytes;
  }

  /** Moves the buffers not used for longest out of the memory: at least so many bytes and buffers, but none of this run. */
  #makeRoom(needed: number, bytes: number, count: number): void {
    const cells: Cell[] = [];
    for (const { cell } of this.#resident) {
      if (cell && !(this.#running && cell.used === this.#run)) cells.push(cell);
    }
    cells.sort((a, b) => a.used - b.used);
    let movedBytes = 0;
    let moved = 0;
    for (const cell of cells) {
      if (movedBytes >= Math.max(needed, bytes) && moved >= count) return;
      this.#moveOut(cell);
      movedBytes += cell.bytes;
      moved++;
    }
    // All that is left is in use.
    if (this.#residentBytes + needed > this.#byteLimit) this.#byteLimit = 2 * (this.#residentBytes + needed);
    if (this.#resident.size >= this.#countLimit) this.#countLimit = 2 * this.#resident.size;
  }

  #moveOut(cell: Cell): void {
    const address = cell.address as number;
    if (!cell.unset) cell.saved = this.#heap.bytes.slice(address, address + cell.bytes);
    this.#leave(cell);
  }

  #leave(cell: Cell): void {
    this.#heap.free(cell.address as number);
    cell.address = undefined;
    cell.token.cell = undefined;
    this.#resident.delete(cell.token);
    this.#residentBytes -= cell.bytes;
  }

  /** The addresses of these buffers, which stay where they are until `endRun`. `overwritten`: see `use`. */
  beginRun(cells: readonly Cell[], overwritten: readonly boolean[]): number[] {
    this.#run++;
    this.#running = true;
    for (const cell of cells) cell.used = this.#run;
    return cells.map((cell, i) => this.use(cell, overwritten[i] as boolean));
  }

  endRun(): void {
    this.#running = false;
  }

  /** Its address. `overwritten`: all of it will be written before any of it is read. */
  use(cell: Cell, overwritten: boolean): number {
    cell.used = this.#run;
    if (cell.address === undefined) this.#moveIn(cell);
    const address = cell.address as number;
    if (cell.unset) {
      if (!overwritten) this.#heap.bytes.fill(0, address, address + cell.bytes);
      cell.unset = false;
    }
    return address;
  }

  #moveIn(cell: Cell): void {
    const { saved } = cell;
    cell.unset = saved === undefined;
    this.#place(cell);
    if (saved === undefined) return;
    this.#heap.bytes.set(saved, cell.address as number);
    cell.saved = undefined;
    // It was in use after all: more had better stay.
    this.#byteLimit += cell.bytes;
    this.#countLimit++;
  }

  /** Frees a buffer before its handle goes. */
  free(cell: Cell): void {
    this.#collected.unregister(cell);
    cell.saved = undefined;
    if (cell.address !== undefined) this.#leave(cell);
    this.bytes -= cell.bytes;
    this.count--;
  }

  #forget(token: Token): void {
    if (token.cell) this.#leave(token.cell);
    this.bytes -= token.bytes;
    this.count--;
  }
}
