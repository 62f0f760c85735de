import { describe, expect, it } from "vitest";
import { i32, type Local, v128 } from "../emit/index.ts";
import { testFeatures, testFunction } from "../testFunction.ts";
import { clearTile, tileAccumulators, tileLoop } from "./tile.ts";

const simd = testFeatures.filter(({ features }) => features.simd);
const [aStart, bStart, resultStart] = [64, 4096, 8192];

/** A · B by a tile: A with rows `lda` elements apart, B as a panel with rows `ldb` apart. */
function multiply(
  features: (typeof simd)[0]["features"],
  rows: number,
  vectors: number,
  k: number,
  options: { readonly dynamic?: boolean; readonly ldb?: number; readonly twice?: boolean } = {},
): { readonly got: number[]; readonly expected: number[] } {
  const lda = k + 2;
  const ldb = options.ldb ?? 4 * vectors;
  const { memory, call } = testFunction(features, 1, (f, code) => {
    const lanes = code.lanes(f);
    const sums = tileAccumulators(lanes, rows, vectors);
    clearTile(lanes, sums);
    const [a, b] = [f.local("i32"), f.local("i32")];
    for (let pass = 0; pass < (options.twice ? 2 : 1); pass++) {
      f.set(a, i32.const(aStart));
      f.set(b, i32.const(bStart));
      tileLoop(lanes, {
        sums,
        a,
        rowOffsets: sums.map((_, r) => 4 * r * lda),
        kStride: 4,
        b,
        ...(options.ldb ? { bStride: 4 * ldb } : {}),
        k: options.dynamic ? (f.parameter(0, "i32") as Local<"i32">) : k,
      });
    }
    sums.forEach((row, r) => {
      row.forEach((sum, v) => {
        f.do(v128.store(resultStart, sum, 16 * (r * vectors + v)));
      });
    });
  });
  const floats = new Float32Array(memory);
  const a = (r: number, c: number): number => ((7 * r + 3 * c) % 11) - 5;
  const b = (c: number, j: number): number => ((5 * c + 2 * j) % 13) - 6;
  for (let c = 0; c < k; c++) {
    for (let r = 0; r < rows; r++) floats[aStart / 4 + r * lda + c] = a(r, c);
    for (let j = 0; j < 4 * vectors; j++) floats[bStart / 4 + c * ldb + j] = b(c, j);
  }
  call(k);
  const expected: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < 4 * vectors; j++) {
      let sum = 0;
      for (let c = 0; c < k; c++) sum += a(r, c) * b(c, j);
      expected.push(sum * (options.twice ? 2 : 1));
    }
  }
  const start = resultStart / 4;
  return { got: [...floats.subarray(start, start + expected.length)], expected };
}

describe.each(simd)("tile with $name", ({ features }) => {
  it.each([
    [6, 2],
    [5, 2],
    [4, 2],
    [1, 2],
    [6, 1],
    [3, 3],
    [2, 6],
    [1, 8],
    [1, 1],
  ])("multiplies %i rows by %i vectors", (rows, vectors) => {
    for (const k of [0, 1, 2, 3, 4, 5, 8, 9, 11, 30]) {
      const { got, expected } = multiply(features, rows, vectors, k);
      expect(got).toEqual(expected);
    }
  });

  it("takes a number of steps that is known only when it runs", () => {
    for (const k of [0, 1, 3, 4, 7, 16, 18]) {
      const { got, expected } = multiply(features, 6, 2, k, { dynamic: true });
      expect(got).toEqual(expected);
    }
  });

  it("reads B with gaps, and goes on with sums that there are", () => {
    const { got, expected } = multiply(features, 4, 2, 13, { ldb: 19, twice: true });
    expect(got).toEqual(expected);
  });
});
