import { beforeEach, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { add, matmul, mul, Parameter, slice, square, sub, sum, type Tensor, tensor, useBackend } from "../index.ts";
import { type LbfgsOptions, lbfgs, type OptimizerStateDict } from "./index.ts";

beforeEach(() => useBackend(referenceBackend()));

const float64 = (entries: number[], shape = [entries.length]) => tensor(entries, { shape, dtype: "float64" });
const values = (x: Tensor): number[] => Array.from(x.dataSync());
const parameter = (name: string, entries: number[], shape?: number[]) =>
  new Parameter(float64(entries, shape), { name });

const rosenbrock = (x: Tensor): Tensor => {
  const [a, b] = [slice(x, { axis: 0, end: 1 }), slice(x, { axis: 0, start: 1 })];
  return sum(add(mul(square(sub(b, square(a))), 100), square(sub(1, a))));
};
const valley = (options: Partial<LbfgsOptions> = {}) => {
  const x = parameter("x", [-1.2, 1]);
  const optimizer = lbfgs([x], { lineSearchFn: "strong_wolfe", maxIter: 3, ...options });
  const loss = () => rosenbrock(x);
  return { x, optimizer, step: () => optimizer.minimize(loss) };
};

describe("lbfgs", () => {
  it("first goes along the gradient, by lr or until its magnitudes add up to lr", async () => {
    const x = parameter("x", [3, -1]);
    const optimizer = lbfgs([x], { maxIter: 1, lr: 0.5 });
    const loss = await optimizer.minimize(() => mul(sum(square(x)), 0.5));
    expect(loss.itemSync()).toBe(5);
    // t = min(1, 1 / (3 + 1)) · 0.5
    expect(values(x)).toEqual([3 - 0.375, -1 + 0.125]);
    expect([optimizer.step, optimizer.iterations, optimizer.functionEvaluations]).toEqual([1, 1, 1]);
  });

  it("then by the two-loop recursion", async () => {
    const x = parameter("x", [4]);
    const optimizer = lbfgs([x], { maxIter: 1 });
    const loss = () => mul(sum(square(x)), 2);
    await optimizer.minimize(loss);
    expect(values(x)).toEqual([3]);
    // In one dimension the inverse Hessian is known then: 1/4.
    await optimizer.minimize(loss);
    expect(values(x)[0]).toBeCloseTo(0, 14);
  });

  it("finds the minimum of Rosenbrock's function by searching", async () => {
    const { x, optimizer, step } = valley({ maxIter: 100, maxEval: 200, toleranceChange: 1e-15 });
    await step();
    expect(values(x)[0]).toBeCloseTo(1, 6);
    expect(values(x)[1]).toBeCloseTo(1, 6);
    expect(optimizer.functionEvaluations).toBeLessThan(60);
    // There the gradient is below the tolerance: one look, no iteration.
    const { iterations } = optimizer;
    await step();
    await step();
    expect(optimizer.iterations - iterations).toBeLessThan(3);
  });

  it("takes parameters of any shapes and dtypes, some without gradient", async () => {
    const w = parameter("w", [1, 2, 3, 4], [2, 2]);
    const b = new Parameter(tensor(0.5), { name: "b" });
    const unused = parameter("unused", [7]);
    const optimizer = lbfgs({ w, b, unused }, { lineSearchFn: "strong_wolfe" });
    const x = float64([1, 2, -1, 0.5], [2, 2]);
    const loss = () => sum(square(add(sub(matmul(w, x), 1), b)));
    const before = (await optimizer.minimize(loss)).itemSync();
    expect(before).toBeGreaterThan(1);
    expect(loss().itemSync()).toBeLessThan(1e-6);
    expect(values(unused)).toEqual([7]);
    expect([w.shape, b.shape, b.dtype]).toEqual([[2, 2], [], "float32"]);
  });

  it("takes what changes as inputs, and builds the loss once", async () => {
    const x = parameter("x", [1, 1]);
    const optimizer = lbfgs([x], { lineSearchFn: "strong_wolfe" });
    let built = 0;
    const loss = (target: Tensor): Tensor => {
      built++;
      return sum(square(sub(x, target)));
    };
    await optimizer.minimize(loss, float64([2, 5]));
    const once = built;
    await optimizer.minimize(loss, float64([-1, 3]));
    await optimizer.minimize(loss, float64([0, 4]));
    expect(built).toBe(once);
    expect(values(x)[0]).toBeCloseTo(0, 5);
    expect(values(x)[1]).toBeCloseTo(4, 5);
  });

  it("works where reading waits", async () => {
    const direct = valley();
    await direct.step();
    await direct.step();
    const { readSync: _, ...rest } = referenceBackend();
    useBackend({ ...rest, capabilities: { ...rest.capabilities, blocking: false } });
    const { x, step } = valley();
    await step();
    await step();
    expect(Array.from(await x.data())).toEqual(Array.from(values(direct.x)));
  });

  it("resumes with the same bits, through JSON too", async () => {
    const straight = valley({ historySize: 3, maxEval: 60 });
    for (let i = 0; i < 4; i++) await straight.step();
    const first = valley({ historySize: 3, maxEval: 60 });
    for (let i = 0; i < 2; i++) await first.step();
    const saved = await first.optimizer.stateDict();
    expect(Object.keys(saved.state)).toEqual(["x"]);
    expect(saved.state.x?.values.steps?.shape).toEqual([3, 2]);
    const plain = JSON.parse(
      JSON.stringify(saved, (_, value: unknown) =>
        ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
      ),
    ) as OptimizerStateDict;
    for (const state of [saved, plain]) {
      const second = valley();
      second.x.assign(first.x);
      await second.optimizer.loadStateDict(state);
      for (let i = 0; i < 2; i++) await second.step();
      expect(values(second.x)).toEqual(values(straight.x));
      const { optimizer } = second;
      expect([optimizer.step, optimizer.iterations, optimizer.functionEvaluations]).toEqual([
        straight.optimizer.step,
        straight.optimizer.iterations,
        straight.optimizer.functionEvaluations,
      ]);
    }
    // From before the first step, too.
    const fresh = valley();
    await fresh.optimizer.loadStateDict(await valley({ historySize: 3, maxEval: 60 }).optimizer.stateDict());
    for (let i = 0; i < 4; i++) await fresh.step();
    expect(values(fresh.x)).toEqual(values(straight.x));
  });

  it("refuses state that does not fit, saying all, and changes nothing", async () => {
    const { optimizer, step, x } = valley();
    await step();
    const saved = await optimizer.stateDict();
    const other = valley();
    const { direction: _, ...vectors } = saved.state.x?.values ?? {};
    const wrong = {
      ...saved,
      state: { x: { step: 1, values: { ...vectors, extra: saved.shared?.t } }, z: saved.state.x },
    } as unknown as OptimizerStateDict;
    await expect(other.optimizer.loadStateDict(wrong)).rejects.toThrow(
      /3 problems:\n- there is no parameter named z\n- x has no direction\n- x has an unknown state extra/,
    );
    await expect(other.optimizer.loadStateDict({ ...saved, optimizer: "adam" })).rejects.toThrow("state of adam");
    await expect(other.optimizer.loadStateDict({} as OptimizerStateDict)).rejects.toThrow("loadStateDict: expected");
    expect(other.optimizer.iterations).toBe(0);
    await other.step();
    expect(values(other.x)).toEqual(values(x));
  });

  it("begins anew after dispose, and has a rate that may be set", async () => {
    const { optimizer, step, x } = valley({ lineSearchFn: null });
    optimizer.lr = 0.25;
    expect(optimizer.lr).toBe(0.25);
    await step();
    const after = values(x);
    x.assign(float64([-1.2, 1]));
    optimizer.dispose();
    expect([optimizer.step, optimizer.iterations]).toEqual([0, 0]);
    await step();
    expect(values(x)).toEqual(after);
  });

  it("checks options, groups and losses", async () => {
    const x = parameter("x", [1]);
    expect(() => lbfgs([x], { maxIter: 0 })).toThrow("lbfgs: maxIter must be a whole number ≥ 1, got 0");
    expect(() => lbfgs([x], { lineSearchFn: "armijo" as "strong_wolfe" })).toThrow(
      "lbfgs: lineSearchFn must be strong_wolfe or null, got armijo",
    );
    expect(() => lbfgs([x], { lr: -1 })).toThrow("lbfgs: lr must be a finite number ≥ 0, got -1");
    expect(() => lbfgs([x], { maximize: true })).toThrow("lbfgs: maximize is not there");
    expect(() => lbfgs([{ parameters: [x] }, { parameters: [parameter("y", [1])] }])).toThrow("lbfgs: takes one group");
    const optimizer = lbfgs([x]);
    await expect(optimizer.minimize(() => sum(float64([1])))).rejects.toThrow(
      "lbfgs: the loss depends on no parameter",
    );
    const [one, two] = [optimizer.minimize(() => sum(square(x))), optimizer.minimize(() => sum(square(x)))];
    await expect(two).rejects.toThrow("lbfgs: minimize: a step is under way");
    await one;
  });
});
