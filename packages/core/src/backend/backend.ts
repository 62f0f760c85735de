/** What a backend supplies. It never sees a tensor, a graph or an optimizer: Programs and buffers only. */
import type { DType, HostArray } from "../graph/dtype.ts";
import type { KernelKind, Program } from "./program.ts";

declare const handleBrand: unique symbol;
/** A backend's own buffer object, opaque to core. */
export type BufferHandle = { readonly [handleBrand]?: never } & object;

export interface Capabilities {
  /** Storage dtypes the backend takes. */
  readonly dtypes: ReadonlySet<DType>;
  /** Kernel kinds it compiles; `loop` always. What is missing is rewritten to loop kernels by core. */
  readonly kernels: ReadonlySet<KernelKind>;
  /** Whether `readSync` exists: the Sync forms of reading are allowed. */
  readonly blocking: boolean;
  /**
   * A run returns before it is done: what goes wrong in it (an index out of range) is thrown at the next read. Default: not
   * where `blocking`, so where the backend does not block.
   */
  readonly asynchronous?: boolean;
  /** Threads it computes with. */
  readonly threads: number;
  /**
   * The device's name, by its maker, where a backend computes on one with memory of its own: `run` returns before its kernels
   * are done. Undefined for a backend that computes on the processor that calls it.
   */
  readonly device?: string;
  /**
   * The JavaScript engine frees buffers that nothing refers to: core calls `free` only to free one early. For other
   * backends core calls it for every buffer, which for one nobody refers to waits until the event loop turns. Default false.
   */
  readonly collected?: boolean;
}

export interface Executable {
  readonly program: Program;
}

export interface MemoryUse {
  /** Bytes and number of buffers allocated and not freed; those nobody refers to leave the count when the event loop turns. */
  readonly bufferBytes: number;
  readonly buffers: number;
  /** Bytes of the arena shared by all Programs. */
  readonly arenaBytes: number;
}

/** A case of the conformance suite that a backend is known to fail. */
export interface ExpectedFailure {
  /** Names cases as `thalweg conformance --only` does: `layer/name`, in which `*` stands for any text, or a part of it. */
  readonly case: string;
  readonly reason: string;
}

export interface Backend {
  readonly name: string;
  /** Versions, device and engine, for reports. */
  readonly description: string;
  readonly capabilities: Capabilities;
  /** Strict: a case that is named here and passes is a failure. Default none. */
  readonly expectedFailures?: readonly ExpectedFailure[];
  /** A zero-filled buffer of `size` elements (size 0 is allowed). */
  allocate(dtype: DType, size: number): BufferHandle;
  /** Copies `data` (exactly the buffer's size, in the dtype's host array type) into the buffer. */
  write(buffer: BufferHandle, data: HostArray): void;
  /** A copy of the buffer's contents, after every run so far. */
  read(buffer: BufferHandle): Promise<HostArray>;
  /** Only when `capabilities.blocking`. */
  readSync?(buffer: BufferHandle): HostArray;
  free(buffer: BufferHandle): void;
  /** Prepares a Program for running; kept and reused by core. */
  compile(program: Program): Executable;
  /**
   * Runs. `buffers`: one handle per non-temporary buffer of the Program, in order; `uniforms`: one number each. A
   * dynamic index out of range throws IndexError (at the run, or for an asynchronous backend at the next read), and no
   * kernel after the one that met it may run: a failed step leaves parameters as they were.
   */
  run(executable: Executable, buffers: readonly BufferHandle[], uniforms: readonly number[]): void;
  memory(): MemoryUse;
  /** Frees everything. The backend must not be used after. */
  dispose(): void;
}
