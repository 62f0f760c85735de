import { expect, test } from "vitest";
import { formatBytes, kernelStatistics, printProgram, programStatistics } from "./print.ts";
import type { Affine, Kernel, Program } from "./program.ts";

const affine = (offset: number, ...strides: number[]): Affine => ({ offset, strides });

const program: Program = {
  buffers: [
    { dtype: "float32", size: 6, kind: "input", name: "x" },
    { dtype: "float32", size: 12, kind: "parameter", name: "weight" },
    { dtype: "int32", size: 2, kind: "input" },
    { dtype: "float32", size: 8, kind: "temporary", offset: 64 },
    { dtype: "bfloat16", size: 2, kind: "output", name: "loss" },
    { dtype: "float32", size: 99, kind: "temporary", offset: 0 },
  ],
  uniforms: [{ name: "scale", dtype: "float32" }],
  arenaBytes: 2048,
  kernels: [
    {
      kind: "matmul",
      label: "linear + relu",
      dtype: "float32",
      batch: [],
      m: 2,
      n: 4,
      k: 3,
      a: { buffer: 0, offset: 0, strides: [3, 1] },
      b: { buffer: 1, offset: 0, strides: [1, 3] },
      epilogue: {
        body: [
          { id: 0, op: "accumulator", dtype: "float32" },
          { id: 1, op: "relu", dtype: "float32", args: [0] },
          { id: 2, op: "store", slot: 0, at: affine(0, 4, 1), value: 1 },
        ],
        buffers: [3],
      },
    },
    {
      kind: "loop",
      label: "pick and sum",
      outer: [2],
      inner: [3],
      segments: [{ size: 2, buffers: [3, 2, 4] }],
      stages: [
        { over: "outer", body: [{ id: 0, op: "load", dtype: "int32", slot: 1, at: affine(0, 1, 0) }] },
        {
          over: "inner",
          body: [
            {
              id: 1,
              op: "load",
              dtype: "float32",
              slot: 0,
              at: affine(-1, 4, 2),
              conditions: [{ affine: affine(-1, 0, 2), lo: 0, hi: 4 }],
            },
            { id: 2, op: "reduce", dtype: "float32", fn: "sum", value: 1 },
          ],
        },
        {
          over: "outer",
          body: [
            {
              id: 3,
              op: "load",
              dtype: "float32",
              slot: 0,
              at: { offset: 0, strides: [4, 0], dynamic: [{ value: 0, stride: 1, size: 4 }] },
            },
            { id: 4, op: "sub", dtype: "float32", args: [2, 3] },
            { id: 5, op: "uniform", dtype: "float32", uniform: 0 },
            { id: 6, op: "constant", dtype: "float32", value: -0.5 },
            { id: 7, op: "mul", dtype: "float32", args: [5, 6] },
            { id: 8, op: "mul", dtype: "float32", args: [4, 7] },
            { id: 9, op: "store", slot: 2, at: affine(1, -1, 0), value: 8 },
          ],
        },
      ],
    },
  ],
};

test("printProgram in full", () => {
  expect(printProgram(program)).toBe(`program: 2 kernels (1 matmul, 1 loop), 1 uniform, arena 2.0 KiB
moves 140 B: reads 104 B, writes 36 B; at least 84 B whatever the kernels (inputs and parameters read once, results written once)
uniform u0: float32 scale
b0: input float32[6] x
b1: parameter float32[12] weight
b2: input int32[2]
b3: temporary float32[8] at 64
b4: output bfloat16[2] loss

kernel 0: matmul "linear + relu", m 2 n 4 k 3; reads 72 B, writes 32 B
  accumulator = sum over c of b0[i·3 + c] · b1[c + j·3], float32
  epilogue:
    v0 = accumulator
    v1 = relu v0
    store b3[i·4 + j] v1

kernel 1: loop "pick and sum", outer [2] inner [3]; reads 32 B, writes 4 B
  outer:
    v0 = load b2[outer0]
  inner:
    v1 = load b3[outer0·4 + inner0·2 - 1] if 0 ≤ inner0·2 - 1 < 4
    v2 = reduce sum v1
  outer:
    v3 = load b3[outer0·4 + (v0<4)]
    v4 = sub v2 v3
    v5 = uniform u0
    v6 = constant -0.5 float32
    v7 = mul v5 v6
    v8 = mul v4 v7
    store b4[-outer0 + 1] v8
`);
});

test("printProgram in brief", () => {
  expect(printProgram(program, { brief: true })).toBe(`program: 2 kernels (1 matmul, 1 loop), 1 uniform, arena 2.0 KiB
moves 140 B: reads 104 B, writes 36 B; at least 84 B whatever the kernels (inputs and parameters read once, results written once)
kernel 0: matmul "linear + relu", m 2 n 4 k 3; reads 72 B, writes 32 B
kernel 1: loop "pick and sum", outer [2] inner [3]; reads 32 B, writes 4 B
`);
});

test("programStatistics", () => {
  expect(programStatistics(program)).toEqual({
    kernels: 2,
    byKind: { matmul: 1, loop: 1 },
    bytesRead: 104,
    bytesWritten: 36,
    arenaBytes: 2048,
    leastBytes: 24 + 48 + 8 + 4,
  });
});

test("each element counts once: broadcasts, repeats, segments in place", () => {
  const update: Kernel = {
    kind: "loop",
    label: "update",
    outer: [1000],
    inner: [],
    segments: [
      { size: 600, buffers: [0, 2] },
      { size: 400, buffers: [1, 2] },
    ],
    stages: [
      {
        over: "outer",
        body: [
          { id: 0, op: "load", dtype: "float32", slot: 0, at: affine(0, 1) },
          { id: 1, op: "load", dtype: "float32", slot: 0, at: affine(0, 1) },
          { id: 2, op: "load", dtype: "float32", slot: 1, at: affine(0, 0) },
          { id: 3, op: "store", slot: 0, at: affine(0, 1), value: 2 },
        ],
      },
    ],
  };
  const several: Program = {
    buffers: [600, 400, 1].map((size) => ({ dtype: "float32", size, kind: "parameter" })),
    uniforms: [],
    arenaBytes: 0,
    kernels: [update],
  };
  expect(kernelStatistics(several, update)).toEqual({ bytesRead: 4004, bytesWritten: 4000 });
  expect(printProgram(several)).toContain("outer [1000] in 2 segments; reads 3.9 KiB, writes 3.9 KiB");
  expect(printProgram(several)).toContain("  segment 1: 400 × s0=b1 s1=b2\n  outer:\n    v0 = load s0[outer0]\n");
});

test("the other kinds of kernel", () => {
  const others: Program = {
    buffers: [
      { dtype: "float32", size: 16, kind: "parameter" },
      { dtype: "int32", size: 16, kind: "parameter" },
      { dtype: "float32", size: 16, kind: "parameter" },
    ],
    uniforms: [],
    arenaBytes: 0,
    kernels: [
      {
        kind: "scatterAdd",
        label: "rows",
        axis: 0,
        targetShape: [4, 4],
        shape: [2, 4],
        target: 2,
        index: { buffer: 1, offset: 3, strides: [1, 0] },
        source: { buffer: 0, offset: 0, strides: [4, 1] },
      },
      { kind: "cumSum", label: "running", outer: 4, size: 4, inner: 1, input: 0, output: 2 },
      { kind: "argSort", label: "order", outer: 1, size: 16, inner: 1, descending: true, input: 0, output: 1 },
      {
        kind: "conv2dInputGradient",
        label: "conv back",
        dtype: "float32",
        geometry: { stride: [2, 1], padding: [1, 0], dilation: [1, 1], groups: 1 },
        x: [1, 1, 4, 4],
        weight: [1, 1, 2, 2],
        y: [1, 1, 3, 3],
        a: 0,
        b: 0,
        epilogue: {
          body: [
            { id: 0, op: "accumulator", dtype: "float32" },
            { id: 1, op: "store", slot: 0, at: affine(0, 16, 16, 4, 1), value: 0 },
          ],
          buffers: [2],
        },
      },
    ],
  };
  expect(
    printProgram(others).split("\n\n").slice(1).join("\n"),
  ).toBe(`kernel 0: scatterAdd "rows", axis 0 of [2, 4] into [4, 4]; reads 104 B, writes 64 B
  index = b1[p0 + 3]
  b2[index, p1] += b0[p0·4 + p1]
kernel 1: cumSum "running", axis of 4 in [4, 4, 1]; reads 64 B, writes 64 B
  b2 = running sums of b0
kernel 2: argSort "order", axis of 16 in [1, 16, 1]; reads 64 B, writes 64 B
  b1 = descending order of b0
kernel 3: conv2dInputGradient "conv back", x [1, 1, 4, 4] weight [1, 1, 2, 2] y [1, 1, 3, 3]; reads 52 B, writes 64 B
  accumulator = conv2dInputGradient of b0 [1, 1, 3, 3] and b0 [1, 1, 2, 2], stride 2×1 padding 1×0 dilation 1×1 groups 1, float32
  epilogue:
    v0 = accumulator
    store b2[n·16 + c·16 + h·4 + w] v0
`);
});

test("formatBytes", () => {
  expect([0, 1023, 1024, 150 * 1024, 1.5 * 2 ** 20].map(formatBytes)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "150 KiB",
    "1.5 MiB",
  ]);
});
