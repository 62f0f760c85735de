/** A training run in the page: a small network on generated digits. */
import { compile, manualSeed, type Tensor, useBackend } from "@thalweg/core";
import { adamW } from "@thalweg/core/optim";
import { crossEntropy, flatten, linear, relu, sequential } from "@thalweg/nn";
import { accuracy, generateDigits, Loader } from "@thalweg/train";
import { answerOf, type BackendAnswer, type BackendRequest, makeBackend } from "./backends.ts";

export interface TrainRequest extends BackendRequest {
  readonly images: number;
  readonly epochs: number;
}

export interface TrainResult extends BackendAnswer {
  /** On images that it has not seen, from 0 to 1. */
  readonly accuracy: number;
  /** At every step. The same bits whatever the number of threads. */
  readonly losses: readonly number[];
  readonly seconds: number;
}

export async function train(request: TrainRequest): Promise<TrainResult> {
  const backend = await makeBackend(request);
  useBackend(backend);
  manualSeed(0);
  const model = sequential(flatten(), linear(784, 128), relu(), linear(128, 10));
  const optimizer = adamW(model.parameters(), { lr: 1e-3 });
  const step = compile((x: Tensor, y: Tensor) => optimizer.minimize(crossEntropy(model(x), y)));
  const digits = generateDigits({ count: request.images });
  const losses: number[] = [];
  const start = performance.now();
  for (let epoch = 0; epoch < request.epochs; epoch++) {
    for await (const { images, labels } of new Loader(digits, { batchSize: 64, shuffle: true })) {
      losses.push(await step(images, labels).item());
    }
  }
  const seconds = (performance.now() - start) / 1000;
  const result = { ...answerOf(backend), accuracy: await accuracy(model, generateDigits({ count: 500, seed: 1 })) };
  backend.dispose();
  return { ...result, losses, seconds };
}
