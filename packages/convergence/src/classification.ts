/** Images of digits: logistic regression, and a multilayer perceptron. */
import { compile, crossEntropy, manualSeed, type Tensor } from "@thalweg/core";
import { flatten, linear, relu, sequential } from "@thalweg/nn";
import {
  accuracy,
  type Classifier,
  datasetSize,
  generateDigits,
  Loader,
  type Split,
  sliceDataset,
  standardize,
} from "@thalweg/train";
import { readMnist } from "@thalweg/train/node";
import type { MakeOptimizer, Problem } from "./problem.ts";

export interface ImageData extends Split {
  readonly source: string;
}

/** MNIST files of a folder: of a single pair of files, the last fifth is for validation. Throws DataError. */
export const readImages = async (folder: string): Promise<ImageData> => ({
  ...standardize(await readMnist(folder)),
  source: "MNIST",
});

export function generateImages(train: number, validation: number): ImageData {
  const digits = generateDigits({ count: train + validation });
  return {
    ...standardize({
      train: sliceDataset(digits, 0, train),
      validation: sliceDataset(digits, train, train + validation),
    }),
    source: "generated digits",
  };
}

const batchSize = 64;

type Model = Classifier & ReturnType<typeof sequential>;

async function solve(model: Model, data: ImageData, epochs: number, make: MakeOptimizer): Promise<number> {
  const loader = new Loader(data.train, { batchSize, shuffle: true, dropLast: true });
  const optimizer = make(model.parameters(), epochs * loader.batches);
  const step = compile((images: Tensor, labels: Tensor) => optimizer.minimize(crossEntropy(model(images), labels)));
  for (let epoch = 0; epoch < epochs; epoch++) {
    for await (const { images, labels } of loader) step(images, labels);
  }
  optimizer.eval();
  const result = await accuracy(model, data.validation);
  optimizer.dispose();
  return result;
}

const problem = (
  kind: "logistic" | "mlp",
  what: string,
  data: ImageData,
  epochs: number,
  target: number,
  makeModel: () => Model,
): Problem => ({
  kind,
  name: `${what} on ${data.source} (${datasetSize(data.train)}/${datasetSize(data.validation)}), ${epochs} epochs`,
  target: { quantity: "accuracy", value: target, better: "above" },
  solve(make) {
    manualSeed(0);
    return solve(makeModel(), data, epochs, make);
  },
});

const pixels = ({ train: { height, width } }: ImageData): number => height * width;

export const logistic = (data: ImageData, epochs: number, target: number): Problem =>
  problem("logistic", "logistic regression", data, epochs, target, () =>
    sequential(flatten(), linear(pixels(data), data.train.classes)),
  );

export const mlp = (data: ImageData, epochs: number, target: number): Problem =>
  problem("mlp", "MLP 64", data, epochs, target, () =>
    sequential(flatten(), linear(pixels(data), 64), relu(), linear(64, data.train.classes)),
  );
