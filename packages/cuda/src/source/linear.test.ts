import { expect, it } from "vitest";
import { linear, plusProduct, sumOf } from "./linear.ts";

it("writes sums of products, of numbers at once", () => {
  const variables = ["x", "3", "4 * t", "y"];
  expect(linear({ offset: 5, strides: [1, 10, -2, 0] }, variables, "int")).toBe("x - (4 * t) * 2 + 35");
  expect(linear({ offset: -1, strides: [-1, 0, 0, 7] }, variables, "int")).toBe("-x + y * 7 - 1");
  expect(linear({ offset: 2, strides: [0, 4, 0, 0] }, variables, "int")).toBe("14");
  expect(sumOf({ offset: 2, strides: [1, 4, 0, 0] }, variables, "int")).toEqual({ text: "x", constant: 14 });
});

it("widens each term before it is multiplied", () => {
  expect(linear({ offset: 5, strides: [1, 3] }, ["x", "y"], "long long")).toBe(
    "(long long)x + (long long)y * 3LL + 5LL",
  );
  expect(plusProduct("", "x", -4, "long long")).toBe("-(long long)x * 4LL");
});
