/** Backends that compile well and then run, read, write or forget the wrong things. */
import {
  type Backend,
  type BufferHandle,
  type Executable,
  type HostArray,
  IndexError,
  isFloat,
  printProgram,
} from "@thalweg/core/backend";
import { delegate } from "../src/delegate.ts";
import type { Mutant } from "./mutant.ts";
import { exchanged } from "./rewrite.ts";

/** The buffers of an executable that a run may write, by their place among those that are bound. */
function writtenBy({ program }: Executable): number[] {
  const bound = program.buffers.filter(({ kind }) => kind !== "temporary");
  return [...bound.keys()].filter((i) => bound[i]?.kind !== "input");
}

const read = (inner: Backend, buffer: BufferHandle): HostArray => {
  if (!inner.readSync) throw new Error("this mutant needs a backend that blocks");
  return inner.readSync(buffer);
};

interface First {
  uniforms?: readonly number[];
  buffers?: readonly BufferHandle[];
}

const remembering = (
  inner: Backend,
  run: (first: First, executable: Executable, buffers: readonly BufferHandle[], uniforms: readonly number[]) => void,
): Backend => {
  const memory = new WeakMap<Executable, First>();
  return delegate(inner, {
    run(executable, buffers, uniforms) {
      const first = memory.get(executable) ?? {};
      memory.set(executable, first);
      run(first, executable, buffers, uniforms);
    },
  });
};

const differ = <T>(a: readonly T[], b: readonly T[]): boolean => a.some((item, i) => !Object.is(item, b[i]));

const runs: readonly Mutant[] = [
  {
    name: "every run has the first one's uniforms",
    mutate: (inner, applied) =>
      remembering(inner, (first, executable, buffers, uniforms) => {
        first.uniforms ??= [...uniforms];
        if (differ(first.uniforms, uniforms)) applied();
        inner.run(executable, buffers, first.uniforms);
      }),
  },
  {
    name: "every run reads the first one's inputs",
    mutate: (inner, applied) =>
      remembering(inner, (first, executable, buffers, uniforms) => {
        first.buffers ??= [...buffers];
        const written = new Set(writtenBy(executable));
        const bound = buffers.map((buffer, i) => (written.has(i) ? buffer : (first.buffers?.[i] as BufferHandle)));
        if (differ(bound, buffers)) applied();
        inner.run(executable, bound, uniforms);
      }),
  },
  {
    name: "results come one run late",
    mutate: (inner, applied) => {
      const late = new WeakMap<Executable, HostArray[]>();
      return delegate(inner, {
        run(executable, buffers, uniforms) {
          inner.run(executable, buffers, uniforms);
          const outputs = executable.program.buffers
            .filter(({ kind }) => kind !== "temporary")
            .flatMap(({ kind }, i) => (kind === "output" ? [buffers[i] as BufferHandle] : []));
          const results = outputs.map((buffer) => read(inner, buffer));
          const before = late.get(executable);
          late.set(executable, results);
          if (!before || outputs.length === 0) return;
          applied();
          for (const [i, buffer] of outputs.entries()) inner.write(buffer, before[i] as HostArray);
        },
      });
    },
  },
  {
    name: "every third run leaves the parameters as they were",
    mutate: (inner, applied) => {
      let count = 0;
      return delegate(inner, {
        run(executable, buffers, uniforms) {
          const parameters = executable.program.buffers
            .filter(({ kind }) => kind !== "temporary")
            .flatMap(({ kind }, i) => (kind === "parameter" ? [buffers[i] as BufferHandle] : []));
          count += parameters.length > 0 ? 1 : 0;
          const before = count % 3 === 0 ? parameters.map((buffer) => read(inner, buffer)) : [];
          inner.run(executable, buffers, uniforms);
          if (before.length > 0) applied();
          for (const [i, data] of before.entries()) inner.write(parameters[i] as BufferHandle, data);
        },
      });
    },
  },
  {
    name: "the last uniform is 0",
    mutate: (inner, applied) =>
      delegate(inner, {
        run(executable, buffers, uniforms) {
          if (uniforms.length > 0) applied();
          inner.run(
            executable,
            buffers,
            uniforms.map((value, i) => (i === uniforms.length - 1 ? 0 : value)),
          );
        },
      }),
  },
  {
    name: "two uniforms between 1/2 and 1 exchanged, as the betas of Adam",
    mutate: (inner, applied) =>
      delegate(inner, {
        run(executable, buffers, uniforms) {
          const first = uniforms.findIndex((value) => value > 0.5 && value < 1);
          const second = uniforms.findIndex((value) => value > 0.5 && value < 1 && value !== uniforms[first]);
          if (second >= 0) applied();
          inner.run(executable, buffers, second < 0 ? uniforms : exchanged(uniforms, first, second));
        },
      }),
  },
  {
    name: "noise in the last bit of every second run of a Program",
    mutate: (inner, applied) => {
      const counts = new WeakMap<Executable, number>();
      return delegate(inner, {
        run(executable, buffers, uniforms) {
          inner.run(executable, buffers, uniforms);
          const count = (counts.get(executable) ?? 0) + 1;
          counts.set(executable, count);
          if (count % 2 === 1) return;
          const [at] = writtenBy(executable);
          if (at === undefined) return;
          const data = read(inner, buffers[at] as BufferHandle);
          if (!(data instanceof Float32Array) || data.length === 0) return;
          applied();
          const bits = new Uint32Array(data.buffer, data.byteOffset, 1);
          bits[0] = (bits[0] as number) ^ 1;
          inner.write(buffers[at] as BufferHandle, data);
        },
      });
    },
  },
  {
    name: "indices out of range are no errors",
    mutate: (inner, applied) =>
      delegate(inner, {
        run(executable, buffers, uniforms) {
          try {
            inner.run(executable, buffers, uniforms);
          } catch (error) {
            if (!(error instanceof IndexError)) throw error;
            applied();
          }
        },
      }),
  },
  {
    name: "no run after a failed one",
    mutate: (inner, applied) => {
      let failed = false;
      return delegate(inner, {
        run(executable, buffers, uniforms) {
          if (failed) {
            applied();
            return;
          }
          try {
            inner.run(executable, buffers, uniforms);
          } catch (error) {
            failed = true;
            throw error;
          }
        },
      });
    },
  },
  {
    name: "Programs that look alike share an executable",
    mutate: (inner, applied) => {
      const known = new Map<string, Executable>();
      return delegate(inner, {
        compile(program) {
          const key = `${printProgram(program, { brief: true })}${program.buffers.map(({ kind, size, dtype }) => `${kind} ${dtype} ${size}`)}`;
          const alike = known.get(key);
          if (alike) {
            if (JSON.stringify(alike.program) !== JSON.stringify(program)) applied();
            return alike;
          }
          const executable = inner.compile(program);
          known.set(key, executable);
          return executable;
        },
      });
    },
  },
];

const buffers: readonly Mutant[] = [
  {
    name: "buffers that are not zeroed",
    mutate: (inner, applied) =>
      delegate(inner, {
        allocate(dtype, size) {
          const buffer = inner.allocate(dtype, size);
          if (size > 0) {
            applied();
            inner.write(buffer, read(inner, buffer).fill(isFloat(dtype) ? 7 : 1));
          }
          return buffer;
        },
      }),
  },
  {
    name: "write that keeps the array it is given",
    mutate: (inner, applied) => {
      const kept = new Map<BufferHandle, HostArray>();
      const settle = (buffer: BufferHandle): void => {
        const data = kept.get(buffer);
        if (!data) return;
        applied();
        inner.write(buffer, data);
      };
      return delegate(inner, {
        write(buffer, data) {
          inner.write(buffer, data);
          kept.set(buffer, data);
        },
        run(executable, bound, uniforms) {
          for (const buffer of bound) settle(buffer);
          inner.run(executable, bound, uniforms);
          for (const i of writtenBy(executable)) kept.delete(bound[i] as BufferHandle);
        },
        read(buffer) {
          settle(buffer);
          return inner.read(buffer);
        },
        readSync(buffer) {
          settle(buffer);
          return read(inner, buffer);
        },
        free(buffer) {
          kept.delete(buffer);
          inner.free(buffer);
        },
      });
    },
  },
  {
    name: "read that gives the buffer's own array",
    mutate: (inner, applied) => {
      const views = new Map<BufferHandle, HostArray>();
      const view = (buffer: BufferHandle): HostArray => {
        const data = read(inner, buffer);
        const known = views.get(buffer);
        if (!known) {
          views.set(buffer, data);
          return data;
        }
        (known as Float32Array).set(data as Float32Array);
        return known;
      };
      const refresh = (buffer: BufferHandle): void => {
        if (!views.has(buffer)) return;
        applied();
        view(buffer);
      };
      return delegate(inner, {
        read: async (buffer) => view(buffer),
        readSync: view,
        write(buffer, data) {
          inner.write(buffer, data);
          refresh(buffer);
        },
        run(executable, bound, uniforms) {
          inner.run(executable, bound, uniforms);
          for (const i of writtenBy(executable)) refresh(bound[i] as BufferHandle);
        },
        free(buffer) {
          views.delete(buffer);
          inner.free(buffer);
        },
      });
    },
  },
  {
    name: "write that forgets the last element",
    mutate: (inner, applied) =>
      delegate(inner, {
        write(buffer, data) {
          const before = read(inner, buffer);
          inner.write(buffer, data);
          if (data.length === 0 || data.length !== before.length) return;
          applied();
          inner.write(buffer, data.slice().fill(before[data.length - 1] as number, data.length - 1));
        },
      }),
  },
  {
    name: "write that takes any array",
    mutate: (inner, applied) =>
      delegate(inner, {
        write(buffer, data) {
          const fitting = read(inner, buffer);
          if (data.constructor !== fitting.constructor || data.length !== fitting.length) {
            applied();
            (fitting as Float32Array).set((data as Float32Array).subarray(0, fitting.length));
            inner.write(buffer, fitting);
          } else inner.write(buffer, data);
        },
      }),
  },
  {
    name: "free that frees nothing",
    mutate: (inner, applied) => delegate(inner, { free: applied }),
  },
  {
    name: "memory that counts nothing",
    mutate: (inner, applied) =>
      delegate(inner, {
        memory() {
          applied();
          return { bufferBytes: 0, buffers: 0, arenaBytes: 0 };
        },
      }),
  },
  {
    name: "dispose that keeps everything",
    mutate: (inner, applied) => delegate(inner, { dispose: applied }),
  },
];

/** What instances share, by mistake. */
let shared: Backend | undefined;

const instances: readonly Mutant[] = [
  {
    name: "instances that share their memory",
    mutate: (inner, applied) => {
      if (shared) applied();
      shared ??= inner;
      return delegate(shared);
    },
  },
];

export const runtimeMutants: readonly Mutant[] = [...runs, ...buffers, ...instances];
