/**
 * Two backends in step: everything is done on both, and after every run each buffer the Program wrote is compared. What
 * the first computed goes on, so that differences are found where they arise and do not add up.
 */
import {
  type Backend,
  type BufferHandle,
  decode,
  type Executable,
  type HostArray,
  printProgram,
} from "@thalweg/core/backend";

export interface AgreementOptions {
  /** Allowed difference relative to the largest entry of a buffer or 1; for float64 buffers. Default 1e-10. */
  readonly float64?: number;
  /** The same for float32. Default 1e-5. */
  readonly float32?: number;
}

interface Pair {
  readonly first: BufferHandle;
  readonly second: BufferHandle;
}

interface PairedExecutable extends Executable {
  readonly first: Executable;
  readonly second: Executable;
}

/**
 * A backend that behaves as `first` does, and throws when `second` (both must be able to block) gives something else for
 * the same Program and data.
 */
export function inAgreement(first: Backend, second: Backend, options: AgreementOptions = {}): Backend {
  const { float64 = 1e-10, float32 = 1e-5 } = options;
  const allowed = { float64, float32, int32: 0, uint32: 0, bool: 0, bfloat16: 2 ** -8, float16: 2 ** -10 };
  const pair = (handle: BufferHandle): Pair => handle as unknown as Pair;
  const read = (backend: Backend, handle: BufferHandle): HostArray => {
    if (!backend.readSync) throw new Error(`${backend.name} cannot block`);
    return backend.readSync(handle);
  };

  return {
    name: `${first.name} and ${second.name}`,
    description: `${first.description}; ${second.description}`,
    capabilities: first.capabilities,
    memory: () => first.memory(),
    allocate: (dtype, size) =>
      ({ first: first.allocate(dtype, size), second: second.allocate(dtype, size) }) as unknown as BufferHandle,
    write(handle, data) {
      first.write(pair(handle).first, data);
      second.write(pair(handle).second, data);
    },
    read: (handle) => first.read(pair(handle).first),
    readSync: (handle) => read(first, pair(handle).first),
    free(handle) {
      first.free(pair(handle).first);
      second.free(pair(handle).second);
    },
    compile: (program): PairedExecutable => ({
      program,
      first: first.compile(program),
      second: second.compile(program),
    }),
    run(executable, handles, uniforms) {
      const { program, first: one, second: two } = executable as PairedExecutable;
      first.run(
        one,
        handles.map((handle) => pair(handle).first),
        uniforms,
      );
      second.run(
        two,
        handles.map((handle) => pair(handle).second),
        uniforms,
      );
      const bound = program.buffers.filter(({ kind }) => kind !== "temporary");
      for (const [i, { kind, dtype, name }] of bound.entries()) {
        if (kind === "input") continue;
        const handle = pair(handles[i] as BufferHandle);
        const [a, b] = [read(first, handle.first), read(second, handle.second)];
        const at = firstDifference(a.length, allowed[dtype], (side, j) => decode(dtype, side === 0 ? a : b, j));
        if (at >= 0) {
          const values = `${decode(dtype, a, at)} on ${first.name}, ${decode(dtype, b, at)} on ${second.name}`;
          throw new Error(`${kind} ${name ?? i}, element ${at}: ${values}\n${printProgram(program)}`);
        }
        second.write(handle.second, a);
      }
    },
    dispose() {
      first.dispose();
      second.dispose();
    },
  };
}

/** -1: none. */
function firstDifference(size: number, allowed: number, at: (side: 0 | 1, index: number) => number): number {
  let largest = 1;
  for (let i = 0; i < size; i++) {
    const magnitude = Math.abs(at(1, i));
    if (Number.isFinite(magnitude)) largest = Math.max(largest, magnitude);
  }
  for (let i = 0; i < size; i++) {
    const [a, b] = [at(0, i), at(1, i)];
    if (Object.is(a, b) || Math.abs(a - b) <= allowed * largest) continue;
    return i;
  }
  return -1;
}
