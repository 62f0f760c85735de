import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { abs, eye, matmul, max, qr, sub, type Tensor, tensor, transpose, tril, useBackend } from "../index.ts";

beforeAll(() => useBackend(referenceBackend()));

const largest = (x: Tensor): number => max(abs(x)).itemSync();

function expectDecomposed(x: Tensor, bound: number): void {
  const [m, n] = x.shape as [number, number];
  const k = Math.min(m, n);
  const { q, r } = qr(x);
  expect(q.shape).toEqual([m, k]);
  expect(r.shape).toEqual([k, n]);
  expect(largest(sub(matmul(q, r), x))).toBeLessThanOrEqual(bound * Math.max(1, largest(x)));
  expect(largest(sub(matmul(transpose(q), q), eye(k, k, { dtype: x.dtype })))).toBeLessThan(bound);
  expect(largest(tril(r, { diagonal: -1 }))).toBe(0);
}

describe("qr", () => {
  it("gives what LAPACK gives, signs included", () => {
    const { q, r } = qr(
      tensor(
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        { dtype: "float64" },
      ),
    );
    const near = (rows: number[][]) => rows.map((row) => row.map((x) => expect.closeTo(x, 13)));
    expect(q.arraySync()).toEqual(
      near([
        [-0.16903085094570325, 0.8970852271450602],
        [-0.50709255283711, 0.27602622373694213],
        [-0.8451542547285165, -0.34503277967117735],
      ]),
    );
    expect(r.arraySync()).toEqual(
      near([
        [-5.916079783099616, -7.437357441610946],
        [0, 0.8280786712108251],
      ]),
    );
  });

  it("reflects nothing where nothing is below the diagonal", () => {
    const { q, r } = qr(
      tensor(
        [
          [2, 1],
          [0, -3],
        ],
        { dtype: "float64" },
      ),
    );
    expect(q.arraySync()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(r.arraySync()).toEqual([
      [2, 1],
      [0, -3],
    ]);
    expect(
      qr(
        tensor([
          [0, 0],
          [0, 0],
        ]),
      ).q.arraySync(),
    ).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it("has orthonormal columns whatever the rank", () => {
    const column = [1, 2, -1, 0.5];
    const x = tensor(
      column.map((a) => [a, 0, 2 * a, a]),
      { dtype: "float64" },
    );
    expectDecomposed(x, 1e-14);
  });

  it("takes matrices of any shape", () => {
    const size = fc.integer({ min: 1, max: 9 });
    const entry = fc.double({ min: -100, max: 100, noNaN: true });
    const matrices = fc
      .tuple(size, size)
      .chain(([m, n]) => fc.array(fc.array(entry, { minLength: n, maxLength: n }), { minLength: m, maxLength: m }));
    fc.assert(
      fc.property(matrices, (rows) => {
        expectDecomposed(tensor(rows, { dtype: "float64" }), 1e-13);
        expectDecomposed(tensor(rows, { dtype: "float32" }), 1e-5);
      }),
      { numRuns: 15, seed: 1 },
    );
  });

  it("does not mind the scale of a column", () => {
    const x = tensor(
      [
        [1e-30, 2e30, 1],
        [3e-30, -1e30, 2],
        [1e-30, 1e30, -1],
      ],
      { dtype: "float32" },
    );
    const { q, r } = qr(x);
    expect(largest(sub(matmul(transpose(q), q), eye(3)))).toBeLessThan(1e-6);
    expect(abs(r).arraySync()).toEqual([
      [expect.closeTo(Math.sqrt(11) * 1e-30, 34), expect.anything(), expect.anything()],
      [0, expect.anything(), expect.anything()],
      [0, 0, expect.anything()],
    ]);
  });

  it("takes batches and nothing", () => {
    const { q, r } = qr(
      tensor(
        [
          [
            [3, 0],
            [4, 5],
          ],
          [
            [1, 2],
            [0, 1],
          ],
        ],
        { dtype: "float64" },
      ),
    );
    expect((q.arraySync() as number[][][])[0]).toEqual(
      qr(
        tensor(
          [
            [3, 0],
            [4, 5],
          ],
          { dtype: "float64" },
        ),
      ).q.arraySync(),
    );
    expect((r.arraySync() as number[][][])[1]).toEqual([
      [1, 2],
      [0, 1],
    ]);
    expect(qr(tensor([], { shape: [3, 0] })).r.shape).toEqual([0, 0]);
    expect(() => qr(tensor([1, 2]))).toThrow("qr: expected matrices [..., m, n], got [2]");
  });
});
