import { compile, manualSeed, type Tensor, tensor, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { adam } from "@thalweg/core/optim";
import { beforeAll, describe, expect, it } from "vitest";
import { batchNorm, bceWithLogits, dropout, linear, sequential, tanh } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const x = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]);
const y = tensor([[0], [1], [1], [0]]);

describe("a training step", () => {
  it("learns XOR", () => {
    manualSeed(4);
    const model = sequential(linear(2, 8), tanh(), linear(8, 1));
    const optimizer = adam(model.parameters(), { lr: 0.1 });
    const step = compile((input: Tensor, target: Tensor) => optimizer.minimize(bceWithLogits(model(input), target)));
    let loss = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 100; i++) loss = step(x, y).itemSync();
    expect(loss).toBeLessThan(0.02);
    expect(step.traces).toBe(1);
    expect(Array.from(model(x).dataSync(), (logit) => (logit > 0 ? 1 : 0))).toEqual([0, 1, 1, 0]);
  });

  it("with random masks and running statistics is the same compiled as built afresh", () => {
    const train = (compiled: boolean): number[] => {
      manualSeed(9);
      const model = sequential(linear(2, 6), batchNorm(6), dropout(0.3), linear(6, 1));
      const optimizer = adam(model.namedParameters(), { lr: 0.05 });
      const build = (input: Tensor): Tensor => optimizer.minimize(bceWithLogits(model(input), y));
      const step = compiled ? compile(build) : build;
      const losses = [1, 2, 3, 4].map(() => step(x).itemSync());
      return [...losses, ...Object.values(model.buffers()).flatMap((buffer) => Array.from(buffer.dataSync()))];
    };
    const [direct, compiled] = [train(false), train(true)];
    for (const [i, value] of direct.entries()) expect(compiled[i]).toBeCloseTo(value, 5);
  });
});
