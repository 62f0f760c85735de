import type { DType, Program } from "@thalweg/core/backend";
import { describe, expect, test } from "vitest";
import { at, buffer, differenceOf, load, loopProgram, numbers, operation, reduce, store } from "../testLoops.ts";

const softmax = (rows: number, columns: number, row: number, column: number): Program =>
  loopProgram({
    buffers: [buffer(rows * columns), buffer(rows * columns, "output")],
    outer: [rows],
    inner: [columns],
    stages: [
      ["inner", [load(0, at([row, column])), reduce("max", 0)]],
      ["inner", [load(0, at([row, column])), operation("sub", 2, 1), operation("exp", 3), reduce("sum", 4)]],
      [
        "inner",
        [
          load(0, at([row, column])),
          operation("sub", 6, 1),
          operation("exp", 7),
          operation("div", 8, 5),
          store(1, at([row, column]), 9),
        ],
      ],
    ],
  });

const reduction = (fn: string, rows: number, columns: number, strides: readonly number[], dtype: DType = "float32") => {
  const result = fn.startsWith("arg") ? "int32" : dtype;
  return loopProgram({
    buffers: [buffer(rows * columns, "input", dtype), buffer(rows, "output", result)],
    outer: [rows],
    inner: [columns],
    stages: [
      ["inner", [{ ...load(0, at(strides)), dtype }, reduce(fn, 0, result)]],
      ["outer", [store(1, at([1, 0]), 1)]],
    ],
  });
};

const functions = ["sum", "prod", "max", "min", "argMax", "argMin"] as const;
const dtypes = ["float32", "float64", "int32", "uint32", "bool"] as const;

describe("one reduction", () => {
  const shapes = [
    [1, 1],
    [3, 5],
    [70, 3],
    [33, 40],
    [10, 128],
    [2, 1000],
    [3, 5000],
    [1, 70_000],
  ] as const;
  test.each(functions)("%s along rows and along columns", (fn) => {
    const programs = shapes.flatMap(([rows, columns]) => [
      reduction(fn, rows, columns, [columns, 1]),
      reduction(fn, rows, columns, [1, rows]),
    ]);
    const contents: Record<number, Float32Array> = {};
    for (const [index, [rows, columns]] of shapes.entries()) {
      const values = (numbers(rows * columns) as Float32Array).map((x) => (fn === "prod" ? 1 + x / 1000 : x));
      contents[4 * index] = values;
      contents[4 * index + 2] = values;
    }
    expect(differenceOf(programs, { contents, tolerance: 1e-4 })).toBeUndefined();
  });
});

test("softmax", () => {
  const shapes = [
    [1, 5],
    [7, 64],
    [100, 13],
    [50, 3],
    [3, 4000],
    [2, 20_000],
  ] as const;
  const programs = shapes.flatMap(([rows, columns]) => [
    softmax(rows, columns, columns, 1),
    softmax(rows, columns, 1, rows),
  ]);
  expect(differenceOf(programs)).toBeUndefined();
});

void dtypes;
