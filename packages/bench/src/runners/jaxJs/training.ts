/** Whole training steps, each one function under `jit`: the loss and its gradients, and the optimizer's update. */
import type { SpecOf } from "../../spec.ts";
import { images, labels, learningRate, tokens } from "../../values.ts";
import { cnnWeights, gptWeights, mlpWeights, type ParameterStart, startOf } from "../../weights.ts";
import type { Session } from "../session.ts";
import { arrayOf, type Jax, type JaxArray } from "./library.ts";
import { type Rule, ruleNamed, type TrainState } from "./updates.ts";

type Arrange = (values: JaxArray, start: ParameterStart) => JaxArray;

/** Weights of dense layers are [inputs, outputs] here. */
const transposed: Arrange = (values) => values.transpose([1, 0]);
const asGiven: Arrange = (values) => values;
const denseAlone: Arrange = (values, start) => (start.shape.length === 2 ? transposed(values, start) : values);

/** The starting values, each copied once into the order its operations want. */
function starting(jax: Jax, starts: readonly ParameterStart[], arrange: Arrange): JaxArray[] {
  return starts.map((start) => {
    const arranged = arrange(arrayOf(jax, startOf(start), start.shape), start);
    const { shape } = arranged;
    return arrayOf(jax, arranged.dataSync(), shape);
  });
}

/** Arrays taken one after the other. */
function taker(arrays: readonly JaxArray[]): () => JaxArray {
  let next = 0;
  return () => arrays[next++] as JaxArray;
}

const oneHot = ({ nn, numpy }: Jax, indices: Int32Array, count: number): JaxArray =>
  nn.oneHot(numpy.array(indices, { dtype: numpy.int32 }), count);

const dense = ({ numpy }: Jax, x: JaxArray, weight: JaxArray, bias: JaxArray): JaxArray =>
  numpy.matmul(x, weight).add(bias);

/** The mean of -log p of the classes that `target` marks. */
const crossEntropy = ({ nn }: Jax, logits: JaxArray, target: JaxArray): JaxArray =>
  nn.logSoftmax(logits, -1).mul(target).sum(-1).mean().neg();

function training(
  jax: Jax,
  rule: Rule,
  starts: readonly ParameterStart[],
  loss: (parameters: readonly JaxArray[], x: JaxArray, target: JaxArray) => JaxArray,
  x: JaxArray,
  target: JaxArray,
  arrange = denseAlone,
): Session {
  const { tree } = jax;
  const lossAndGradients = jax.valueAndGrad(loss);
  const step = jax.jit((state: TrainState, scalars: readonly JaxArray[], input: JaxArray, classOf: JaxArray) => {
    const [value, gradients] = lossAndGradients(tree.ref(state.parameters), input, classOf);
    return { value, state: rule.update(state, gradients, scalars) };
  });
  let state = rule.start(starting(jax, starts, arrange));
  let count = 0;
  let read = Number.NaN;
  return {
    // Reading the loss is what makes it compute at all: calls are put off, and would pile up. So it is read always.
    run() {
      count++;
      const result = step(state, rule.scalars(count), x.ref, target.ref);
      state = result.state as TrainState;
      read = result.value.dataSync()[0] as number;
    },
    check: () => [read],
  };
}

export function mlpSession(jax: Jax, { widths, batch, optimizer }: SpecOf<"mlp">): Session {
  const [inputs, outputs] = [widths[0] as number, widths.at(-1) as number];
  const loss = (parameters: readonly JaxArray[], x: JaxArray, target: JaxArray): JaxArray => {
    const take = taker(parameters);
    let y = x;
    for (let layer = 1; layer < widths.length; layer++) {
      y = dense(jax, layer === 1 ? y : jax.nn.relu(y), take(), take());
    }
    return crossEntropy(jax, y, target);
  };
  const rule = ruleNamed(jax, optimizer, learningRate) as Rule;
  const x = arrayOf(jax, images(batch, inputs), [batch, inputs]);
  return training(jax, rule, mlpWeights({ widths }), loss, x, oneHot(jax, labels(batch, outputs), outputs));
}

/**
 * Images are [batch, height, width, channels], and a convolution is one product of all its windows, laid out side by side,
 * with the weights: its own `lax.conv` takes twenty times as long on wasm.
 */
export function cnnSession(jax: Jax, { batch }: SpecOf<"cnn">): Session {
  const { nn, numpy } = jax;
  const convolution = (x: JaxArray, weight: JaxArray, bias: JaxArray, side: number, channels: number): JaxArray => {
    const padded = numpy.pad(x, [
      [0, 0],
      [2, 2],
      [2, 2],
      [0, 0],
    ]);
    const windows: JaxArray[] = [];
    for (let row = 0; row < 5; row++) {
      for (let column = 0; column < 5; column++) {
        windows.push(padded.ref.slice([], [row, row + side], [column, column + side], []));
      }
    }
    padded.dispose();
    const inputs = x.shape[3] as number;
    const rows = numpy.concatenate(windows, -1).reshape([batch * side * side, 25 * inputs]);
    const y = nn.relu(dense(jax, rows, weight, bias));
    return y.reshape([batch, side / 2, 2, side / 2, 2, channels]).max([2, 4]);
  };
  const loss = (parameters: readonly JaxArray[], x: JaxArray, target: JaxArray): JaxArray => {
    const take = taker(parameters);
    const first = convolution(x, take(), take(), 28, 32);
    const second = convolution(first, take(), take(), 14, 64);
    const hidden = nn.relu(dense(jax, second.reshape([batch, 3136]), take(), take()));
    return crossEntropy(jax, dense(jax, hidden, take(), take()), target);
  };
  const arrange: Arrange = (values, start) => {
    const [outputs, inputs] = start.shape as [number, number];
    if (start.shape.length === 4) return values.transpose([2, 3, 1, 0]).reshape([25 * inputs, outputs]);
    // Flattened here in the order of height, width, channel.
    if (inputs === 3136) return values.reshape([256, 64, 7, 7]).transpose([2, 3, 1, 0]).reshape([3136, 256]);
    return denseAlone(values, start);
  };
  const x = arrayOf(jax, images(batch), [batch, 28, 28, 1]);
  const rule = ruleNamed(jax, "sgd", learningRate) as Rule;
  return training(jax, rule, cnnWeights(), loss, x, oneHot(jax, labels(batch), 10), arrange);
}

export function gptSession(jax: Jax, spec: SpecOf<"gpt">): Session {
  const { vocabulary, width, heads, layers, context, batch } = spec;
  const { nn, numpy } = jax;
  const headWidth = width / heads;
  const norm = (x: JaxArray, weight: JaxArray, bias: JaxArray): JaxArray =>
    nn.standardize(x, -1, { epsilon: 1e-5 }).mul(weight).add(bias);
  const attention = (x: JaxArray, take: () => JaxArray): JaxArray => {
    const [q, k, v] = numpy
      .split(dense(jax, x, take(), take()), 3, -1)
      .map((part) => part.reshape([batch, context, heads, headWidth])) as [JaxArray, JaxArray, JaxArray];
    const attended = nn.dotProductAttention(q, k, v, { isCausal: true });
    return dense(jax, attended.reshape([batch * context, width]), take(), take());
  };
  const block = (x: JaxArray, take: () => JaxArray): JaxArray => {
    const attended = x.ref.add(attention(norm(x, take(), take()), take));
    const inner = norm(attended.ref, take(), take());
    const expanded = nn.gelu(dense(jax, inner, take(), take()), { approximate: true });
    return attended.add(dense(jax, expanded, take(), take()));
  };
  const { inputs, targets } = tokens(batch, context, vocabulary);
  const loss = (parameters: readonly JaxArray[], chosen: JaxArray, target: JaxArray): JaxArray => {
    const take = taker(parameters);
    const table = numpy.matmul(chosen, take()).reshape([batch, context, width]);
    let x = table.add(take()).reshape([batch * context, width]);
    for (let layer = 0; layer < layers; layer++) x = block(x, take);
    const last = norm(x, take(), take());
    return crossEntropy(jax, numpy.matmul(last, take()), target);
  };
  return training(
    jax,
    ruleNamed(jax, "adamW", learningRate) as Rule,
    gptWeights(spec),
    loss,
    oneHot(jax, inputs, vocabulary),
    oneHot(jax, targets, vocabulary),
    // The tables of embeddings are rows already.
    (values, start) => (/^(tokens|positions)\./.test(start.name) ? asGiven : denseAlone)(values, start),
  );
}
