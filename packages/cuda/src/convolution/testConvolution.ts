/** For tests: convolutions of any geometry with some epilogues, as one Program on the emulation, beside the reference. */
import {
  allocateHost,
  type BufferSpec,
  type ConvolutionKernel,
  contiguousStrides,
  convolutionShapes,
  type DType,
  encode,
  type HostArray,
  type Instruction,
  type Program,
  referenceBackend,
  sizeOf,
  validateProgram,
} from "@thalweg/core/backend";
import type { CompiledKernel } from "../kernel/launch.ts";
import type { Target } from "../target.ts";
import { runProgram, testTarget } from "../testKernel.ts";
import { compileConvolution } from "./index.ts";

export type Kind = ConvolutionKernel["kind"];
export const kinds: readonly Kind[] = ["conv2d", "conv2dInputGradient", "conv2dWeightGradient"];
export type Body = "plain" | "biasRelu" | "transposed" | "residual" | "long" | "inPlace";
export const bodies: readonly Body[] = ["plain", "biasRelu", "transposed", "residual", "long", "inPlace"];

export interface Geometry {
  /** [n, c, h, w] */
  readonly x: readonly [number, number, number, number];
  readonly o: number;
  readonly kernel: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
  /** Windows left out at the ends. */
  readonly less?: readonly [number, number];
  readonly dtype?: "float32" | "float64" | "int32";
  /** What the operands are kept in. */
  readonly storage?: DType;
}

export interface Case {
  readonly kind: Kind;
  readonly geometry: Geometry;
  readonly body: Body;
}

/** Buffers: a, b, one number per channel (axis 1 of the result), one per element of the result, the result. */
function kernelOf({ kind, geometry, body }: Case, first: number): { kernel: ConvolutionKernel; buffers: BufferSpec[] } {
  const { x, o, kernel, groups = 1, dtype = "float32" } = geometry;
  const { stride = [1, 1], padding = [0, 0], dilation = [1, 1] } = geometry;
  const windows = ([0, 1] as const).map((axis) => {
    const room = (x[2 + axis] as number) + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1;
    return Math.floor(room / stride[axis]) + 1 - (geometry.less?.[axis] ?? 0);
  }) as [number, number];
  const convolution: ConvolutionKernel = {
    kind,
    label: "",
    dtype,
    geometry: { stride, padding, dilation, groups },
    x,
    weight: [o, x[1] / groups, ...kernel],
    y: [x[0], o, ...windows],
    a: first,
    b: first + 1,
    epilogue: { body: [], buffers: [first + 2, first + 3, first + 4] },
  };
  const { a, b, result } = convolutionShapes(convolution);
  const shape = result as [number, number, number, number];
  const storage = geometry.storage ?? dtype;
  const buffers: BufferSpec[] = [
    { dtype: storage, size: sizeOf(a), kind: "input" },
    { dtype: storage, size: sizeOf(b), kind: "input" },
    { dtype, size: shape[1], kind: "input" },
    { dtype, size: sizeOf(shape), kind: "input" },
    { dtype, size: sizeOf(shape), kind: "parameter" },
  ];
  return {
    kernel: { ...convolution, epilogue: { ...convolution.epilogue, body: bodyOf(body, dtype, shape) } },
    buffers,
  };
}

function bodyOf(
  body: Body,
  dtype: "float32" | "float64" | "int32",
  shape: readonly [number, number, number, number],
): readonly Instruction[] {
  const strides = contiguousStrides(shape);
  const [s0, s1] = strides as [number, number];
  const at = { offset: 0, strides };
  const byChannel = { offset: 0, strides: [0, 1, 0, 0] };
  const sum = { id: 0, op: "accumulator", dtype } as const;
  const store = (id: number, value: number, to = at): Instruction => ({ id, op: "store", slot: 2, at: to, value });
  switch (body) {
    case "plain":
      return [sum, store(1, 0)];
    case "biasRelu":
      return [
        sum,
        { id: 1, op: "load", dtype, slot: 0, at: byChannel },
        { id: 2, op: "add", dtype, args: [0, 1] },
        { id: 3, op: "relu", dtype, args: [2] },
        store(4, 3),
      ];
    case "transposed":
      // The last two axes exchanged: they cannot be numbered through.
      return [sum, store(1, 0, { offset: 0, strides: [s0, s1, 1, shape[2]] })];
    case "residual":
      return [
        sum,
        { id: 1, op: "load", dtype, slot: 1, at },
        { id: 2, op: "uniform", dtype, uniform: ["float32", "float64", "int32"].indexOf(dtype) },
        { id: 3, op: "mul", dtype, args: [1, 2] },
        { id: 4, op: "add", dtype, args: [0, 3] },
        store(5, 4),
      ];
    case "long":
      return [
        sum,
        { id: 1, op: "index", dtype: "int32", affine: { offset: 1, strides: [2, 3, -1, 5] } },
        { id: 2, op: "cast", dtype, args: [1] },
        { id: 3, op: "mul", dtype, args: [0, 2] },
        { id: 4, op: "load", dtype, slot: 1, at },
        { id: 5, op: "maximum", dtype, args: [3, 4] },
        { id: 6, op: "load", dtype, slot: 0, at: byChannel },
        { id: 7, op: "sub", dtype, args: [5, 6] },
        { id: 8, op: "minimum", dtype, args: [7, 2] },
        { id: 9, op: "neg", dtype, args: [8] },
        store(10, 9),
      ];
    case "inPlace":
      return [sum, { id: 1, op: "load", dtype, slot: 2, at }, { id: 2, op: "add", dtype, args: [1, 0] }, store(3, 2)];
    default:
      return body satisfies never;
  }
}

/** All cases as one Program: each Program costs a run of the compiler. */
export function programOf(cases: readonly Case[]): Program {
  const buffers: BufferSpec[] = [];
  const kernels = cases.map((some) => {
    const { kernel, buffers: own } = kernelOf(some, buffers.length);
    buffers.push(...own);
    return kernel;
  });
  const uniforms = (["float32", "float64", "int32"] as const).map((dtype) => ({ name: dtype, dtype }));
  return { buffers, uniforms, kernels, arenaBytes: 0 };
}

/** Numbers with few bits: sums of their products are exact, so that bits can be compared whatever the order. */
export function inputsOf({ buffers }: Program): HostArray[] {
  let state = 1;
  return buffers.map(({ dtype, size }) => {
    const array = allocateHost(dtype, size);
    for (let i = 0; i < size; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      encode(dtype, array, i, ((state >>> 20) % 9) - 4);
    }
    return array;
  });
}

function referenceOf(program: Program, inputs: readonly HostArray[]): HostArray[] {
  const backend = referenceBackend();
  const handles = program.buffers.map(({ dtype, size }, index) => {
    const handle = backend.allocate(dtype, size);
    backend.write(handle, inputs[index] as HostArray);
    return handle;
  });
  backend.run(backend.compile(program), handles, [3, 3, 3]);
  return handles.map((handle) => backend.readSync?.(handle) as HostArray);
}

export function check(cases: readonly Case[], target: Partial<Target> = {}): void {
  const program = programOf(cases);
  validateProgram(program);
  const inputs = inputsOf(program);
  const got = runProgram(program, inputs, [3, 3, 3], { ...testTarget, ...target });
  for (const [buffer, expected] of referenceOf(program, inputs).entries()) {
    const found = got[buffer] as HostArray;
    // Every buffer: operands have to stay as they are. + 0: a sum of nothing may have either sign.
    const at = expected.findIndex((value, i) => !Object.is(value + 0, (found[i] as number) + 0));
    if (at >= 0) {
      const kernel = JSON.stringify(cases[Math.floor(buffer / 5)]);
      throw new Error(`${kernel}: element ${at} of buffer ${buffer % 5} is ${found[at]}, expected ${expected[at]}`);
    }
  }
}

export const compile = (some: Case, target: Partial<Target> = {}): CompiledKernel => {
  const program = programOf([some]);
  return compileConvolution(program.kernels[0] as ConvolutionKernel, {
    program,
    target: { ...testTarget, ...target },
    guarded: false,
  });
};
