import type { ComputeDType } from "@thalweg/core/backend";
import { expect, it } from "vitest";
import { cType, literal, storageTag, storageType } from "./types.ts";

it("names types in registers and in memory", () => {
  expect(cType("uint32")).toBe("unsigned");
  expect(["bool", "bfloat16", "float16", "float32"].map((dtype) => storageType(dtype as "bool"))).toEqual([
    "unsigned char",
    "unsigned short",
    "unsigned short",
    "float",
  ]);
  expect(storageTag("uint32")).toBe("UInt32");
});

it.each<[ComputeDType, number, string]>([
  ["float32", 128, "128.0f"],
  ["float32", 0, "0.0f"],
  ["float32", -0, "(-0.0f)"],
  ["float32", 0.1, "0.10000000149011612f"],
  ["float32", -1e-7, "(-1.0000000116860974e-7f)"],
  ["float32", 2 ** 100, "1.2676506002282294e+30f"],
  ["float32", 1e39, "asFloat(0x7f800000u)"],
  ["float32", Number.NEGATIVE_INFINITY, "asFloat(0xff800000u)"],
  ["float32", Number.NaN, "asFloat(0x7fc00000u)"],
  ["float64", 0.1, "0.1"],
  ["float64", 3, "3.0"],
  ["float64", -1e300, "(-1e+300)"],
  ["float64", Number.POSITIVE_INFINITY, "asDouble(0x7ff0000000000000ull)"],
  ["float64", Number.NEGATIVE_INFINITY, "asDouble(0xfff0000000000000ull)"],
  ["float64", Number.NaN, "asDouble(0x7ff8000000000000ull)"],
  ["int32", -5, "(-5)"],
  ["int32", -(2 ** 31), "(-2147483647 - 1)"],
  ["uint32", 2 ** 32 - 1, "4294967295u"],
  ["bool", 1, "true"],
  ["bool", 0, "false"],
])("writes %s %d", (dtype, value, text) => {
  expect(literal(dtype, value)).toBe(text);
});
