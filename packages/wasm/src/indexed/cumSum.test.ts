import type { DType, IndexedKernel } from "@thalweg/core/backend";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { testFeatures } from "../testFunction.ts";
import { expectReference, runIndexed, type TestBuffer } from "./testIndexed.ts";

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

/** A number with a long fraction for every i, of both signs. */
const value = (dtype: DType, i: number): number => {
  const bits = Math.imul(i + 1, 0x9e3779b1) >>> 0;
  if (dtype === "uint32") return bits;
  return dtype === "int32" ? bits | 0 : (bits / 2 ** 31 - 1) * 10;
};

const buffersOf = (shape: Shape3, from: DType, to: DType = from): TestBuffer[] => {
  const length = shape[0] * shape[1] * shape[2];
  return [
    { dtype: from, values: Array.from({ length }, (_, i) => value(from, i)) },
    { dtype: to, values: new Array<number>(length).fill(1) },
  ];
};

const shapes: readonly Shape3[] = [
  [1, 1, 1],
  [1, 9, 1],
  [3, 5, 1],
  [4, 5, 1],
  [11, 7, 1],
  [2, 3, 2],
  [3, 4, 3],
  [2, 5, 4],
  [2, 3, 7],
  [1, 4, 16],
  [2, 3, 21],
  [3, 2, 33],
  [2, 1, 5],
];

describe("cumSum", () => {
  it("by hand", () => {
    const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const empty = { dtype: "float32", values: new Array<number>(12).fill(-1) } as const;
    for (const { features } of testFeatures) {
      const sums = (shape: Shape3) =>
        runIndexed(cumSum(shape), [{ dtype: "float32", values }, empty], features).buffers[1];
      expect(sums([2, 3, 2])).toEqual([1, 2, 4, 6, 9, 12, 7, 8, 16, 18, 27, 30]);
      expect(sums([2, 6, 1])).toEqual([1, 3, 6, 10, 15, 21, 7, 15, 24, 34, 45, 57]);
      expect(sums([1, 2, 6])).toEqual([1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18]);
    }
  });

  it.each(["float32", "float64", "int32", "uint32", "bfloat16", "float16"] as const)(
    "of %s, axes of every size",
    (dtype) => {
      for (const shape of shapes) expectReference(cumSum(shape), buffersOf(shape, dtype));
    },
  );

  it("into another dtype of the same arithmetic", () => {
    for (const shape of shapes) {
      expectReference(cumSum(shape), buffersOf(shape, "bfloat16", "float32"));
      expectReference(cumSum(shape), buffersOf(shape, "float32", "float16"));
    }
  });

  it("keeps NaN and infinities", () => {
    const values = [1, Number.NaN, 2, 3, Number.POSITIVE_INFINITY, 4, Number.NEGATIVE_INFINITY, 1];
    for (const shape of [
      [2, 4, 1],
      [1, 2, 4],
    ] as const) {
      expectReference(cumSum(shape), [
        { dtype: "float32", values },
        { dtype: "float32", values: new Array<number>(8).fill(0) },
      ]);
    }
  });

  it("of long rows does not lose what is small beside the sum", () => {
    const n = 50_000;
    const values = new Array<number>(4 * n).fill(Math.fround(0.1));
    const empty = { dtype: "float32", values: new Array<number>(4 * n).fill(0) } as const;
    for (const { features } of testFeatures) {
      for (const shape of [
        [4, n, 1],
        [1, n, 4],
      ] as const) {
        const sums = runIndexed(cumSum(shape), [{ dtype: "float32", values }, empty], features).buffers[1];
        expect(sums?.at(-1)).toBe(Math.fround(n * Math.fround(0.1)));
      }
    }
  });

  it("shares out its rows and columns, in more than one task", () => {
    for (const shape of [
      [70, 300, 1],
      [1, 100, 1003],
      [9, 100, 90],
      [203, 101, 2],
    ] as const) {
      const buffers = buffersOf(shape, "float32");
      const { tasks } = runIndexed(cumSum(shape), buffers, (testFeatures[0] as (typeof testFeatures)[0]).features);
      expect(tasks).toBeGreaterThan(1);
      expectReference(cumSum(shape), buffers);
    }
  });

  it("of nothing", () => {
    for (const shape of [
      [0, 3, 2],
      [2, 0, 3],
      [2, 3, 0],
    ] as const) {
      expectReference(cumSum(shape), buffersOf(shape, "float32"));
    }
  });

  it("of any shape", () => {
    const shape = fc.tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 40 }),
    );
    const dtype = fc.constantFrom<DType>("float32", "float64", "int32", "bfloat16");
    fc.assert(
      fc.property(shape, dtype, (sizes, of) => expectReference(cumSum(sizes), buffersOf(sizes, of))),
      { numRuns: 60 },
    );
  });
});
