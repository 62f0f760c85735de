import type { BufferSpec } from "@thalweg/core/backend";
import { expect, test } from "vitest";
import type { KernelLaunch } from "../kernel/launch.ts";
import { testTarget } from "../testKernel.ts";
import { at, buffer, differenceOf, load, loopProgram, operation, store, uniform } from "../testLoops.ts";
import { compileLoop } from "./index.ts";

const small = { ...testTarget, multiprocessors: 1 };

/** p = p - rate · scale · g, where each segment has its own scale. */
const update = (sizes: readonly number[], dtype: BufferSpec["dtype"] = "float32") =>
  loopProgram({
    buffers: sizes.flatMap((size) => [buffer(size, "parameter", dtype), buffer(1), buffer(size)]),
    outer: [sizes.reduce((a, b) => a + b)],
    segments: sizes,
    uniforms: [{ name: "rate", dtype: "float32" }],
    stages: [
      [
        "outer",
        [
          load(0, at([1])),
          load(1, at([0])),
          load(2, at([1])),
          uniform(0),
          operation("mul", 2, 3),
          operation("mul", 4, 1),
          operation("sub", 0, 5),
          store(0, at([1]), 6),
        ],
      ],
    ],
  });

test("segments of all sizes, with scalars of their own", () => {
  const sizes = [1, 0, 7, 64, 65, 3, 5000, 2, 16, 30_000, 1025, 0, 4096];
  for (const target of [small, testTarget]) {
    expect(differenceOf([update(sizes)], { uniforms: [0.3], target })).toBeUndefined();
  }
});

test("more segments than a block has threads", () => {
  const sizes = Array.from({ length: 700 }, (_, i) => (i * 37) % 11);
  expect(differenceOf([update(sizes)], { uniforms: [0.3], target: small })).toBeUndefined();
});

test("all of one element, and none but one with any", () => {
  expect(differenceOf([update([1, 1, 1, 1, 1]), update([0, 900, 0])], { uniforms: [0.3] })).toBeUndefined();
});

test("segments of different dtypes, and of low precision", () => {
  const mixed = loopProgram({
    buffers: [
      buffer(9, "parameter", "bfloat16"),
      buffer(9),
      buffer(700, "parameter"),
      buffer(700),
      buffer(33, "parameter", "bfloat16"),
      buffer(33),
    ],
    outer: [742],
    segments: [9, 700, 33],
    stages: [["outer", [load(0, at([1])), load(1, at([1])), operation("add", 0, 1), store(0, at([1]), 2)]]],
  });
  expect(differenceOf([mixed], { target: small })).toBeUndefined();
  expect(differenceOf([update([901, 15, 8], "float16")], { uniforms: [0.3], target: small })).toBeUndefined();
});

test("one launch, the same function whatever the number of segments and their sizes", () => {
  const launchesOf = (sizes: readonly number[]): readonly KernelLaunch[] => {
    const program = update(sizes);
    const { launches } = compileLoop(program.kernels[0] as never, { program, target: testTarget, guarded: false });
    return launches as readonly KernelLaunch[];
  };
  const many = launchesOf(Array.from({ length: 400 }, (_, i) => 2_000_000 + i));
  const few = launchesOf([200_000_000, 300_000_001, 64_000_000]);
  expect([many.length, few.length]).toEqual([1, 1]);
  expect(many[0]?.source).toBe(few[0]?.source);
  expect(many[0]?.grid[0]).toBeGreaterThan(testTarget.multiprocessors * 16);
  expect(launchesOf([3e9, 1])[0]?.source).toContain("const long long size");
});
