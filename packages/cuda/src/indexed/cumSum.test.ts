import type { DType, IndexedKernel } from "@thalweg/core/backend";
import { describe, expect, it, vi } from "vitest";
import { testTarget } from "../testKernel.ts";
import { compileIndexed } from "./index.ts";
import { bitsOf, expectReference, type IndexedCase, runIndexed } from "./testIndexed.ts";

type Shape3 = readonly [outer: number, size: number, inner: number];

const cumSum = ([outer, size, inner]: Shape3): IndexedKernel => ({
  kind: "cumSum",
  label: "cumSum",
  outer,
  size,
  inner,
  input: 0,
  output: 1,
});

/** A number with a fraction for every i, of both signs; sums of some thousands of them are exact in float64. */
const value = (dtype: DType, i: number): number => {
  const bits = bitsOf(i);
  if (dtype === "uint32") return bits;
  return dtype === "int32" ? bits | 0 : (bits / 2 ** 31 - 1) * 10;
};

const caseOf = (shape: Shape3, from: DType, to: DType = from): IndexedCase => {
  const length = shape[0] * shape[1] * shape[2];
  return {
    kernel: cumSum(shape),
    buffers: [
      { dtype: from, values: Array.from({ length }, (_, i) => value(from, i)) },
      { dtype: to, values: new Array<number>(length).fill(1) },
    ],
  };
};

const launchesOf = (shape: Shape3, multiprocessors: number): number => {
  const size = shape[0] * shape[1] * shape[2];
  const buffers = [0, 1].map(() => ({ dtype: "float32", size, kind: "parameter" }) as const);
  const program = { buffers, uniforms: [], kernels: [], arenaBytes: 0 };
  const target = { ...testTarget, multiprocessors };
  return compileIndexed(cumSum(shape), { program, target, guarded: false }).launches.length;
};

const shapes: readonly Shape3[] = [
  [1, 1, 1],
  [1, 9, 1],
  [3, 5, 1],
  [11, 7, 1],
  [9, 128, 1],
  [3, 516, 1],
  [2, 1030, 1],
  [2, 3, 2],
  [2, 5, 4],
  [1, 4, 16],
  [3, 2, 33],
  [2, 1, 5],
  [2, 70, 300],
  [0, 3, 2],
  [2, 0, 1],
];

describe("cumSum", () => {
  it("by hand", () => {
    const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const cases = (
      [
        [2, 3, 2],
        [2, 6, 1],
        [1, 2, 6],
      ] as const
    ).map((shape) => ({
      kernel: cumSum(shape),
      buffers: [
        { dtype: "float32", values },
        { dtype: "float32", values: new Array<number>(12).fill(-1) },
      ],
    })) as IndexedCase[];
    expect(runIndexed(cases).map((buffers) => buffers[1])).toEqual([
      [1, 2, 4, 6, 9, 12, 7, 8, 16, 18, 27, 30],
      [1, 3, 6, 10, 15, 21, 7, 15, 24, 34, 45, 57],
      [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18],
    ]);
  });

  it.each(["float32", "int32", "uint32", "bfloat16", "float16"] as const)("of %s, axes of every size", (dtype) => {
    expectReference(shapes.map((shape) => caseOf(shape, dtype)));
  });

  it("of float64, up to the rounding of each sum", () => {
    const [rows, columns] = runIndexed([caseOf([1, 1030, 1], "float64"), caseOf([1, 1030, 2], "float64")]);
    for (const [[input, output], inner] of [
      [rows, 1],
      [columns, 2],
    ] as [[number[], number[]], number][]) {
      const sums = new Array<number>(inner).fill(0);
      for (const [i, x] of input.entries()) {
        sums[i % inner] = (sums[i % inner] as number) + x;
        expect(Math.abs((output[i] as number) - (sums[i % inner] as number))).toBeLessThan(1e-10);
      }
    }
  });

  it("into another dtype of the same arithmetic", () => {
    expectReference(
      shapes.flatMap((shape) => [caseOf(shape, "bfloat16", "float32"), caseOf(shape, "float32", "float16")]),
    );
  });

  it("keeps NaN and infinities", () => {
    const values = [1, Number.NaN, 2, 3, Number.POSITIVE_INFINITY, 4, Number.NEGATIVE_INFINITY, 1, -0, -0];
    expectReference(
      (
        [
          [2, 5, 1],
          [1, 2, 5],
        ] as const
      ).map((shape) => ({
        kernel: cumSum(shape),
        buffers: [
          { dtype: "float32", values },
          { dtype: "float32", values: new Array<number>(10).fill(0) },
        ],
      })),
    );
  });

  it("gives the same bits in whatever order blocks and threads run", () => {
    const cases = (
      [
        [2, 1030, 1],
        [1, 20_001, 1],
        [1, 3000, 4],
      ] as const
    ).map((shape) => caseOf(shape, "float64"));
    const [forward, reverse] = ["forward", "reverse"].map((order) => {
      vi.stubEnv("THALWEG_CUDA_EMULATION_ORDER", order);
      return runIndexed(cases, 2);
    });
    vi.unstubAllEnvs();
    expect(reverse).toEqual(forward);
  });

  it("cuts long rows and columns into chunks, and loses nothing that is small beside the sum", () => {
    const cut: readonly Shape3[] = [
      [1, 20_001, 1],
      [3, 12_288, 1],
      [1, 3000, 4],
      [2, 333, 7],
    ];
    for (const shape of cut) expect(launchesOf(shape, 2)).toBe(3);
    expect(launchesOf([8, 20_001, 1], 2)).toBe(1);
    expectReference(
      [...cut.map((shape) => caseOf(shape, "float32")), ...cut.map((shape) => caseOf(shape, "int32"))],
      2,
    );
    const n = 50_000;
    const values = new Array<number>(n).fill(Math.fround(0.1));
    const [sums] = runIndexed([
      {
        kernel: cumSum([1, n, 1]),
        buffers: [
          { dtype: "float32", values },
          { dtype: "float32", values },
        ],
      },
    ]);
    expect(sums?.[1]?.at(-1)).toBe(Math.fround(n * Math.fround(0.1)));
  });
});
