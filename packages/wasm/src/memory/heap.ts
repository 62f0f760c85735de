/** The one memory of a backend, out of which everything is allocated: buffers, arena, scratch, tables of addresses. */
import { BackendError, formatBytes } from "@thalweg/core/backend";
import { engine, type WasmMemory } from "../engine.ts";
import { FreeList } from "./freeList.ts";

const page = 65_536;
/** 4 GiB: what 32-bit addresses reach. Some engines refuse to set so much address space aside. */
const maximumPages = [65_536, 32_768, 16_384];
const initialPages = 64;
/** Of every block's address and size: a cache line. */
const alignment = 64;

const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

function reserve(shared: boolean): { memory: WasmMemory; pages: number } {
  if (!engine) throw new BackendError("wasm", "there is no WebAssembly here");
  let cause: unknown;
  for (const pages of maximumPages) {
    try {
      return { memory: new engine.Memory({ initial: initialPages, maximum: pages, shared }), pages };
    } catch (error) {
      cause = error;
    }
  }
  throw new BackendError("wasm", `no address space for a memory of ${formatBytes(page * 16_384)}: ${String(cause)}`);
}

export class Heap {
  readonly memory: WasmMemory;
  /** Pages of 64 KiB it can grow to. */
  readonly maximumPages: number;
  readonly #free = new FreeList();
  readonly #sizes = new Map<number, number>();
  /** Nothing has been allocated from here on. */
  #end: number;
  /** Bytes from here on have never been written. */
  #clean: number;
  #pages = initialPages;
  #bytes: Uint8Array = new Uint8Array(0);
  #words: Int32Array = new Int32Array(0);
  #floats: Float32Array = new Float32Array(0);
  #doubles: Float64Array = new Float64Array(0);

  /** Asked to free what it can when there is no more memory; says whether it freed something. */
  reclaim: (() => boolean) | undefined;

  /** The first `reserved` bytes are the caller's. */
  constructor(shared: boolean, reserved: number) {
    const { memory, pages } = reserve(shared);
    this.memory = memory;
    this.maximumPages = pages;
    this.#end = align(reserved);
    this.#clean = this.#end;
    this.#view();
  }

  #view(): void {
    this.#bytes = new Uint8Array(this.memory.buffer);
    this.#words = new Int32Array(this.memory.buffer);
    this.#floats = new Float32Array(this.memory.buffer);
    this.#doubles = new Float64Array(this.memory.buffer);
  }

  /** All of the memory. Asked for anew after every allocation: growth replaces it. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The memory as int32 words. */
  get words(): Int32Array {
    return this.#words;
  }

  get floats(): Float32Array {
    return this.#floats;
  }

  get doubles(): Float64Array {
    return this.#doubles;
  }

  /** Bytes it can grow to. */
  get capacity(): number {
    return this.maximumPages * page;
  }

  /** Bytes allocated and not freed. */
  get held(): number {
    return this.#end - this.#free.bytes;
  }

  /** Address of `size` bytes, all 0. Throws BackendError where memory cannot grow so far. */
  allocate(size: number): number {
    const taken = this.take(size);
    if (taken === undefined) throw this.full(size);
    const { address, clean } = taken;
    if (!clean) this.#bytes.fill(0, address, address + size);
    return address;
  }

  /**
   * `size` bytes that may hold anything, or zeros if they are `clean`; undefined where memory cannot grow so far.
   */
  take(size: number): { readonly address: number; readonly clean: boolean } | undefined {
    const bytes = Math.max(alignment, align(size));
    let address = this.#free.take(bytes);
    if (address === undefined) {
      address = this.#end;
      if (!this.#grow(address + bytes)) return this.#reclaimed(size);
      this.#end = address + bytes;
    }
    this.#sizes.set(address, bytes);
    const clean = address >= this.#clean;
    this.#clean = Math.max(this.#clean, address + bytes);
    return { address, clean };
  }

  #reclaimed(size: number): { readonly address: number; readonly clean: boolean } | undefined {
    const { reclaim } = this;
    if (size > this.capacity || !reclaim) return undefined;
    // Once: what it frees may ask for memory itself, and is not to ask it again.
    this.reclaim = undefined;
    try {
      return reclaim() ? this.take(size) : undefined;
    } finally {
      this.reclaim = reclaim;
    }
  }

  /** Whether the memory reaches to `end` now. */
  #grow(end: number): boolean {
    const needed = Math.ceil(end / page);
    if (needed <= this.#pages) return true;
    if (needed > this.maximumPages) return false;
    // A quarter more than there is, so that growing step by step does not take many steps.
    const generous = Math.min(this.maximumPages, Math.max(needed, Math.ceil(1.25 * this.#pages)));
    for (const pages of [generous, needed]) {
      try {
        this.memory.grow(pages - this.#pages);
      } catch {
        continue;
      }
      this.#pages = pages;
      this.#view();
      return true;
    }
    return false;
  }

  /** The error of an allocation of `asked` bytes that is not possible. */
  full(asked: number): BackendError {
    const most = formatBytes(this.capacity);
    return new BackendError(
      "wasm",
      `out of memory: asked for ${formatBytes(asked)}, but ${formatBytes(this.held)} of at most ${most} are held, and the largest free stretch has ${formatBytes(
        this.#free.largest,
      )}; dispose of what is not needed any more`,
    );
  }

  free(address: number): void {
    const size = this.#sizes.get(address);
    if (size === undefined) throw new BackendError("wasm", `free: nothing was allocated at ${address}`);
    this.#sizes.delete(address);
    this.#free.give(address, size);
  }
}
