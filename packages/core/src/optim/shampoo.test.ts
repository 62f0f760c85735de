import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { compile, Parameter, sum, type Tensor, tensor, useBackend } from "../index.ts";
import { accumulate, shampoo } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const float64 = { dtype: "float64" } as const;
const parameter = (values: number[] | number[][] | number) => new Parameter(tensor(values, float64), { name: "w" });
const list = (x: Tensor): number[] => Array.from(x.dataSync());

describe("shampoo", () => {
  it("divides a diagonal gradient by its size: each axis takes a fourth root of its square", () => {
    const w = parameter([
      [0, 0],
      [0, 0],
    ]);
    shampoo([w], { lr: 1, epsilon: 1e-12 }).update([
      tensor(
        [
          [16, 0],
          [0, 81],
        ],
        float64,
      ),
    ]);
    expect(list(w)).toEqual([expect.closeTo(-1, 9), 0, 0, expect.closeTo(-1, 9)]);
  });

  it("takes scalars and axes of one element", () => {
    const scalar = parameter(0);
    shampoo([scalar], { lr: 1, epsilon: 1e-12 }).update([tensor(-7, float64)]);
    expect(list(scalar)).toEqual([expect.closeTo(1, 9)]);
    const column = parameter([[0], [0]]);
    shampoo([column], { lr: 1, epsilon: 1e-12 }).update([tensor([[3], [4]], float64)]);
    expect(list(column)).toEqual([expect.closeTo(-0.6, 9), expect.closeTo(-0.8, 9)]);
  });

  it("keeps the diagonal alone of longer axes", () => {
    const w = parameter([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    const optimizer = shampoo([w], { lr: 1, epsilon: 1, maxPreconditionerDim: 2 });
    optimizer.update([
      tensor(
        [
          [2, 0, 1],
          [0, 3, 0],
        ],
        float64,
      ),
    ]);
    const shapes = Object.entries(optimizer.state.get("w") ?? {}).map(([name, { shape }]) => [name, shape]);
    expect(shapes).toEqual([
      ["statistics.0", [2, 2]],
      ["root.0", [2, 2]],
      ["statistics.1", [3]],
    ]);
    // G Gᵀ = diag(5, 9), column sums of squares 4, 9, 1; each plus 1, to the power -1/4.
    const at = (row: number, column: number, g: number) => expect.closeTo(-g * (row * column) ** -0.25, 12);
    expect(list(w)).toEqual([at(6, 5, 2), 0, at(6, 2, 1), 0, at(10, 10, 3), 0]);
  });

  it("computes roots at every updateFreq-th update only, compiled into two Programs", () => {
    const gradients = Array.from({ length: 7 }, (_, t) =>
      tensor(
        [
          [Math.sin(t), 1, 0.3 * t],
          [0.5, Math.cos(3 * t), -1],
        ],
        float64,
      ),
    );
    const start = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    const [direct, replayed] = [parameter(start), parameter(start)];
    const [a, b] = [direct, replayed].map((w) => shampoo([w], { updateFreq: 3 })) as [
      ReturnType<typeof shampoo>,
      ReturnType<typeof shampoo>,
    ];
    const step = compile((g: Tensor) => {
      b.update([g]);
      return sum(replayed);
    });
    const kernels: number[] = [];
    for (const g of gradients) {
      a.update([g]);
      kernels.push(step.program(g).kernels.length);
      step(g);
      expect(list(replayed)).toEqual(list(direct));
    }
    expect(step.traces).toBe(2);
    expect(kernels.map((count) => count === kernels[0])).toEqual([true, false, false, true, false, false, true]);
    expect(kernels[1]).toBeLessThan(12);
  });

  it("decides by the inner steps when gradients are accumulated", () => {
    const g = [0.1, 0.7].map((x) =>
      tensor(
        [
          [x, 1],
          [-1, 2],
        ],
        float64,
      ),
    );
    const w = parameter([
      [1, 2],
      [3, 4],
    ]);
    const optimizer = accumulate(shampoo([w], { updateFreq: 2 }), { k: 2 });
    const once = parameter([
      [1, 2],
      [3, 4],
    ]);
    const plain = shampoo([once], { updateFreq: 2 });
    for (let step = 0; step < 3; step++) {
      for (const each of g) optimizer.update([each]);
      plain.update([
        tensor(
          [
            [0.4, 1],
            [-1, 2],
          ],
          float64,
        ),
      ]);
      expect(list(w)).toEqual(list(once).map((x) => expect.closeTo(x, 12)));
    }
  });

  it("decides at each of several updates in one compiled step", () => {
    const g = tensor(
      [
        [0.1, 1],
        [-1, 2],
      ],
      float64,
    );
    const [w, once] = [
      parameter([
        [1, 2],
        [3, 4],
      ]),
      parameter([
        [1, 2],
        [3, 4],
      ]),
    ];
    const [twice, plain] = [shampoo([w], { updateFreq: 2 }), shampoo([once], { updateFreq: 2 })];
    const step = compile((x: Tensor) => {
      twice.update([x]);
      twice.update([x]);
      return sum(w);
    });
    for (let i = 0; i < 2; i++) {
      step(g);
      plain.update([g]);
      plain.update([g]);
      expect(list(w)).toEqual(list(once).map((x) => expect.closeTo(x, 13)));
    }
    expect(step.traces).toBe(1);
  });

  it("survives gradients of zero and refuses what is out of range", () => {
    const w = parameter([
      [1, 2],
      [3, 4],
    ]);
    shampoo([w]).update([
      tensor(
        [
          [0, 0],
          [0, 0],
        ],
        float64,
      ),
    ]);
    expect(list(w)).toEqual([1, 2, 3, 4]);
    expect(() => shampoo([w], { epsilon: 0 })).toThrow("shampoo: epsilon must be a finite number > 0, got 0");
    expect(() => shampoo([w], { updateFreq: 1.5 })).toThrow("shampoo: updateFreq must be a whole number ≥ 1, got 1.5");
  });
});
