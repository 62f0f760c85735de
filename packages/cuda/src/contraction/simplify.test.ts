import type { MatmulKernel } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { simplifyMatmul } from "./simplify.ts";
import { type ProductOptions, productProgram } from "./testProducts.ts";

const simplest = (m: number, n: number, k: number, options: ProductOptions): MatmulKernel =>
  simplifyMatmul(productProgram(m, n, k, { packed: true, ...options }).kernels[0] as MatmulKernel);

describe("simplifyMatmul", () => {
  it("makes rows of a batch that shares B", () => {
    const { batch, m, a, b, epilogue } = simplest(8, 6, 4, { batch: [2, 3], broadcastB: [0, 1] });
    expect({ batch, m, a: a.strides, b: b.strides }).toEqual({ batch: [], m: 48, a: [4, 1], b: [6, 1] });
    expect(epilogue.body.at(-1)).toMatchObject({ op: "store", at: { strides: [6, 1] } });
  });

  it("makes columns of a batch that shares A, where the result lies so", () => {
    const options = { batch: [5], broadcastA: [0], transposed: true, a: "packedLines", b: "packedK" } as const;
    expect(simplest(8, 6, 4, options)).toMatchObject({ batch: [], m: 8, n: 30, b: { strides: [1, 4] } });
  });

  it("merges what it can of a batch, and drops what is one", () => {
    expect(simplest(8, 6, 4, { batch: [2, 1, 3] })).toMatchObject({ batch: [6], a: { strides: [32, 4, 1] } });
    // The result has a gap after each matrix: rows of one do not continue those of another.
    expect(simplest(8, 6, 4, { batch: [2, 3], packed: false, broadcastB: [0, 1] }).batch).toEqual([6]);
    expect(simplest(8, 6, 4, { batch: [2, 3], broadcastA: [0], broadcastB: [1] })).toMatchObject({
      batch: [2],
      m: 24,
    });
    expect(simplest(8, 6, 4, { batch: [2, 3], broadcastA: [0], broadcastB: [1], packed: false }).batch).toEqual([2, 3]);
    // Rows of B's batch cannot continue A's: the epilogue tells the elements apart.
    expect(simplest(8, 6, 4, { batch: [5], broadcastB: [0], body: "long" }).batch).toEqual([5]);
  });
});
