/** The backend object: buffers in, Programs compiled to WebAssembly, results out. */
import {
  type Backend,
  BackendError,
  type BufferHandle,
  bytesPerElement,
  checkHostArray,
  type DType,
  dtypes,
  type Executable,
  engineName,
  type HostArray,
  kernelKinds,
  type MemoryUse,
  type Program,
} from "@thalweg/core/backend";
import { compileKernel } from "./compileKernel.ts";
import type { Features } from "./features.ts";
import { GrowingBlock } from "./memory/growing.ts";
import { Heap } from "./memory/heap.ts";
import { type Cell, Residents } from "./memory/residents.ts";
import { type Machine, WasmExecutable } from "./program/executable.ts";
import { controlBytes } from "./threads/control.ts";
import { maySleep, Pool } from "./threads/pool.ts";

class WasmBuffer {
  readonly backend: WasmBackend;
  readonly dtype: DType;
  readonly size: number;
  /** Undefined once freed. */
  cell: Cell | undefined;

  constructor(backend: WasmBackend, dtype: DType, size: number, cell: Cell) {
    this.backend = backend;
    this.dtype = dtype;
    this.size = size;
    this.cell = cell;
  }
}

const arithmetic = ({ simd, relaxed }: Features): string =>
  relaxed ? "128-bit SIMD with relaxed multiply-add" : simd ? "128-bit SIMD" : "no SIMD";

export interface MachineOptions {
  readonly features: Features;
  readonly threads: number;
}

export class WasmBackend implements Backend {
  readonly name = "wasm";
  readonly description: string;
  readonly capabilities: Backend["capabilities"];
  readonly #machine: Machine;
  readonly #residents: Residents;
  #disposed = false;
  /** Memory of executables that nobody refers to any more. */
  readonly #collected = new FinalizationRegistry<readonly number[]>((blocks) => {
    if (!this.#disposed) for (const block of blocks) this.#machine.heap.free(block);
  });

  constructor({ features, threads }: MachineOptions) {
    const heap = new Heap(threads > 1, controlBytes);
    this.#residents = new Residents(heap);
    this.#machine = {
      features,
      heap,
      arena: new GrowingBlock(heap),
      scratch: new GrowingBlock(heap),
      threadMemory: new GrowingBlock(heap),
      threads,
      pool: threads > 1 ? new Pool(heap.memory, threads) : undefined,
      mayWait: maySleep(),
    };
    this.description = `WebAssembly, ${arithmetic(features)}, ${threads === 1 ? "1 thread" : `${threads} threads`}; ${engineName()}`;
    this.capabilities = {
      dtypes: new Set(Object.keys(dtypes) as DType[]),
      kernels: new Set(kernelKinds),
      blocking: true,
      threads,
      collected: true,
    };
  }

  #checkAlive(): void {
    if (this.#disposed) throw new BackendError("wasm", "used after it was disposed");
  }

  #cell(handle: BufferHandle, action: string): Cell {
    if (!(handle instanceof WasmBuffer) || handle.backend !== this)
      throw new BackendError("wasm", `${action}: the buffer is another backend's`);
    if (handle.cell === undefined) throw new BackendError("wasm", `${action}: the buffer was freed`);
    return handle.cell;
  }

  #view(handle: BufferHandle, action: string, overwritten: boolean): HostArray {
    this.#checkAlive();
    const address = this.#residents.use(this.#cell(handle, action), overwritten);
    const { dtype, size } = handle as WasmBuffer;
    return new dtypes[dtype].hostView(this.#machine.heap.memory.buffer, address, size);
  }

  allocate(dtype: DType, size: number): BufferHandle {
    this.#checkAlive();
    let buffer: WasmBuffer | undefined;
    this.#residents.create((cell) => {
      buffer = new WasmBuffer(this, dtype, size, cell);
      return buffer;
    }, size * bytesPerElement(dtype));
    return buffer as WasmBuffer;
  }

  write(buffer: BufferHandle, data: HostArray): void {
    const { dtype, size } = buffer as WasmBuffer;
    this.#cell(buffer, "write");
    checkHostArray("wasm", data, dtype, size);
    this.#view(buffer, "write", true).set(data);
  }

  async read(buffer: BufferHandle): Promise<HostArray> {
    return this.readSync(buffer);
  }

  readSync(buffer: BufferHandle): HostArray {
    // A copy of shared memory is an array of its own, not shared any more.
    return this.#view(buffer, "read", false).slice();
  }

  free(buffer: BufferHandle): void {
    // A tensor may outlive the backend: there is nothing left to free then.
    if (this.#disposed) return;
    this.#residents.free(this.#cell(buffer, "free"));
    (buffer as WasmBuffer).cell = undefined;
  }

  compile(program: Program): Executable {
    this.#checkAlive();
    const { features } = this.#machine;
    const kernels = program.kernels.map((kernel) => compileKernel(kernel, program, features));
    const executable = new WasmExecutable(program, kernels, this.#machine);
    this.#collected.register(executable, executable.blocks);
    return executable;
  }

  run(executable: Executable, buffers: readonly BufferHandle[], uniforms: readonly number[]): void {
    if (!(executable instanceof WasmExecutable))
      throw new BackendError("wasm", "run: the executable is another backend's");
    this.#checkAlive();
    const residents = this.#residents;
    const cells = buffers.map((buffer) => this.#cell(buffer, "run"));
    try {
      executable.run(residents.beginRun(cells, executable.overwritten), uniforms);
    } finally {
      residents.endRun();
    }
  }

  memory(): MemoryUse {
    const { arena, scratch, threadMemory } = this.#machine;
    return {
      bufferBytes: this.#residents.bytes,
      buffers: this.#residents.count,
      arenaBytes: arena.bytes + scratch.bytes + threadMemory.bytes,
    };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#machine.pool?.dispose();
  }
}
