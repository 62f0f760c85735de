import { describe, expect, test } from "vitest";
import { accessInterval, distinctAddresses, elementOutOfBounds, isInjective } from "./bounds.ts";
import type { Condition } from "./program.ts";

const at = (offset: number, ...strides: number[]) => ({ offset, strides });
const where = (lo: number, hi: number, offset: number, ...strides: number[]): Condition => ({
  affine: at(offset, ...strides),
  lo,
  hi,
});

describe("accessInterval", () => {
  test("of a plain view", () => {
    expect(accessInterval(at(3, 10, -1), [], [4, 3])).toEqual({ min: 1, max: 33 });
  });
  test("is undefined where nothing is accessed", () => {
    expect(accessInterval(at(0, 1), [], [0])).toBeUndefined();
    expect(accessInterval(at(0, 1), [where(9, 12, 0, 1)], [5])).toBeUndefined();
    expect(accessInterval(at(0, 1), [where(1, 2, 0, 0)], [5])).toBeUndefined();
    // Padding around nothing.
    expect(accessInterval(at(-2, 1), [where(0, 0, -2, 1)], [5])).toBeUndefined();
  });
  test("clips a variable, whatever the sign of its stride", () => {
    expect(accessInterval(at(0, 1), [where(2, 7, 0, 3)], [100])).toEqual({ min: 1, max: 2 });
    expect(accessInterval(at(0, 1), [where(2, 7, 10, -3)], [100])).toEqual({ min: 2, max: 2 });
  });
  test("puts the interval of a condition in the place of the part it speaks of", () => {
    // A 3-tap window with padding 1 over rows of 28, 28 columns: row = outer + tap - 1.
    const rows = where(0, 28, -1, 1, 0, 1);
    expect(accessInterval(at(-28, 28, 1, 28), [rows], [28, 28, 3])).toEqual({ min: 0, max: 783 });
  });
  test("takes a dynamic value as a variable of its size", () => {
    const gathered = { offset: 0, strides: [1], dynamic: [{ value: 7, stride: 4, size: 5 }] };
    expect(accessInterval(gathered, [], [4])).toEqual({ min: 0, max: 19 });
    const padded: Condition = {
      affine: { offset: -1, strides: [0], dynamic: [{ value: 7, stride: 1, size: 5 }] },
      lo: 0,
      hi: 3,
    };
    const shifted = { offset: -4, strides: [1], dynamic: [{ value: 7, stride: 4, size: 5 }] };
    expect(accessInterval(shifted, [padded], [4])).toEqual({ min: 0, max: 11 });
  });
});

describe("elementOutOfBounds", () => {
  test("names an element", () => {
    expect(elementOutOfBounds(at(0, 1), [], [5], 4)).toBe(4);
    expect(elementOutOfBounds(at(-2, 1), [], [5], 9)).toBe(-2);
    expect(elementOutOfBounds(at(0, 1), [where(0, 4, 0, 1)], [5], 4)).toBeUndefined();
  });
  test("tries all iterations where intervals cannot tell", () => {
    // i + j < 4 and i - j < 2 keep i + 2j within 8.
    const conditions = [where(0, 4, 0, 1, 1), where(-9, 2, 0, 1, -1)];
    expect(elementOutOfBounds(at(0, 1, 2), conditions, [5, 5], 7)).toBeUndefined();
    expect(elementOutOfBounds(at(0, 1, 2), conditions, [5, 5], 6)).toBe(6);
  });
  test("gives large spaces the benefit of the doubt", () => {
    expect(elementOutOfBounds(at(0, 1, 2), [where(0, 4, 0, 1, 1)], [1e4, 1e4], 7)).toBeUndefined();
  });
});

test("distinctAddresses counts moving variables only", () => {
  expect(distinctAddresses(at(0, 10, 0), [], [4, 3])).toBe(4);
  expect(distinctAddresses(at(0, 1, 1), [], [4, 3])).toBe(6);
  expect(distinctAddresses(at(0, 1), [where(0, 2, 0, 1)], [4])).toBe(2);
  expect(
    distinctAddresses({ offset: 0, strides: [0, 1], dynamic: [{ value: 0, stride: 8, size: 100 }] }, [], [3, 8]),
  ).toBe(24);
});

test("isInjective", () => {
  expect(isInjective(at(5, 1, 4), [4, 3])).toBe(true);
  expect(isInjective(at(5, 1, 3), [4, 3])).toBe(false);
  expect(isInjective(at(0, 0), [1])).toBe(true);
  expect(isInjective(at(0, 0), [2])).toBe(false);
  expect(isInjective(at(3, -1), [4])).toBe(true);
});
