import { compile, mean, type Tensor, tensor, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { beforeAll, describe, expect, it } from "vitest";
import { batchNorm, linear, sequential, updateBatchNorm } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const batch = (values: number[]) => tensor(values, { shape: [values.length / 2, 2], dtype: "float64" });
const values = (x: Tensor): number[] => Array.from(x.dataSync());

describe("updateBatchNorm", () => {
  it("makes the statistics the mean of those of the batches", async () => {
    const layer = batchNorm(2, { dtype: "float64", momentum: 0.3 });
    layer.eval();
    // Means 2 and 5, then 4 and 1; variances (unbiased) 2 and 8, then 0 and 2.
    await updateBatchNorm(layer, [batch([1, 3, 3, 7]), batch([4, 0, 4, 2])]);
    expect(values(layer.runningMean)).toEqual([3, 3]);
    expect(values(layer.runningVar)).toEqual([1, 5]);
    expect([layer.momentum, layer.training]).toEqual([0.3, false]);
  });

  it("goes through a model, batches that come one by one, and a function that runs them", async () => {
    const [first, last] = [batchNorm(2, { dtype: "float64" }), batchNorm(2, { dtype: "float64" })];
    const model = sequential(first, linear(2, 2, { dtype: "float64" }), last);
    last.eval();
    async function* batches() {
      yield { x: batch([1, 3, 3, 7]) };
      yield { x: batch([4, 0, 4, 2]) };
    }
    const run = compile((x: Tensor) => mean(model(x)));
    run(batch([9, 9, 1, 1]));
    await updateBatchNorm(model, batches(), ({ x }) => run(x));
    expect(values(first.runningMean)).toEqual([3, 3]);
    expect([model.training, first.training, last.training]).toEqual([true, true, false]);
    // Training goes on as before: 0.9 · 3 + 0.1 · 5.
    run(batch([4, 4, 6, 6]));
    expect(values(first.runningMean)[0]).toBeCloseTo(3.2, 12);
  });

  it("leaves the statistics when something fails", async () => {
    const layer = batchNorm(2, { dtype: "float64" });
    layer(batch([1, 3, 3, 7]));
    const before = values(layer.runningMean);
    await expect(updateBatchNorm(layer, [])).rejects.toThrow("updateBatchNorm: there is no batch");
    await expect(updateBatchNorm(layer, [batch([1, 3, 3, 7]), tensor([1, 2])])).rejects.toThrow("batchNorm: expected");
    expect(values(layer.runningMean)).toEqual(before);
    expect([layer.momentum, layer.training]).toEqual([0.1, true]);
  });

  it("has nothing to do without batch normalisation", async () => {
    await expect(updateBatchNorm(linear(2, 2), [])).resolves.toBeUndefined();
  });
});
