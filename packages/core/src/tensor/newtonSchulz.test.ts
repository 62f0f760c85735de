import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { abs, eye, matmul, max, newtonSchulz, sub, type Tensor, tensor, transpose, useBackend } from "../index.ts";

beforeAll(() => useBackend(referenceBackend()));

const float64 = { dtype: "float64" } as const;
const wide = tensor(
  [
    [0.3, 0.1, -0.2],
    [0.05, 0.4, 0.1],
  ],
  float64,
);

describe("newtonSchulz", () => {
  it("makes of each singular value a s + b s³ + c s⁵ at each step", () => {
    const odd = (s: number): number => 3.4445 * s - 4.775 * s ** 3 + 2.0315 * s ** 5;
    expect(
      newtonSchulz(
        tensor(
          [
            [0.5, 0],
            [0, 0.1],
          ],
          float64,
        ),
        { steps: 2 },
      ).arraySync(),
    ).toEqual([
      [expect.closeTo(odd(odd(0.5)), 13), 0],
      [0, expect.closeTo(odd(odd(0.1)), 13)],
    ]);
  });

  it("converges to orthonormal rows with coefficients that are 1 at 1", () => {
    const q = newtonSchulz(wide, { coefficients: [2, -1.5, 0.5], steps: 20 });
    expect(max(abs(sub(matmul(q, transpose(q)), eye(2, 2, float64)))).itemSync()).toBeLessThan(1e-14);
  });

  it("is the same transposed, for each of a batch", () => {
    const flat = (x: Tensor): number[] => Array.from(x.dataSync());
    const expected = flat(newtonSchulz(wide));
    const near = expected.map((x) => expect.closeTo(x, 14));
    expect(flat(transpose(newtonSchulz(transpose(wide))))).toEqual(near);
    const batch = tensor([wide.arraySync(), wide.arraySync()] as number[][][], float64);
    expect(flat(newtonSchulz(batch))).toEqual([...near, ...near]);
  });

  it("stays 0 at 0, and refuses vectors and bad steps", () => {
    expect(newtonSchulz(tensor([[0, 0]])).arraySync()).toEqual([[0, 0]]);
    expect(newtonSchulz(wide, { steps: 0 }).arraySync()).toEqual(wide.arraySync());
    expect(() => newtonSchulz(tensor([1]))).toThrow("newtonSchulz: expected matrices [..., m, n], got [1]");
    expect(() => newtonSchulz(wide, { steps: 1.5 })).toThrow("steps must be a whole number ≥ 0, got 1.5");
  });
});
