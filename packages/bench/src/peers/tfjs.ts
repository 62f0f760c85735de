/** TensorFlow.js on its plain JavaScript backend, from the folder it was installed into on demand. */
import { createRequire } from "node:module";
import {
  adamEps,
  convolution,
  denseLayers,
  images,
  type LayerWeights,
  labels,
  learningRate,
  numbers,
  type WorkloadName,
} from "../workloads.ts";
import type { Peer, Session } from "./peer.ts";

/** The part of the library that is used here. */
interface Tensor {
  dataSync(): Float32Array;
  dispose(): void;
  add(other: Tensor): Tensor;
  relu(): Tensor;
  matMul(other: Tensor): Tensor;
  reshape(shape: readonly number[]): Tensor;
  conv2d(weight: Tensor, strides: number, pad: "same"): Tensor;
  maxPool(size: number, strides: number, pad: "valid"): Tensor;
}
interface Variable extends Tensor {
  readonly name: string;
}
interface Optimizer {
  minimize(loss: () => Tensor, returnCost: true): Tensor;
  applyGradients(gradients: Record<string, Tensor>): void;
}
interface Tfjs {
  readonly version: { readonly tfjs: string };
  readonly losses: { softmaxCrossEntropy(labels: Tensor, logits: Tensor): Tensor };
  readonly train: {
    sgd(lr: number): Optimizer;
    adam(lr: number, beta1: number, beta2: number, eps: number): Optimizer;
  };
  setBackend(name: string): Promise<boolean>;
  getBackend(): string;
  enableProdMode(): void;
  tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype?: string): Tensor;
  variable(initial: Tensor): Variable;
  transpose(x: Tensor, axes: readonly number[]): Tensor;
  oneHot(indices: Tensor, depth: number): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
  tidy<T>(build: () => T): T;
}

/** Loads it from `folder`, where `npm install --prefix` put it. */
export async function tfjsPeer(folder: string): Promise<Peer> {
  const tf = createRequire(`${folder}/package.json`)("@tensorflow/tfjs") as Tfjs;
  tf.enableProdMode();
  await tf.setBackend("cpu");
  if (tf.getBackend() !== "cpu") throw new Error(`tfjs: expected backend cpu, got ${tf.getBackend()}`);
  const start = (workload: WorkloadName): Session | undefined => {
    switch (workload) {
      case "matmul-512":
        return matmul(tf, 512);
      case "mlp-adam":
        return mlp(tf);
      case "cnn-sgd":
        return cnn(tf);
      case "adam-1m":
        return adam(tf, 1_000_000);
      case "dispatch":
        return undefined;
      default:
        return workload satisfies never;
    }
  };
  return { name: "tfjs-cpu", description: `@tensorflow/tfjs ${tf.version.tfjs}, backend cpu, 1 thread`, start };
}

function matmul(tf: Tfjs, side: number): Session {
  const a = tf.tensor(numbers(side * side, 1), [side, side]);
  const b = tf.tensor(numbers(side * side, 2), [side, side]);
  let product: Float32Array | undefined;
  return {
    run() {
      const c = tf.matMul(a, b);
      product = c.dataSync();
      c.dispose();
    },
    check: () => (product as Float32Array)[side + 1] as number,
  };
}

type Dense = (x: Tensor) => Tensor;

function dense(tf: Tfjs, { weight, bias }: LayerWeights, order = (w: Tensor): Tensor => w): Dense {
  const [outputs, inputs] = [bias.length, weight.length / bias.length];
  const w = tf.variable(tf.transpose(order(tf.tensor(weight, [outputs, inputs])), [1, 0]));
  const b = tf.variable(tf.tensor(bias, [outputs]));
  return (x) => x.matMul(w).add(b);
}

function training(tf: Tfjs, optimizer: Optimizer, forward: () => Tensor, batch: number): Session {
  const classOf = tf.oneHot(tf.tensor(labels(batch), [batch], "int32"), 10);
  let loss = Number.NaN;
  return {
    run() {
      const cost = tf.tidy(() => optimizer.minimize(() => tf.losses.softmaxCrossEntropy(classOf, forward()), true));
      loss = cost.dataSync()[0] as number;
      cost.dispose();
    },
    check: () => loss,
  };
}

function mlp(tf: Tfjs): Session {
  const batch = 128;
  const x = tf.tensor(images(batch), [batch, 784]);
  const [first, second, third] = denseLayers([784, 256, 128, 10], 11).map((weights) => dense(tf, weights)) as [
    Dense,
    Dense,
    Dense,
  ];
  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, adamEps);
  return training(tf, optimizer, () => third(second(first(x).relu()).relu()), batch);
}

function cnn(tf: Tfjs): Session {
  const batch = 32;
  // It takes images as NHWC and weights as HWIO.
  const x = tf.tensor(images(batch), [batch, 28, 28, 1]);
  const conv = (inputs: number, outputs: number, seed: number) => {
    const { weight, bias } = convolution(inputs, outputs, seed);
    const w = tf.variable(tf.transpose(tf.tensor(weight, [outputs, inputs, 5, 5]), [2, 3, 1, 0]));
    const b = tf.variable(tf.tensor(bias, [outputs]));
    return (input: Tensor) => input.conv2d(w, 1, "same").add(b);
  };
  const [conv1, conv2] = [conv(1, 32, 51), conv(32, 64, 61)];
  const [hidden, output] = denseLayers([3136, 256, 10], 71) as [LayerWeights, LayerWeights];
  // Flattened there in the order of height, width, channel.
  const channelsLast = (w: Tensor) => tf.transpose(w.reshape([256, 64, 7, 7]), [0, 2, 3, 1]).reshape([256, 3136]);
  const [fc1, fc2] = [dense(tf, hidden, channelsLast), dense(tf, output)];
  const forward = () => {
    const first = conv1(x).relu().maxPool(2, 2, "valid");
    const second = conv2(first).relu().maxPool(2, 2, "valid");
    return fc2(fc1(second.reshape([batch, 3136])).relu());
  };
  return training(tf, tf.train.sgd(learningRate), forward, batch);
}

function adam(tf: Tfjs, size: number): Session {
  const parameter = tf.variable(tf.tensor(numbers(size, 1), [size]));
  const gradient = tf.tensor(numbers(size, 2), [size]);
  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, adamEps);
  return {
    run: () => optimizer.applyGradients({ [parameter.name]: gradient }),
    check: () => parameter.dataSync()[12345] as number,
  };
}
