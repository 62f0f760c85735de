/** The texts that Programs become for a device of some architecture. */
import { type Backend, type BufferHandle, type DType, dtypes, kernelKinds, type Program } from "@thalweg/core/backend";
import { compileKernel } from "../src/kernel/compileKernel.ts";
import { guardedKernels } from "../src/kernel/guard.ts";
import type { Target } from "../src/target.ts";

/** A device of this architecture, as large as the usual ones. */
export function targetOf(architecture: number, options: Pick<Target, "precision" | "cublasLt">): Target {
  const large = architecture >= 90;
  return {
    architecture,
    multiprocessors: large ? (architecture >= 100 ? 148 : 132) : 108,
    sharedBytesPerBlock: large ? 232_448 : 166_912,
    sharedBytesPerMultiprocessor: large ? 233_472 : 167_936,
    l2Bytes: (large ? 50 : 40) * 2 ** 20,
    ...options,
  };
}

/** Sources of all functions of a Program, KERNEL still in them. */
export function textsOf(program: Program, target: Target): string[] {
  const guarded = guardedKernels(program);
  return program.kernels.flatMap((kernel, i) =>
    compileKernel(kernel, { program, target, guarded: guarded[i] as boolean }).launches.flatMap((launch) =>
      launch.kind === "kernel" ? [launch.source] : [],
    ),
  );
}

/** What of it core looks at is that of the CUDA backend: it makes the same Programs. */
const capabilities: Backend["capabilities"] = {
  dtypes: new Set(Object.keys(dtypes) as DType[]),
  kernels: new Set(kernelKinds),
  blocking: true,
  asynchronous: true,
  threads: 1,
};

interface Blank {
  readonly dtype: DType;
  readonly size: number;
}

/** A backend that computes nothing and holds nothing: everything is zero. `onProgram` gets what it is to compile. */
export function blankBackend(onProgram: (program: Program) => void = () => {}): Backend {
  const zeros = (buffer: BufferHandle) => {
    const { dtype, size } = buffer as Blank;
    return new dtypes[dtype].hostArray(size);
  };
  return {
    name: "blank",
    description: "computes nothing",
    capabilities,
    allocate: (dtype, size): Blank => ({ dtype, size }),
    write() {},
    read: async (buffer) => zeros(buffer),
    readSync: zeros,
    free() {},
    compile(program) {
      onProgram(program);
      return { program };
    },
    run() {},
    memory: () => ({ bufferBytes: 0, buffers: 0, arenaBytes: 0 }),
    dispose() {},
  };
}

/** `backend`, which computes; what it compiles is told. */
export function tellingBackend(backend: Backend, onProgram: (program: Program) => void): Backend {
  return new Proxy(backend, {
    get(target, name) {
      if (name === "compile") {
        return (program: Program) => {
          onProgram(program);
          return target.compile(program);
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
