import {
  allocateHost,
  type ContractionKernel,
  type ConvGeometry,
  type ConvolutionKernel,
  contiguousStrides,
  contractionAsLoop,
  convolutionShapes,
  epilogueSizes,
  type HostArray,
  type Instruction,
  type MatmulKernel,
  type Program,
  referenceBackend,
  type Shape,
  sizeOf,
  validateProgram,
} from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { runProgram } from "../testKernel.ts";

type DType = "float32" | "float64" | "int32";
type Quad = readonly [number, number, number, number];

/** The result plus a bias along axis 1 where two conditions hold, else minus where it stands. */
function bodyOf(shape: Shape, dtype: DType): Instruction[] {
  const along = (...strides: number[]) => ({ offset: 0, strides: shape.map((_, axis) => strides[axis] ?? 0) });
  const condition = { affine: along(1, 1), lo: 1, hi: 3 };
  return [
    { id: 0, op: "accumulator", dtype },
    { id: 1, op: "inside", dtype: "bool", conditions: [condition] },
    { id: 2, op: "index", dtype: "int32", affine: { offset: -2, strides: shape.map((_, axis) => 3 - axis) } },
    { id: 3, op: "cast", dtype, args: [2] },
    { id: 4, op: "load", dtype, slot: 0, at: along(0, 1), conditions: [condition] },
    { id: 5, op: "add", dtype, args: [0, 4] },
    { id: 6, op: "sub", dtype, args: [0, 3] },
    { id: 7, op: "where", dtype, args: [1, 5, 6] },
    { id: 8, op: "store", slot: 1, at: { offset: 0, strides: contiguousStrides(shape) }, value: 7 },
  ];
}

function programOf(kernel: ContractionKernel, sizes: readonly [number, number]): Program {
  const { dtype } = kernel;
  const shape = epilogueSizes(kernel);
  return {
    buffers: [
      { dtype, size: sizes[0], kind: "input" },
      { dtype, size: sizes[1], kind: "input" },
      { dtype, size: shape[1] as number, kind: "input" },
      { dtype, size: sizeOf(shape), kind: "output" },
    ],
    uniforms: [],
    kernels: [{ ...kernel, epilogue: { body: bodyOf(shape, dtype as DType), buffers: [2, 3] } }],
    arenaBytes: 0,
  };
}

const none = { body: [], buffers: [] };

function convolution(
  kind: ConvolutionKernel["kind"],
  dtype: DType,
  x: Quad,
  weight: Quad,
  geometry: Partial<ConvGeometry>,
): Program {
  const { stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 } = geometry;
  const extent = (axis: 0 | 1): number =>
    Math.floor((x[2 + axis] as number) + 2 * padding[axis] - dilation[axis] * ((weight[2 + axis] as number) - 1) - 1);
  const y: Quad = [x[0], weight[0], Math.floor(extent(0) / stride[0]) + 1, Math.floor(extent(1) / stride[1]) + 1];
  const kernel: ConvolutionKernel = {
    kind,
    label: "",
    dtype,
    geometry: { stride, padding, dilation, groups },
    x,
    weight,
    y,
    a: 0,
    b: 1,
    epilogue: none,
  };
  const { a, b } = convolutionShapes(kernel);
  return programOf(kernel, [sizeOf(a), sizeOf(b)]);
}

function inputsOf(program: Program): HostArray[] {
  let state = 1;
  return program.buffers.slice(0, 3).map(({ dtype, size }) => {
    const array = allocateHost(dtype, size);
    for (let i = 0; i < size; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      array[i] = ((state >>> 20) % 9) - 4;
    }
    return array;
  });
}

function reference(program: Program, inputs: readonly HostArray[]): HostArray {
  const backend = referenceBackend();
  const handles = program.buffers.map(({ dtype, size }, index) => {
    const handle = backend.allocate(dtype, size);
    backend.write(handle, inputs[index] ?? allocateHost(dtype, size));
    return handle;
  });
  backend.run(backend.compile(program), handles, []);
  return backend.readSync?.(handles[3] as NonNullable<(typeof handles)[0]>) as HostArray;
}

/** The lowered Program and, on an engine without SIMD, the compiled one give what the contraction does. */
function check(program: Program): void {
  const lowered: Program = { ...program, kernels: [contractionAsLoop(program.kernels[0] as ContractionKernel)] };
  validateProgram(program);
  validateProgram(lowered);
  const inputs = inputsOf(program);
  const expected = reference(program, inputs);
  expect(reference(lowered, inputs)).toEqual(expected);
  expect(runProgram(program, inputs, [], { simd: false, relaxed: false })[3]).toEqual(expected);
}

const geometries: readonly (readonly [string, Quad, Quad, Partial<ConvGeometry>])[] = [
  ["plain", [2, 3, 5, 6], [4, 3, 3, 2], {}],
  ["padded", [1, 2, 4, 5], [3, 2, 3, 3], { padding: [1, 2] }],
  ["strided", [2, 2, 7, 8], [2, 2, 3, 3], { stride: [2, 3], padding: [1, 1] }],
  ["dilated", [1, 2, 7, 8], [3, 2, 2, 3], { dilation: [2, 3], padding: [2, 1] }],
  ["strided on one axis", [1, 2, 7, 8], [3, 2, 2, 3], { stride: [1, 2], dilation: [2, 1], padding: [0, 1] }],
  ["strided and dilated", [1, 2, 9, 9], [3, 2, 3, 3], { stride: [2, 3], dilation: [3, 2], padding: [3, 2] }],
  ["grouped", [2, 6, 4, 4], [4, 3, 3, 3], { groups: 2, padding: [1, 1] }],
  ["depthwise", [1, 3, 5, 5], [6, 1, 2, 2], { groups: 3, stride: [2, 2] }],
];

describe("contractionAsLoop", () => {
  for (const kind of ["conv2d", "conv2dInputGradient", "conv2dWeightGradient"] as const) {
    it.each(geometries)(`lowers ${kind}: %s`, (_, x, weight, geometry) => {
      check(convolution(kind, "float32", x, weight, geometry));
      check(convolution(kind, "int32", x, weight, geometry));
    });
  }

  it("lowers matmul of any strides", () => {
    for (const dtype of ["float32", "float64", "int32"] as const) {
      const kernel: MatmulKernel = {
        kind: "matmul",
        label: "",
        dtype,
        batch: [2, 3],
        m: 4,
        n: 5,
        k: 6,
        a: { buffer: 0, offset: 1, strides: [24, 0, 1, 4] },
        b: { buffer: 1, offset: 35, strides: [0, 30, -6, -1] },
        epilogue: none,
      };
      check(programOf(kernel, [60, 120]));
      check(programOf({ ...kernel, k: 0 }, [60, 120]));
    }
  });

  it("gives literal sums", () => {
    // [1, 2] over [3, 4, 5], no padding: 11, 14; then the body: 0 + 0 not inside, minus (-2), and so on.
    const program = convolution("conv2d", "float32", [1, 1, 1, 3], [1, 1, 1, 2], {});
    const lowered: Program = { ...program, kernels: [contractionAsLoop(program.kernels[0] as ContractionKernel)] };
    const inputs = [Float32Array.of(3, 4, 5), Float32Array.of(1, 2), Float32Array.of(9)];
    expect(reference(lowered, inputs)).toEqual(Float32Array.of(13, 16));
  });
});
