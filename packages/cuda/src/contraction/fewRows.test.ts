import type { DType, MatmulKernel } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { testTarget } from "../testKernel.ts";
import { planFewRows } from "./fewRows.ts";
import { productOf } from "./product.ts";
import { check, productProgram } from "./testProducts.ts";

const planFor = (program: ReturnType<typeof productProgram>) =>
  planFewRows(productOf(program.kernels[0] as MatmulKernel, program), testTarget);

describe("products with few rows", () => {
  it("adds up along k where the large operand lies so", () => {
    const program = productProgram(1, 130, 260, { b: "packedK", body: "biasRelu" });
    expect(planFor(program)).toMatchObject({ large: { alongDepth: true, width: 4 }, together: true });
    check([
      program,
      ...[2, 3, 5, 8].map((m) => productProgram(m, 130, 260, { b: "packedK", body: "long" })),
      productProgram(3, 131, 261, { b: "k", a: "lines" }),
      productProgram(130, 7, 260, { a: "packedK", b: "k", body: "inPlace", transposed: true }),
      productProgram(2, 129, 256, { b: "packedK", a: "k", batch: [2, 3], broadcastA: [0] }),
    ]);
  });

  it("reads neighbouring columns together where they lie side by side", () => {
    const program = productProgram(1, 516, 260, { b: "packedLines", body: "biasRelu" });
    expect(planFor(program)).toMatchObject({ large: { alongDepth: false, width: 4 } });
    check([
      program,
      ...[2, 3, 5, 8].map((m) => productProgram(m, 260, 70, { b: "packedLines", body: "long" })),
      productProgram(3, 515, 61, { b: "lines", a: "lines" }),
      productProgram(516, 6, 67, { a: "packedLines", b: "k", body: "two" }),
      productProgram(2, 516, 64, { b: "packedLines", a: "k", batch: [3] }),
    ]);
  });

  it("divides k over blocks where there are few columns", () => {
    const along = productProgram(1, 20, 3000, { b: "packedK", body: "two" });
    const across = productProgram(2, 40, 1500, { b: "packedLines", body: "biasRelu" });
    for (const program of [along, across]) expect(planFor(program)?.parts).toBeGreaterThan(1);
    check([along, across]);
  });

  it("leaves room in static shared memory for the numbers that a block shares", () => {
    for (let rows = 1; rows <= 8; rows++) {
      for (const storage of [["float32", "bfloat16", "float32"], undefined] as const) {
        const dtype = storage ? "float32" : "float64";
        const program = productProgram(rows, 4096, 512, { dtype, ...(storage ? { storage } : {}), b: "packedLines" });
        const width = planFor(program)?.large.width as number;
        expect(8 * rows * 32 * width * (storage ? 4 : 8)).toBeLessThanOrEqual(47 * 1024);
      }
    }
  });

  it("has all dtypes", () => {
    for (const dtype of ["float64", "int32"] as const) {
      check([productProgram(3, 300, 66, { dtype, b: "packedK" }), productProgram(8, 300, 66, { dtype, body: "long" })]);
    }
    const storages: readonly (readonly [DType, DType, DType])[] = [
      ["bfloat16", "bfloat16", "bfloat16"],
      ["float32", "float16", "float32"],
    ];
    check(
      storages.flatMap((storage) => [
        productProgram(3, 300, 72, { storage, b: "packedK" }),
        productProgram(8, 512, 72, { storage, body: "biasRelu" }),
      ]),
    );
  });
});
