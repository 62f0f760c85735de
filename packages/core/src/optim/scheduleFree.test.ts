import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { Parameter, type Tensor, tensor, useBackend } from "../index.ts";
import { adamW, type Optimizer, scheduleFree, scheduleFreeAdamW, scheduleFreeSgd, sgd } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const float64 = (...entries: number[]) => tensor(entries, { dtype: "float64" });
const values = (x: Tensor | undefined): number[] => Array.from(x?.dataSync() ?? []);
const parameter = (...entries: number[]) => new Parameter(float64(...entries), { name: "p" });
const close = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 13);
};
const evaluated = (optimizer: Optimizer, p: Parameter): number[] => {
  optimizer.eval();
  const average = values(p);
  optimizer.train();
  return average;
};

describe("scheduleFreeSgd", () => {
  it("is what the formula says, by hand", () => {
    const p = parameter(1);
    const optimizer = scheduleFreeSgd([p], { lr: 0.5, momentum: 0.5 });
    optimizer.update([float64(1)]);
    // c = 1: y ← z - lr g, and z likewise.
    close([...values(p), ...values(optimizer.state.get("p")?.z)], [0.5, 0.5]);
    optimizer.update([float64(2)]);
    // c = 1/2: z = -0.5, x = (0.5 - 0.5) / 2 = 0, y = (z + x) / 2.
    close(values(optimizer.state.get("p")?.z), [-0.5]);
    close(values(p), [-0.25]);
    close(evaluated(optimizer as Optimizer, p), [0]);
  });

  it("weights by the largest rate so far, step^r and not at all", () => {
    const weights = (options: object, rates: number[]) => {
      const p = parameter(1);
      const optimizer = scheduleFreeSgd([p], { lr: 1, ...options });
      for (const lr of rates) {
        optimizer.lr = lr;
        optimizer.update([float64(0.5)]);
      }
      return values(optimizer.sharedState.get("group.0.weightSum"))[0] as number;
    };
    expect(weights({}, [1, 3, 2])).toBeCloseTo(1 + 9 + 9, 13);
    expect(weights({ weightLrPower: 1, r: 2 }, [1, 3, 2])).toBeCloseTo(1 + 4 * 3 + 9 * 3, 13);
    expect(weights({ weightLrPower: 0 }, [0, 3, 2])).toBe(3);
  });

  it("stands a rate of 0 at the start", () => {
    const p = parameter(1);
    const optimizer = scheduleFreeSgd([p], { lr: (step) => step });
    optimizer.update([float64(1)]);
    expect(values(p)).toEqual([1]);
    optimizer.update([float64(1)]);
    close(values(p), [0]);
  });

  it("takes schedules for its numbers", () => {
    const run = (options: object) => {
      const p = parameter(1, 2);
      const optimizer = scheduleFreeSgd([p], { lr: 0.1, ...options });
      for (let i = 0; i < 3; i++) optimizer.update([float64(1, i)]);
      return [...values(p), ...evaluated(optimizer as Optimizer, p)];
    };
    const options = { momentum: 0.8, weightDecay: 0.1, r: 1, weightLrPower: 1.5, warmupSteps: 2 };
    const scheduled = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, () => value]));
    close(run(scheduled), run(options));
  });

  it("checks its options", () => {
    const make = (options: object) => () => scheduleFreeSgd([parameter(1)], options);
    expect(make({ momentum: 1 })).toThrow("scheduleFreeSgd: momentum must be between 0 and 1, exclusive, got 1");
    expect(make({ r: -1 })).toThrow("scheduleFreeSgd: r must be a finite number ≥ 0, got -1");
    expect(make({ warmupSteps: Number.NaN })).toThrow("scheduleFreeSgd: warmupSteps must be a finite number ≥ 0");
    expect(() => scheduleFreeAdamW([parameter(1)], { betas: [0, 0.9] })).toThrow(
      "scheduleFreeAdamW: betas[0] must be between 0 and 1, exclusive, got 0",
    );
    expect(() => scheduleFreeAdamW([parameter(1)], { innerMomentum: 1 })).toThrow("innerMomentum must be in [0, 1)");
  });
});

describe("scheduleFreeAdamW", () => {
  it("first steps by lr along the sign, at y and z alike", () => {
    const p = parameter(1, -1);
    const optimizer = scheduleFreeAdamW([p], { lr: 0.1, eps: 0 });
    optimizer.update([float64(3, -0.01)]);
    close(values(p), [0.9, -0.9]);
    close(values(optimizer.state.get("p")?.z), [0.9, -0.9]);
  });
});

describe("scheduleFree", () => {
  const run = (make: (p: Parameter) => Optimizer, steps = 6) => {
    const p = parameter(1, -2);
    const optimizer = make(p);
    for (let step = 1; step <= steps; step++) {
      optimizer.lr = 0.1 + 0.05 * (step % 3);
      optimizer.update([float64(Math.sin(step), step / 10)]);
    }
    return [...values(p), ...evaluated(optimizer, p)];
  };

  it("round sgd is scheduleFreeSgd, weight decay at y included", () => {
    const plain = { momentum: 0.8, r: 1, weightLrPower: 1 };
    close(
      run((p) => scheduleFree(sgd([p], { lr: 1 }), plain) as Optimizer),
      run((p) => scheduleFreeSgd([p], plain) as Optimizer),
    );
    close(
      run((p) => scheduleFree(sgd([p], { lr: 1 }), { weightDecayAtY: 0.2 }) as Optimizer, 1),
      run((p) => scheduleFreeSgd([p], { weightDecay: 0.2 }) as Optimizer, 1),
    );
  });

  it("round adamW without momentum is scheduleFreeAdamW", () => {
    close(
      run((p) => scheduleFree(adamW([p], { betas: [0, 0.9], weightDecay: 0 })) as Optimizer),
      run((p) => scheduleFreeAdamW([p], { betas: [0.9, 0.9] }) as Optimizer),
    );
  });

  it("takes the inner decay at z", () => {
    const p = parameter(1);
    const optimizer = scheduleFree(sgd([p], { lr: 0.5, weightDecay: 0.5 }), { momentum: 0.5 });
    optimizer.update([float64(1)]);
    // z ← 1 - 0.5 (1 + 0.5·1); at the next step it decays itself: 0.25 - 0.5 (1 + 0.5·0.25).
    optimizer.update([float64(1)]);
    close(values(optimizer.state.get("p")?.z), [-0.3125]);
  });

  it("checks its options", () => {
    expect(() => scheduleFree(sgd([parameter(1)], { lr: 1 }), { momentum: 0 })).toThrow(
      "scheduleFree: momentum must be",
    );
    expect(() => scheduleFree(sgd([parameter(1)], { lr: 1 }), { weightDecayAtY: -1 })).toThrow(
      "scheduleFree: weightDecayAtY must be a finite number ≥ 0, got -1",
    );
  });
});
