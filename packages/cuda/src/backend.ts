/** The backend object: buffers on the device, Programs compiled to CUDA, results back. */
import {
  type Backend,
  BackendError,
  type BufferHandle,
  bytesPerElement,
  checkHostArray,
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
import { type Download, Downloads } from "./memory/downloads.ts";
import { GrowingBlock } from "./memory/growing.ts";
import { type Block, DevicePool } from "./memory/pool.ts";
import { Uploads } from "./memory/uploads.ts";
import type { DeviceInfo, NativeContext, NativeLibraries } from "./native/addon.ts";
import { driverVersion } from "./native/driverVersion.ts";
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
  /** The last submission that may use its memory, and the last copy to it that the compute stream does not wait for yet. */
  lastUse: number;
  copy = 0;
  /** The run that it was last given to, and its place among that run's buffers. */
  run = 0;
  place = 0;

  constructor(backend: CudaBackend, dtype: DType, size: number, block: Block) {
    this.backend = backend;
    this.dtype = dtype;
    this.size = size;
    this.block = block;
    this.lastUse = block.lastUse;
  }

  get bytes(): number {
    return this.size * bytesPerElement(this.dtype);
  }
}

type LiveBuffer = CudaBuffer & { block: Block };

export interface MachineOptions {
  readonly libraries: NativeLibraries;
  /** Of the device; the backend's from now on. */
  readonly context: NativeContext;
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
  /** A run that may have failed was sent after the last read. */
  #mayHaveFailed = false;
  /** By number, for what a failure says of where it happened. */
  readonly #executables = new Map<number, WeakRef<CudaExecutable>>();
  #bytes = 0;
  /** Bytes the engine knows of. */
  #told = 0;
  #buffers = 0;
  #runs = 0;
  /** Of the buffers of the run that is being sent. */
  #addresses = new Float64Array(16);
  #disposed = false;
  readonly #collected = new FinalizationRegistry<{ readonly state: Block | undefined; readonly number: number }>(
    ({ state, number }) => {
      if (this.#disposed) return;
      this.#executables.delete(number);
      if (state) this.#machine.pool.free(state, this.#machine.timeline.latest);
    },
  );

  constructor({ libraries, context, device, precision, useCublasLt, compilerThreads, cache }: MachineOptions) {
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
    this.#clearFailure(timeline);
    this.#machine = {
      context,
      target,
      timeline,
      pool,
      uploads: new Uploads(context, timeline),
      slots: new UploadSlots(context, timeline, this.#failure.address),
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
    };
    const products = target.cublasLt ? `cuBLASLt ${libraries.cublasLtVersion}` : "no cuBLASLt";
    const release = libraries.emulated ? undefined : driverVersion();
    const driver = `${release ? `driver ${release}` : "driver"} (CUDA ${version(libraries.driverVersion ?? 0)})`;
    this.description = [
      `${device.name} (sm_${device.architecture}, ${device.multiprocessors} multiprocessors, ${formatBytes(device.memoryBytes)})`,
      `${driver}, NVRTC ${libraries.nvrtcVersion?.join(".")}, ${products}`,
      `float32 products ${precision === "tf32" ? "by TF32" : "in float32"}`,
    ].join("; ");
    this.capabilities = {
      dtypes: new Set(Object.keys(dtypes) as DType[]),
      kernels: new Set(kernelKinds),
      blocking: true,
      asynchronous: true,
      // An emulated device is this machine's processor.
      ...(libraries.emulated ? {} : { device: device.name }),
      threads: 1,
    };
  }

  #clearFailure(timeline: Timeline): void {
    timeline.stream.fill(this.#failure.address, 0, statusBytes / 4);
    timeline.note();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new BackendError("cuda", "used after it was disposed");
  }

  #isLive(handle: BufferHandle): handle is LiveBuffer {
    return handle instanceof CudaBuffer && handle.backend === this && handle.block !== undefined;
  }

  #refusal(handle: BufferHandle, action: string): BackendError {
    const own = handle instanceof CudaBuffer && handle.backend === this;
    return new BackendError("cuda", `${action}: the buffer ${own ? "was freed" : "is another backend's"}`);
  }

  #live(handle: BufferHandle, action: string): LiveBuffer {
    this.#checkAlive();
    if (!this.#isLive(handle)) throw this.#refusal(handle, action);
    return handle;
  }

  /**
   * Counts the bytes of buffers, and tells the engine, which sees small handles only: how much hangs on them decides when it
   * is worth collecting. Small changes are saved up, as each call costs more than a buffer does.
   */
  #hold(bytes: number): void {
    this.#bytes += bytes;
    const untold = this.#bytes - this.#told;
    if (Math.abs(untold) < 2 ** 20) return;
    this.#told = this.#bytes;
    this.#context.adjustExternalMemory(untold);
  }

  allocate(dtype: DType, size: number): BufferHandle {
    this.#checkAlive();
    return cudaErrorAsBackendError("allocate", () => {
      const block = this.#machine.pool.allocate(size * bytesPerElement(dtype));
      const buffer = new CudaBuffer(this, dtype, size, block);
      this.#hold(buffer.bytes);
      this.#buffers++;
      return buffer;
    });
  }

  write(handle: BufferHandle, data: HostArray): void {
    const buffer = this.#live(handle, "write");
    checkHostArray("cuda", data, buffer.dtype, buffer.size);
    cudaErrorAsBackendError("write", () => {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      if (bytes.length > 0) buffer.copy = this.#machine.uploads.send(buffer.block.address, bytes, buffer.lastUse);
      buffer.blank = false;
    });
  }

  /** The compute stream will find in it what it should. */
  #prepare(buffer: LiveBuffer, overwritten: boolean): void {
    const { uploads, timeline } = this.#machine;
    if (buffer.blank) {
      if (!overwritten && buffer.size > 0) {
        timeline.stream.fill(buffer.block.address, 0, Math.ceil(buffer.bytes / 4));
        buffer.lastUse = timeline.note();
      }
      buffer.blank = false;
    } else if (buffer.copy > 0) {
      uploads.await(buffer.copy);
      buffer.copy = 0;
    }
  }

  /** A read of the buffer and, where there may be one, of the first failure of the runs so far, which is cleared. */
  #send(buffer: LiveBuffer): Download {
    const { timeline } = this.#machine;
    this.#prepare(buffer, false);
    const pieces = [{ address: buffer.block.address, bytes: buffer.bytes }];
    if (this.#mayHaveFailed) pieces.push({ address: this.#failure.address, bytes: statusBytes });
    const download = this.#downloads.send(pieces);
    buffer.lastUse = timeline.latest;
    // Behind the copy, so that each failure is in one read: what fails from now on belongs to the next.
    if (this.#mayHaveFailed) this.#clearFailure(timeline);
    this.#mayHaveFailed = false;
    return download;
  }

  #received([data, status]: readonly Uint8Array<ArrayBuffer>[], { dtype }: CudaBuffer): HostArray {
    const failure = status && readFailure(status);
    if (failure) {
      const label = this.#executables.get(failure.program)?.deref()?.failingLabel ?? "index";
      throw new IndexError(label, `index ${failure.index} is out of range for size ${failure.size}`);
    }
    return new dtypes[dtype].hostView((data as Uint8Array<ArrayBuffer>).buffer);
  }

  async read(handle: BufferHandle): Promise<HostArray> {
    const buffer = this.#live(handle, "read");
    return cudaErrorAsBackendError("read", async () => {
      const download = this.#send(buffer);
      return this.#received(await this.#downloads.wait(download), buffer);
    });
  }

  readSync(handle: BufferHandle): HostArray {
    const buffer = this.#live(handle, "read");
    return cudaErrorAsBackendError("read", () => {
      const download = this.#send(buffer);
      return this.#received(this.#downloads.waitSync(download), buffer);
    });
  }

  free(handle: BufferHandle): void {
    // A tensor may outlive the backend: there is nothing left to free then.
    if (this.#disposed) return;
    const buffer = this.#live(handle, "free");
    const { uploads, pool } = this.#machine;
    try {
      // Whoever gets the block next must not be overtaken by a copy that is under way to it.
      if (buffer.copy > 0) uploads.await(buffer.copy);
    } catch {
      // After a fault nothing is under way, and the collector, which calls this too, is nobody to tell.
    }
    pool.free(buffer.block, buffer.lastUse);
    this.#hold(-buffer.bytes);
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

  /** Checks what a run is given, and puts down where it lies. */
  #place(executable: CudaExecutable, handles: readonly BufferHandle[]): void {
    const { specs, written } = executable;
    if (handles.length !== specs.length)
      throw new BackendError("cuda", `run: got ${handles.length} buffers, expected ${specs.length}`);
    const run = ++this.#runs;
    const addresses = this.#addresses;
    for (let place = 0; place < handles.length; place++) {
      const buffer = handles[place] as BufferHandle;
      if (!this.#isLive(buffer)) throw this.#refusal(buffer, "run");
      const { dtype, size } = specs[place] as Program["buffers"][number];
      if (buffer.size !== size || buffer.dtype !== dtype) {
        const got = `${buffer.dtype} of ${buffer.size}`;
        throw new BackendError("cuda", `run: buffer ${place} is ${got}, expected ${dtype} of ${size}`);
      }
      // Kernels whose buffers differ run side by side.
      if (buffer.run === run && (written[place] || written[buffer.place]))
        throw new BackendError("cuda", `run: buffers ${buffer.place} and ${place} are one, which the run writes to`);
      buffer.run = run;
      buffer.place = place;
      addresses[place] = buffer.block.address;
    }
  }

  run(executable: Executable, handles: readonly BufferHandle[], uniforms: readonly number[]): void {
    if (!(executable instanceof CudaExecutable) || executable.machine !== this.#machine)
      throw new BackendError("cuda", "run: the executable is another backend's");
    this.#checkAlive();
    if (this.#addresses.length < handles.length) this.#addresses = new Float64Array(2 * handles.length);
    this.#place(executable, handles);
    // Nothing to run: outputs are the zeros that buffers begin with.
    if (executable.state === undefined) return;
    cudaErrorAsBackendError("run", () => {
      // Whatever there is too little memory for is asked for before anything changes.
      executable.bind(this.#addresses);
      const { overwritten } = executable;
      const submission = this.#machine.timeline.submitted + 1;
      for (let place = 0; place < handles.length; place++) {
        const buffer = handles[place] as LiveBuffer;
        if (buffer.blank || buffer.copy > 0) this.#prepare(buffer, overwritten[place] as boolean);
        buffer.lastUse = submission;
      }
      if (executable.mayFail) this.#mayHaveFailed = true;
      executable.send(uniforms);
    });
  }

  memory(): MemoryUse {
    const { arena, scratch } = this.#machine;
    return { bufferBytes: this.#bytes, buffers: this.#buffers, arenaBytes: arena.bytes + scratch.bytes };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#context.adjustExternalMemory(-this.#told);
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
