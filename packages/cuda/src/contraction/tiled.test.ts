import type { DType, MatmulKernel } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { runProgram, testTarget } from "../testKernel.ts";
import { elementOf } from "./element.ts";
import { productOf } from "./product.ts";
import { check, type Layout, productProgram } from "./testProducts.ts";
import { chooseTiling } from "./tiling.ts";

const tilingFor = (program: ReturnType<typeof productProgram>, target = {}) => {
  const all = { ...testTarget, ...target };
  const product = productOf(program.kernels[0] as MatmulKernel, program);
  return chooseTiling({ ...product, batch: 1 }, elementOf(product, all), all);
};

describe("tiles", () => {
  /** With one multiprocessor the largest tiles are the best. */
  const one = { multiprocessors: 1 };

  it("has tiles of 128 × 128 with edges", () => {
    const programs = (["packedK", "packedLines", "k"] as const).map((a) =>
      productProgram(250, 126, 37, { a, b: a, body: "biasRelu" }),
    );
    expect(tilingFor(programs[0] as never, one).tile.rows).toBe(128);
    check(programs, one);
  });

  it.each(["float64", "int32", "uint32"] as const)("multiplies %s", (dtype) => {
    const programs = [
      productProgram(65, 68, 19, { dtype, b: "k", batch: [2] }),
      productProgram(100, 72, 32, { dtype, body: "long" }),
      productProgram(64, 64, 24, { dtype, a: "packedLines", b: "packedK", body: "inPlace" }),
    ];
    check(programs, one);
    check(programs);
  });

  const narrow: readonly (readonly [DType, DType, DType])[] = [
    ["bfloat16", "bfloat16", "bfloat16"],
    ["float16", "float16", "float32"],
    ["bfloat16", "float16", "float32"],
    ["float32", "bfloat16", "float32"],
  ];
  const layouts: readonly (readonly [Layout, Layout])[] = [
    ["packedK", "packedK"],
    ["packedK", "packedLines"],
    ["packedLines", "packedK"],
    ["packedLines", "packedLines"],
    ["k", "neither"],
    ["neither", "lines"],
  ];

  it.each(narrow)("multiplies %s by %s giving %s", (...storage) => {
    check(layouts.map(([a, b]) => productProgram(40, 48, 72, { a, b, storage, body: "biasRelu" })));
    const large = [
      productProgram(256, 120, 80, { storage }),
      productProgram(126, 250, 41, { storage, a: "packedLines", b: "packedK" }),
    ];
    for (const program of large) expect(tilingFor(program, one).tile.rows).toBe(128);
    check(large, one);
  });

  it("multiplies in TF32 where asked to", () => {
    const target = { precision: "tf32" as const };
    check(
      layouts.map(([a, b]) => productProgram(40, 48, 36, { a, b })),
      target,
    );
    check([productProgram(256, 120, 80), productProgram(126, 250, 41, { a: "packedLines", b: "packedK" })], {
      ...target,
      ...one,
    });
  });

  it("rounds float32 to the nearest TF32, and only where asked to", () => {
    const program = productProgram(16, 16, 16, { packed: true });
    // The identity times numbers with more bits than TF32 has.
    const a = Float32Array.from({ length: 256 }, (_, i) => (i % 17 === 0 ? 1 : 0));
    const b = Float32Array.from({ length: 256 }, (_, i) => 1 + (2 * i + 1) * 2 ** -12);
    const zeros = [16, 256, 256].map((size) => new Float32Array(size));
    const resultOf = (precision: "highest" | "tf32") =>
      runProgram(program, [a, b, ...zeros], [3], { ...testTarget, precision })[3] as Float32Array;
    expect([...resultOf("highest")]).toEqual([...b]);
    // Ten bits of fraction; halves away from zero.
    expect([...resultOf("tf32")]).toEqual([...b].map((x) => Math.floor(x * 1024 + 0.5) / 1024));
  });

  it("divides k over blocks", () => {
    const program = productProgram(33, 40, 1000, { body: "biasRelu" });
    expect(tilingFor(program).parts).toBeGreaterThan(1);
    check([program, productProgram(40, 36, 700, { batch: [2], a: "packedLines", body: "two" })]);
  });
});
