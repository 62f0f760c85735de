/** The backend object: buffers in, Programs compiled to WebAssembly, results out. */
import {
  type Backend,
  BackendError,
  type BufferHandle,
  bytesPerElement,
  type DType,
  dtypes,
  type Executable,
  type HostArray,
  kernelKinds,
  type MemoryUse,
  type Program,
} from "@thalweg/core/backend";
import { compileKernel } from "./compileKernel.ts";
import type { Features } from "./features.ts";
import { GrowingBlock } from "./memory/growing.ts";
import { Heap } from "./memory/heap.ts";
import { type Machine, WasmExecutable } from "./program/executable.ts";
import { controlBytes } from "./threads/control.ts";
import { maySleep, Pool } from "./threads/pool.ts";

class WasmBuffer {
  readonly backend: WasmBackend;
  readonly dtype: DType;
  readonly size: number;
  /** Undefined once freed. */
  address: number | undefined;

  constructor(backend: WasmBackend, dtype: DType, size: number, address: number) {
    this.backend = backend;
    this.dtype = dtype;
    this.size = size;
    this.address = address;
  }
}

interface EngineGlobals {
  readonly process?: { readonly versions?: { readonly v8?: string; readonly node?: string } };
  readonly navigator?: { readonly userAgent?: string };
}

/** The engine at hand, for reports. */
function engineName(): string {
  const { process, navigator } = globalThis as EngineGlobals;
  const versions = process?.versions;
  if (versions?.node !== undefined) return `Node ${versions.node}, V8 ${versions.v8 ?? "unknown"}`;
  return navigator?.userAgent ?? "unknown JavaScript engine";
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
  #bufferBytes = 0;
  #buffers = 0;
  #disposed = false;
  /** Memory of executables that nobody refers to any more. */
  readonly #collected = new FinalizationRegistry<readonly number[]>((blocks) => {
    if (!this.#disposed) for (const block of blocks) this.#machine.heap.free(block);
  });

  constructor({ features, threads }: MachineOptions) {
    const heap = new Heap(threads > 1, controlBytes);
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
    };
  }

  #checkAlive(): void {
    if (this.#disposed) throw new BackendError("wasm", "used after it was disposed");
  }

  #address(handle: BufferHandle, action: string): number {
    if (!(handle instanceof WasmBuffer) || handle.backend !== this)
      throw new BackendError("wasm", `${action}: the buffer is another backend's`);
    if (handle.address === undefined) throw new BackendError("wasm", `${action}: the buffer was freed`);
    return handle.address;
  }

  #view(handle: BufferHandle, action: string): HostArray {
    this.#checkAlive();
    const address = this.#address(handle, action);
    const { dtype, size } = handle as WasmBuffer;
    return new dtypes[dtype].hostView(this.#machine.heap.memory.buffer, address, size);
  }

  allocate(dtype: DType, size: number): BufferHandle {
    this.#checkAlive();
    const bytes = size * bytesPerElement(dtype);
    const address = this.#machine.heap.allocate(bytes);
    this.#bufferBytes += bytes;
    this.#buffers++;
    return new WasmBuffer(this, dtype, size, address);
  }

  write(buffer: BufferHandle, data: HostArray): void {
    const view = this.#view(buffer, "write");
    if (data.constructor !== view.constructor || data.length !== view.length) {
      const got = `${data.constructor.name} of ${data.length}`;
      throw new BackendError("wasm", `write: got ${got}, expected ${view.constructor.name} of ${view.length}`);
    }
    view.set(data);
  }

  async read(buffer: BufferHandle): Promise<HostArray> {
    return this.readSync(buffer);
  }

  readSync(buffer: BufferHandle): HostArray {
    // A copy of shared memory is an array of its own, not shared any more.
    return this.#view(buffer, "read").slice();
  }

  free(buffer: BufferHandle): void {
    // A tensor may outlive the backend: there is nothing left to free then.
    if (this.#disposed) return;
    const address = this.#address(buffer, "free");
    const { dtype, size } = buffer as WasmBuffer;
    this.#machine.heap.free(address);
    (buffer as WasmBuffer).address = undefined;
    this.#bufferBytes -= size * bytesPerElement(dtype);
    this.#buffers--;
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
    const addresses = new Array<number>(buffers.length);
    for (let i = 0; i < buffers.length; i++) addresses[i] = this.#address(buffers[i] as BufferHandle, "run");
    executable.run(addresses, uniforms);
  }

  memory(): MemoryUse {
    const { arena, scratch, threadMemory } = this.#machine;
    return {
      bufferBytes: this.#bufferBytes,
      buffers: this.#buffers,
      arenaBytes: arena.bytes + scratch.bytes + threadMemory.bytes,
    };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#machine.pool?.dispose();
  }
}
