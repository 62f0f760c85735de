import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { Parameter, type Tensor, tensor, useBackend } from "../index.ts";
import { ema, type Optimizer, sgd, swa } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

/** p goes 10, 9, 8 … */
const make = (wrap: (optimizer: Optimizer) => Optimizer) => {
  const p = new Parameter(tensor(10, { dtype: "float64" }), { name: "p" });
  const optimizer = wrap(sgd([p], { lr: 1 }) as Optimizer);
  const step = () => optimizer.update([tensor(1, { dtype: "float64" })]);
  const average = () => {
    optimizer.eval();
    const value = p.itemSync();
    optimizer.train();
    return value;
  };
  return { p, optimizer, step, average };
};
const scalar = (x: Tensor): number => x.itemSync();

describe("ema", () => {
  it("averages from the initial parameters on", () => {
    const { p, step, average } = make((base) => ema(base, { decay: 0.5 }));
    expect(average()).toBe(10);
    step();
    expect([scalar(p), average()]).toEqual([9, 9.5]);
    step();
    expect([scalar(p), average()]).toEqual([8, 8.75]);
  });

  it("corrected, counts the trained parameters alone", () => {
    const { step, average } = make((base) => ema(base, { decay: 0.5, biasCorrection: true }));
    expect(average()).toBe(10);
    step();
    expect(average()).toBe(9);
    step();
    expect(average()).toBeCloseTo((0.25 * 9 + 0.5 * 8) / 0.75, 14);
  });

  it("warmed up, decays by (1 + t) / (10 + t) first", () => {
    const { step, average } = make((base) => ema(base, { decay: 0.2, warmup: true }));
    step();
    const first = (2 / 11) * 10 + (9 / 11) * 9;
    expect(average()).toBeCloseTo(first, 14);
    step();
    expect(average()).toBeCloseTo(0.2 * first + 0.8 * 8, 14);
  });

  it("is kept in float32 for 16-bit parameters", () => {
    const p = new Parameter(tensor([1, 2], { dtype: "bfloat16" }), { name: "p" });
    const optimizer = ema(sgd([p], { lr: 1 }), { decay: 0.75 });
    optimizer.update([tensor([1, 1], { dtype: "bfloat16" })]);
    expect(optimizer.state.get("p")?.ema?.dtype).toBe("float32");
    expect(Array.from(optimizer.state.get("p")?.ema?.dataSync() ?? [])).toEqual([0.75, 1.75]);
  });

  it("refuses to train or save what stands in for evaluation", async () => {
    const { optimizer, step } = make((base) => ema(base));
    step();
    optimizer.eval();
    expect(step).toThrow("call train()");
    await expect(optimizer.stateDict()).rejects.toThrow("call train()");
  });

  it("checks its options", () => {
    expect(() => make((base) => ema(base, { decay: 1 }))).toThrow("ema: decay must be in [0, 1), got 1");
    expect(() => make((base) => ema(base, { biasCorrection: true, warmup: true }))).toThrow("ema: biasCorrection and");
    expect(() => make((base) => ema(base, { k: 1 } as object))).toThrow("ema: unknown option k");
  });
});

describe("swa", () => {
  it("is the equal mean of every k-th step's parameters from the start on", () => {
    const { step, average } = make((base) => swa(base, { start: 2, every: 2 }));
    const averages = Array.from({ length: 7 }, () => {
      step();
      return average();
    });
    // Taken: 8 at step 2, 6 at 4, 4 at 6; before, the parameters themselves.
    expect(averages).toEqual([9, 8, 8, 7, 7, 6, 6]);
  });

  it("checks its options", () => {
    expect(() => make((base) => swa(base, { start: 0 }))).toThrow("swa: start must be a whole number ≥ 1, got 0");
    expect(() => make((base) => swa(base, { every: 1.5 }))).toThrow("swa: every must be a whole number ≥ 1, got 1.5");
  });
});
