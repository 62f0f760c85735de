/** Multi-head attention. Vaswani et al. 2017, https://arxiv.org/abs/1706.03762 */
import {
  ArgumentError,
  linear as affine,
  guard,
  Parameter,
  reshape,
  ShapeError,
  scaledDotProductAttention,
  slice,
  type Tensor,
  transpose,
  zeros,
} from "@thalweg/core";
import { checkCount, checkProbability } from "./checks.ts";
import { applyDropout } from "./dropout.ts";
import { kaimingUniform, xavierUniform } from "./initializers.ts";
import type { LayerOptions } from "./layerOptions.ts";
import type { Linear } from "./linear.ts";
import { type ModuleMethods, module } from "./module.ts";

export interface AttentionOptions extends LayerOptions {
  /** Whether position i sees positions ≤ i only. Default false; a call's own option goes before it. */
  readonly causal?: boolean;
  /** Probability of dropping an attention weight in training. Default 0. */
  readonly dropout?: number;
}

export interface AttentionInputs {
  /** What is attended to; default the query (self-attention). */
  readonly key?: Tensor;
  /** Default the key. */
  readonly value?: Tensor;
  /** Broadcasts to [batch, heads, length, keyLength]. bool: true = attend; float: added to the logits. */
  readonly mask?: Tensor;
  readonly causal?: boolean;
}

export type MultiHeadAttention = ModuleMethods &
  ((query: Tensor, inputs?: AttentionInputs) => Tensor) & {
    readonly inProjWeight: Parameter;
    readonly inProjBias: Parameter | undefined;
    readonly outProj: Linear;
  };

/**
 * query [batch, length, embedDim] (the batch comes first; it may be missing) → the same shape. Parameters as in
 * torch.nn.MultiheadAttention: the projections of query, key and value are stacked in inProjWeight [3 embedDim,
 * embedDim], which starts by xavierUniform; biases start as zeros.
 *
 * @throws ArgumentError unless numHeads divides embedDim; when called, ShapeError for inputs of another width.
 */
export function multiHeadAttention(
  embedDim: number,
  numHeads: number,
  { bias = true, causal = false, dropout = 0, dtype = "float32" }: AttentionOptions = {},
): MultiHeadAttention {
  checkCount("multiHeadAttention", "embedDim", embedDim);
  checkCount("multiHeadAttention", "numHeads", numHeads);
  checkProbability("multiHeadAttention", "dropout", dropout);
  if (embedDim % numHeads !== 0) {
    throw new ArgumentError("multiHeadAttention", `embedDim ${embedDim} is not divisible by numHeads ${numHeads}`);
  }
  const inProjWeight = new Parameter(xavierUniform([3 * embedDim, embedDim], { dtype }));
  const inProjBias = bias ? new Parameter(zeros([3 * embedDim], { dtype })) : undefined;
  const outWeight = new Parameter(kaimingUniform([embedDim, embedDim], { a: Math.sqrt(5), dtype }));
  const outBias = bias ? new Parameter(zeros([embedDim], { dtype })) : undefined;
  const outProj: Linear = module(
    { weight: outWeight, bias: outBias },
    (x: Tensor) => affine(x, outWeight, outBias),
    "linear",
  );

  const headWidth = embedDim / numHeads;
  const part = (index: number, x: Tensor): Tensor => {
    const range = { axis: 0, start: index * embedDim, end: (index + 1) * embedDim };
    return affine(x, slice(inProjWeight, range), inProjBias && slice(inProjBias, range));
  };
  // [..., length, embedDim] → [..., heads, length, headWidth]
  const split = (x: Tensor): Tensor => transpose(reshape(x, [...x.shape.slice(0, -1), numHeads, headWidth]), -3, -2);
  const check = (name: string, x: Tensor): void => {
    if ((x.rank !== 2 && x.rank !== 3) || x.shape[x.rank - 1] !== embedDim) {
      throw new ShapeError(
        "multiHeadAttention",
        `expected ${name} of shape [batch, length, ${embedDim}], got [${x.shape.join(", ")}]`,
      );
    }
  };

  const forward = (query: Tensor, inputs: AttentionInputs = {}): Tensor => {
    const { key = query, value = key, mask, causal: masked = causal } = inputs;
    check("query", query);
    check("key", key);
    check("value", value);
    const { training } = self;
    guard(() => self.training === training);
    const [q, k, v] =
      key === query && value === query ? projectTogether(query) : [part(0, query), part(1, key), part(2, value)];
    const [qh, kh, vh] = [split(q as Tensor), split(k as Tensor), split(v as Tensor)];
    const attended = scaledDotProductAttention(qh, kh, vh, {
      mask,
      causal: masked,
      mapWeights: training ? (weights) => applyDropout(weights, dropout) : undefined,
    });
    return outProj(reshape(transpose(attended, -3, -2), query.shape));
  };
  /** Self-attention projects once, by the whole stacked weight. */
  const projectTogether = (x: Tensor): Tensor[] => {
    const all = affine(x, inProjWeight, inProjBias);
    return [0, 1, 2].map((i) => slice(all, { axis: -1, start: i * embedDim, end: (i + 1) * embedDim }));
  };
  const self: MultiHeadAttention = module({ inProjWeight, inProjBias, outProj }, forward, "multiHeadAttention");
  return self;
}
