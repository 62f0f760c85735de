/**
 * Starting values of the networks' parameters: the same for every runner, as a list in a fixed order. Each parameter is
 * `numbers(product of shape, seed, scale, offset)` in row-major order. Shapes are PyTorch's: weights of dense layers
 * [outputs, inputs], of convolutions [outputs, inputs, height, width]; a runner that stores them otherwise transposes.
 */
import type { SpecOf } from "./spec.ts";
import { numbers } from "./values.ts";

export interface ParameterStart {
  readonly name: string;
  readonly shape: readonly number[];
  readonly seed: number;
  readonly scale: number;
  /** 1 for the weights of layerNorm, 0 for all else. */
  readonly offset: number;
}

/** Weight and bias, both of scale 1 / √(inputs of each output), as large as PyTorch's default; the bias has the next seed. */
function affine(name: string, shape: readonly number[], seed: number): ParameterStart[] {
  const [outputs, ...rest] = shape as [number, ...number[]];
  const scale = 1 / Math.sqrt(rest.reduce((product, n) => product * n, 1));
  return [
    { name: `${name}.weight`, shape, seed, scale, offset: 0 },
    { name: `${name}.bias`, shape: [outputs], seed: seed + 1, scale, offset: 0 },
  ];
}

/** Dense layer i (from 0) between widths i and i + 1: `layers.i.weight`, seed 11 + 10 i, and `layers.i.bias`. */
export const mlpWeights = ({ widths }: Pick<SpecOf<"mlp">, "widths">): ParameterStart[] =>
  widths.slice(1).flatMap((outputs, i) => affine(`layers.${i}`, [outputs, widths[i] as number], 11 + 10 * i));

/** Eight parameters. The inputs of `hidden` are the 64 channels of 7 × 7, the channel first. */
export const cnnWeights = (): ParameterStart[] => [
  ...affine("conv1", [32, 1, 5, 5], 51),
  ...affine("conv2", [64, 32, 5, 5], 61),
  ...affine("hidden", [256, 3136], 71),
  ...affine("output", [10, 256], 81),
];

/**
 * The list below, the parameter at place i (from 0) with the seed 101 + i. Scales: embeddings 0.1; layerNorm 0.1 around
 * 1 (weight) and 0 (bias); everything else 1 / √(inputs of each output), the bias as its weight.
 *
 *     tokens.weight [vocabulary, width], positions.weight [context, width]
 *     for each layer l (from 0), under blocks.l:
 *       norm1.weight [width], norm1.bias [width]
 *       attention.inProjWeight [3 width, width] (query, key, value stacked), attention.inProjBias [3 width]
 *       attention.outProj.weight [width, width], attention.outProj.bias [width]
 *       norm2.weight [width], norm2.bias [width]
 *       expand.weight [4 width, width], expand.bias [4 width], contract.weight [width, 4 width], contract.bias [width]
 *     norm.weight [width], norm.bias [width], head.weight [vocabulary, width] (none where it is tied to the embedding)
 *
 * Heads are consecutive parts of width / heads columns of the query, key and value each.
 */
export function gptWeights({
  vocabulary,
  width,
  layers,
  context,
  tied = false,
}: Omit<SpecOf<"gpt">, "kind" | "batch" | "heads">): ParameterStart[] {
  const list: ParameterStart[] = [];
  const put = (name: string, shape: readonly number[], scale: number, offset = 0): void => {
    list.push({ name, shape, seed: 101 + list.length, scale, offset });
  };
  const norm = (name: string): void => {
    put(`${name}.weight`, [width], 0.1, 1);
    put(`${name}.bias`, [width], 0.1);
  };
  const dense = (weight: string, bias: string, outputs: number, inputs: number): void => {
    put(weight, [outputs, inputs], 1 / Math.sqrt(inputs));
    put(bias, [outputs], 1 / Math.sqrt(inputs));
  };
  put("tokens.weight", [vocabulary, width], 0.1);
  put("positions.weight", [context, width], 0.1);
  for (let layer = 0; layer < layers; layer++) {
    const block = `blocks.${layer}`;
    norm(`${block}.norm1`);
    dense(`${block}.attention.inProjWeight`, `${block}.attention.inProjBias`, 3 * width, width);
    dense(`${block}.attention.outProj.weight`, `${block}.attention.outProj.bias`, width, width);
    norm(`${block}.norm2`);
    dense(`${block}.expand.weight`, `${block}.expand.bias`, 4 * width, width);
    dense(`${block}.contract.weight`, `${block}.contract.bias`, width, 4 * width);
  }
  norm("norm");
  if (!tied) put("head.weight", [vocabulary, width], 1 / Math.sqrt(width));
  return list;
}

/** The values of one parameter. */
export const startOf = ({ shape, seed, scale, offset }: ParameterStart): Float32Array =>
  numbers(
    shape.reduce((product, n) => product * n, 1),
    seed,
    scale,
    offset,
  );
