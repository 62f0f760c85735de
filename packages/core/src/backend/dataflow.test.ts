import { expect, test } from "vitest";
import { isExpensive, liveValues, operandsOf } from "./dataflow.ts";
import type { Instruction } from "./program.ts";

const at = { offset: 0, strides: [1] };
const body: readonly Instruction[] = [
  { id: 0, op: "load", dtype: "int32", slot: 0, at },
  { id: 1, op: "load", dtype: "float32", slot: 1, at: { ...at, dynamic: [{ value: 0, stride: 1, size: 3 }] } },
  { id: 2, op: "exp", dtype: "float32", args: [1] },
  { id: 3, op: "neg", dtype: "float32", args: [2] },
  { id: 4, op: "store", slot: 2, at, value: 2 },
];

test("operands: arguments, what is stored, and gathered indices", () => {
  expect(body.map(operandsOf)).toEqual([[], [0], [1], [2], [2]]);
});

test("live is what a store depends on; what is known needs no operands", () => {
  expect([...liveValues([body])].sort()).toEqual([0, 1, 2, 4]);
  expect([...liveValues([body], new Map([[2, "known"]]))].sort()).toEqual([2, 4]);
});

test("transcendental functions are expensive", () => {
  expect(body.map(isExpensive)).toEqual([false, false, true, false, false]);
});
