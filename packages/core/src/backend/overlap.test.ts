import { expect, test } from "vitest";
import { groupSegments, mayOverlap } from "./overlap.ts";
import type { BufferSpec, LoopKernel, Program } from "./program.ts";

const buffer = (size: number, dtype: BufferSpec["dtype"], offset?: number): BufferSpec =>
  offset === undefined ? { dtype, size, kind: "parameter" } : { dtype, size, kind: "temporary", offset };
const program: Program = {
  buffers: [
    buffer(4, "float32"),
    buffer(4, "bfloat16"),
    buffer(16, "float32", 0),
    buffer(16, "float32", 64),
    buffer(16, "float64", 0),
  ],
  uniforms: [],
  kernels: [],
  arenaBytes: 128,
};

test("temporaries overlap where their bytes do, all other buffers with themselves only", () => {
  const overlaps = (a: number): number[] => [0, 1, 2, 3, 4].filter((b) => mayOverlap(program, a, b));
  expect([0, 1, 2, 3, 4].map(overlaps)).toEqual([[0], [1], [2, 4], [3, 4], [2, 3, 4]]);
});

test("segments are grouped by the dtypes and the overlaps of their slots", () => {
  const segments = [
    [0, 2],
    [1, 2],
    [2, 3],
    [2, 2],
    [3, 0],
  ].map((buffers) => ({ size: 1, buffers }));
  const kernel: LoopKernel = { kind: "loop", label: "test", outer: [5], inner: [], stages: [], segments };
  const groups = groupSegments(kernel, program).map((group) => group.map(({ buffers }) => buffers));
  expect(groups).toEqual([
    [
      [0, 2],
      [2, 3],
      [3, 0],
    ],
    [[1, 2]],
    [[2, 2]],
  ]);
});
