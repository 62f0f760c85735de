/** Thalweg on its own backend for plain JavaScript. */
import { createRequire } from "node:module";
import { compile, fromHost, matmul, Parameter, type Tensor, useBackend } from "@thalweg/core";
import { adam, type Optimizer, sgd } from "@thalweg/core/optim";
import { cpu } from "@thalweg/cpu-js";
import { conv2d, crossEntropy, flatten, linear, maxPool2d, relu, sequential } from "@thalweg/nn";
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

export async function thalwegPeer(): Promise<Peer> {
  const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };
  const backend = await cpu();
  useBackend(backend);
  const start = (workload: WorkloadName): Session => {
    switch (workload) {
      case "matmul-512":
        return product(512);
      case "mlp-adam":
        return mlp([784, 256, 128, 10], 128, withEps);
      case "cnn-sgd":
        return cnn();
      case "adam-1m":
        return adamUpdate(1_000_000);
      case "dispatch":
        return mlp([8, 8, 8], 1, plainSgd, false);
      default:
        return workload satisfies never;
    }
  };
  const { threads } = backend.capabilities;
  const description = `thalweg ${version}, ${backend.description}, ${threads} thread${threads === 1 ? "" : "s"}`;
  return { name: "thalweg", description, start };
}

function product(side: number): Session {
  const a = fromHost(numbers(side * side, 1), [side, side], "float32");
  const b = fromHost(numbers(side * side, 2), [side, side], "float32");
  const multiply = compile((x: Tensor, y: Tensor) => matmul(x, y));
  let read: ArrayLike<number> | undefined;
  return {
    run() {
      read = multiply(a, b).dataSync();
    },
    check: () => (read as ArrayLike<number>)[side + 1] as number,
  };
}

/** Puts starting values into a network's parameters, which come as weight and bias of each layer. */
function fill(parameters: readonly Parameter[], layers: readonly LayerWeights[]): void {
  const values = layers.flatMap(({ weight, bias }) => [weight, bias]);
  for (const [i, parameter] of parameters.entries()) {
    parameter.assign(fromHost(values[i] as Float32Array, parameter.shape, "float32"));
  }
}

function training(
  optimizer: Optimizer,
  model: (x: Tensor) => Tensor,
  x: Tensor,
  batch: number,
  readLoss = true,
): Session {
  const classOf = fromHost(labels(batch), [batch], "int32");
  const step = compile((input: Tensor, target: Tensor) => optimizer.minimize(crossEntropy(model(input), target)));
  let loss: Tensor | undefined;
  return {
    run() {
      loss = step(x, classOf);
      if (readLoss) loss.itemSync();
    },
    check: () => (loss as Tensor).itemSync(),
  };
}

type Make = (parameters: Parameter[], options: { lr: number }) => Optimizer;
const withEps: Make = (parameters, { lr }) => adam(parameters, { lr, eps: adamEps }) as Optimizer;
const plainSgd: Make = (parameters, options) => sgd(parameters, options) as Optimizer;

function mlp(widths: readonly [number, number, ...number[]], batch: number, make: Make, readLoss = true): Session {
  const layers = widths.slice(1).flatMap((width, i) => [linear(widths[i] as number, width), relu()]);
  const model = sequential(...layers.slice(0, -1));
  fill(model.parameters(), denseLayers(widths, 11));
  const x = fromHost(images(batch).slice(0, batch * widths[0]), [batch, widths[0]], "float32");
  return training(make(model.parameters(), { lr: learningRate }), model, x, batch, readLoss);
}

function cnn(): Session {
  const batch = 32;
  const model = sequential(
    conv2d(1, 32, 5, { padding: 2 }),
    relu(),
    maxPool2d(2),
    conv2d(32, 64, 5, { padding: 2 }),
    relu(),
    maxPool2d(2),
    flatten(),
    linear(3136, 256),
    relu(),
    linear(256, 10),
  );
  fill(model.parameters(), [convolution(1, 32, 51), convolution(32, 64, 61), ...denseLayers([3136, 256, 10], 71)]);
  const x = fromHost(images(batch), [batch, 1, 28, 28], "float32");
  return training(plainSgd(model.parameters(), { lr: learningRate }), model, x, batch);
}

function adamUpdate(size: number): Session {
  const parameter = new Parameter(fromHost(numbers(size, 1), [size], "float32"), { name: "weight" });
  const gradient = fromHost(numbers(size, 2), [size], "float32");
  const optimizer = withEps([parameter], { lr: learningRate });
  const update = compile((g: Tensor) => optimizer.update([g]));
  return {
    run: () => update(gradient),
    check: () => parameter.dataSync()[12345] as number,
  };
}
