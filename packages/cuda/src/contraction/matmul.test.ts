import { describe, it } from "vitest";
import { check, type Layout, productProgram } from "./testProducts.ts";

const layouts: readonly Layout[] = ["lines", "k", "packedLines", "packedK", "neither", "backwards"];

describe("matmul", () => {
  it("small", () => {
    check([productProgram(5, 7, 9), productProgram(33, 40, 24), productProgram(16, 16, 16, { body: "biasRelu" })]);
  });
  it.each(layouts)("reads A by %s", (a) => {
    check(
      layouts.flatMap((b) => [
        productProgram(23, 28, 20, { a, b }),
        productProgram(36, 44, 33, { a, b, transposed: true, body: "biasRelu" }),
      ]),
    );
  });
});
