/** What workloads cost at least: floating-point operations, a multiply-add as two, and bytes moved. */
import { zeros } from "@thalweg/core";
import { optimizersByName } from "@thalweg/core/optim";
import type { SpecOf } from "./spec.ts";

/** Bytes of a float32. */
export const float = 4;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** A multiply-add for each element of the result and of the inner axis. */
export const matmulFlops = (size: number): number => 2 * size ** 3;

/** `x` and `b` are read, the result is written. */
export const elementwiseBytes = (size: number): number => 3 * float * size;

/** The input is read, the result is written; a row fits into the cache. */
export const softmaxBytes = (rows: number, columns: number): number => 2 * float * rows * columns;

/** As softmax, and weight and bias once. */
export const layerNormBytes = (rows: number, columns: number): number => 2 * float * (rows + 1) * columns;

/**
 * Forward, each weight meets each row of the batch in one multiply-add. Backward the same again twice, for the gradient of
 * the weight and for that of the layer's input; which the first layer's, being data, does not need.
 */
export function mlpFlops({ widths, batch }: Pick<SpecOf<"mlp">, "widths" | "batch">): number {
  const layers = widths.slice(1).map((outputs, i) => outputs * (widths[i] as number));
  return 2 * batch * (3 * sum(layers) - (layers[0] as number));
}

/** As for an MLP; a convolution's weights meet every position of its output: 28 × 28 and, pooled once, 14 × 14. */
export function cnnFlops(batch: number): number {
  const conv1 = 28 * 28 * 32 * 25;
  const layers = [conv1, 14 * 14 * 64 * 32 * 25, 3136 * 256, 256 * 10];
  return 2 * batch * (3 * sum(layers) - conv1);
}

/**
 * Per token and layer: the projections of attention have 4 width² weights, the two layers after it 8 width²; queries
 * meet all keys, and weights all values, in width multiply-adds per token of the context each (the masked half is
 * counted: it is computed and thrown away). Then the head. Three times all that with the backward pass: every input has
 * a gradient, since the embeddings are trained.
 */
export function gptFlops({ vocabulary, width, layers, context, batch }: SpecOf<"gpt">): number {
  const perToken = layers * (12 * width ** 2 + 2 * context * width) + width * vocabulary;
  return 3 * 2 * perToken * batch * context;
}

/** Of a step. */
export const gptTokens = ({ batch, context }: Pick<SpecOf<"gpt">, "batch" | "context">): number => batch * context;

/** Elements of the state that a rule at its defaults keeps for a tensor of `size`; undefined where it takes none alone. */
export function stateElements({
  optimizer,
  size,
}: Pick<SpecOf<"optimizer">, "optimizer" | "size">): number | undefined {
  const rule = optimizersByName[optimizer]?.rules.torch;
  if (!rule) return undefined;
  const state = Object.values(rule.initialState(zeros([size]), rule.defaults, "weight"));
  return sum(state.map((tensor) => tensor?.size ?? 0));
}

/** The parameter and its state, as the rule at its defaults starts it, are read and written, the gradient is read. */
export function updateBytes(spec: Pick<SpecOf<"optimizer">, "optimizer" | "size">): number | undefined {
  const elements = stateElements(spec);
  return elements === undefined ? undefined : float * (2 * (spec.size + elements) + spec.size);
}

/** What is held: parameter, gradient, state. */
export const updateMemory = (spec: Pick<SpecOf<"optimizer">, "optimizer" | "size">): number =>
  float * (2 * spec.size + (stateElements(spec) ?? 0));
