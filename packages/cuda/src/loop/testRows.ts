/** For tests: kernels with reductions along either axis of a matrix. */
import type { DType, HostArray, Program } from "@thalweg/core/backend";
import { runProgram } from "../testKernel.ts";
import { at, buffer, load, loopProgram, numbers, operation, reduce, store } from "../testLoops.ts";

export const softmax = (
  rows: number,
  columns: number,
  row: number,
  column: number,
  dtype: DType = "float32",
): Program =>
  loopProgram({
    buffers: [buffer(rows * columns, "input", dtype), buffer(rows * columns, "output", dtype)],
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
          { op: "roundTo", dtype: "float32", to: dtype, args: [9] },
          store(1, at([row, column]), 10),
        ],
      ],
    ],
  });

export const reduction = (
  fn: string,
  rows: number,
  columns: number,
  strides: readonly number[],
  dtype: DType = "float32",
) => {
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

/** Contents of all buffers after a run. */
export const run = (program: Program, ...inputs: readonly HostArray[]): number[][] => {
  let given = 0;
  const contents = program.buffers.map(({ kind, size, dtype }) =>
    kind === "output" ? numbers(size, dtype) : (inputs[given++] as HostArray),
  );
  return runProgram(program, contents).map((array) => Array.from(array));
};

export const functions = ["sum", "prod", "max", "min", "argMax", "argMin"] as const;
/** Strides of a matrix that is contiguous along its rows, and of one along its columns. */
export const bothWays = (rows: number, columns: number) =>
  [
    [columns, 1],
    [1, rows],
  ] as const;
