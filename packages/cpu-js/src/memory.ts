/** Memory of the backend: bound buffers, and the arena and scratch rows that all Programs share, each grown to the largest need. */
import { BackendError, bytesPerElement, type DType, dtypes, type HostArray } from "@thalweg/core/backend";
import type { ScratchSpec } from "./kernelSource.ts";

export class CpuBuffer {
  readonly dtype: DType;
  /** Undefined once freed. */
  data: HostArray | undefined;

  constructor(dtype: DType, size: number) {
    this.dtype = dtype;
    this.data = new dtypes[dtype].hostArray(size);
  }
}

export class Memory {
  #bufferBytes = 0;
  #bufferCount = 0;
  /** Takes buffers that nobody refers to any more out of the count; the engine frees them, no one here holds them. */
  readonly #collected = new FinalizationRegistry<number>((bytes) => this.#forget(bytes));
  #arena = new ArrayBuffer(0);
  /** By dtype and by position among a kernel's scratch arrays of that dtype. */
  readonly #scratch = new Map<string, HostArray>();
  /** Changes when the arena or a scratch array was replaced, and views of them must be made anew. */
  version = 0;

  allocate(dtype: DType, size: number): CpuBuffer {
    const buffer = new CpuBuffer(dtype, size);
    const bytes = size * bytesPerElement(dtype);
    this.#collected.register(buffer, bytes, buffer);
    this.#bufferBytes += bytes;
    this.#bufferCount++;
    return buffer;
  }

  #forget(bytes: number): void {
    this.#bufferBytes -= bytes;
    this.#bufferCount--;
  }

  free(buffer: CpuBuffer): void {
    if (!this.#collected.unregister(buffer)) throw new BackendError("cpu-js", "free: the buffer is another backend's");
    this.#forget(buffer.data?.byteLength ?? 0);
    buffer.data = undefined;
  }

  /** Makes room for a Program's temporaries and its kernels' scratch. */
  reserve(arenaBytes: number, scratch: readonly (readonly ScratchSpec[])[]): void {
    if (arenaBytes > this.#arena.byteLength) {
      this.#arena = new ArrayBuffer(arenaBytes);
      this.version++;
    }
    for (const specs of scratch) {
      for (const [key, { dtype, length }] of this.#keyed(specs)) {
        if ((this.#scratch.get(key)?.length ?? -1) >= length) continue;
        this.#scratch.set(key, new dtypes[dtype].hostArray(length));
        this.version++;
      }
    }
  }

  #keyed(specs: readonly ScratchSpec[]): [string, ScratchSpec][] {
    const seen = new Map<DType, number>();
    return specs.map((spec) => {
      const position = seen.get(spec.dtype) ?? 0;
      seen.set(spec.dtype, position + 1);
      return [`${spec.dtype}${position}`, spec];
    });
  }

  temporary(dtype: DType, offset: number, size: number): HostArray {
    return new dtypes[dtype].hostView(this.#arena, offset, size);
  }

  scratch(specs: readonly ScratchSpec[]): HostArray[] {
    return this.#keyed(specs).map(([key]) => this.#scratch.get(key) as HostArray);
  }

  /** Bytes of the arena, scratch included. */
  get arenaBytes(): number {
    let bytes = this.#arena.byteLength;
    for (const array of this.#scratch.values()) bytes += array.byteLength;
    return bytes;
  }

  get bufferBytes(): number {
    return this.#bufferBytes;
  }

  get bufferCount(): number {
    return this.#bufferCount;
  }

  dispose(): void {
    this.#arena = new ArrayBuffer(0);
    this.#scratch.clear();
    this.version++;
  }
}
