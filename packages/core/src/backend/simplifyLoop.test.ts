import { expect, test } from "vitest";
import type { Instruction, LoopKernel } from "./program.ts";
import { simplifyLoop } from "./simplifyLoop.ts";

const kernel = (outer: number[], inner: number[], body: Instruction[]): LoopKernel => ({
  kind: "loop",
  label: "test",
  outer,
  inner,
  stages: [{ over: inner.length > 0 ? "inner" : "outer", body }],
  segments: [],
});
const load = (strides: number[], more: object = {}): Instruction =>
  ({ id: 0, op: "load", dtype: "float32", slot: 0, at: { offset: 7, strides }, ...more }) as Instruction;

test("neighbours that every access walks through as one become one loop; loops of one iteration go", () => {
  const simple = simplifyLoop(kernel([4, 1, 5, 6], [], [load([30, 99, 6, 1]), load([60, 0, 12, 2])]));
  expect(simple.outer).toEqual([120]);
  expect(simple.stages[0]?.body.map((instruction) => "at" in instruction && instruction.at)).toEqual([
    { offset: 7, strides: [1] },
    { offset: 7, strides: [2] },
  ]);
});

test("one access or condition that does not keeps them apart", () => {
  expect(simplifyLoop(kernel([4, 5], [], [load([5, 1]), load([1, 4])])).outer).toEqual([4, 5]);
  const condition = { affine: { offset: 0, strides: [0, 1] }, lo: 1, hi: 3 };
  expect(simplifyLoop(kernel([4, 5], [], [load([5, 1], { conditions: [condition] })])).outer).toEqual([4, 5]);
});

test("outer and inner loops stay apart", () => {
  const { outer, inner, stages } = simplifyLoop(kernel([2, 3], [4, 5], [load([60, 20, 5, 1])]));
  expect([outer, inner]).toEqual([[6], [20]]);
  expect(stages[0]?.body[0]).toMatchObject({ at: { strides: [20, 1] } });
});
