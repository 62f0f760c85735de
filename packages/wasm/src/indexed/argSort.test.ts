import type { DType, IndexedKernel } from "@thalweg/core/backend";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { testFeatures } from "../testFunction.ts";
import { expectReference, runIndexed, type TestBuffer } from "./testIndexed.ts";

type Shape3 = readonly [outer: number, size: number, inner: number];

const argSort = ([outer, size, inner]: Shape3, descending = false): IndexedKernel => ({
  kind: "argSort",
  label: "argSort",
  outer,
  size,
  inner,
  descending,
  input: 0,
  output: 1,
});

const buffersOf = (dtype: DType, values: readonly number[]): TestBuffer[] => [
  { dtype, values },
  { dtype: "int32", values: values.map(() => -1) },
];

/** Both directions, against the reference. */
function expectOrder(shape: Shape3, dtype: DType, values: readonly number[]): void {
  for (const descending of [false, true]) expectReference(argSort(shape, descending), buffersOf(dtype, values));
}

const order = (dtype: DType, values: readonly number[], descending: boolean) =>
  testFeatures.map(
    ({ features }) =>
      runIndexed(argSort([1, values.length, 1], descending), buffersOf(dtype, values), features).buffers[1],
  );

const bits = (i: number): number => Math.imul(i + 1, 0x9e3779b1) >>> 0;

/** Numbers of which many are equal. */
const few = (dtype: DType, length: number): number[] =>
  Array.from({ length }, (_, i) => {
    const whole = bits(i) >>> 27;
    if (dtype === "bool") return whole & 1;
    return dtype === "uint32" ? whole : dtype === "int32" ? whole - 16 : (whole - 16) / 4;
  });

const dtypes = ["float32", "float64", "int32", "uint32", "bool", "bfloat16", "float16"] as const;

describe("argSort", () => {
  it("by hand: stable in both directions, NaN the largest, zeros equal", () => {
    const values = [3, Number.NaN, 0, -0, 3, Number.NEGATIVE_INFINITY, -0, Number.NaN, Number.POSITIVE_INFINITY, 0];
    for (const dtype of ["float32", "float64", "bfloat16", "float16"] as const) {
      for (const got of order(dtype, values, false)) expect(got).toEqual([5, 2, 3, 6, 9, 0, 4, 8, 1, 7]);
      for (const got of order(dtype, values, true)) expect(got).toEqual([1, 7, 8, 0, 4, 2, 3, 6, 9, 5]);
    }
  });

  it("takes every NaN for the same, whatever its sign", () => {
    // A quotient of zeros has its sign bit set on x86; -NaN in a typed array keeps it as well.
    const negative = new Float32Array(new Uint32Array([0xffc00000]).buffer)[0] as number;
    for (const got of order("float32", [negative, 1, Number.NaN, -1], false)) expect(got).toEqual([3, 1, 0, 2]);
  });

  it("whole numbers of all sizes", () => {
    const signed = [5, -(2 ** 31), 2 ** 31 - 1, -1, 0, 1, -(2 ** 31) + 1];
    for (const got of order("int32", signed, false)) expect(got).toEqual([1, 6, 3, 4, 5, 0, 2]);
    for (const got of order("int32", signed, true)) expect(got).toEqual([2, 0, 5, 4, 3, 6, 1]);
    const unsigned = [5, 2 ** 32 - 1, 2 ** 31, 0, 2 ** 31 - 1, 1];
    for (const got of order("uint32", unsigned, false)) expect(got).toEqual([3, 5, 0, 4, 2, 1]);
    for (const got of order("uint32", unsigned, true)) expect(got).toEqual([1, 2, 4, 0, 5, 3]);
    for (const got of order("bool", [1, 0, 1, 0], false)) expect(got).toEqual([1, 3, 0, 2]);
    for (const got of order("bool", [1, 0, 1, 0], true)) expect(got).toEqual([0, 2, 1, 3]);
  });

  it("numbers next to each other, the smallest and the largest", () => {
    const tiny = 2 ** -149;
    const values = [tiny, 0, -tiny, 1, 1 + 2 ** -23, -1, -1 - 2 ** -23, 3.4028234663852886e38, -3.4028234663852886e38];
    expectOrder([1, 9, 1], "float32", values);
    const wide = [5e-324, 0, -5e-324, 1, 1 + 2 ** -52, -1, Number.MAX_VALUE, -Number.MAX_VALUE, 1 - 2 ** -53];
    expectOrder([1, 9, 1], "float64", wide);
  });

  it.each(dtypes)("of %s, axes of every size, many ties", (dtype) => {
    const shapes: Shape3[] = [
      ...[1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 66, 100, 257].map((size): Shape3 => [1, size, 1]),
      [3, 37, 1],
      [1, 20, 5],
      [4, 7, 3],
    ];
    for (const shape of shapes) expectOrder(shape, dtype, few(dtype, shape[0] * shape[1] * shape[2]));
  });

  it("long rows: at random, sorted, turned round, all equal", () => {
    const n = 5000;
    for (const dtype of ["float32", "float64"] as const) {
      expectOrder(
        [1, n, 1],
        dtype,
        Array.from({ length: n }, (_, i) => bits(i) / 2 ** 16 - 2 ** 15),
      );
      expectOrder(
        [1, n, 1],
        dtype,
        Array.from({ length: n }, (_, i) => i),
      );
      expectOrder(
        [1, n, 1],
        dtype,
        Array.from({ length: n }, (_, i) => -i),
      );
      expectOrder([1, n, 1], dtype, new Array<number>(n).fill(7));
    }
  });

  it("shares out its rows, in more than one task", () => {
    for (const shape of [
      [40, 200, 1],
      [5, 100, 30],
    ] as const) {
      for (const dtype of ["float32", "float64"] as const) {
        const values = few(dtype, shape[0] * shape[1] * shape[2]);
        for (const { features } of testFeatures) {
          expect(runIndexed(argSort(shape), buffersOf(dtype, values), features).tasks).toBeGreaterThan(1);
        }
        expectOrder(shape, dtype, values);
      }
    }
  });

  it("of nothing", () => {
    for (const shape of [
      [0, 3, 2],
      [2, 0, 3],
      [2, 3, 0],
    ] as const)
      expectOrder(shape, "float32", []);
  });

  it("of any numbers", () => {
    const shape = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 4 }),
    );
    const numbers = fc.array(
      fc.oneof(fc.float(), fc.integer({ min: -3, max: 3 }), fc.constant(-0), fc.constant(Number.NaN)),
      {
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(shape, numbers, fc.constantFrom<DType>("float32", "float64", "bfloat16"), (sizes, some, dtype) => {
        const length = sizes[0] * sizes[1] * sizes[2];
        const at = (i: number) => some[(bits(i) >>> 8) % some.length] as number;
        expectOrder(
          sizes,
          dtype,
          Array.from({ length }, (_, i) => at(i)),
        );
      }),
      { numRuns: 60 },
    );
  });
});
