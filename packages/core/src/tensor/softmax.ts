/**
 * Softmax and its logarithm, shifted by the maximum so that nothing overflows. The shift carries no derivative: it cancels
 * in every one of them. As in PyTorch, a row of -Infinity only gives NaN.
 */
import { normalizeAxis } from "../graph/shape.ts";
import { sensitiveOperand } from "./autocast.ts";
import { castTo, reshapeTo, type TensorLike, toFloat, widen } from "./convert.ts";
import { div, exp, log, stopGradient, sub } from "./elementwise.ts";
import { reduceNode } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";

export interface SoftmaxOptions {
  /** Default -1. */
  axis?: number | undefined;
}

/** x shifted to a maximum of 0 along the axis, with the axis and a function that sums along it. */
function shifted(
  subject: string,
  x: TensorLike,
  axis: number,
): { centered: Tensor; total: (t: Tensor) => Tensor } | Tensor {
  const t = widen(toFloat(sensitiveOperand(x)));
  // A scalar is a row of one, as in PyTorch.
  const at = normalizeAxis(subject, axis, Math.max(1, t.rank));
  const axes = t.rank === 0 ? [] : [at];
  if (t.shape[at] === 0) return t;
  const ones = t.shape.map((n, i) => (i === at ? 1 : n));
  const top = reshapeTo(reduceNode("max", stopGradient(t), axes), ones);
  return { centered: sub(t, top), total: (e) => reshapeTo(reduceNode("sum", e, axes), ones) };
}

/** eˣ / Σ eˣ along an axis. Integers are taken as float32. */
export function softmax(x: TensorLike, { axis = -1 }: SoftmaxOptions = {}): Tensor {
  const parts = shifted("softmax", x, axis);
  const { dtype } = toFloat(sensitiveOperand(x));
  if (!("centered" in parts)) return castTo(parts, dtype);
  const e = exp(parts.centered);
  return castTo(div(e, parts.total(e)), dtype);
}

/** x - ln Σ eˣ along an axis. */
export function logSoftmax(x: TensorLike, { axis = -1 }: SoftmaxOptions = {}): Tensor {
  const parts = shifted("logSoftmax", x, axis);
  const { dtype } = toFloat(sensitiveOperand(x));
  if (!("centered" in parts)) return castTo(parts, dtype);
  return castTo(sub(parts.centered, log(parts.total(exp(parts.centered)))), dtype);
}
