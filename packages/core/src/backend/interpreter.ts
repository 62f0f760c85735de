/**
 * The reference interpreter: a backend that runs each kernel by plain nested loops, in float64, one element at a time.
 * Slow and obvious: the oracle every other backend is compared with.
 */
import {
  allocateHost,
  bytesPerElement,
  type ComputeDType,
  type DType,
  decode,
  dtypes,
  encode,
  type HostArray,
  isFloat,
  roundTo,
} from "../graph/dtype.ts";
import { BackendError } from "../graph/errors.ts";
import { contiguousStrides, type Shape } from "../graph/shape.ts";
import { epilogueSizes } from "./accesses.ts";
import type { Backend, BufferHandle, Executable } from "./backend.ts";
import { type Cells, checkIndex, compileBody, type Frame, newFrame } from "./interpretBody.ts";
import type { BufferSpec, ContractionKernel, ConvolutionKernel, IndexedKernel, Kernel, KernelKind, LoopKernel, Program } from "./program.ts";
import { applyBinary, compareForSort } from "./scalar.ts";
import { validateProgram } from "./validate.ts";

export interface ReferenceOptions {
  /** Whether stores round float32 to float32. Default false: float32 memory keeps float64 values, for a truer oracle. */
  readonly rounding?: boolean;
  /** Kernel kinds to admit to, `loop` always among them. Default all; fewer exercise core's lowerings to loops. */
  readonly kernels?: readonly KernelKind[];
}

const allKernels: readonly KernelKind[] = [
  "loop", "matmul", "conv2d", "conv2dInputGradient", "conv2dWeightGradient", "scatterAdd", "cumSum", "argSort",
];

class ReferenceBuffer implements Cells {
  readonly dtype: DType;
  readonly data: Float64Array;
  readonly #rounding: boolean;
  freed = false;

  constructor(dtype: DType, size: number, rounding: boolean) {
    this.dtype = dtype;
    this.data = new Float64Array(size);
    this.#rounding = rounding;
  }

  store(index: number, value: number): void {
    this.data[index] = this.dtype === "float32" && !this.#rounding ? value : roundTo(this.dtype, value);
  }

  get bytes(): number {
    return this.data.length * bytesPerElement(this.dtype);
  }
}

interface Memory {
  /** Every buffer of the Program, temporaries included. */
  readonly buffers: readonly ReferenceBuffer[];
  readonly uniforms: readonly number[];
}

type Run = (memory: Memory) => void;

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
  const kernels = new Set<KernelKind>(["loop", ...(options.kernels ?? allKernels)]);
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
    data.forEach((value, index) => encode(dtype, host, index, value));
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
      const buffer = own(handle);
      buffer.freed = true;
      alive.delete(buffer);
    },

    compile(program) {
      validateProgram(program);
      for (const { kind, label } of program.kernels) {
        if (!kernels.has(kind)) throw new BackendError("reference", `kernels of kind ${kind} are not admitted: "${label}"`);
      }
      return new ReferenceExecutable(program);
    },

    run(executable, handles, uniforms) {
      if (!(executable instanceof ReferenceExecutable)) throw new BackendError("reference", "the executable is another backend's");
      const { program } = executable;
      arenaBytes = Math.max(arenaBytes, program.arenaBytes);
      const buffers = bind(program, handles.map(own), rounding);
      if (uniforms.length !== program.uniforms.length) {
        throw new BackendError("reference", `run: got ${uniforms.length} uniforms, the program has ${program.uniforms.length}`);
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
    if (!buffer) throw new BackendError("reference", `run: got ${bound.length} buffers, none for b${index} (${name ?? kind})`);
    if (buffer.dtype !== dtype || buffer.data.length !== size) {
      const got = `${buffer.dtype} of ${buffer.data.length}`;
      throw new BackendError("reference", `run: b${index} (${name ?? kind}): got ${got}, expected ${dtype} of ${size}`);
    }
    return buffer;
  });
  if (next !== bound.length) throw new BackendError("reference", `run: got ${bound.length} buffers, the program binds ${next}`);
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

/** Calls `visit` at every point of a space in row-major order, its coordinates in `variables` from `first` on. */
function forEachPoint(sizes: Shape, variables: number[], first: number, visit: () => void, axis = 0): void {
  if (axis === sizes.length) {
    visit();
    return;
  }
  const size = sizes[axis] as number;
  for (let i = 0; i < size; i++) {
    variables[first + axis] = i;
    forEachPoint(sizes, variables, first, visit, axis + 1);
  }
}

function compileLoop(program: Program, { label, outer, inner, stages, segments }: LoopKernel): Run {
  const valueDTypes = new Map<number, ComputeDType>();
  const passes = stages.map(({ over, body }) => ({ over, body: compileBody(body, label, program.uniforms, valueDTypes) }));
  const frame = newFrame(stages.map(({ body }) => body), outer.length + inner.length);
  return ({ buffers, uniforms }) => {
    frame.uniforms = uniforms;
    for (const segment of segments) {
      frame.slots = segment.buffers.map((buffer) => buffers[buffer] as ReferenceBuffer);
      const space = segments.length > 1 ? [segment.size] : outer;
      forEachPoint(space, frame.variables, 0, () => {
        for (const { over, body } of passes) {
          body.begin(frame);
          frame.position = 0;
          if (over === "outer") body.run(frame);
          else {
            forEachPoint(inner, frame.variables, outer.length, () => {
              body.run(frame);
              frame.position++;
            });
          }
        }
      });
    }
  };
}

function compileContraction(program: Program, kernel: ContractionKernel): Run {
  const { label, epilogue } = kernel;
  const sizes = epilogueSizes(kernel);
  const body = compileBody(epilogue.body, label, program.uniforms, new Map());
  const frame: Frame = newFrame([epilogue.body], sizes.length);
  return ({ buffers, uniforms }) => {
    frame.uniforms = uniforms;
    frame.slots = epilogue.buffers.map((buffer) => buffers[buffer] as ReferenceBuffer);
    const contract = kernel.kind === "matmul" ? matmul(kernel, buffers) : convolution(kernel, buffers);
    forEachPoint(sizes, frame.variables, 0, () => {
      frame.accumulator = contract(frame.variables);
      body.run(frame);
    });
  };
}

/** Collects a sum of products in the kernel's dtype. */
type Term = (a: number, b: number) => void;
function sumOfProducts(dtype: ComputeDType, terms: (term: Term) => void): number {
  let sum = 0;
  terms((a, b) => {
    sum = applyBinary("add", dtype, sum, applyBinary("mul", dtype, a, b));
  });
  return sum;
}

type Contract = (point: readonly number[]) => number;

function matmul({ batch, k, a, b, dtype }: Extract<Kernel, { kind: "matmul" }>, buffers: readonly ReferenceBuffer[]): Contract {
  const [left, right] = [buffers[a.buffer] as ReferenceBuffer, buffers[b.buffer] as ReferenceBuffer];
  const rank = batch.length;
  const dot = (strides: readonly number[], point: readonly number[]) =>
    strides.reduce((total, stride, axis) => total + stride * (point[axis] as number), 0);
  return (point) => {
    const [group, i, j] = [point.slice(0, rank), point[rank] as number, point[rank + 1] as number];
    return sumOfProducts(dtype, (term) => {
      for (let c = 0; c < k; c++) {
        const from = a.offset + dot(a.strides, [...group, i, c]);
        const to = b.offset + dot(b.strides, [...group, c, j]);
        term(left.data[from] as number, right.data[to] as number);
      }
    });
  };
}

function convolution(kernel: ConvolutionKernel, buffers: readonly ReferenceBuffer[]): Contract {
  const { geometry, dtype, weight, x, y } = kernel;
  const { stride, padding, dilation } = geometry;
  const [inputChannels, outputChannels] = [weight[1], weight[0] / geometry.groups];
  const [, , kh, kw] = weight;
  const element = (buffer: number, shape: Shape) => {
    const data = (buffers[buffer] as ReferenceBuffer).data;
    const [s0, s1, s2, s3] = contiguousStrides(shape) as [number, number, number, number];
    return (i: number, j: number, k: number, l: number) => data[i * s0 + j * s1 + k * s2 + l * s3] as number;
  };
  /** The row of the input that window o meets with its k-th tap. */
  const row = (axis: 0 | 1, o: number, k: number) => o * stride[axis] + k * dilation[axis] - padding[axis];
  /** The window that meets row h with its k-th tap. */
  const window = (axis: 0 | 1, h: number, k: number) => {
    const o = (h + padding[axis] - k * dilation[axis]) / stride[axis];
    return Number.isInteger(o) && o >= 0 && o < (y[2 + axis] as number) ? o : undefined;
  };
  const inside = (h: number, w: number) => h >= 0 && h < x[2] && w >= 0 && w < x[3];
  switch (kernel.kind) {
    case "conv2d": {
      const [input, taps] = [element(kernel.a, x), element(kernel.b, weight)];
      return ([n, o, oh, ow]: readonly number[]) =>
        sumOfProducts(dtype, (term) => {
          const first = Math.floor((o as number) / outputChannels) * inputChannels;
          forEachPoint([inputChannels, kh, kw], scratch, 0, () => {
            const [c, i, j] = scratch as [number, number, number];
            const [h, w] = [row(0, oh as number, i), row(1, ow as number, j)];
            if (inside(h, w)) term(input(n as number, first + c, h, w), taps(o as number, c, i, j));
          });
        });
    }
    case "conv2dInputGradient": {
      const [gradient, taps] = [element(kernel.a, y), element(kernel.b, weight)];
      return ([n, c, h, w]: readonly number[]) =>
        sumOfProducts(dtype, (term) => {
          const group = Math.floor((c as number) / inputChannels);
          forEachPoint([outputChannels, kh, kw], scratch, 0, () => {
            const [o, i, j] = scratch as [number, number, number];
            const [oh, ow] = [window(0, h as number, i), window(1, w as number, j)];
            if (oh === undefined || ow === undefined) return;
            const output = group * outputChannels + o;
            term(gradient(n as number, output, oh, ow), taps(output, (c as number) % inputChannels, i, j));
          });
        });
    }
    case "conv2dWeightGradient": {
      const [input, gradient] = [element(kernel.a, x), element(kernel.b, y)];
      return ([o, c, i, j]: readonly number[]) =>
        sumOfProducts(dtype, (term) => {
          const first = Math.floor((o as number) / outputChannels) * inputChannels;
          forEachPoint([y[0], y[2], y[3]], scratch, 0, () => {
            const [n, oh, ow] = scratch as [number, number, number];
            const [h, w] = [row(0, oh, i as number), row(1, ow, j as number)];
            if (inside(h, w)) term(input(n, first + (c as number), h, w), gradient(n, o as number, oh, ow));
          });
        });
    }
    default:
      return kernel.kind satisfies never;
  }
}

const scratch: number[] = [];

function runIndexed(kernel: IndexedKernel, buffers: readonly ReferenceBuffer[]): void {
  if (kernel.kind === "scatterAdd") {
    scatterAdd(kernel, buffers);
    return;
  }
  const input = buffers[kernel.input] as ReferenceBuffer;
  const output = buffers[kernel.output] as ReferenceBuffer;
  const { outer, size, inner } = kernel;
  const dtype = dtypes[input.dtype].compute;
  const lane: number[] = [];
  forEachPoint([outer, inner], lane, 0, () => {
    const at = (i: number) => ((lane[0] as number) * size + i) * inner + (lane[1] as number);
    if (kernel.kind === "cumSum") {
      let sum = 0;
      for (let i = 0; i < size; i++) {
        sum = applyBinary("add", dtype, sum, input.data[at(i)] as number);
        output.store(at(i), sum);
      }
      return;
    }
    // As elsewhere, float32 values are compared as float32 numbers: equal ones keep their order.
    const key = (i: number) => roundTo(input.dtype, input.data[at(i)] as number);
    const sign = kernel.descending ? -1 : 1;
    const order = Array.from({ length: size }, (_, i) => i).sort((a, b) => sign * compareForSort(key(a), key(b)));
    order.forEach((from, i) => output.store(at(i), from));
  });
}

function scatterAdd(
  { label, axis, shape, targetShape, target, index, source }: Extract<Kernel, { kind: "scatterAdd" }>,
  buffers: readonly ReferenceBuffer[],
): void {
  const [sums, indices, added] = [target, index.buffer, source.buffer].map((buffer) => buffers[buffer]) as [
    ReferenceBuffer,
    ReferenceBuffer,
    ReferenceBuffer,
  ];
  const strides = contiguousStrides(targetShape);
  const point: number[] = [];
  const along = (offset: number, steps: readonly number[]) =>
    steps.reduce((total, stride, i) => total + stride * (point[i] as number), offset);
  forEachPoint(shape, point, 0, () => {
    const to = indices.data[along(index.offset, index.strides)] as number;
    const value = added.data[along(source.offset, source.strides)] as number;
    checkIndex(label, to, targetShape[axis] as number);
    const at = along(0, strides) + (to - (point[axis] as number)) * (strides[axis] as number);
    sums.store(at, (sums.data[at] as number) + value);
  });
}
