import { crossEntropy, linear, manualSeed, Parameter, reshape, type Tensor, useBackend, zeros } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { sgd } from "@thalweg/core/optim";
import { beforeEach, expect, it } from "vitest";
import type { ImageDataset } from "./dataset.ts";
import { accuracy, type EpochResult, fit } from "./fit.ts";

beforeEach(() => {
  useBackend(referenceBackend());
  manualSeed(0);
});

/** Images of four pixels, one of which is bright: the class. */
const dots = (count: number): ImageDataset => ({
  images: Float32Array.from({ length: count * 4 }, (_, i) => (i % 4 === Math.floor(i / 4) % 4 ? 1 : 0)),
  labels: Int32Array.from({ length: count }, (_, i) => i % 4),
  height: 2,
  width: 2,
  classes: 4,
});

function classifier() {
  const weight = new Parameter(zeros([4, 4]), { name: "weight" });
  const modes: string[] = [];
  const model = Object.assign((x: Tensor) => linear(reshape(x, [x.shape[0] as number, 4]), weight), {
    train: () => modes.push("train"),
    eval: () => modes.push("eval"),
  });
  return { model, weight, modes };
}

it("learns, and tells of every step and epoch", async () => {
  const { model, weight, modes } = classifier();
  const steps: string[] = [];
  const epochs: EpochResult[] = [];
  const data = { train: dots(40), validation: dots(6) };
  const results = await fit(model, sgd([weight], { lr: 1 }), {
    data,
    loss: crossEntropy,
    epochs: 3,
    batchSize: 16,
    onStep: ({ epoch, step, steps: all, loss }) => steps.push(`${epoch}:${step}/${all} ${typeof loss}`),
    onEpoch: (result, epoch) => {
      expect(epoch).toBe(epochs.length + 1);
      epochs.push(result);
    },
  });
  expect(results).toEqual(epochs);
  expect(steps).toEqual([1, 2, 3].flatMap((epoch) => [`${epoch}:1/2 number`, `${epoch}:2/2 number`]));
  expect(modes).toEqual(["train", "eval", "train", "eval", "train", "eval"]);
  const [first, , last] = results as [EpochResult, EpochResult, EpochResult];
  expect(first.loss).toBeLessThan(Math.log(4));
  expect(first.loss).toBeGreaterThan(last.loss);
  expect(last.validationAccuracy).toBe(1);
  expect(await accuracy(model, dots(5), 2)).toBe(1);
});

it("measures before it has learned what chance gives", async () => {
  const { model } = classifier();
  // All logits are equal, and the first class counts as the largest.
  expect(await accuracy(model, dots(8))).toBe(0.25);
});

it("the mean loss of an epoch is that of its batches before their updates", async () => {
  const { model, weight } = classifier();
  const data = { train: dots(8), validation: dots(4) };
  const [result] = await fit(model, sgd([weight], { lr: 1e-12 }), {
    data,
    loss: crossEntropy,
    epochs: 1,
    batchSize: 4,
  });
  expect(result?.loss).toBeCloseTo(Math.log(4), 6);
});

it("validates with what the optimizer evaluates with, and goes on with what it trains", async () => {
  const { model, weight, modes } = classifier();
  const inner = sgd([weight], { lr: 1 });
  const optimizer = {
    minimize: (loss: Tensor) => inner.minimize(loss),
    eval: () => modes.push("values of evaluation"),
    train: () => modes.push("values of training"),
  };
  const data = { train: dots(8), validation: dots(4) };
  await fit(
    model,
    { ...optimizer, eval: () => void optimizer.eval(), train: () => void optimizer.train() },
    {
      data,
      loss: crossEntropy,
      epochs: 1,
      batchSize: 4,
    },
  );
  expect(modes).toEqual(["train", "values of evaluation", "eval", "values of training"]);
});

it("refuses epochs that are no whole positive number", async () => {
  const { model, weight } = classifier();
  const options = { data: { train: dots(4), validation: dots(4) }, loss: crossEntropy, epochs: 0, batchSize: 4 };
  await expect(fit(model, sgd([weight], { lr: 1 }), options)).rejects.toThrow(
    "fit: expected epochs as a whole positive number, got 0",
  );
});
