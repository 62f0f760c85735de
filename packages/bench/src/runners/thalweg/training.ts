/** Whole training steps of networks built from modules, each one compiled function. */
import { add, compile, fromHost, type Parameter, linear as project, reshape, type Tensor } from "@thalweg/core";
import { adam, adamW, type Optimizer, sgd } from "@thalweg/core/optim";
import {
  type AnyModule,
  conv2d,
  crossEntropy,
  embedding,
  flatten,
  gelu,
  layerNorm,
  linear,
  maxPool2d,
  module,
  multiHeadAttention,
  relu,
  sequential,
} from "@thalweg/nn";
import type { SpecOf } from "../../spec.ts";
import { images, labels, learningRate, tokens } from "../../values.ts";
import { cnnWeights, gptWeights, mlpWeights, type ParameterStart, startOf } from "../../weights.ts";
import type { Refusal, Session } from "../session.ts";
import { mixedPrecision } from "./mixedPrecision.ts";
import { fence, read } from "./reading.ts";

/** Puts the starting values into a network's parameters, which come in the same order. */
function fill(model: AnyModule, starts: readonly ParameterStart[]): Parameter[] {
  const parameters = model.parameters();
  if (parameters.length !== starts.length) {
    throw new Error(`${parameters.length} parameters, but starting values for ${starts.length}`);
  }
  for (const [i, parameter] of parameters.entries()) {
    const start = starts[i] as ParameterStart;
    parameter.assign(fromHost(startOf(start), start.shape, "float32"));
  }
  return parameters;
}

function training(
  loss: (x: Tensor, target: Tensor) => Tensor,
  optimizer: Optimizer,
  x: Tensor,
  target: Tensor,
  readLoss = true,
): Session {
  const step = compile((input: Tensor, classOf: Tensor) => optimizer.minimize(loss(input, classOf)));
  const finish = fence();
  let value = Number.NaN;
  const keep = (values: ArrayLike<number>): void => {
    value = values[0] as number;
  };
  if (readLoss) return { run: () => read(step(x, target), keep), check: () => [value] };
  let last: Tensor | undefined;
  return {
    run() {
      last = step(x, target);
    },
    finish,
    async check() {
      await read(last as Tensor, keep);
      return [value];
    },
  };
}

export function mlpSession({ widths, batch, optimizer, readLoss }: SpecOf<"mlp">): Session {
  const layers = widths.slice(1).flatMap((width, i) => [linear(widths[i] as number, width), relu()]);
  const model = sequential(...layers.slice(0, -1));
  const parameters = fill(model, mlpWeights({ widths }));
  const [inputs, classes] = [widths[0] as number, widths.at(-1) as number];
  const x = fromHost(images(batch, inputs), [batch, inputs], "float32");
  const target = fromHost(labels(batch, classes), [batch], "int32");
  const options = { lr: learningRate };
  const rule: Optimizer = optimizer === "adam" ? adam(parameters, options) : sgd(parameters, options);
  return training((input, classOf) => crossEntropy(model(input), classOf), rule, x, target, readLoss);
}

export function cnnSession({ batch }: SpecOf<"cnn">): Session {
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
  const parameters = fill(model, cnnWeights());
  const x = fromHost(images(batch), [batch, 1, 28, 28], "float32");
  const target = fromHost(labels(batch), [batch], "int32");
  const loss = (input: Tensor, classOf: Tensor): Tensor => crossEntropy(model(input), classOf);
  return training(loss, sgd(parameters, { lr: learningRate }), x, target);
}

function block(width: number, heads: number) {
  const norm1 = layerNorm(width);
  const attention = multiHeadAttention(width, heads, { causal: true });
  const norm2 = layerNorm(width);
  const [expand, contract] = [linear(width, 4 * width), linear(4 * width, width)];
  const activate = gelu({ approximate: "tanh" });
  return module({ norm1, attention, norm2, expand, contract }, (x: Tensor) => {
    const attended = add(x, attention(norm1(x)));
    return add(attended, contract(activate(expand(norm2(attended)))));
  });
}

function gpt({ vocabulary, width, heads, layers, context, tied = false }: Omit<SpecOf<"gpt">, "kind" | "batch">) {
  const table = embedding(vocabulary, width);
  // Every position is there, in order: the whole table is added.
  const positions = embedding(context, width);
  const blocks = Array.from({ length: layers }, () => block(width, heads));
  const norm = layerNorm(width);
  const body = (indices: Tensor): Tensor => {
    const start = add(table(indices), positions.weight);
    return norm(blocks.reduce((x, next) => next(x), start));
  };
  const parts = { tokens: table, positions, blocks, norm };
  if (tied) return module(parts, (indices: Tensor) => project(body(indices), table.weight));
  const head = linear(width, vocabulary, { bias: false });
  return module({ ...parts, head }, (indices: Tensor) => head(body(indices)));
}

export function gptSession(spec: SpecOf<"gpt">): Session | Refusal {
  const { vocabulary, context, batch, compute } = spec;
  const mixed = mixedPrecision(compute);
  if (!mixed) return { reason: `this @thalweg/core has no autocast to ${compute}` };
  const model = gpt(spec);
  const parameters = fill(model, gptWeights(spec));
  const { inputs, targets } = tokens(batch, context, vocabulary);
  const loss = (input: Tensor, target: Tensor): Tensor =>
    mixed(() => crossEntropy(reshape(model(input), [batch * context, vocabulary]), target));
  return training(
    loss,
    adamW(parameters, { lr: learningRate }),
    fromHost(inputs, [batch, context], "int32"),
    fromHost(targets, [batch * context], "int32"),
  );
}
