/**
 * Device memory with an owner. A Storage is what a realised tensor or a parameter points at: host data that has not
 * been uploaded yet, or a buffer of one backend. Buffers are freed when their Storage is disposed or collected.
 */
import type { Backend, BufferHandle } from "../backend/backend.ts";
import { allocateHost, type DType, type HostArray } from "../graph/dtype.ts";
import { BackendError, DTypeError, LifetimeError } from "../graph/errors.ts";
import type { LeafSource } from "../graph/node.ts";
import { type Shape, sizeOf } from "../graph/shape.ts";
import { meantBy } from "./failures.ts";

interface Allocation {
  readonly backend: Backend;
  readonly handle: BufferHandle;
}

function allocateOn(backend: Backend, shape: Shape, dtype: DType): BufferHandle {
  const { dtypes } = backend.capabilities;
  if (!dtypes.has(dtype)) throw new DTypeError(backend.name, `has no ${dtype}; it has ${[...dtypes].join(", ")}`);
  return backend.allocate(dtype, sizeOf(shape));
}

const collected = new FinalizationRegistry<Allocation>(({ backend, handle }) => backend.free(handle));

export class Storage implements LeafSource {
  readonly shape: Shape;
  readonly dtype: DType;
  /** Number of in-place updates; a graph leaf made at another version is stale. */
  version = 0;
  /** What `explain` calls it. */
  name: (() => string) | undefined;
  #host: HostArray | undefined;
  #allocation: Allocation | undefined;
  #disposed = false;

  private constructor(shape: Shape, dtype: DType, host?: HostArray, allocation?: Allocation) {
    this.shape = shape;
    this.dtype = dtype;
    this.#host = host;
    if (allocation) this.#adopt(allocation);
  }

  /** Takes ownership of `host`, which must hold exactly the shape's elements. Uploaded at first use. */
  static fromHost(host: HostArray, shape: Shape, dtype: DType): Storage {
    return new Storage(shape, dtype, host);
  }

  /** A zero-filled buffer on `backend`. */
  static allocate(backend: Backend, shape: Shape, dtype: DType): Storage {
    return new Storage(shape, dtype, undefined, { backend, handle: allocateOn(backend, shape, dtype) });
  }

  #adopt(allocation: Allocation): void {
    this.#allocation = allocation;
    // The registry would keep the buffer until the event loop turns, which a training loop may not let it do for long.
    if (!allocation.backend.capabilities.collected) collected.register(this, allocation, this);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  #check(): void {
    if (this.#disposed) throw new LifetimeError("tensor", "used after it was disposed");
  }

  /** The buffer on `backend`, uploaded or moved there when it is elsewhere. */
  handleOn(backend: Backend): BufferHandle {
    const allocation = this.#allocation;
    if (allocation !== undefined && allocation.backend === backend) return allocation.handle;
    this.#check();
    const handle = allocateOn(backend, this.shape, this.dtype);
    backend.write(handle, this.#host ?? this.readSync());
    this.#release();
    this.#host = undefined;
    this.#adopt({ backend, handle });
    return handle;
  }

  /** Overwrites the contents. */
  write(host: HostArray): void {
    this.#check();
    if (this.#allocation) this.#allocation.backend.write(this.#allocation.handle, host);
    else this.#host = host.slice();
  }

  /** A copy of the contents. */
  async read(): Promise<HostArray> {
    this.#check();
    if (this.#host) return this.#host.slice();
    if (this.#allocation) {
      const { backend, handle } = this.#allocation;
      // A backend that does not wait for its runs tells of what went wrong there now.
      return backend.read(handle).catch((error: unknown) => {
        throw meantBy(error);
      });
    }
    return allocateHost(this.dtype, sizeOf(this.shape));
  }

  readSync(): HostArray {
    this.#check();
    if (this.#host) return this.#host.slice();
    const allocation = this.#allocation;
    if (!allocation) return allocateHost(this.dtype, sizeOf(this.shape));
    if (!allocation.backend.readSync) {
      throw new BackendError(allocation.backend.name, "cannot block for a result; use the asynchronous form");
    }
    try {
      return allocation.backend.readSync(allocation.handle);
    } catch (error) {
      throw meantBy(error);
    }
  }

  #release(): void {
    if (!this.#allocation) return;
    collected.unregister(this);
    this.#allocation.backend.free(this.#allocation.handle);
    this.#allocation = undefined;
  }

  /** Frees the memory now. Further use throws LifetimeError. */
  dispose(): void {
    if (this.#disposed) return;
    this.#release();
    this.#host = undefined;
    this.#disposed = true;
  }
}
