/** The smallest backend that passes the conformance suite: memory is typed arrays, kernels are generated JavaScript. */
import * as core from "@thalweg/core/backend";
import { compileLoop, type KernelFunction } from "./kernel.ts";

class MinimalBackend implements core.Backend {
  readonly name = "minimal";
  readonly description = "loop kernels as plain JavaScript";
  readonly capabilities: core.Capabilities = {
    dtypes: new Set(Object.keys(core.dtypes) as core.DType[]),
    kernels: new Set(["loop"]),
    blocking: true,
    threads: 1,
  };
  /** Handles are empty objects: what they stand for is known here only. */
  readonly #buffers = new Map<core.BufferHandle, core.HostArray>();
  readonly #kernels = new WeakMap<core.Executable, readonly KernelFunction[]>();
  #arena = new ArrayBuffer(0);
  #disposed = false;

  #checkAlive(): void {
    if (this.#disposed) throw new core.BackendError(this.name, "used after it was disposed");
  }

  #array(handle: core.BufferHandle): core.HostArray {
    this.#checkAlive();
    const array = this.#buffers.get(handle);
    if (!array) throw new core.BackendError(this.name, "the buffer was freed, or is another backend's");
    return array;
  }

  allocate(dtype: core.DType, size: number): core.BufferHandle {
    this.#checkAlive();
    const handle: core.BufferHandle = {};
    this.#buffers.set(handle, core.allocateHost(dtype, size));
    return handle;
  }

  write(handle: core.BufferHandle, data: core.HostArray): void {
    const array = this.#array(handle);
    if (data.constructor !== array.constructor || data.length !== array.length) {
      const [got, expected] = [data, array].map((a) => `${a.constructor.name} of ${a.length}`);
      throw new core.BackendError(this.name, `write: got ${got}, expected ${expected}`);
    }
    array.set(data);
  }

  async read(handle: core.BufferHandle): Promise<core.HostArray> {
    return this.readSync(handle);
  }

  readSync(handle: core.BufferHandle): core.HostArray {
    return this.#array(handle).slice();
  }

  free(handle: core.BufferHandle): void {
    // Core frees what nobody refers to when the event loop turns, which may be after the backend is gone.
    if (!this.#buffers.delete(handle) && !this.#disposed) this.#array(handle);
  }

  compile(program: core.Program): core.Executable {
    this.#checkAlive();
    const executable: core.Executable = { program };
    const kernels = program.kernels.flatMap((kernel) => {
      if (kernel.kind !== "loop") throw new core.BackendError(this.name, `no kernels of kind ${kernel.kind}`);
      return kernel.segments.map((segment) => compileLoop(kernel, segment, program.buffers));
    });
    this.#kernels.set(executable, kernels);
    return executable;
  }

  run(executable: core.Executable, handles: readonly core.BufferHandle[], uniforms: readonly number[]): void {
    const { program } = executable;
    const kernels = this.#kernels.get(executable);
    if (!kernels) throw new core.BackendError(this.name, "the executable is another backend's");
    if (this.#arena.byteLength < program.arenaBytes) this.#arena = new ArrayBuffer(program.arenaBytes);
    const bound = handles.map((handle) => this.#array(handle)).values();
    const arrays = program.buffers.map(({ kind, dtype, offset, size }) =>
      kind === "temporary"
        ? new core.dtypes[dtype].hostView(this.#arena, offset, size)
        : (bound.next().value as core.HostArray),
    );
    for (const kernel of kernels) kernel(arrays, uniforms);
  }

  memory(): core.MemoryUse {
    const bufferBytes = this.#buffers.values().reduce((bytes, { byteLength }) => bytes + byteLength, 0);
    return { bufferBytes, buffers: this.#buffers.size, arenaBytes: this.#arena.byteLength };
  }

  dispose(): void {
    this.#buffers.clear();
    this.#arena = new ArrayBuffer(0);
    this.#disposed = true;
  }
}

/** Makes a backend. */
export const minimal = (): core.Backend => new MinimalBackend();
