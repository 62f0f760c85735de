/** For tests: Programs of matrix products, and their comparison with the reference backend. */
import {
  allocateHost,
  type BufferSpec,
  type ComputeDType,
  type DType,
  encode,
  type HostArray,
  type Instruction,
  type MatmulKernel,
  type Operand,
  type Program,
  referenceBackend,
  sizeOf,
  validateProgram,
} from "@thalweg/core/backend";
import { expect } from "vitest";
import type { Target } from "../target.ts";
import { runProgram, testTarget } from "../testKernel.ts";

export type Body = "plain" | "bias" | "biasRelu" | "two" | "long" | "gelu" | "inPlace" | "residual" | "scaled";
/** How an operand of lines × k lies: which axis is contiguous (with gaps, or without), or neither. */
export type Layout = "lines" | "k" | "packedLines" | "packedK" | "neither" | "backwards";

export interface ProductOptions {
  readonly batch?: readonly number[];
  readonly a?: Layout;
  readonly b?: Layout;
  /** Batch axes along which the operand is the same. */
  readonly broadcastA?: readonly number[];
  readonly broadcastB?: readonly number[];
  readonly body?: Body;
  /** The result is stored with i contiguous. */
  readonly transposed?: boolean;
  readonly dtype?: Exclude<ComputeDType, "bool">;
  /** Of the operands and of the results in memory. */
  readonly storage?: readonly [DType, DType, DType];
  /** The result has no gaps, and begins where its buffer does. */
  readonly packed?: boolean;
}

/** A view of [batch…, lines, k], and the elements its buffer has to have. */
function operand(
  buffer: number,
  layout: Layout,
  batch: readonly number[],
  broadcast: readonly number[],
  lines: number,
  k: number,
): { readonly view: Operand; readonly size: number } {
  const [line, depth] = {
    lines: [1, lines + 3],
    k: [k + 1, 1],
    packedLines: [1, lines],
    packedK: [k, 1],
    neither: [2 * k + 1, 2],
    backwards: [-(k + 2), 1],
  }[layout] as [number, number];
  const packed = layout === "packedLines" || layout === "packedK";
  const offset = packed ? 0 : 5 + (layout === "backwards" ? (k + 2) * Math.max(0, lines - 1) : 0);
  let next = packed ? lines * k : 7 + Math.abs(line) * lines + Math.abs(depth) * k;
  const strides: number[] = [];
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    strides.unshift(broadcast.includes(axis) ? 0 : next);
    if (!broadcast.includes(axis)) next *= batch[axis] as number;
  }
  return { view: { buffer, offset, strides: [...strides, line, depth] }, size: offset + next };
}

/** Buffers: a, b, bias, result, second result. */
export function productProgram(m: number, n: number, k: number, options: ProductOptions = {}): Program {
  const { batch = [], body = "plain", dtype = "float32", transposed = false, packed = false } = options;
  const [storedA, storedB, stored] = options.storage ?? [dtype, dtype, dtype];
  const a = operand(0, options.a ?? "packedK", batch, options.broadcastA ?? [], m, k);
  const b = operand(1, options.b ?? "packedLines", batch, options.broadcastB ?? [], n, k);
  const rank = batch.length;
  const swapLast = (strides: readonly number[]): number[] => {
    const [line, depth] = strides.slice(rank) as [number, number];
    return [...strides.slice(0, rank), depth, line];
  };
  const gap = packed ? 0 : 2;
  const [row, column] = transposed ? [1, m + gap] : [n + gap, 1];
  const elementStride = (m + gap) * (n + gap);
  const outer = batch.map((_, axis) => elementStride * sizeOf(batch.slice(axis + 1)));
  const out = { offset: packed ? 0 : 3, strides: [...outer, row, column] };
  const bias = { offset: 0, strides: [...batch.map(() => 0), 0, 1] };
  const sum = { id: 0, op: "accumulator", dtype } as const;
  const constant = (id: number, value: number): Instruction => ({ id, op: "constant", dtype, value });
  const bodies: Record<Body, Instruction[]> = {
    plain: [sum, { id: 1, op: "store", slot: 1, at: out, value: 0 }],
    biasRelu: [
      sum,
      { id: 1, op: "load", dtype, slot: 0, at: bias },
      { id: 2, op: "add", dtype, args: [0, 1] },
      { id: 3, op: "relu", dtype, args: [2] },
      { id: 4, op: "store", slot: 1, at: out, value: 3 },
    ],
    bias: [
      sum,
      { id: 1, op: "load", dtype, slot: 0, at: bias },
      { id: 2, op: "add", dtype, args: [0, 1] },
      { id: 3, op: "store", slot: 1, at: out, value: 2 },
    ],
    two: [
      sum,
      { id: 1, op: "uniform", dtype, uniform: 0 },
      { id: 2, op: "mul", dtype, args: [0, 1] },
      { id: 3, op: "store", slot: 1, at: out, value: 0 },
      { id: 4, op: "store", slot: 2, at: out, value: 2 },
    ],
    long: [
      sum,
      { id: 1, op: "load", dtype, slot: 0, at: bias },
      { id: 2, op: "add", dtype, args: [0, 1] },
      { id: 3, op: "index", dtype: "int32", affine: { offset: 1, strides: [...batch.map(() => 2), 3, -1] } },
      { id: 4, op: "cast", dtype, args: [3] },
      { id: 5, op: "mul", dtype, args: [2, 4] },
      constant(6, 4),
      { id: 7, op: "maximum", dtype, args: [5, 6] },
      constant(8, 4096),
      { id: 9, op: "minimum", dtype, args: [7, 8] },
      { id: 10, op: "add", dtype, args: [9, 0] },
      { id: 11, op: "sub", dtype, args: [10, 6] },
      { id: 12, op: "relu", dtype, args: [11] },
      { id: 13, op: "store", slot: 1, at: out, value: 12 },
    ],
    gelu: [
      sum,
      { id: 1, op: "load", dtype, slot: 0, at: bias },
      { id: 2, op: "add", dtype, args: [0, 1] },
      { id: 3, op: "erf", dtype, args: [2] },
      { id: 4, op: "mul", dtype, args: [2, 3] },
      { id: 5, op: "store", slot: 1, at: out, value: 4 },
      { id: 6, op: "store", slot: 2, at: out, value: 2 },
    ],
    inPlace: [
      sum,
      { id: 1, op: "load", dtype, slot: 1, at: out },
      { id: 2, op: "add", dtype, args: [1, 0] },
      { id: 3, op: "store", slot: 1, at: out, value: 2 },
    ],
    residual: [
      sum,
      { id: 1, op: "load", dtype, slot: 2, at: out },
      { id: 2, op: "add", dtype, args: [0, 1] },
      { id: 3, op: "store", slot: 1, at: out, value: 2 },
    ],
    scaled: [
      sum,
      constant(1, 0.5),
      { id: 2, op: "mul", dtype, args: [0, 1] },
      { id: 3, op: "store", slot: 1, at: out, value: 2 },
    ],
  };
  const size = (packed ? 0 : 3) + elementStride * sizeOf(batch);
  const buffers: BufferSpec[] = [
    { dtype: storedA, size: a.size, kind: "input" },
    { dtype: storedB, size: b.size, kind: "input" },
    { dtype: stored, size: n, kind: "input" },
    { dtype: stored, size, kind: "parameter" },
    { dtype: stored, size, kind: "parameter" },
  ];
  const kernel: MatmulKernel = {
    kind: "matmul",
    label: "",
    dtype,
    batch,
    m,
    n,
    k,
    a: a.view,
    b: { ...b.view, strides: swapLast(b.view.strides) },
    epilogue: { body: bodies[body], buffers: [2, 3, 4] },
  };
  return { buffers, uniforms: [{ name: "scale", dtype }], kernels: [kernel], arenaBytes: 0 };
}

/** The kernels of several Programs of one dtype as one Program, compiled and run together. */
function together(programs: readonly Program[]): Program {
  const buffers: BufferSpec[] = [];
  const kernels = programs.flatMap((program) => {
    const first = buffers.length;
    buffers.push(...program.buffers);
    return (program.kernels as readonly MatmulKernel[]).map((kernel) => ({
      ...kernel,
      a: { ...kernel.a, buffer: kernel.a.buffer + first },
      b: { ...kernel.b, buffer: kernel.b.buffer + first },
      epilogue: { ...kernel.epilogue, buffers: kernel.epilogue.buffers.map((buffer) => buffer + first) },
    }));
  });
  return { buffers, uniforms: (programs[0] as Program).uniforms, kernels, arenaBytes: 0 };
}

/** Numbers with few bits: sums of their products are exact, so that bits can be compared. */
export function wholeNumbers(program: Program, seed = 1): HostArray[] {
  let state = (seed * 2654435761 + 1) >>> 0;
  return program.buffers.map(({ dtype, size }) => {
    const array = allocateHost(dtype, size);
    for (let i = 0; i < size; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const value = ((state >>> 20) % 9) - 4;
      encode(dtype, array, i, dtype === "uint32" ? Math.abs(value) : value);
    }
    return array;
  });
}

export function reference(program: Program, inputs: readonly HostArray[]): HostArray[] {
  const backend = referenceBackend();
  const handles = program.buffers.map(({ dtype, size }, index) => {
    const handle = backend.allocate(dtype, size);
    backend.write(handle, inputs[index] as HostArray);
    return handle;
  });
  backend.run(backend.compile(program), handles, [3]);
  return handles.map((handle) => backend.readSync?.(handle) as HostArray);
}

/** Every bit is that of the reference: sums are exact whatever their order. */
export function check(programs: readonly Program[], target: Partial<Target> = {}): void {
  const program = together(programs);
  validateProgram(program);
  const inputs = wholeNumbers(program);
  expect(runProgram(program, inputs, [3], { ...testTarget, ...target })).toEqual(reference(program, inputs));
}
