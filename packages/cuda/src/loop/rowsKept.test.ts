import type { DType, LoopKernel } from "@thalweg/core/backend";
import { expect, test } from "vitest";
import { at, buffer, type Loose, load, loopProgram, operation, reduce, store } from "../testLoops.ts";
import { keptChoices } from "./rowsKept.ts";

type Stages = readonly (readonly ["outer" | "inner", readonly Loose[]])[];

const all = at([8, 1]);
const choicesOf = (stages: Stages, second: DType = "float32") => {
  const program = loopProgram({
    buffers: [buffer(32), buffer(32, "parameter", second), buffer(32, "output")],
    outer: [4],
    inner: [8],
    stages,
  });
  const { stages: numbered } = program.kernels[0] as LoopKernel;
  return keptChoices(numbered, 1, ["float32", second, "float32"], (a, b) => a === b).map(({ kept, known, live }) => ({
    kept: [...kept],
    known: [...known],
    live,
  }));
};

test("the elements of a softmax, then its exponentials", () => {
  const [best, ...others] = choicesOf([
    ["inner", [load(0, all), reduce("max", 0)]],
    ["inner", [load(0, all), operation("sub", 2, 1), operation("exp", 3), reduce("sum", 4)]],
    ["inner", [load(0, all), operation("sub", 6, 1), operation("exp", 7), operation("div", 8, 5), store(2, all, 9)]],
  ]);
  expect(best).toEqual({
    kept: [
      [0, 0],
      [4, 1],
    ],
    known: [
      [2, 0],
      [8, 1],
    ],
    live: 1,
  });
  expect(others).toEqual([]);
});

test("a common expression rather than all it is made of", () => {
  const product = (first: number): Loose[] => [
    load(0, all),
    load(0, at([-8, -1], 31)),
    operation("mul", first, first + 1),
  ];
  const [best] = choicesOf([
    ["inner", [...product(0), reduce("sum", 2)]],
    ["inner", [...product(4), operation("div", 6, 3), store(2, all, 7)]],
  ]);
  expect(best).toEqual({ kept: [[2, 0]], known: [[6, 0]], live: 1 });
});

test("what is cheap to compute is computed again when that leaves fewer numbers", () => {
  const [best] = choicesOf([
    ["inner", [load(0, all), operation("sqrt", 0), operation("neg", 0), operation("add", 1, 2), reduce("sum", 3)]],
    [
      "inner",
      [
        load(0, all),
        operation("sqrt", 5),
        operation("neg", 5),
        operation("sub", 6, 7),
        operation("mul", 8, 4),
        store(2, all, 9),
      ],
    ],
  ]);
  expect(best).toEqual({ kept: [[0, 0]], known: [[5, 0]], live: 1 });
});

test("what was stored is known, if memory holds it exactly", () => {
  const stages: Stages = [
    ["inner", [load(0, all), operation("exp", 0), store(1, all, 1), reduce("sum", 1)]],
    ["inner", [load(1, all), operation("div", 4, 3), store(2, all, 5)]],
  ];
  expect(choicesOf(stages)[0]).toEqual({ kept: [[1, 0]], known: [[4, 0]], live: 1 });
  expect(choicesOf(stages, "bfloat16")[0]).toEqual({ kept: [], known: [], live: 0 });
});

test("an element that was overwritten is another one", () => {
  const [best] = choicesOf([
    ["inner", [load(0, all), operation("exp", 0), store(1, all, 1), reduce("sum", 1)]],
    ["inner", [load(1, all), operation("neg", 4), store(1, all, 5), reduce("sum", 5)]],
    ["inner", [load(1, all), operation("mul", 8, 3), operation("add", 9, 7), store(2, all, 10)]],
  ]);
  expect(best).toEqual({
    kept: [
      [1, 0],
      [5, 1],
    ],
    known: [
      [4, 0],
      [8, 1],
    ],
    live: 1,
  });
});
