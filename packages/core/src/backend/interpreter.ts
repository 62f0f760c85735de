/**
 * The reference interpreter: a backend that runs each kernel by plain nested loops, in float64, one element at a time.
 * Slow and obvious: the oracle every other backend is compared with.
 */
import { allocateHost, type DType, decode, dtypes, encode, type HostArray, isFloat } from "../graph/dtype.ts";
import { BackendError } from "../graph/errors.ts";
import type { Backend, BufferHandle, Executable } from "./backend.ts";
import { compileContraction } from "./interpretContraction.ts";
import { runIndexed } from "./interpretIndexed.ts";
import { compileLoop, ReferenceBuffer, type Run } from "./interpretLoop.ts";
import { type BufferSpec, type Kernel, type KernelKind, kernelKinds, type Program } from "./program.ts";
import { validateProgram } from "./validate.ts";

export interface ReferenceOptions {
  /** Whether stores round float32 to float32. Default false: float32 memory keeps float64 values, for a truer oracle. */
  readonly rounding?: boolean;
  /** Kernel kinds to admit to, `loop` always among them. Default all; fewer exercise core's lowerings to loops. */
  readonly kernels?: readonly KernelKind[];
}

class ReferenceExecutable implements Executable {
  readonly program: Program;
  readonly kernels: readonly Run[];

  constructor(program: Program) {
    this.program = program;
    this.kernels = program.kernels.map((kernel) => compileKernel(program, kernel));
  }
}

/**
 * The oracle backend, named `reference`. float32 arithmetic is float64 throughout (but see `rounding`); integers wrap;
 * bfloat16 and float16 round when stored. Every Program is validated when it is compiled (ProgramError), and temporaries
 * hold NaN or nonsense at the start of each run, so that a stale read shows.
 */
export function referenceBackend(options: ReferenceOptions = {}): Backend {
  const rounding = options.rounding ?? false;
  const kernels = new Set<KernelKind>(["loop", ...(options.kernels ?? kernelKinds)]);
  const alive = new Set<ReferenceBuffer>();
  let arenaBytes = 0;
  let disposed = false;

  const own = (handle: BufferHandle): ReferenceBuffer => {
    if (disposed) throw new BackendError("reference", "used after it was disposed");
    if (!(handle instanceof ReferenceBuffer)) throw new BackendError("reference", "the buffer is another backend's");
    if (handle.freed) throw new BackendError("reference", "the buffer was freed");
    return handle;
  };

  const readSync = (handle: BufferHandle): HostArray => {
    const { dtype, data } = own(handle);
    const host = allocateHost(dtype, data.length);
    for (const [index, value] of data.entries()) encode(dtype, host, index, value);
    return host;
  };

  return {
    name: "reference",
    description: `reference interpreter in float64${rounding ? ", float32 rounded when stored" : ""}`,
    capabilities: { dtypes: new Set(Object.keys(dtypes) as DType[]), kernels, blocking: true, threads: 1 },

    allocate(dtype, size) {
      if (disposed) throw new BackendError("reference", "used after it was disposed");
      const buffer = new ReferenceBuffer(dtype, size, rounding);
      alive.add(buffer);
      return buffer;
    },

    write(handle, data) {
      const buffer = own(handle);
      const expected = dtypes[buffer.dtype].hostArray;
      if (!(data instanceof expected) || data.length !== buffer.data.length) {
        const got = `${data.constructor.name} of ${data.length}`;
        throw new BackendError("reference", `write: got ${got}, expected ${expected.name} of ${buffer.data.length}`);
      }
      for (let i = 0; i < data.length; i++) buffer.data[i] = decode(buffer.dtype, data, i);
    },

    read: async (handle) => readSync(handle),
    readSync,

    free(handle) {
      // A tensor may outlive the backend: there is nothing left to free then.
      if (disposed) return;
      const buffer = own(handle);
      buffer.freed = true;
      alive.delete(buffer);
    },

    compile(program) {
      validateProgram(program);
      for (const { kind, label } of program.kernels) {
        if (!kernels.has(kind))
          throw new BackendError("reference", `kernels of kind ${kind} are not admitted: "${label}"`);
      }
      return new ReferenceExecutable(program);
    },

    run(executable, handles, uniforms) {
      if (!(executable instanceof ReferenceExecutable))
        throw new BackendError("reference", "the executable is another backend's");
      const { program } = executable;
      arenaBytes = Math.max(arenaBytes, program.arenaBytes);
      const buffers = bind(program, handles.map(own), rounding);
      if (uniforms.length !== program.uniforms.length) {
        throw new BackendError(
          "reference",
          `run: got ${uniforms.length} uniforms, the program has ${program.uniforms.length}`,
        );
      }
      for (const run of executable.kernels) run({ buffers, uniforms });
    },

    memory() {
      let bufferBytes = 0;
      for (const { bytes } of alive) bufferBytes += bytes;
      return { bufferBytes, buffers: alive.size, arenaBytes };
    },

    dispose() {
      alive.clear();
      arenaBytes = 0;
      disposed = true;
    },
  };
}

const nonsense = 0x5bad5bad;

/** The Program's buffers for one run: those bound, and fresh temporaries full of nonsense. */
function bind(program: Program, bound: readonly ReferenceBuffer[], rounding: boolean): ReferenceBuffer[] {
  let next = 0;
  const buffers = program.buffers.map(({ dtype, size, kind, name }: BufferSpec, index) => {
    if (kind === "temporary") {
      const temporary = new ReferenceBuffer(dtype, size, rounding);
      temporary.data.fill(isFloat(dtype) ? Number.NaN : dtype === "bool" ? 1 : nonsense);
      return temporary;
    }
    const buffer = bound[next++];
    if (!buffer)
      throw new BackendError("reference", `run: got ${bound.length} buffers, none for b${index} (${name ?? kind})`);
    if (buffer.dtype !== dtype || buffer.data.length !== size) {
      const got = `${buffer.dtype} of ${buffer.data.length}`;
      throw new BackendError("reference", `run: b${index} (${name ?? kind}): got ${got}, expected ${dtype} of ${size}`);
    }
    return buffer;
  });
  if (next !== bound.length)
    throw new BackendError("reference", `run: got ${bound.length} buffers, the program binds ${next}`);
  return buffers;
}

function compileKernel(program: Program, kernel: Kernel): Run {
  switch (kernel.kind) {
    case "loop":
      return compileLoop(program, kernel);
    case "matmul":
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient":
      return compileContraction(program, kernel);
    case "scatterAdd":
    case "cumSum":
    case "argSort":
      return ({ buffers }) => runIndexed(kernel, buffers);
    default:
      return kernel satisfies never;
  }
}
