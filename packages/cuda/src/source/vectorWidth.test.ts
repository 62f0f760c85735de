import type { DType, Instruction } from "@thalweg/core/backend";
import { expect, it } from "vitest";
import { vectorWidth } from "./vectorWidth.ts";

/** A copy between strides over two variables. */
const width = (dtypes: [DType, DType], from: number[], to: number[], size = 1024, offset = 0): number => {
  const body: Instruction[] = [
    { id: 0, op: "load", dtype: "float32", slot: 0, at: { offset, strides: from } },
    { id: 1, op: "store", slot: 1, at: { offset: 0, strides: to }, value: 0 },
  ];
  return vectorWidth([body], dtypes, 1, size);
};

it("fills 16 bytes of the widest element", () => {
  expect(width(["float32", "float32"], [1024, 1], [1024, 1])).toBe(4);
  expect(width(["bfloat16", "float16"], [1024, 1], [1024, 1])).toBe(8);
  expect(width(["bfloat16", "float32"], [1024, 1], [1024, 1])).toBe(4);
  expect(width(["float64", "float64"], [1024, 1], [1024, 1])).toBe(2);
  expect(width(["bool", "bool"], [1024, 1], [1024, 1])).toBe(8);
});

it("is no more than the loop, or its alignment", () => {
  expect(width(["float32", "float32"], [1024, 1], [1024, 1], 3)).toBe(2);
  expect(width(["float32", "float32"], [1022, 1], [1022, 1])).toBe(2);
  expect(width(["float32", "float32"], [1023, 1], [1023, 1])).toBe(1);
  // One of two is aligned.
  expect(width(["float32", "float32"], [1024, 1], [1024, 1], 1024, 1)).toBe(4);
});

it("is 1 where nothing is contiguous along the variable", () => {
  expect(width(["float32", "float32"], [1, 1024], [1, 1024])).toBe(1);
  // What is not contiguous does not matter.
  expect(width(["float64", "float32"], [1, 0], [1024, 1])).toBe(4);
});
