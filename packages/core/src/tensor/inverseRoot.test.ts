import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import {
  abs,
  eye,
  grad,
  inverseRoot,
  matmul,
  max,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
  useBackend,
} from "../index.ts";

beforeAll(() => useBackend(referenceBackend()));

const largest = (x: Tensor): number => max(abs(x)).itemSync();
const float64 = { dtype: "float64" } as const;

describe("inverseRoot", () => {
  it("is the inverse for 1, the power of each element of a diagonal", () => {
    const inverse = inverseRoot(
      tensor(
        [
          [2, 1],
          [1, 2],
        ],
        float64,
      ),
      1,
    ).arraySync();
    expect(inverse).toEqual([
      [expect.closeTo(2 / 3, 13), expect.closeTo(-1 / 3, 13)],
      [expect.closeTo(-1 / 3, 13), expect.closeTo(2 / 3, 13)],
    ]);
    expect(
      inverseRoot(
        tensor(
          [
            [16, 0],
            [0, 81],
          ],
          float64,
        ),
        4,
      ).arraySync(),
    ).toEqual([
      [expect.closeTo(0.5, 14), 0],
      [0, expect.closeTo(1 / 3, 14)],
    ]);
  });

  it("adds eps to what is no longer negative", () => {
    expect(
      inverseRoot(
        tensor(
          [
            [-1e-9, 0],
            [0, 3],
          ],
          float64,
        ),
        2,
        { eps: 1 },
      ).arraySync(),
    ).toEqual([
      [expect.closeTo(1, 14), 0],
      [0, expect.closeTo(0.5, 14)],
    ]);
    expect(Number.isFinite(inverseRoot(tensor([[0]], float64), 2).itemSync())).toBe(false);
  });

  it("inverts x when multiplied p times with it", () => {
    const entries = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(entries, fc.constantFrom(1, 2, 3, 4), (list, p) => {
        const factor = tensor(list, { ...float64, shape: [4, 4] });
        const x = matmul(factor, transpose(factor));
        const root = inverseRoot(x, p, { eps: 1 });
        let product: Tensor = x.add(eye(4, 4, float64));
        for (let i = 0; i < p; i++) product = matmul(product, root);
        expect(largest(sub(product, eye(4, 4, float64)))).toBeLessThan(1e-11);
      }),
      { numRuns: 10, seed: 1 },
    );
  });

  it("has the derivative -1/p x^(-1/p - 1) along its own directions, also at the identity", () => {
    const square = grad((x: Tensor) => sum(inverseRoot(x, 2)));
    expect(square(eye(2, 2, float64)).arraySync()).toEqual([
      [expect.closeTo(-0.5, 14), expect.closeTo(-0.5, 14)],
      [expect.closeTo(-0.5, 14), expect.closeTo(-0.5, 14)],
    ]);
    // Of [[a, 0], [0, b]]: off the diagonal the rise of x^-½ from a to b over b - a.
    const slopes = square(
      tensor(
        [
          [1, 0],
          [0, 4],
        ],
        float64,
      ),
    ).arraySync();
    expect(slopes).toEqual([
      [expect.closeTo(-0.5, 14), expect.closeTo(-0.5 / 3, 14)],
      [expect.closeTo(-0.5 / 3, 14), expect.closeTo(-1 / 16, 14)],
    ]);
  });

  it("refuses roots that are none", () => {
    expect(() => inverseRoot(eye(2), 0)).toThrow("inverseRoot: p must be a finite number > 0, got 0");
    expect(() => inverseRoot(tensor([[1, 2]]), 2)).toThrow("inverseRoot: expected square matrices");
  });
});
