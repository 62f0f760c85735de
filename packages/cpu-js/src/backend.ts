/** The backend object: buffers in, Programs compiled to JavaScript, results out. */
import {
  type Backend,
  BackendError,
  type BufferHandle,
  type DType,
  dtypes,
  type Executable,
  engineName,
  type HostArray,
  kernelKinds,
  type MemoryUse,
  type Program,
} from "@thalweg/core/backend";
import { CpuExecutable } from "./executable.ts";
import { CpuBuffer, Memory } from "./memory.ts";

export const capabilities: Backend["capabilities"] = {
  dtypes: new Set(Object.keys(dtypes) as DType[]),
  kernels: new Set(kernelKinds),
  blocking: true,
  threads: 1,
  collected: true,
};

export class CpuBackend implements Backend {
  readonly name = "cpu-js";
  readonly description = `JavaScript generated for each program; ${engineName()}`;
  readonly capabilities = capabilities;
  readonly #memory = new Memory();
  #disposed = false;

  #array(handle: BufferHandle, action: string): HostArray {
    this.#checkAlive();
    if (!(handle instanceof CpuBuffer)) throw new BackendError("cpu-js", `${action}: the buffer is another backend's`);
    if (handle.data === undefined) throw new BackendError("cpu-js", `${action}: the buffer was freed`);
    return handle.data;
  }

  #checkAlive(): void {
    if (this.#disposed) throw new BackendError("cpu-js", "used after it was disposed");
  }

  allocate(dtype: DType, size: number): BufferHandle {
    this.#checkAlive();
    return this.#memory.allocate(dtype, size);
  }

  write(buffer: BufferHandle, data: HostArray): void {
    const array = this.#array(buffer, "write");
    if (data.constructor !== array.constructor || data.length !== array.length) {
      const got = `${data.constructor.name} of ${data.length}`;
      throw new BackendError("cpu-js", `write: got ${got}, expected ${array.constructor.name} of ${array.length}`);
    }
    array.set(data);
  }

  async read(buffer: BufferHandle): Promise<HostArray> {
    return this.readSync(buffer);
  }

  readSync(buffer: BufferHandle): HostArray {
    return this.#array(buffer, "read").slice();
  }

  free(buffer: BufferHandle): void {
    // A tensor may outlive the backend: there is nothing left to free then.
    if (this.#disposed) return;
    this.#array(buffer, "free");
    this.#memory.free(buffer as CpuBuffer);
  }

  compile(program: Program): Executable {
    this.#checkAlive();
    return new CpuExecutable(program, this.#memory);
  }

  run(executable: Executable, buffers: readonly BufferHandle[], uniforms: readonly number[]): void {
    if (!(executable instanceof CpuExecutable))
      throw new BackendError("cpu-js", "run: the executable is another backend's");
    this.#checkAlive();
    for (let i = 0; i < buffers.length; i++) {
      if ((buffers[i] as CpuBuffer).data === undefined) throw new BackendError("cpu-js", `run: buffer ${i} was freed`);
    }
    executable.run(buffers as readonly CpuBuffer[], uniforms);
  }

  memory(): MemoryUse {
    const { bufferBytes, bufferCount, arenaBytes } = this.#memory;
    return { bufferBytes, buffers: bufferCount, arenaBytes };
  }

  dispose(): void {
    this.#disposed = true;
    this.#memory.dispose();
  }
}
