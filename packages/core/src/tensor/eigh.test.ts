import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import {
  abs,
  eigh,
  eye,
  grad,
  matmul,
  max,
  mul,
  ShapeError,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
  useBackend,
} from "../index.ts";

beforeAll(() => useBackend(referenceBackend()));

type FloatDType = "float64" | "float32";

const largest = (x: Tensor): number => max(abs(x)).itemSync();
const bound = { float64: 2e-14, float32: 5e-6 } as const;

/** x = V diag(values) Vᵀ, VᵀV = I, and the values ascend. */
function expectDecomposed(x: Tensor): void {
  const dtype = x.dtype as FloatDType;
  const n = x.shape[x.rank - 1] as number;
  const { values, vectors } = eigh(x);
  const scale = Math.max(largest(x) * n, Number.MIN_VALUE);
  const again = matmul(mul(vectors, values.unsqueeze(-2)), transpose(vectors));
  expect(largest(sub(again, x)) / scale).toBeLessThan(bound[dtype]);
  expect(largest(sub(matmul(transpose(vectors), vectors), eye(n, n, { dtype })))).toBeLessThan(n * bound[dtype]);
  const list = Array.from(values.dataSync());
  for (let i = 0; i < list.length; i++) {
    if (i % n > 0) expect(list[i] as number).toBeGreaterThanOrEqual(list[i - 1] as number);
  }
}

const symmetric = (n: number, entry: (i: number, j: number) => number, dtype: FloatDType = "float64"): Tensor =>
  tensor(
    Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => entry(Math.min(i, j), Math.max(i, j)))),
    { dtype },
  );

describe("eigh", () => {
  it("knows the eigenvalues of small matrices", () => {
    const { values, vectors } = eigh(
      tensor(
        [
          [2, 1],
          [1, 2],
        ],
        { dtype: "float64" },
      ),
    );
    expect(values.arraySync()).toEqual([expect.closeTo(1, 14), expect.closeTo(3, 14)]);
    expect(abs(vectors).arraySync()).toEqual([
      [expect.closeTo(Math.SQRT1_2, 14), expect.closeTo(Math.SQRT1_2, 14)],
      [expect.closeTo(Math.SQRT1_2, 14), expect.closeTo(Math.SQRT1_2, 14)],
    ]);
  });

  it("knows those of the second difference", () => {
    const n = 7;
    const { values } = eigh(symmetric(n, (i, j) => (i === j ? 2 : j === i + 1 ? -1 : 0)));
    const expected = Array.from({ length: n }, (_, k) => 2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)));
    expect(values.arraySync()).toEqual(expected.map((value) => expect.closeTo(value, 13)));
  });

  it("leaves a diagonal matrix alone but for the order", () => {
    const { values, vectors } = eigh(symmetric(3, (i, j) => (i === j ? 3 - i : 0)));
    expect(values.arraySync()).toEqual([1, 2, 3]);
    expect(abs(vectors).arraySync()).toEqual([
      [0, 0, 1],
      [0, 1, 0],
      [1, 0, 0],
    ]);
  });

  it("gives the identity for zeros", () => {
    const { values, vectors } = eigh(symmetric(3, () => 0));
    expect(values.arraySync()).toEqual([0, 0, 0]);
    expect(vectors.arraySync()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9])("takes a matrix of %i apart", (n) => {
    const entries = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: n * n, maxLength: n * n });
    fc.assert(
      fc.property(entries, (list) => expectDecomposed(symmetric(n, (i, j) => list[i * n + j] as number))),
      { numRuns: n < 5 ? 8 : 2, seed: n },
    );
  });

  it.each(["float64", "float32"] as const)("takes equal, clustered and vanishing eigenvalues in %s", (dtype) => {
    expectDecomposed(symmetric(5, () => 1, dtype));
    expectDecomposed(symmetric(6, (i, j) => (i === j ? 1 + 1e-9 * i : 1e-10), dtype));
    expectDecomposed(symmetric(8, (i, j) => 1 / (i + j + 1), dtype));
    expectDecomposed(symmetric(6, (i, j) => Math.cos(i) * Math.cos(j) + (i === j ? 1e-4 : 0), dtype));
    expectDecomposed(symmetric(4, (i, j) => (i + j === 3 ? 1 : 0), dtype));
  });

  it("does not mind the scale", () => {
    for (const scale of [1e-200, 1e200]) expectDecomposed(symmetric(4, (i, j) => Math.sin(i + 2 * j) * scale));
    for (const scale of [1e-30, 1e30]) expectDecomposed(symmetric(4, (i, j) => Math.sin(i + 2 * j) * scale, "float32"));
  });

  it("takes batches, and the symmetric part", () => {
    const a = symmetric(3, (i, j) => i + 3 * j);
    const b = symmetric(3, (i, j) => Math.sin(i * j));
    const both = tensor([[a.arraySync(), b.arraySync()]] as number[][][][], { dtype: "float64" });
    const { values, vectors } = eigh(both);
    expect(values.shape).toEqual([1, 2, 3]);
    expect(vectors.shape).toEqual([1, 2, 3, 3]);
    expect((values.arraySync() as number[][][])[0]?.[1]).toEqual(eigh(b).values.arraySync());
    const skewed = tensor(
      [
        [1, 3],
        [1, 1],
      ],
      { dtype: "float64" },
    );
    expect(eigh(skewed).values.arraySync()).toEqual([expect.closeTo(-1, 14), expect.closeTo(3, 14)]);
    expect(eigh(tensor([[4]])).vectors.arraySync()).toEqual([[1]]);
    expect(eigh(tensor([], { shape: [0, 0] })).values.shape).toEqual([0]);
  });

  it("differentiates eigenvalues by x as v vᵀ, also equal ones", () => {
    const x = tensor(
      [
        [2, 1],
        [1, 2],
      ],
      { dtype: "float64" },
    );
    expect(grad((y: Tensor) => sum(mul(eigh(y).values, tensor([0, 1], { dtype: "float64" }))))(x).arraySync()).toEqual([
      [expect.closeTo(0.5, 14), expect.closeTo(0.5, 14)],
      [expect.closeTo(0.5, 14), expect.closeTo(0.5, 14)],
    ]);
    expect(grad((y: Tensor) => sum(eigh(y).values))(eye(3, 3, { dtype: "float64" })).arraySync()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
  });

  it("refuses what is not square", () => {
    expect(() => eigh(tensor([[1, 2, 3]]))).toThrow(ShapeError);
    expect(() => eigh(tensor([1]))).toThrow("eigh: expected square matrices [..., n, n], got [1]");
  });
});
