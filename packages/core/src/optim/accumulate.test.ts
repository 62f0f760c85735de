import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { Parameter, type Tensor, tensor, useBackend } from "../index.ts";
import { accumulate, adam, type Optimizer, prodigy, SparseGradient, sgd, sparseAdam } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const float64 = (entries: number[], shape = [entries.length]) => tensor(entries, { shape, dtype: "float64" });
const values = (x: Tensor): number[] => Array.from(x.dataSync());
const make = (wrap: (parameters: Parameter[]) => Optimizer) => {
  const p = new Parameter(float64([1, 2]), { name: "p" });
  return { p, optimizer: wrap([p]) };
};
const pieces = [
  [1, -4],
  [3, 2],
  [0.5, 0],
  [-1.5, 1],
].map((entries) => float64(entries));
const means = [
  [2, -1],
  [-0.5, 0.5],
].map((entries) => float64(entries));

describe("accumulate", () => {
  it("makes one step of k gradients, and none in between", () => {
    const { p, optimizer } = make((parameters) => accumulate(sgd(parameters, { lr: 0.5 })));
    optimizer.update([pieces[0] as Tensor]);
    expect(values(p)).toEqual([1, 2]);
    optimizer.update([pieces[1] as Tensor]);
    expect(values(p)).toEqual([0, 2.5]);
    optimizer.update([pieces[2] as Tensor]);
    expect(values(p)).toEqual([0, 2.5]);
  });

  it.each([
    ["adam", (parameters: Parameter[]) => adam(parameters, { lr: (step) => 0.1 / (step + 1), betas: [0.5, 0.75] })],
    ["prodigy", (parameters: Parameter[]) => prodigy(parameters)],
  ] as const)("steps as %s does on the means: state, bias correction and schedule too", (_, base) => {
    const one = make((parameters) => base(parameters) as Optimizer);
    const several = make((parameters) => accumulate(base(parameters) as Optimizer));
    for (const gradient of means) one.optimizer.update([gradient]);
    for (const gradient of pieces) several.optimizer.update([gradient]);
    expect(values(several.p)).toEqual(values(one.p));
    for (const [name, state] of Object.entries(one.optimizer.state.get("p") ?? {})) {
      expect(values(several.optimizer.state.get("p")?.[name] as Tensor)).toEqual(values(state));
    }
    for (const [name, state] of one.optimizer.sharedState) {
      expect(values(several.optimizer.sharedState.get(name) as Tensor)).toEqual(values(state));
    }
  });

  it("sums instead where asked to", () => {
    const { p, optimizer } = make((parameters) => accumulate(sgd(parameters, { lr: 1 }), { reduction: "sum" }));
    for (const gradient of pieces.slice(0, 2)) optimizer.update([gradient]);
    expect(values(p)).toEqual([-3, 4]);
  });

  it("takes the rate of the step it makes", () => {
    const { optimizer } = make((parameters) => accumulate(sgd(parameters, { lr: (step) => step + 1 }), { k: 3 }));
    const rates = [0, 1, 2, 3, 0].map((piece) => {
      const { lr } = optimizer;
      optimizer.update([pieces[piece] as Tensor]);
      return lr;
    });
    expect(rates).toEqual([1, 1, 1, 2, 2]);
  });

  it("lists the rows of all its gradients", () => {
    const make = () => new Parameter(float64([1, 2, 3], [3, 1]), { name: "table" });
    const row = (index: number) =>
      new SparseGradient({ indices: tensor([index], { dtype: "int32" }), values: float64([1], [1, 1]) });
    const [one, several] = [make(), make()];
    const [plain, gathered] = [sparseAdam([one], { lr: 0.1 }), accumulate(sparseAdam([several], { lr: 0.1 }))];
    const both = (a: number, b: number) =>
      new SparseGradient({ indices: tensor([a, b], { dtype: "int32" }), values: float64([0.5, 0.5], [2, 1]) });
    for (const [a, b] of [
      [0, 2],
      [1, 1],
      [1, 2],
    ] as const) {
      plain.update([both(a, b)]);
      gathered.update([row(a)]);
      gathered.update([row(b)]);
    }
    expect(values(several)).toEqual(values(one));
  });

  it("checks its options", () => {
    const wrap = (options: object) => () => make((parameters) => accumulate(sgd(parameters, { lr: 1 }), options));
    expect(wrap({ k: 0 })).toThrow("accumulate: k must be a whole number ≥ 1, got 0");
    expect(wrap({ reduction: "max" })).toThrow("accumulate: reduction must be mean or sum, got max");
  });
});
