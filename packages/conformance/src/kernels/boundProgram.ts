/** A Program on a backend, with buffers of its own. */
import {
  type Backend,
  type BufferHandle,
  type BufferSpec,
  type DType,
  decode,
  type Executable,
  type HostArray,
} from "@thalweg/core/backend";
import type { BufferIndex, Draft } from "./programs.ts";

/** The elements of a host array as numbers. */
export const numbersOf = (dtype: DType, host: HostArray): number[] =>
  Array.from(host, (_, i) => decode(dtype, host, i));

export class BoundProgram {
  readonly executable: Executable;
  readonly #backend: Backend;
  readonly #draft: Draft;
  /** By buffer; none for temporaries. */
  readonly #handles: readonly (BufferHandle | undefined)[];

  /** `executable`: one that was compiled before from the same Program. */
  constructor(backend: Backend, draft: Draft, executable?: Executable) {
    const { program, contents } = draft;
    this.#backend = backend;
    this.#draft = draft;
    this.executable = executable ?? backend.compile(program);
    this.#handles = program.buffers.map(({ kind, dtype, size }, i) => {
      if (kind === "temporary") return undefined;
      const handle = backend.allocate(dtype, size);
      backend.write(handle, contents[i] as HostArray);
      return handle;
    });
  }

  handle(buffer: BufferIndex): BufferHandle {
    const handle = this.#handles[buffer];
    if (!handle) throw new Error(`buffer ${buffer} is a temporary`);
    return handle;
  }

  run(uniforms: readonly number[] = this.#draft.uniforms): void {
    const bound = this.#handles.filter((handle) => handle !== undefined);
    this.#backend.run(this.executable, bound, uniforms);
  }

  async read(buffer: BufferIndex): Promise<number[]> {
    const { dtype } = this.#draft.program.buffers[buffer] as BufferSpec;
    return numbersOf(dtype, await this.#backend.read(this.handle(buffer)));
  }

  free(): void {
    for (const handle of this.#handles) if (handle) this.#backend.free(handle);
  }
}
