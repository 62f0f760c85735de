/** Schedules that drive optimizers, step by step and in compiled steps. */
import { beforeEach, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { type Backend, compile, Parameter, square, sum, tensor, useBackend } from "../index.ts";
import { adamW, cyclic, reduceOnPlateau, sgd, warmup, warmupCosine } from "./index.ts";

let compiled: number;
beforeEach(() => {
  compiled = 0;
  const backend = referenceBackend();
  useBackend({
    ...backend,
    compile: (...args: Parameters<Backend["compile"]>) => {
      compiled++;
      return backend.compile(...args);
    },
  });
});

const parameter = (values: number[]) => new Parameter(tensor(values, { dtype: "float64" }), { name: "p" });

describe("a schedule", () => {
  it("is followed by a compiled step, which is not compiled anew", () => {
    const lr = warmupCosine({ baseLr: 0.2, numWarmupSteps: 2, numTrainingSteps: 6 });
    const p = parameter([1]);
    const optimizer = sgd([p], { lr });
    const train = compile(() => optimizer.minimize(sum(square(p))));
    const losses = [train().itemSync()];
    const once = compiled;
    for (let step = 1; step < 6; step++) losses.push(train().itemSync());
    expect(compiled).toBe(once);
    let value = 1;
    for (const [step, loss] of losses.entries()) {
      expect(loss).toBeCloseTo(value ** 2, 12);
      value -= lr(step) * 2 * value;
    }
    expect(p.dataSync()[0]).toBeCloseTo(value, 12);
  });

  it("gives momentum, too", () => {
    const lr = cyclic({ baseLr: 0.01, maxLr: 0.2, stepSizeUp: 2 });
    const p = parameter([1]);
    const optimizer = sgd([p], { lr, momentum: lr.momentum });
    const train = compile(() => optimizer.minimize(sum(square(p))));
    let [value, velocity] = [1, 0];
    for (let step = 0; step < 6; step++) {
      train();
      velocity = (step === 0 ? 0 : (lr.momentum?.(step) as number) * velocity) + 2 * value;
      value -= lr(step) * velocity;
    }
    expect(p.dataSync()[0]).toBeCloseTo(value, 12);
  });

  it("that follows a metric is asked at every step", () => {
    const lr = reduceOnPlateau({ baseLr: 0.25, factor: 0.5, patience: 0 });
    const p = parameter([1]);
    const optimizer = sgd([p], { lr });
    const train = compile(() => optimizer.minimize(sum(square(p))));
    train();
    expect(p.dataSync()[0]).toBe(0.5);
    lr.report(1);
    lr.report(1);
    train();
    expect(p.dataSync()[0]).toBe(0.375);
    expect(optimizer.lr).toBe(0.125);
  });

  it("resumed with the optimizer's state gives the same bits as never stopped", async () => {
    const make = (p: Parameter) =>
      adamW([p], {
        lr: warmup({
          schedule: warmupCosine({ baseLr: 0.1, numWarmupSteps: 3, numTrainingSteps: 9 }),
          numWarmupSteps: 2,
        }),
      });
    const straight = parameter([1, -2]);
    const optimizer = make(straight);
    for (let i = 0; i < 10; i++) optimizer.minimize(sum(square(straight)));

    const first = parameter([1, -2]);
    const before = make(first);
    for (let i = 0; i < 5; i++) before.minimize(sum(square(first)));
    const second = parameter(Array.from(first.dataSync()));
    const after = make(second);
    await after.loadStateDict(await before.stateDict());
    for (let i = 0; i < 5; i++) after.minimize(sum(square(second)));
    expect(Array.from(second.dataSync())).toEqual(Array.from(straight.dataSync()));
  });
});
