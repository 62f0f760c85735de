import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { compile, Parameter, sum, type Tensor, tensor, useBackend } from "../index.ts";
import { soap } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const float64 = { dtype: "float64" } as const;
const parameter = (values: number[] | number[][], name = "w") => new Parameter(tensor(values, float64), { name });
const list = (x: Tensor): number[] => Array.from(x.dataSync());

describe("soap", () => {
  it("takes the first gradient for its bases alone", () => {
    const w = parameter([
      [1, 2],
      [3, 4],
    ]);
    const optimizer = soap([w], { shampooBeta: 0.75 });
    optimizer.update([
      tensor(
        [
          [1, 0],
          [0, 2],
        ],
        float64,
      ),
    ]);
    expect(list(w)).toEqual([1, 2, 3, 4]);
    const state = optimizer.state.get("w") ?? {};
    expect(list(state["statistics.0"] as Tensor)).toEqual([0.25, 0, 0, 1]);
    // The largest first.
    expect(list(state["basis.0"] as Tensor).map(Math.abs)).toEqual([0, 1, 1, 0]);
    expect(list(state.expAvg as Tensor)).toEqual([0, 0, 0, 0]);
  });

  it("is Adam in the bases: a gradient of one singular direction gives a step along it", () => {
    const w = parameter([
      [0, 0],
      [0, 0],
    ]);
    const optimizer = soap([w], { lr: 0.1, weightDecay: 0, eps: 0 });
    const g = tensor(
      [
        [3, 4],
        [6, 8],
      ],
      float64,
    );
    optimizer.update([g]);
    // v is 0 in the directions without gradient: 0/0 is what eps is for.
    const steady = soap([w], { lr: 0.1, weightDecay: 0, eps: 1e-6 });
    steady.update([g]);
    steady.update([g]);
    const unit = [3, 4, 6, 8].map((x) => x / Math.sqrt(125));
    expect(list(w)).toEqual(unit.map((x) => expect.closeTo(-0.1 * x, 6)));
  });

  it("leaves vectors, scalars and long axes as they are: there it is Adam from the second gradient on", () => {
    const b = parameter([1, 2], "b");
    const wide = parameter([[1, 2, 3]], "wide");
    const optimizer = soap([b, wide], { lr: 0.1, weightDecay: 0, maxPrecondDim: 2 });
    const gradients = [tensor([2, -3], float64), tensor([[1, -1, 4]], float64)];
    optimizer.update(gradients);
    optimizer.update(gradients);
    expect(list(b)).toEqual([expect.closeTo(0.9, 7), expect.closeTo(2.1, 7)]);
    expect(list(wide)).toEqual([expect.closeTo(0.9, 7), expect.closeTo(2.1, 7), expect.closeTo(2.9, 7)]);
    expect(Object.keys(optimizer.state.get("b") ?? {})).toEqual(["expAvg", "expAvgSq"]);
    expect(Object.keys(optimizer.state.get("wide") ?? {})).toEqual(["expAvg", "expAvgSq", "statistics.0", "basis.0"]);
  });

  it("compiles into three Programs: the first, those between, and those that turn the bases", () => {
    const start = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    const [direct, replayed] = [parameter(start), parameter(start)];
    const [a, b] = [direct, replayed].map((w) => soap([w], { preconditionFrequency: 2 })) as [
      ReturnType<typeof soap>,
      ReturnType<typeof soap>,
    ];
    const step = compile((g: Tensor) => {
      b.update([g]);
      return sum(replayed);
    });
    for (let t = 0; t < 7; t++) {
      const g = tensor(
        [
          [Math.sin(t), 1],
          [0.5, Math.cos(3 * t)],
          [-1, 0.1 * t],
        ],
        float64,
      );
      a.update([g]);
      step(g);
      expect(list(replayed)).toEqual(list(direct));
    }
    expect(step.traces).toBe(3);
  });

  it("survives gradients of zero and refuses what is out of range", () => {
    const w = parameter([
      [1, 2],
      [3, 4],
    ]);
    const optimizer = soap([w], { weightDecay: 0, preconditionFrequency: 1 });
    for (let t = 0; t < 3; t++)
      optimizer.update([
        tensor(
          [
            [0, 0],
            [0, 0],
          ],
          float64,
        ),
      ]);
    expect(list(w)).toEqual([1, 2, 3, 4]);
    expect(() => soap([w], { shampooBeta: 1 })).toThrow("soap: shampooBeta must be in [0, 1), got 1");
    expect(() => soap([w], { preconditionFrequency: 0 })).toThrow(
      "preconditionFrequency must be a whole number ≥ 1, got 0",
    );
  });
});
