/** The training loop. */
import { ArgumentError, compile, type Tensor } from "@thalweg/core";
import type { Optimizer } from "@thalweg/core/optim";
import type { ImageDataset, Split } from "./dataset.ts";
import { Loader } from "./loader.ts";
import { correctCount } from "./metrics.ts";

/** What `fit` trains: images [n, 1, height, width] to logits [n, classes]. */
export interface Classifier {
  (images: Tensor): Tensor;
  /** Turns what differs in training (dropout, running statistics) on and off, where the model has any. */
  train?(): unknown;
  eval?(): unknown;
}

export interface EpochResult {
  /** Mean over the batches of the epoch, each before its update. */
  readonly loss: number;
  /** Part of the validation set that is classified right after the epoch. */
  readonly validationAccuracy: number;
  /** Of the epoch, validation included. */
  readonly seconds: number;
}

export interface FitCallbacks {
  /** After each step. `loss` is the latest that has been read, undefined before the first. */
  onStep?(progress: { epoch: number; step: number; steps: number; loss: number | undefined }): void;
  onEpoch?(result: EpochResult, epoch: number): void;
}

export interface FitOptions extends FitCallbacks {
  readonly data: Split;
  /** A scalar from logits and labels, the mean over the batch: `crossEntropy`. */
  readonly loss: (logits: Tensor, labels: Tensor) => Tensor;
  readonly epochs: number;
  readonly batchSize: number;
}

/** Steps between two readings of the loss to show: often enough for the eye, seldom enough not to stall a queue. */
const stepsPerReading = 10;

/**
 * Trains `model` for `epochs` passes over `data.train` in an order shuffled anew for each, and measures its accuracy on
 * `data.validation` after each. The whole step is compiled once; the loss is read every few steps to be shown, and all of
 * it at the end of an epoch. A last training batch that is not full is left out. With an optimizer that evaluates with
 * other values than it trains (an average), validation sees those; call its `eval()` afterwards to keep them.
 *
 * Throws ArgumentError unless epochs and batchSize are whole positive numbers.
 */
export async function fit(
  model: Classifier,
  optimizer: Pick<Optimizer, "minimize"> & Partial<Pick<Optimizer, "eval" | "train">>,
  { data, loss, epochs, batchSize, onStep, onEpoch }: FitOptions,
): Promise<EpochResult[]> {
  if (!Number.isInteger(epochs) || epochs < 1) {
    throw new ArgumentError("fit", `expected epochs as a whole positive number, got ${epochs}`);
  }
  const loader = new Loader(data.train, { batchSize, shuffle: true, dropLast: true });
  const step = compile((images: Tensor, labels: Tensor) => optimizer.minimize(loss(model(images), labels)));
  const measure = evaluator(model);
  const results: EpochResult[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const start = performance.now();
    model.train?.();
    const losses: Tensor[] = [];
    let shown: number | undefined;
    for await (const { images, labels } of loader) {
      losses.push(step(images, labels));
      if (losses.length % stepsPerReading === 1) shown = await (losses.at(-1) as Tensor).item();
      onStep?.({ epoch, step: losses.length, steps: loader.batches, loss: shown });
    }
    const values = await Promise.all(losses.map((value) => value.item()));
    optimizer.eval?.();
    const validationAccuracy = await measure(data.validation, batchSize);
    optimizer.train?.();
    const result = {
      loss: values.reduce((sum, value) => sum + value, 0) / values.length,
      validationAccuracy,
      seconds: (performance.now() - start) / 1000,
    };
    results.push(result);
    onEpoch?.(result, epoch);
  }
  return results;
}

/** Part of `data` that `model` classifies right, between 0 and 1. */
export const accuracy = (model: Classifier, data: ImageDataset, batchSize = 256): Promise<number> =>
  evaluator(model)(data, batchSize);

function evaluator(model: Classifier): (data: ImageDataset, batchSize: number) => Promise<number> {
  const countCorrect = compile((images: Tensor, labels: Tensor) => correctCount(model(images), labels));
  return async (data, batchSize) => {
    model.eval?.();
    const counts: Tensor[] = [];
    for await (const { images, labels } of new Loader(data, { batchSize })) counts.push(countCorrect(images, labels));
    const right = await Promise.all(counts.map((count) => count.item()));
    return right.reduce((sum, count) => sum + count, 0) / data.labels.length;
  };
}
