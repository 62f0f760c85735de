/**
 * Small fixed models: one of each kind people train. golden/training/generate.py has the same in PyTorch, parameter by
 * parameter.
 */
import {
  add,
  crossEntropy,
  linear as linearOf,
  mseLoss,
  type Parameter,
  reshape,
  type Shape,
  select,
  type Tensor,
} from "@thalweg/core";
import {
  type AnyModule,
  batchNorm,
  conv2d,
  dropout,
  embedding,
  flatten,
  gelu,
  gruCell,
  layerNorm,
  linear,
  lstmCell,
  type Module,
  maxPool2d,
  module,
  multiHeadAttention,
  relu,
  sequential,
  tanh,
} from "@thalweg/nn";
import type { FloatDType } from "../golden/schema.ts";
import { classes, floats, numbers } from "./numbers.ts";

export interface SmallModel {
  readonly net: AnyModule;
  /** Of a batch, a scalar. */
  readonly loss: (...batch: Tensor[]) => Tensor;
  /** What it gives for the inputs of a batch. */
  readonly predict: (x: Tensor) => Tensor;
  /** Inputs and targets that belong to a seed; `size` examples instead of the usual number. */
  readonly batch: (seed: number, size?: number) => Tensor[];
}

/** Makes a model on the current backend, with its starting weights. */
export type MakeModel = (dtype: FloatDType) => SmallModel;

/** The k-th parameter starts as numbers of the seed k + 1 (and `offset`): halved; around 1 where it is a scale. */
async function fill(net: AnyModule, offset: number): Promise<void> {
  const values = Object.entries(net.namedParameters()).map(([name, { shape, dtype, size }], k) => {
    const start = numbers(size, k + 1 + offset);
    const scale = name.endsWith("weight") && shape.length === 1;
    return [name, { shape, dtype, data: start.map((value) => (scale ? 1 + value / 4 : value / 2)) }] as const;
  });
  await net.loadStateDict(Object.fromEntries(values), { strict: false });
}

/** Starting weights other than the usual ones with another `offset`. */
export async function startModel(make: MakeModel, dtype: FloatDType, offset = 0): Promise<SmallModel> {
  const model = make(dtype);
  await fill(model.net, offset);
  return model;
}

/** Parameters to train, then what else the model keeps, by name. */
export const valuesOf = (net: AnyModule): Record<string, Parameter> => ({ ...net.namedParameters(), ...net.buffers() });

function classifier(net: Module, inputs: Shape, count: number, dtype: FloatDType): SmallModel {
  const [usual, ...rest] = inputs as [number, ...number[]];
  return {
    net,
    predict: net,
    loss: (x, y) => crossEntropy(net(x as Tensor), y as Tensor),
    batch: (seed, size = usual) => [floats([size, ...rest], seed, dtype), classes([size], count, seed + 1)],
  };
}

const mlp: MakeModel = (dtype) =>
  classifier(
    sequential(linear(5, 8, { dtype }), tanh(), linear(8, 6, { dtype }), gelu(), linear(6, 3, { dtype })),
    [7, 5],
    3,
    dtype,
  );

const cnn: MakeModel = (dtype) =>
  classifier(
    sequential(
      conv2d(2, 4, 3, { padding: 1, dtype }),
      relu(),
      maxPool2d(2),
      conv2d(4, 4, 3, { stride: 2, padding: 1, dtype }),
      relu(),
      flatten(),
      linear(16, 3, { dtype }),
    ),
    [4, 2, 6, 6],
    3,
    dtype,
  );

const steps = 4;

/** Unrolled over `steps` inputs, the time axis first. */
function recurrent(
  dtype: FloatDType,
  net: AnyModule,
  out: (h: Tensor) => Tensor,
  last: (inputs: readonly Tensor[]) => Tensor,
): SmallModel {
  const predict = (x: Tensor): Tensor =>
    out(last(Array.from({ length: steps }, (_, t) => select(x, { axis: 0, index: t }))));
  return {
    net,
    predict,
    loss: (x, y) => mseLoss(predict(x as Tensor), y as Tensor),
    batch: (seed, size = 3) => [floats([steps, size, 3], seed, dtype), floats([size, 2], seed + 1, dtype)],
  };
}

const lstm: MakeModel = (dtype) => {
  const [cell, out] = [lstmCell(3, 5, { dtype }), linear(5, 2, { dtype })];
  const net = module({ cell, out }, (x: Tensor) => x);
  return recurrent(dtype, net, out, ([first, ...others]) => {
    let state = cell(first as Tensor);
    for (const x of others) state = cell(x, state);
    return state[0];
  });
};

const gru: MakeModel = (dtype) => {
  const [cell, out] = [gruCell(3, 5, { dtype }), linear(5, 2, { dtype })];
  const net = module({ cell, out }, (x: Tensor) => x);
  return recurrent(dtype, net, out, ([first, ...others]) => {
    let state = cell(first as Tensor);
    for (const x of others) state = cell(x, state);
    return state;
  });
};

/** One block of a transformer. */
function block(dtype: FloatDType) {
  const [norm1, norm2] = [layerNorm(8, { dtype }), layerNorm(8, { dtype })];
  // Without bias: the loss does not depend on that of the keys, and Adam would follow the rounding errors.
  const attention = multiHeadAttention(8, 2, { bias: false, causal: true, dtype });
  const [widen, narrow] = [linear(8, 16, { dtype }), linear(16, 8, { dtype })];
  const activate = gelu();
  return module({ norm1, attention, norm2, widen, narrow }, (x: Tensor) => {
    const attended = add(x, attention(norm1(x)));
    return add(attended, narrow(activate(widen(norm2(attended)))));
  });
}

/** Vocabulary 11, context 6, width 8, two heads, two layers; what reads the logits is the table of the tokens. */
const gpt: MakeModel = (dtype) => {
  const [tokens, positions] = [embedding(11, 8, { dtype }), embedding(6, 8, { dtype })];
  const blocks = [block(dtype), block(dtype)];
  const norm = layerNorm(8, { dtype });
  const net = module({ tokens, positions, blocks, norm }, (x: Tensor) => {
    const h = blocks.reduce((value, layer) => layer(value), add(tokens(x), positions.weight));
    return linearOf(norm(h), tokens.weight);
  });
  return {
    net,
    predict: net,
    loss: (x, y) => crossEntropy(reshape(net(x as Tensor), [-1, 11]), reshape(y as Tensor, [-1])),
    batch: (seed, size = 2) => [classes([size, 6], 11, seed), classes([size, 6], 11, seed + 1)],
  };
};

const batchNormNet: MakeModel = (dtype) => {
  const net = sequential(
    conv2d(2, 4, 3, { bias: false, dtype }),
    batchNorm(4, { dtype }),
    relu(),
    flatten(),
    linear(64, 6, { bias: false, dtype }),
    batchNorm(6, { dtype }),
    tanh(),
    linear(6, 2, { dtype }),
  );
  return {
    net,
    predict: net,
    loss: (x, y) => mseLoss(net(x as Tensor), y as Tensor),
    batch: (seed, size = 5) => [floats([size, 2, 6, 6], seed, dtype), floats([size, 2], seed + 1, dtype)],
  };
};

const dropoutNet: MakeModel = (dtype) =>
  classifier(
    sequential(
      linear(5, 16, { dtype }),
      tanh(),
      dropout(0.25),
      linear(16, 8, { dtype }),
      dropout(0.5),
      linear(8, 3, { dtype }),
    ),
    [7, 5],
    3,
    dtype,
  );

export const models = { mlp, cnn, lstm, gru, gpt, batchNorm: batchNormNet, dropout: dropoutNet } as const;
export type ModelName = keyof typeof models;
