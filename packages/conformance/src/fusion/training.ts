/** Whole training steps: forward, backward and update as one Program. */
import { add, compile, crossEntropy, type Parameter, reshape, type Tensor } from "@thalweg/core";
import { adamW, type Optimizer, sgd } from "@thalweg/core/optim";
import * as nn from "@thalweg/nn";
import { type FusionGraph, type Input, int32, leaf } from "./graph.ts";

/** A step on the cross entropy of what a model makes of the first input, the second being its classes. */
function step(
  name: string,
  inputs: readonly [Input, Input],
  make: () => { forward(x: Tensor): Tensor; parameters: readonly Parameter[] },
  optimizer: (parameters: readonly Parameter[]) => Optimizer = (parameters) => adamW(parameters) as Optimizer,
): FusionGraph {
  const prepare = (): (() => unknown) => {
    const { forward, parameters } = make();
    const chosen = optimizer(parameters);
    const train = compile((x: Tensor, y: Tensor) => chosen.minimize(crossEntropy(forward(x), y)));
    const [x, y] = inputs.map(leaf) as [Tensor, Tensor];
    return () => train(x, y);
  };
  return { name, dtypes: ["float32", "int32"], starts: true, prepare };
}

const mlp = (...between: readonly nn.Layer[]) => {
  const model = nn.sequential(
    nn.linear(20, 32),
    nn.relu(),
    ...between,
    nn.linear(32, 16),
    nn.relu(),
    nn.linear(16, 10),
  );
  return { forward: model, parameters: model.parameters() };
};

const cnn = () => {
  const model = nn.sequential(
    nn.conv2d(1, 4, 3, { padding: 1 }),
    nn.relu(),
    nn.maxPool2d(2),
    nn.conv2d(4, 6, 3),
    nn.batchNorm(6),
    nn.relu(),
    nn.avgPool2d(2),
    nn.flatten(),
    nn.linear(6 * 2 * 2, 10),
  );
  return { forward: model, parameters: model.parameters() };
};

const [vocabulary, length, embed] = [11, 8, 16] as const;

const gpt = () => {
  const tokens = nn.embedding(vocabulary, embed);
  const positions = nn.embedding(length, embed);
  const block = () => {
    const [before, attention, after] = [
      nn.layerNorm(embed),
      nn.multiHeadAttention(embed, 2, { causal: true }),
      nn.layerNorm(embed),
    ];
    const [up, down] = [nn.linear(embed, 4 * embed), nn.linear(4 * embed, embed)];
    const activation = nn.gelu();
    const forward = (x: Tensor): Tensor => {
      const attended = add(x, attention(before(x)));
      return add(attended, down(activation(up(after(attended)))));
    };
    return nn.module({ before, attention, after, up, down }, forward, "block");
  };
  const blocks = [block(), block()];
  const last = nn.layerNorm(embed);
  const head = nn.linear(embed, vocabulary);
  const model = nn.module(
    { tokens, positions, blocks, last, head },
    (x: Tensor) => {
      const start = add(tokens(x), positions.weight);
      const hidden = blocks.reduce((y: Tensor, next) => next(y), start);
      return reshape(head(last(hidden)), [-1, vocabulary]);
    },
    "gpt",
  );
  return { forward: model, parameters: model.parameters() };
};

const vectors: readonly [Input, Input] = [[24, 20], int32(24)];

export const trainingGraphs: readonly FusionGraph[] = [
  step("MLP step with adamW", vectors, mlp),
  step("MLP step with sgd", vectors, mlp, (parameters) => sgd(parameters, { lr: 0.1 }) as Optimizer),
  step("MLP step with dropout", vectors, () => mlp(nn.dropout(0.5))),
  step("CNN step with adamW", [[4, 1, 12, 12], int32(4)], cnn),
  step("GPT step with adamW", [int32(2, length), int32(2 * length)], gpt),
];
