/** Whole training steps, as its documentation writes them: eager operations on variables, under `tidy`. */
import type { SpecOf } from "../../spec.ts";
import { images, labels, learningRate, tokens } from "../../values.ts";
import { cnnWeights, gptWeights, mlpWeights, type ParameterStart, startOf } from "../../weights.ts";
import type { Session } from "../session.ts";
import { layerNorm, type Tfjs, type TfTensor, type TfVariable } from "./library.ts";
import { adam, adamW } from "./updates.ts";

type Layer = (x: TfTensor) => TfTensor;
type Arrange = (values: TfTensor) => TfTensor;

/** A variable from its starting values, brought into the order its operations want. */
function variable(tf: Tfjs, start: ParameterStart, arrange: Arrange = (values) => values): TfVariable {
  return tf.tidy(() => tf.variable(arrange(tf.tensor(startOf(start), start.shape))));
}

/** Weights of dense layers are [inputs, outputs] here. */
const transposed: Arrange = (values) => values.transpose([1, 0]);

function dense(tf: Tfjs, weight: ParameterStart, bias: ParameterStart, arrange = transposed): Layer {
  const [w, b] = [variable(tf, weight, arrange), variable(tf, bias)];
  return (x) => x.matMul(w).add(b);
}

const classes = (tf: Tfjs, indices: Int32Array, count: number): TfTensor =>
  tf.tidy(() => tf.cast(tf.oneHot(tf.tensor(indices, [indices.length], "int32"), count), "float32"));

/** `step` gives the loss as a tensor of its own, which is read. */
function training(step: () => TfTensor): Session {
  let loss = Number.NaN;
  return {
    run() {
      const cost = step();
      loss = cost.dataSync()[0] as number;
      cost.dispose();
    },
    check: () => [loss],
  };
}

export function mlpSession(tf: Tfjs, { widths, batch, optimizer, readLoss }: SpecOf<"mlp">): Session {
  const starts = mlpWeights({ widths });
  const layers = widths
    .slice(1)
    .map((_, i) => dense(tf, starts[2 * i] as ParameterStart, starts[2 * i + 1] as ParameterStart));
  const [inputs, outputs] = [widths[0] as number, widths.at(-1) as number];
  const x = tf.tensor(images(batch, inputs), [batch, inputs]);
  const target = classes(tf, labels(batch, outputs), outputs);
  const forward = (): TfTensor => layers.reduce((y, layer, i) => layer(i === 0 ? y : y.relu()), x);
  const rule = optimizer === "adam" ? adam(tf, learningRate) : tf.train.sgd(learningRate);
  const step = (): TfTensor =>
    tf.tidy(() => rule.minimize(() => tf.losses.softmaxCrossEntropy(target, forward()), true));
  if (readLoss) return training(step);
  let last: TfTensor | undefined;
  return {
    run() {
      last?.dispose();
      last = step();
    },
    check: () => [(last as TfTensor).dataSync()[0] as number],
  };
}

export function cnnSession(tf: Tfjs, { batch }: SpecOf<"cnn">): Session {
  const starts = cnnWeights();
  const [weight1, bias1, weight2, bias2, hiddenWeight, hiddenBias, outputWeight, outputBias] = starts as [
    ParameterStart,
    ParameterStart,
    ParameterStart,
    ParameterStart,
    ParameterStart,
    ParameterStart,
    ParameterStart,
    ParameterStart,
  ];
  // Images are NHWC and weights HWIO here: with one channel, the same values.
  const x = tf.tensor(images(batch), [batch, 28, 28, 1]);
  const convolution = (weight: ParameterStart, bias: ParameterStart): Layer => {
    const [w, b] = [variable(tf, weight, (values) => values.transpose([2, 3, 1, 0])), variable(tf, bias)];
    return (input) => input.conv2d(w, 1, "same").add(b).relu().maxPool(2, 2, "valid");
  };
  const [conv1, conv2] = [convolution(weight1, bias1), convolution(weight2, bias2)];
  // Flattened here in the order of height, width, channel.
  const hidden = dense(tf, hiddenWeight, hiddenBias, (values) =>
    values.reshape([256, 64, 7, 7]).transpose([2, 3, 1, 0]).reshape([3136, 256]),
  );
  const output = dense(tf, outputWeight, outputBias);
  const target = classes(tf, labels(batch), 10);
  const rule = tf.train.sgd(learningRate);
  const logits = (): TfTensor => output(hidden(conv2(conv1(x)).reshape([batch, 3136])).relu());
  return training(() => tf.tidy(() => rule.minimize(() => tf.losses.softmaxCrossEntropy(target, logits()), true)));
}

const gelu = (x: TfTensor): TfTensor =>
  x.mul(0.5).mul(
    x
      .add(x.square().mul(x).mul(0.044715))
      .mul(Math.sqrt(2 / Math.PI))
      .tanh()
      .add(1),
  );

export function gptSession(tf: Tfjs, spec: SpecOf<"gpt">): Session {
  const { vocabulary, width, heads, layers, context, batch } = spec;
  const starts = new Map(gptWeights(spec).map((start) => [start.name, start]));
  const variables: TfVariable[] = [];
  const parameter = (name: string, arrange?: Arrange): TfVariable => {
    const made = variable(tf, starts.get(name) as ParameterStart, arrange);
    variables.push(made);
    return made;
  };
  const affine = (weight: string, bias: string): Layer => {
    const [w, b] = [parameter(weight, transposed), parameter(bias)];
    return (x) => x.matMul(w).add(b);
  };
  const norm = (name: string): Layer => {
    const [weight, bias] = [parameter(`${name}.weight`), parameter(`${name}.bias`)];
    return (x) => layerNorm(tf, x, weight, bias);
  };
  const mask = tf.tensor(
    Float32Array.from({ length: context ** 2 }, (_, i) => (i % context > Math.floor(i / context) ? -1e9 : 0)),
    [context, context],
  );
  const headWidth = width / heads;
  const attention = (name: string): Layer => {
    const project = affine(`${name}.inProjWeight`, `${name}.inProjBias`);
    const out = affine(`${name}.outProj.weight`, `${name}.outProj.bias`);
    return (x) => {
      const [q, k, v] = project(x)
        .split(3, 1)
        .map((part) => part.reshape([batch, context, heads, headWidth]).transpose([0, 2, 1, 3])) as [
        TfTensor,
        TfTensor,
        TfTensor,
      ];
      const weights = q
        .matMul(k, false, true)
        .mul(1 / Math.sqrt(headWidth))
        .add(mask)
        .softmax();
      return out(
        weights
          .matMul(v)
          .transpose([0, 2, 1, 3])
          .reshape([batch * context, width]),
      );
    };
  };
  const block = (name: string): Layer => {
    const [norm1, attend, norm2] = [norm(`${name}.norm1`), attention(`${name}.attention`), norm(`${name}.norm2`)];
    const expand = affine(`${name}.expand.weight`, `${name}.expand.bias`);
    const contract = affine(`${name}.contract.weight`, `${name}.contract.bias`);
    return (x) => {
      const attended = x.add(attend(norm1(x)));
      return attended.add(contract(gelu(expand(norm2(attended)))));
    };
  };
  const [table, positions] = [parameter("tokens.weight"), parameter("positions.weight")];
  const blocks = Array.from({ length: layers }, (_, i) => block(`blocks.${i}`));
  const last = norm("norm");
  const head = parameter("head.weight", transposed);
  const { inputs, targets } = tokens(batch, context, vocabulary);
  // By a product with one-hot rows: the gradient of `gather` is far slower on cpu, and missing on wasm.
  const [chosen, target] = [classes(tf, inputs, vocabulary), classes(tf, targets, vocabulary)];
  const loss = (): TfTensor => {
    const embedded = chosen
      .matMul(table)
      .reshape([batch, context, width])
      .add(positions)
      .reshape([batch * context, width]);
    const logits = last(blocks.reduce((x, next) => next(x), embedded)).matMul(head);
    return tf.losses.softmaxCrossEntropy(target, logits);
  };
  const rule = adamW(tf, learningRate, variables);
  const gradients = tf.train.sgd(learningRate);
  return training(() =>
    tf.tidy(() => {
      const { value, grads } = gradients.computeGradients(loss);
      rule.applyGradients(grads);
      return value;
    }),
  );
}
