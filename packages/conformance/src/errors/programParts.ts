/** Small Programs that keep the rules, to be broken. */
import type {
  Affine,
  BufferSpec,
  ConvolutionKernel,
  Instruction,
  Kernel,
  LoopKernel,
  MatmulKernel,
  Operand,
  Program,
  Stage,
} from "@thalweg/core/backend";

export const at = (offset: number, ...strides: number[]): Affine => ({ offset, strides });
export const load = (id: number, slot: number, where = at(0, 1)): Instruction => ({
  id,
  op: "load",
  dtype: "float32",
  slot,
  at: where,
});
export const store = (id: number, slot: number, value: number, where = at(0, 1)): Instruction => ({
  id,
  op: "store",
  slot,
  at: where,
  value,
});
export const outer = (...body: Instruction[]): Stage => ({ over: "outer", body });
export const inner = (...body: Instruction[]): Stage => ({ over: "inner", body });

/** b0 an input, b1 a parameter, b2 the output, of float32; b3 an input of int32; 8 elements each. */
export const bound: readonly BufferSpec[] = [
  { dtype: "float32", size: 8, kind: "input" },
  { dtype: "float32", size: 8, kind: "parameter" },
  { dtype: "float32", size: 8, kind: "output" },
  { dtype: "int32", size: 8, kind: "input" },
];
export const temporary = (offset: number): BufferSpec => ({ dtype: "float32", size: 8, kind: "temporary", offset });

export const loop = (stages: readonly Stage[], more: Partial<LoopKernel> = {}): LoopKernel => ({
  kind: "loop",
  label: "k",
  outer: [8],
  inner: [],
  stages,
  segments: [{ size: 8, buffers: [0, 1, 2, 3] }],
  ...more,
});
export const copy = (from: number, to: number): LoopKernel =>
  loop([outer(load(0, 0), store(1, 1, 0))], { segments: [{ size: 8, buffers: [from, to] }] });

export const program = (
  kernels: readonly Kernel[],
  more: readonly BufferSpec[] = [],
  rest: Partial<Program> = {},
): Program => ({
  buffers: [...bound, ...more],
  uniforms: [{ name: "lr", dtype: "float32" }],
  kernels,
  arenaBytes: 256,
  ...rest,
});
/** One element-wise kernel that ends by storing value 0. */
export const body = (...instructions: Instruction[]): Program =>
  program([loop([outer(...instructions, store(99, 2, 0))])]);
/** The same in two segments. */
export const segments = (list: LoopKernel["segments"], ...instructions: Instruction[]): Program =>
  program(
    [copy(0, 2), loop([outer(...instructions)], { segments: list })],
    [
      { dtype: "float32", size: 4, kind: "output" },
      { dtype: "float32", size: 4, kind: "output" },
    ],
  );

export const operand = (buffer: number, offset: number, ...strides: number[]): Operand => ({ buffer, offset, strides });
export const product: MatmulKernel = {
  kind: "matmul",
  label: "m",
  dtype: "float32",
  batch: [],
  m: 2,
  n: 4,
  k: 2,
  a: operand(0, 0, 2, 1),
  b: operand(1, 0, 4, 1),
  epilogue: { body: [{ id: 0, op: "accumulator", dtype: "float32" }, store(1, 0, 0, at(0, 4, 1))], buffers: [2] },
};
export const scatter: Extract<Kernel, { kind: "scatterAdd" }> = {
  kind: "scatterAdd",
  label: "s",
  axis: 0,
  targetShape: [8],
  shape: [4],
  target: 2,
  index: operand(3, 0, 1),
  source: operand(0, 4, 1),
};
export const convolution: ConvolutionKernel = {
  kind: "conv2d",
  label: "c",
  dtype: "float32",
  geometry: { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 },
  x: [1, 2, 2, 2],
  weight: [2, 2, 2, 1],
  y: [1, 2, 1, 2],
  a: 0,
  b: 1,
  epilogue: {
    body: [{ id: 0, op: "accumulator", dtype: "float32" }, store(1, 0, 0, at(0, 4, 2, 2, 1))],
    buffers: [2],
  },
};
