/** The networks the command trains: images [n, 1, 28, 28] to logits [n, 10]. */
import { conv2d, flatten, linear, maxPool2d, relu, sequential } from "@thalweg/nn";

const models = {
  /** 784-256-128-10. */
  mlp: () => sequential(flatten(), linear(784, 256), relu(), linear(256, 128), relu(), linear(128, 10)),
  /** Two 5 × 5 convolutions of 16 and 32 channels, each halved by pooling, and a hidden layer of 128. */
  cnn: () =>
    sequential(
      conv2d(1, 16, 5, { padding: 2 }),
      relu(),
      maxPool2d(2),
      conv2d(16, 32, 5, { padding: 2 }),
      relu(),
      maxPool2d(2),
      flatten(),
      linear(1568, 128),
      relu(),
      linear(128, 10),
    ),
};

export type ModelName = keyof typeof models;
export const modelNames = Object.keys(models) as readonly ModelName[];

/** A new network with fresh weights, and how long it is trained unless told. */
export const makeModel = (name: ModelName) => models[name]();
export const defaultEpochs: Readonly<Record<ModelName, number>> = { mlp: 8, cnn: 2 };
