import { describe, expect, it } from "vitest";
import {
  applyBinary,
  applyUnary,
  castValue,
  compareForSort,
  erf,
  philox4x32,
  philoxWord,
  pow,
  remainder,
  roundHalfEven,
  sigmoid,
  softplus,
} from "./scalar.ts";

const inf = Number.POSITIVE_INFINITY;

describe("philox4x32", () => {
  // Known answers of Random123 1.14 (kat_vectors).
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const)("counter %j, key %j", (counter, key, expected) => {
    expect(philox4x32(counter, key)).toEqual(expected);
  });

  it("puts the word index in the first counter word and the streams in the last two", () => {
    expect(philoxWord(6, 1, 2, 3, 4)).toBe(philox4x32([1, 0, 3, 4], [1, 2])[2]);
  });
});

describe("erf", () => {
  it.each([
    [0, 0],
    [1e-300, 1.1283791670955126e-300],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [1.5, 0.9661051464753108],
    [-2, -0.9953222650189527],
    [3, 0.9999779095030014],
    [5, 0.9999999999984626],
    [inf, 1],
    [-inf, -1],
  ])("erf(%d) = %d", (x, expected) => {
    expect(Math.abs(erf(x) - expected)).toBeLessThanOrEqual(3e-16 * Math.abs(expected));
  });
  it("propagates NaN", () => expect(erf(Number.NaN)).toBeNaN());
});

describe("special values", () => {
  it("rounds halves to even", () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, 2.4].map(roundHalfEven)).toEqual([
      0, 2, 2, -0, -2, -2, 0, 2,
    ]);
  });
  it("follows C99 pow", () => {
    expect([pow(1, Number.NaN), pow(-1, inf), pow(-1, -inf), pow(Number.NaN, 0), pow(0, -1)]).toEqual([
      1,
      1,
      1,
      1,
      inf,
    ]);
  });
  it("takes the remainder's sign from the divisor", () => {
    expect([remainder(-7, 3), remainder(7, -3), remainder(-1, inf), remainder(5, 5)]).toEqual([2, -2, inf, 0]);
  });
  it("neither overflows nor cancels in softplus and sigmoid", () => {
    expect([softplus(1000), softplus(-40), sigmoid(-740)]).toEqual([1000, Math.exp(-40), Math.exp(-740)]);
  });
  it("sorts NaN last", () =>
    expect([Number.NaN, 1, -inf, inf].sort(compareForSort)).toEqual([-inf, 1, inf, Number.NaN]));
});

describe("integers", () => {
  it("wraps", () => {
    expect(applyBinary("add", "int32", 2 ** 31 - 1, 1)).toBe(-(2 ** 31));
    expect(applyBinary("mul", "uint32", 0xffffffff, 0xffffffff)).toBe(1);
    expect(applyBinary("mulHigh", "uint32", 0xffffffff, 0xffffffff)).toBe(0xfffffffe);
    expect(applyBinary("mulHigh", "int32", -1, 5)).toBe(-1);
    expect(applyBinary("pow", "int32", 3, 21)).toBe(1870418611);
    expect(applyBinary("shiftRight", "uint32", 0x80000000, 31)).toBe(1);
    expect(applyBinary("xor", "uint32", 0xffffffff, 1)).toBe(0xfffffffe);
    expect(applyUnary("neg", "uint32", 1)).toBe(0xffffffff);
    expect(applyUnary("not", "int32", 5)).toBe(-6);
  });
  it("casts", () => {
    expect(castValue("float64", "int32", -3.9)).toBe(-3);
    expect(castValue("float64", "int32", 1e20)).toBe(2 ** 31 - 1);
    expect(castValue("float64", "uint32", -1)).toBe(0);
    expect(castValue("float64", "int32", Number.NaN)).toBe(0);
    expect(castValue("float64", "bool", Number.NaN)).toBe(1);
    expect(castValue("int32", "uint32", -1)).toBe(0xffffffff);
    expect(castValue("float64", "float32", 0.1)).toBe(Math.fround(0.1));
  });
});
