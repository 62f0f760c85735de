/** The backend object: buffers on the device, Programs compiled to CUDA, results back. */
import {
  type Backend,
  BackendError,
  type BufferHandle,
  bytesPerElement,
  type DType,
  dtypes,
  type Executable,
  formatBytes,
  type HostArray,
  IndexError,
  kernelKinds,
  type MemoryUse,
  type Program,
} from "@thalweg/core/backend";
import { cudaErrorAsBackendError } from "./cudaError.ts";
import { Downloads } from "./memory/downloads.ts";
import { GrowingBlock } from "./memory/growing.ts";
import { type Block, DevicePool } from "./memory/pool.ts";
import { Uploads } from "./memory/uploads.ts";
import type { DeviceInfo, NativeContext, NativeLibraries } from "./native/addon.ts";
import type { DiskCache } from "./program/diskCache.ts";
import { CudaExecutable, type Machine } from "./program/executable.ts";
import { Functions } from "./program/functions.ts";
import { Products } from "./program/products.ts";
import { readFailure, statusBytes } from "./program/status.ts";
import { UploadSlots } from "./program/upload.ts";
import { Timeline } from "./stream/timeline.ts";
import type { Precision, Target } from "./target.ts";

class CudaBuffer {
  readonly backend: CudaBackend;
  readonly dtype: DType;
  readonly size: number;
  /** Undefined once freed. */
  block: Block | undefined;
  /** Zeros as far as anybody knows, but nothing has been written yet. */
  blank = true;
  /** A run may be using it. */
  used = false;
  /** The last copy to it. */
  copy = 0;

  constructor(backend: CudaBackend, dtype: DType, size: number, block: Block) {
    this.backend = backend;
    this.dtype = dtype;
    this.size = size;
    this.block = block;
  }

  get bytes(): number {
    return this.size * bytesPerElement(this.dtype);
  }
}

type LiveBuffer = CudaBuffer & { block: Block };

export interface MachineOptions {
  readonly libraries: NativeLibraries;
  readonly device: DeviceInfo;
  readonly precision: Precision;
  readonly useCublasLt: boolean;
  /** Threads NVRTC compiles on. */
  readonly compilerThreads: number;
  readonly cache: DiskCache | undefined;
}

const version = (number: number): string => `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;

export class CudaBackend implements Backend {
  readonly name = "cuda";
  readonly description: string;
  readonly capabilities: Backend["capabilities"];
  readonly #context: NativeContext;
  readonly #machine: Machine;
  readonly #downloads: Downloads;
  /** Keeps the first index out of range of any run until a read reports it. */
  readonly #failure: Block;
  /** How often a failure was reported: a read that was sent before does not report it again. */
  #reported = 0;
  /** By number, for what a failure says of where it happened. */
  readonly #executables = new Map<number, WeakRef<CudaExecutable>>();
  #bytes = 0;
  #buffers = 0;
  #disposed = false;
  readonly #collected = new FinalizationRegistry<{ readonly state: Block | undefined; readonly number: number }>(
    ({ state, number }) => {
      if (this.#disposed) return;
      this.#executables.delete(number);
      if (state) this.#machine.pool.free(state, this.#machine.timeline.submitted);
    },
  );

  constructor({ libraries, device, precision, useCublasLt, compilerThreads, cache }: MachineOptions) {
    const context = libraries.createContext(device.ordinal);
    const target: Target = {
      architecture: device.architecture,
      multiprocessors: device.multiprocessors,
      sharedBytesPerBlock: device.sharedBytesPerBlock,
      sharedBytesPerMultiprocessor: device.sharedBytesPerMultiprocessor,
      l2Bytes: device.l2Bytes,
      precision,
      cublasLt: useCublasLt && libraries.cublasLt.path !== undefined,
    };
    const timeline = new Timeline(context);
    const pool = new DevicePool(context);
    this.#context = context;
    this.#downloads = new Downloads(context, timeline);
    this.#failure = pool.allocate(statusBytes);
    timeline.stream.fill(this.#failure.address, 0, statusBytes / 4);
    this.#machine = {
      context,
      target,
      timeline,
      pool,
      uploads: new Uploads(context, timeline),
      slots: new UploadSlots(context, timeline),
      arena: new GrowingBlock(pool, timeline),
      scratch: new GrowingBlock(pool, timeline),
      functions: new Functions({
        libraries,
        context,
        architecture: device.architecture,
        threads: compilerThreads,
        cache,
      }),
      products: new Products(context),
      failure: this.#failure.address,
    };
    const products = target.cublasLt ? `cuBLASLt ${libraries.cublasLtVersion}` : "no cuBLASLt";
    this.description = [
      `${device.name} (sm_${device.architecture}, ${device.multiprocessors} multiprocessors, ${formatBytes(device.memoryBytes)})`,
      `CUDA driver interface ${version(libraries.driverVersion ?? 0)}, NVRTC ${libraries.nvrtcVersion?.join(".")}, ${products}`,
      `float32 products ${precision === "tf32" ? "by TF32" : "in float32"}`,
    ].join("; ");
    this.capabilities = {
      dtypes: new Set(Object.keys(dtypes) as DType[]),
      kernels: new Set(kernelKinds),
      blocking: true,
      asynchronous: true,
      device: device.name,
      threads: 1,
    };
  }

  #checkAlive(): void {
    if (this.#disposed) throw new BackendError("cuda", "used after it was disposed");
  }

  #live(handle: BufferHandle, action: string): LiveBuffer {
    this.#checkAlive();
    if (!(handle instanceof CudaBuffer) || handle.backend !== this)
      throw new BackendError("cuda", `${action}: the buffer is another backend's`);
    if (handle.block === undefined) throw new BackendError("cuda", `${action}: the buffer was freed`);
    return handle as LiveBuffer;
  }

  allocate(dtype: DType, size: number): BufferHandle {
    this.#checkAlive();
    return cudaErrorAsBackendError("allocate", () => {
      const block = this.#machine.pool.allocate(size * bytesPerElement(dtype));
      const buffer = new CudaBuffer(this, dtype, size, block);
      this.#bytes += buffer.bytes;
      this.#buffers++;
      return buffer;
    });
  }

  write(handle: BufferHandle, data: HostArray): void {
    const buffer = this.#live(handle, "write");
    const { hostArray } = dtypes[buffer.dtype];
    if (data.constructor !== hostArray || data.length !== buffer.size) {
      const got = `${data.constructor.name} of ${data.length}`;
      throw new BackendError("cuda", `write: got ${got}, expected ${hostArray.name} of ${buffer.size}`);
    }
    cudaErrorAsBackendError("write", () => {
      const { uploads, timeline } = this.#machine;
      const after = buffer.used ? timeline.submitted : buffer.block.lastUse;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      if (bytes.length > 0) buffer.copy = uploads.send(buffer.block.address, bytes, after);
      buffer.blank = false;
    });
  }

  /** The compute stream will find in it what it should. */
  #prepare(buffer: LiveBuffer, overwritten: boolean): void {
    const { uploads, timeline } = this.#machine;
    if (buffer.blank) {
      if (!overwritten) timeline.stream.fill(buffer.block.address, 0, Math.ceil(buffer.bytes / 4));
      buffer.blank = false;
    } else {
      uploads.await(buffer.copy);
    }
    buffer.used = true;
  }

  #pieces(buffer: LiveBuffer) {
    this.#prepare(buffer, false);
    return [
      { address: this.#failure.address, bytes: statusBytes },
      { address: buffer.block.address, bytes: buffer.bytes },
    ];
  }

  #received([status, data]: readonly Uint8Array<ArrayBuffer>[], { dtype }: CudaBuffer, reported: number): HostArray {
    const failure = readFailure(status as Uint8Array);
    if (failure && reported === this.#reported && !this.#disposed) {
      this.#reported++;
      this.#machine.timeline.stream.fill(this.#failure.address, 0, statusBytes / 4);
      const label = this.#executables.get(failure.program)?.deref()?.failingLabel ?? "index";
      throw new IndexError(label, `index ${failure.index} is out of range for size ${failure.size}`);
    }
    return new dtypes[dtype].hostView((data as Uint8Array).buffer);
  }

  async read(handle: BufferHandle): Promise<HostArray> {
    const buffer = this.#live(handle, "read");
    const reported = this.#reported;
    const parts = await cudaErrorAsBackendError("read", () => this.#downloads.read(this.#pieces(buffer)));
    return this.#received(parts, buffer, reported);
  }

  readSync(handle: BufferHandle): HostArray {
    const buffer = this.#live(handle, "read");
    const parts = cudaErrorAsBackendError("read", () => this.#downloads.readSync(this.#pieces(buffer)));
    return this.#received(parts, buffer, this.#reported);
  }

  free(handle: BufferHandle): void {
    // A tensor may outlive the backend: there is nothing left to free then.
    if (this.#disposed) return;
    const buffer = this.#live(handle, "free");
    const { uploads, pool, timeline } = this.#machine;
    // Whoever gets the block next must not be overtaken by a copy that is under way to it.
    if (buffer.copy > 0) uploads.await(buffer.copy);
    pool.free(buffer.block, timeline.submitted);
    this.#bytes -= buffer.bytes;
    this.#buffers--;
    (buffer as CudaBuffer).block = undefined;
  }

  compile(program: Program): Executable {
    this.#checkAlive();
    return cudaErrorAsBackendError("compile", () => {
      const executable = new CudaExecutable(program, this.#machine);
      this.#executables.set(executable.number, new WeakRef(executable));
      this.#collected.register(executable, { state: executable.state, number: executable.number });
      return executable;
    });
  }

  run(executable: Executable, handles: readonly BufferHandle[], uniforms: readonly number[]): void {
    if (!(executable instanceof CudaExecutable))
      throw new BackendError("cuda", "run: the executable is another backend's");
    const buffers = handles.map((handle) => this.#live(handle, "run"));
    cudaErrorAsBackendError("run", () => {
      const { overwritten } = executable;
      for (let i = 0; i < buffers.length; i++) this.#prepare(buffers[i] as LiveBuffer, overwritten[i] as boolean);
      executable.run(
        buffers.map(({ block }) => block.address),
        uniforms,
      );
    });
  }

  memory(): MemoryUse {
    const { arena, scratch } = this.#machine;
    return { bufferBytes: this.#bytes, buffers: this.#buffers, arenaBytes: arena.bytes + scratch.bytes };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { timeline, pool, uploads, slots, functions, products } = this.#machine;
    try {
      this.#context.synchronize();
    } catch {
      // After a fault every call fails; what is left is to let go of everything.
    }
    for (const part of [this.#downloads, uploads, slots, products, functions, pool, timeline, this.#context]) {
      try {
        part.dispose();
      } catch {
        // As above.
      }
    }
  }
}
