import { isFloat } from "../graph/dtype.ts";
import { DTypeError, ShapeError } from "../graph/errors.ts";
import { formatShape } from "../graph/shape.ts";
import { asTensor, checkSameDType, type TensorLike } from "./convert.ts";
import { add, mul, where } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { softmax } from "./softmax.ts";
import type { Tensor } from "./tensor.ts";
import { lowerTriangle, transpose } from "./views.ts";

export interface AttentionOptions {
  /** Broadcasts to [..., queries, keys]. bool: true may attend; float: added to the logits. */
  mask?: TensorLike | null | undefined;
  /** Whether query i sees keys 0 … i only. Default false. May be joined with a mask. */
  causal?: boolean | undefined;
  /** Factor of the logits. Default 1/√width. */
  scale?: number | null | undefined;
  /** Applied to the attention weights before they meet the values; dropout goes here. */
  mapWeights?: ((weights: Tensor) => Tensor) | undefined;
}

/**
 * softmax(query·keyᵀ·scale + mask)·value (https://arxiv.org/abs/1706.03762). query [..., l, e], key [..., s, e],
 * value [..., s, v]; gives [..., l, v]. A query that may attend to nothing gives NaN, as in PyTorch.
 */
export function scaledDotProductAttention(
  query: TensorLike,
  key: TensorLike,
  value: TensorLike,
  { mask, causal = false, scale, mapWeights }: AttentionOptions = {},
): Tensor {
  const subject = "scaledDotProductAttention";
  const [q, k, v] = [asTensor(query), asTensor(key), asTensor(value)];
  if (!isFloat(checkSameDType(subject, q, k, v))) throw new DTypeError(subject, `takes floats, got ${q.dtype}`);
  if (
    q.rank < 2 ||
    k.rank < 2 ||
    v.rank < 2 ||
    q.shape[q.rank - 1] !== k.shape[k.rank - 1] ||
    k.shape[k.rank - 2] !== v.shape[v.rank - 2]
  ) {
    throw new ShapeError(
      subject,
      `expected query [..., l, e], key [..., s, e], value [..., s, v]; got ${formatShape(q.shape)}, ${formatShape(k.shape)}, ${formatShape(v.shape)}`,
    );
  }
  const width = q.shape[q.rank - 1] as number;
  let logits = mul(matmul(q, transpose(k)), scale ?? 1 / Math.sqrt(width));
  const allowed = (shown: Tensor): void => {
    logits = where(shown, logits, Number.NEGATIVE_INFINITY);
  };
  if (causal) allowed(lowerTriangle(q.shape[q.rank - 2] as number, k.shape[k.rank - 2] as number, 0));
  if (mask !== undefined && mask !== null) {
    const m = asTensor(mask);
    if (m.dtype === "bool") allowed(m);
    else if (isFloat(m.dtype)) logits = add(logits, m);
    else throw new DTypeError(subject, `expected a bool or float mask, got ${m.dtype}`);
  }
  const weights = softmax(logits);
  return matmul(mapWeights ? mapWeights(weights) : weights, v);
}
