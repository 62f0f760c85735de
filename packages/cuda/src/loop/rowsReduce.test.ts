import type { DType, Kernel } from "@thalweg/core/backend";
import { describe, expect, test } from "vitest";
import { compileKernel } from "../kernel/compileKernel.ts";
import type { KernelLaunch } from "../kernel/launch.ts";
import { testTarget } from "../testKernel.ts";
import { at, buffer, differenceOf, load, loopProgram, numbers, reduce, store } from "../testLoops.ts";
import { bothWays, functions, reduction, run } from "./testRows.ts";

describe("one reduction", () => {
  const shapes = [
    [1, 1],
    [3, 5],
    [70, 3],
    [3000, 4],
    [33, 31],
    [5, 32],
    [9, 33],
    [10, 128],
    [600, 200],
    [2, 1000],
    [3, 5000],
    [1, 70_000],
    [4, 40_001],
  ] as const;
  test.each(functions)("%s along rows and along columns", (fn) => {
    const programs = shapes.flatMap(([rows, columns]) =>
      bothWays(rows, columns).map((strides) => reduction(fn, rows, columns, strides)),
    );
    const contents: Record<number, Float32Array> = {};
    for (const [index, [rows, columns]] of shapes.entries()) {
      const values = (numbers(rows * columns, "float32", index) as Float32Array).map((x) =>
        fn === "prod" ? 1 + x / 1000 : x,
      );
      contents[4 * index] = values;
      contents[4 * index + 2] = values;
    }
    expect(differenceOf(programs, { contents, tolerance: 1e-4 })).toBeUndefined();
  });

  test.each(["float64", "int32", "uint32", "bool"] as const)("of %s", (dtype) => {
    const programs = functions.flatMap((fn) => {
      if (dtype === "bool" && (fn === "sum" || fn === "prod")) return [];
      return [
        [6, 11],
        [3, 700],
        [2, 40_000],
      ].flatMap(([rows, columns]) =>
        bothWays(rows as number, columns as number).map((strides) =>
          reduction(fn, rows as number, columns as number, strides, dtype),
        ),
      );
    });
    expect(differenceOf(programs, { tolerance: 0 })).toBeUndefined();
  });

  test.each(["bfloat16", "float16"] as const)("of %s", (dtype) => {
    const sum = (rows: number, columns: number, strides: readonly number[]) =>
      loopProgram({
        buffers: [buffer(rows * columns, "input", dtype), buffer(rows, "output")],
        outer: [rows],
        inner: [columns],
        stages: [
          ["inner", [load(0, at(strides)), reduce("sum", 0)]],
          ["outer", [store(1, at([1, 0]), 1)]],
        ],
      });
    const programs = [
      [6, 11],
      [40, 768],
      [512, 300],
      [1, 40_000],
    ].flatMap(([rows, columns]) =>
      bothWays(rows as number, columns as number).map((strides) => sum(rows as number, columns as number, strides)),
    );
    expect(differenceOf(programs, { tolerance: 1e-4 })).toBeUndefined();
  });

  test.each([9, 30_000])("the first extreme of %i counts, NaN is most, and max and min keep it", (size) => {
    const starts = [
      [1, 5, 5, 2, 5, 0, -1, 5, 4],
      [1, 5, Number.NaN, 2, 9, Number.NaN, 0, 0, 7],
      new Array<number>(9).fill(Number.NEGATIVE_INFINITY),
    ];
    const rows = starts.map((start, row) => (i: number) => start[i] ?? (row === 2 ? Number.NEGATIVE_INFINITY : 1));
    for (const byColumn of [false, true]) {
      const input = Float32Array.from({ length: 3 * size }, (_v, i) =>
        byColumn ? (rows[i % 3]?.(Math.floor(i / 3)) as number) : (rows[Math.floor(i / size)]?.(i % size) as number),
      );
      const result = (fn: string) => run(reduction(fn, 3, size, byColumn ? [1, 3] : [size, 1]), input)[1];
      expect(result("argMax")).toEqual([1, 2, 0]);
      expect(result("argMin")).toEqual([6, 2, 0]);
      expect(result("max")).toEqual([5, Number.NaN, Number.NEGATIVE_INFINITY]);
      expect(result("min")).toEqual([-1, Number.NaN, Number.NEGATIVE_INFINITY]);
    }
  });

  test("nothing to reduce, and nothing to do it for", () => {
    for (const [fn, identity] of [
      ["sum", 0],
      ["prod", 1],
      ["max", Number.NEGATIVE_INFINITY],
      ["argMin", 0],
    ] as const) {
      expect(run(reduction(fn, 3, 0, [0, 1]), new Float32Array(0))[1]).toEqual([identity, identity, identity]);
      expect(run(reduction(fn, 0, 3, [3, 1]), new Float32Array(0))[1]).toEqual([]);
    }
  });

  test("sums of ones are exact, however many blocks there are", () => {
    const size = 300_001;
    expect(run(reduction("sum", 1, size, [size, 1]), new Float32Array(size).fill(1))[1]).toEqual([size]);
    const three = new Float32Array(3 * size).fill(1);
    expect(run(reduction("sum", 3, size, [1, 3]), three)[1]).toEqual([size, size, size]);
  });
});

describe("several reductions", () => {
  /** Of one matrix along its columns, or rows. */
  const several = (rows: number, columns: number, strides: readonly number[], fns: readonly string[], dtype: DType) => {
    const results = fns.map((fn) => buffer(rows, "output", fn.startsWith("arg") ? "int32" : "float32"));
    return loopProgram({
      buffers: [buffer(rows * columns, "input", dtype), ...results],
      outer: [rows],
      inner: [columns],
      stages: [
        ["inner", [load(0, at(strides)), ...fns.map((fn) => reduce(fn, 0))]],
        ["outer", fns.map((_fn, i) => store(1 + i, at([1, 0]), 1 + i))],
      ],
    });
  };

  test("of blocks of any size leave room in static shared memory", () => {
    for (const [rows, columns, fns] of [
      [512, 60_000, ["sum", "sum"]],
      [4096, 1_000_000, ["argMax", "argMin", "sum", "max", "min", "prod"]],
      [31, 60_000, ["argMax", "argMin", "sum", "max"]],
    ] as const) {
      for (const strides of bothWays(rows, columns)) {
        const program = several(rows, columns, strides, fns, "bfloat16");
        const context = { program, target: testTarget, guarded: false };
        for (const launch of compileKernel(program.kernels[0] as Kernel, context).launches) {
          const { source, block, sharedBytes } = launch as KernelLaunch;
          const bytes = Number(/unsigned char meeting\[(\d+)\]/.exec(source)?.[1] ?? 0);
          expect(source.match(/__shared__/g)?.length).toBe(bytes === 0 ? undefined : 1);
          expect(bytes + sharedBytes).toBeLessThan(17 * 1024);
          expect(block[0] % 32).toBe(0);
        }
      }
    }
  });

  test("use the memory in which warps meet again and again", () => {
    const fns = ["argMax", "argMin", "sum", "max", "min", "argMax"] as const;
    const programs = [
      several(31, 20_000, [1, 31], fns, "float32"),
      several(64, 3000, [1, 64], fns, "bfloat16"),
      several(3, 9000, [9000, 1], fns, "float32"),
    ];
    expect(differenceOf(programs, { tolerance: 1e-4 })).toBeUndefined();
  });
});
