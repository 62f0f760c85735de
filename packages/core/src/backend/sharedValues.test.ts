import { expect, test } from "vitest";
import { liveValues } from "./dataflow.ts";
import type { Instruction, Stage } from "./program.ts";
import { findShared } from "./sharedValues.ts";

const at = { offset: 0, strides: [8, 1] };
const load = (id: number, slot = 0): Instruction => ({ id, op: "load", dtype: "float32", slot, at });
const unary = (id: number, op: "exp" | "neg", arg: number): Instruction => ({ id, op, dtype: "float32", args: [arg] });
const store = (id: number, slot: number, value: number): Instruction => ({ id, op: "store", slot, at, value });
const inner = (...body: Instruction[]): Stage => ({ over: "inner", body });
const find = (stages: Stage[], points = [8]) =>
  findShared({ inner: points, stages }, liveValues(stages.map(({ body }) => body)), (a, b) => a === b);

const sum = inner(load(0), unary(1, "exp", 0), { id: 2, op: "reduce", dtype: "float32", fn: "sum", value: 1 });

test("what two stages compute alike and at some cost is kept by the first", () => {
  const { rows, kept, known } = find([sum, inner(load(3), unary(4, "exp", 3), store(5, 1, 4), store(6, 2, 2))]);
  expect(rows).toBe(1);
  expect([...kept]).toEqual([[1, 0]]);
  expect([...known]).toEqual([[4, 0]]);
});

test("not what is cheap, differs, was overwritten between, or is too long", () => {
  expect(find([sum, inner(load(3), unary(4, "neg", 3), store(5, 1, 4), store(6, 2, 2))]).rows).toBe(0);
  expect(find([sum, inner(load(3, 1), unary(4, "exp", 3), store(5, 1, 4), store(6, 2, 2))]).rows).toBe(0);
  const overwriting = inner(...sum.body, store(7, 0, 1));
  expect(find([overwriting, inner(load(3), unary(4, "exp", 3), store(5, 1, 4), store(6, 2, 2))]).rows).toBe(0);
  expect(find([sum, inner(load(3), unary(4, "exp", 3), store(5, 1, 4), store(6, 2, 2))], [1 << 17]).rows).toBe(0);
});
