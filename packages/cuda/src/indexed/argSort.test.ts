import type { DType, IndexedKernel } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { testTarget } from "../testKernel.ts";
import { compileIndexed } from "./index.ts";
import { bitsOf, expectReference, type IndexedCase, runIndexed } from "./testIndexed.ts";

type Shape3 = readonly [outer: number, size: number, inner: number];

const argSort = ([outer, size, inner]: Shape3, descending: boolean): IndexedKernel => ({
  kind: "argSort",
  label: "argSort",
  outer,
  size,
  inner,
  descending,
  input: 0,
  output: 1,
});

/** Both directions. */
const casesOf = (shape: Shape3, dtype: DType, values: readonly number[]): IndexedCase[] =>
  [false, true].map((descending) => ({
    kernel: argSort(shape, descending),
    buffers: [
      { dtype, values },
      { dtype: "int32", values: values.map(() => -1) },
    ],
  }));

const ordersOf = (dtype: DType, values: readonly number[]) =>
  runIndexed(casesOf([1, values.length, 1], dtype, values)).map((buffers) => buffers[1]);

/** Numbers of which many are equal. */
const few = (dtype: DType, length: number): number[] =>
  Array.from({ length }, (_, i) => {
    const whole = bitsOf(i) >>> 27;
    if (dtype === "bool") return whole & 1;
    return dtype === "uint32" ? whole : dtype === "int32" ? whole - 16 : (whole - 16) / 4;
  });

const dtypes = ["float32", "float64", "int32", "uint32", "bool", "bfloat16", "float16"] as const;

describe("argSort", () => {
  it.each(["float32", "float64", "bfloat16", "float16"] as const)(
    "by hand, of %s: stable in both directions, NaN the largest, zeros equal",
    (dtype) => {
      const values = [3, Number.NaN, 0, -0, 3, Number.NEGATIVE_INFINITY, -0, Number.NaN, Number.POSITIVE_INFINITY, 0];
      expect(ordersOf(dtype, values)).toEqual([
        [5, 2, 3, 6, 9, 0, 4, 8, 1, 7],
        [1, 7, 8, 0, 4, 2, 3, 6, 9, 5],
      ]);
    },
  );

  it("takes every NaN for the same, whatever its sign", () => {
    const negative = new Float32Array(new Uint32Array([0xffc00000]).buffer)[0] as number;
    expect(ordersOf("float32", [negative, 1, Number.NaN, -1])[0]).toEqual([3, 1, 0, 2]);
  });

  it("whole numbers of all sizes", () => {
    expect(ordersOf("int32", [5, -(2 ** 31), 2 ** 31 - 1, -1, 0, 1, -(2 ** 31) + 1])).toEqual([
      [1, 6, 3, 4, 5, 0, 2],
      [2, 0, 5, 4, 3, 6, 1],
    ]);
    expect(ordersOf("uint32", [5, 2 ** 32 - 1, 2 ** 31, 0, 2 ** 31 - 1, 1])).toEqual([
      [3, 5, 0, 4, 2, 1],
      [1, 2, 4, 0, 5, 3],
    ]);
  });

  it("numbers next to each other, the smallest and the largest", () => {
    const tiny = 2 ** -149;
    const most = 3.4028234663852886e38;
    const values = [tiny, 0, -tiny, 1, 1 + 2 ** -23, -1, -1 - 2 ** -23, most, -most];
    const wide = [5e-324, 0, -5e-324, 1, 1 + 2 ** -52, -1, Number.MAX_VALUE, -Number.MAX_VALUE, 1 - 2 ** -53];
    expectReference([...casesOf([1, 9, 1], "float32", values), ...casesOf([1, 9, 1], "float64", wide)]);
  });

  it.each(dtypes)("of %s, axes of every size, many ties", (dtype) => {
    const sizes = [1, 2, 3, 31, 32, 33, 63, 64, 65, 257, 600];
    const shapes: Shape3[] = [
      ...sizes.map((size): Shape3 => [1, size, 1]),
      [3, 37, 1],
      [1000, 2, 1],
      [70, 1, 3],
      [1, 20, 5],
      [4, 7, 3],
      [3, 300, 7],
    ];
    expectReference(shapes.flatMap((shape) => casesOf(shape, dtype, few(dtype, shape[0] * shape[1] * shape[2]))));
  });

  it.each([
    ["float32", 4096, 1],
    ["float64", 2048, 1],
    ["float32", 4097, 3],
    ["float64", 2049, 2],
    ["float64", 4099, 3],
    ["float32", 8193, 4],
    ["bfloat16", 5000, 3],
  ] as const)("of %s, %i to a row, in %i launches", (dtype, n, launches) => {
    const [kernel] = casesOf([2, n, 1], dtype, []);
    const program = {
      buffers: [{ dtype, size: 2 * n, kind: "input" as const }],
      uniforms: [],
      kernels: [],
      arenaBytes: 0,
    };
    const compiled = compileIndexed((kernel as IndexedCase).kernel, { program, target: testTarget, guarded: false });
    expect(compiled.launches.length).toBe(launches);
    expectReference([
      ...casesOf(
        [2, n, 1],
        dtype,
        Array.from({ length: 2 * n }, (_, i) => bitsOf(i) / 2 ** 16 - 2 ** 15),
      ),
      ...casesOf([1, n, 1], dtype, few(dtype, n)),
      ...casesOf(
        [1, n, 2],
        dtype,
        Array.from({ length: 2 * n }, (_, i) => -i),
      ),
    ]);
  });

  it("of nothing", () => {
    expectReference(
      [[0, 3, 2] as const, [2, 0, 3] as const, [2, 3, 0] as const].flatMap((shape) => casesOf(shape, "float32", [])),
    );
  });
});
