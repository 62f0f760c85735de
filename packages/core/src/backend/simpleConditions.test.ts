import { expect, test } from "vitest";
import type { Affine } from "./program.ts";
import { withoutRests } from "./simpleConditions.ts";

const at = (strides: readonly number[], offset = 0): Affine => ({ offset, strides });

test.each([
  ["a concatenation of whole rows", at([0, 32, 1], -256), 0, 128, at([0, 32, 0]), 256, 384],
  ["ends inside of a row, at a place nothing reaches", at([0, 32, 0, 2], 1), 32, 97, at([0, 32, 0, 0]), 32, 96],
  ["backwards", at([0, 32, -1], 31), 64, 96, at([0, 32, 0]), 64, 96],
])("%s", (_name, affine, lo, hi, simple, from, to) => {
  const sizes = [5, 12, 32, 16];
  expect(withoutRests({ affine, lo, hi }, sizes)).toEqual({ affine: simple, lo: from, hi: to });
});

test("bounds inside of a row need both variables", () => {
  const condition = { affine: at([32, 1], -250), lo: 0, hi: 128 };
  expect(withoutRests(condition, [12, 32])).toEqual(condition);
  const single = { affine: at([0, 1]), lo: 1, hi: 5 };
  expect(withoutRests(single, [12, 32])).toEqual(single);
});

test("the same points are inside", () => {
  for (let round = 0; round < 200; round++) {
    const sizes = [1 + (round % 5), 1 + (round % 3), 1 + (round % 4)];
    const strides = [12, 4, 1].map((stride, i) => stride * ((round >> i) % 3 === 0 ? -1 : 1));
    const condition = { affine: at(strides, (round * 7) % 13), lo: (round % 21) - 10, hi: (round % 17) + 3 };
    const simple = withoutRests(condition, sizes);
    const holds = ({ affine, lo, hi }: typeof condition, point: readonly number[]): boolean => {
      const value = affine.strides.reduce((sum, stride, i) => sum + stride * (point[i] as number), affine.offset);
      return value >= lo && value < hi;
    };
    for (let i = 0; i < 60; i++) {
      const point = sizes.map((size, axis) => Math.floor(i / ([12, 4, 1][axis] as number)) % size);
      expect(holds(simple, point), `round ${round} at ${point}`).toBe(holds(condition, point));
    }
  }
});
