import type { MatmulKernel, Program } from "@thalweg/core/backend";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KernelLaunch } from "../kernel/launch.ts";
import { runProgram, testTarget } from "../testKernel.ts";
import { compileMatmul } from "./index.ts";
import { type Body, check, type Layout, productProgram, reference } from "./testProducts.ts";

const layouts: readonly Layout[] = ["lines", "k", "packedLines", "packedK", "neither", "backwards"];
const bodies: readonly Body[] = ["plain", "biasRelu", "two", "long", "gelu", "inPlace", "residual", "scaled"];

describe("matmul", () => {
  it("gives the sums of literal matrices", () => {
    const program = productProgram(2, 2, 3, { packed: true });
    // [[1, 2, 3], [4, 5, 6]] · [[1, 2], [3, 4], [5, 6]]
    const result = runProgram(program, [
      Float32Array.of(1, 2, 3, 4, 5, 6),
      Float32Array.of(1, 2, 3, 4, 5, 6),
      new Float32Array(2),
      new Float32Array(4),
      new Float32Array(4),
    ])[3];
    expect([...(result as Float32Array)]).toEqual([22, 28, 49, 64]);
  });

  it.each(layouts)("reads A by %s", (a) => {
    const programs = layouts.flatMap((b) => [
      productProgram(23, 28, 20, { a, b }),
      productProgram(36, 44, 33, { a, b, transposed: true, body: "biasRelu" }),
    ]);
    check(programs);
  });

  it("has any size", () => {
    const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33];
    check(sizes.map((size) => productProgram(size, 5, 7)));
    check(sizes.map((size) => productProgram(5, size, 7, { a: "packedLines", b: "packedK" })));
    check(sizes.map((size) => productProgram(6, 9, size)));
    check(sizes.map((size) => productProgram(size, size, size, { body: "biasRelu", packed: true })));
  });

  it.each([127, 128, 129])("has sizes about those of tiles: %i", (size) => {
    check([
      productProgram(size, 40, 24),
      productProgram(20, size, 24, { a: "packedLines" }),
      productProgram(9, 10, size),
    ]);
  });

  it("has batches, and operands that are the same for some of them", () => {
    check([
      productProgram(5, 9, 6, { batch: [2, 3] }),
      productProgram(5, 9, 6, { batch: [2, 3], broadcastA: [0], broadcastB: [1] }),
      productProgram(7, 8, 6, { batch: [1, 4, 1], broadcastB: [0, 1, 2], body: "long" }),
      productProgram(8, 8, 16, { batch: [2, 3], broadcastB: [0, 1], packed: true }),
      productProgram(8, 8, 16, {
        batch: [5],
        broadcastA: [0],
        packed: true,
        transposed: true,
        a: "packedLines",
        b: "packedK",
      }),
      productProgram(1, 8, 6, { batch: [3, 2], b: "k" }),
      productProgram(33, 34, 40, { batch: [7], a: "lines", body: "two" }),
    ]);
  });

  it.each([false, true])("continues with a body, stored transposed: %s", (transposed) => {
    for (const packed of [false, true]) {
      const options = { transposed, packed };
      const exact = bodies.filter((body) => body !== "gelu");
      check(exact.map((body) => productProgram(16, 24, 12, { ...options, body })));
      check(exact.map((body) => productProgram(13, 19, 5, { ...options, body })));
    }
  });

  it("continues with functions", () => {
    check([productProgram(16, 24, 12, { body: "gelu", packed: true })]);
  });

  it("gives the empty sum 0, and nothing where there is nothing", () => {
    check([
      productProgram(5, 9, 0, { body: "biasRelu" }),
      productProgram(1, 1, 0),
      productProgram(0, 4, 3),
      productProgram(3, 0, 3),
      productProgram(3, 4, 3, { batch: [2, 0] }),
    ]);
  });

  it("gives the same bits whatever the place in a tile", () => {
    // One row, repeated, and columns repeated: all elements of the result have to be the same.
    const [m, n, k] = [70, 66, 50];
    const program = productProgram(m, n, k, { packed: true });
    const a = Float32Array.from({ length: m * k }, (_, i) => Math.sin(i % k));
    const b = Float32Array.from({ length: k * n }, (_, i) => Math.cos(3 * Math.floor(i / n)));
    const zeros = [n, m * n, m * n].map((size) => new Float32Array(size));
    const result = runProgram(program, [a, b, ...zeros], [3])[3] as Float32Array;
    expect(new Set(result).size).toBe(1);
    const expected = (reference(program, [a, b, ...zeros])[3] as Float32Array)[0] as number;
    expect(result[0]).toBeCloseTo(expected, 5);
  });

  it("shares code between kernels of equal sizes on other buffers, and not between different ones", () => {
    const sources = (program: Program): string[] =>
      compileMatmul(program.kernels[0] as MatmulKernel, { program, target: testTarget, guarded: false }).launches.map(
        (launch) => (launch as KernelLaunch).source,
      );
    const program = productProgram(12, 16, 20);
    const kernel = program.kernels[0] as MatmulKernel;
    const moved: Program = {
      ...program,
      buffers: [...program.buffers, program.buffers[0] as Program["buffers"][0]],
      kernels: [{ ...kernel, label: "other", a: { ...kernel.a, buffer: 5 } }],
    };
    expect(sources(moved)).toEqual(sources(program));
    expect(sources(productProgram(12, 16, 21))).not.toEqual(sources(program));
    expect(sources(productProgram(12, 16, 20, { body: "biasRelu" }))).not.toEqual(sources(program));
  });

  it("holds for any shape", () => {
    const size = fc.integer({ min: 1, max: 70 });
    const layout = fc.constantFrom(...layouts);
    const any = fc.record({
      m: size,
      n: size,
      k: fc.integer({ min: 0, max: 90 }),
      options: fc.record({
        batch: fc.constantFrom([], [2], [2, 2]),
        a: layout,
        b: layout,
        broadcastB: fc.constantFrom([], [0]),
        body: fc.constantFrom(...bodies.filter((body) => body !== "gelu")),
        transposed: fc.boolean(),
        packed: fc.boolean(),
      }),
    });
    const samples = fc.sample(any, { numRuns: 40, seed: 1 });
    check(samples.map(({ m, n, k, options }) => productProgram(m, n, k, options)));
  });
});
