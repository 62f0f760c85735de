/**
 * Activation functions, element by element, with PyTorch's derivatives at their kinks. `relu`, `sigmoid` and `tanh` are
 * primitives (elementwise.ts).
 */
import { isFloat } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { formatShape, normalizeAxis } from "../graph/shape.ts";
import { asTensor, reshapeTo, type TensorLike } from "./convert.ts";
import {
  abs,
  add,
  clamp,
  div,
  erf,
  expm1,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log1pExp,
  mul,
  neg,
  relu,
  sigmoid,
  tanh,
  where,
} from "./elementwise.ts";
import { split } from "./join.ts";
import type { Tensor } from "./tensor.ts";

export { relu, sigmoid, tanh } from "./elementwise.ts";

function floatOf(subject: string, x: TensorLike): Tensor {
  const t = asTensor(x);
  if (!isFloat(t.dtype)) throw new DTypeError(subject, `takes floats, got ${t.dtype}`);
  return t;
}

/** x limited to [min, max] with derivative 0 at the bounds too, unlike `clamp`. Defaults -1 and 1. */
export function hardTanh(
  x: TensorLike,
  { min = -1, max = 1 }: { min?: number | undefined; max?: number | undefined } = {},
): Tensor {
  if (!(min <= max)) throw new ArgumentError("hardTanh", `expected min ≤ max, got ${min} and ${max}`);
  const t = floatOf("hardTanh", x);
  return where(lessEqual(t, min), min, where(greaterEqual(t, max), max, t));
}

/** min(max(x, 0), 6). */
export function relu6(x: TensorLike): Tensor {
  const t = floatOf("relu6", x);
  return where(greaterEqual(t, 6), 6, relu(t));
}

/** x where positive, else negativeSlope·x. Default slope 0.01. */
export function leakyRelu(
  x: TensorLike,
  { negativeSlope = 0.01 }: { negativeSlope?: number | undefined } = {},
): Tensor {
  const t = floatOf("leakyRelu", x);
  return where(greater(t, 0), t, mul(t, negativeSlope));
}

/** As leakyRelu with learned slopes: `weight` holds one number, or one for each channel (axis 1). */
export function prelu(x: TensorLike, weight: TensorLike): Tensor {
  const [t, w] = [floatOf("prelu", x), asTensor(weight)];
  const channels = t.rank > 1 ? (t.shape[1] as number) : 1;
  if (w.size !== 1 && (w.rank !== 1 || w.size !== channels)) {
    throw new ShapeError("prelu", `expected one slope or ${channels}, got weight ${formatShape(w.shape)}`);
  }
  const slope = w.size === 1 ? reshapeTo(w, []) : reshapeTo(w, [channels, ...new Array<number>(t.rank - 2).fill(1)]);
  return where(greater(t, 0), t, mul(t, slope));
}

/** The branch for x ≤ 0 of the exponential units: scale·(e^(x·rate) - 1), of 0 where x is positive so that nothing overflows. */
function exponentialUnit(t: Tensor, scale: number, rate: number, slope: number): Tensor {
  const positive = greater(t, 0);
  const tail = where(positive, 0, t);
  return where(positive, slope === 1 ? t : mul(t, slope), mul(expm1(rate === 1 ? tail : mul(tail, rate)), scale));
}

/** x where positive, else alpha·(eˣ - 1) (https://arxiv.org/abs/1511.07289). Default alpha 1. */
export const elu = (x: TensorLike, { alpha = 1 }: { alpha?: number | undefined } = {}): Tensor =>
  exponentialUnit(floatOf("elu", x), alpha, 1, 1);

/** Continuously differentiable elu: x where positive, else alpha·(e^(x/alpha) - 1). Default alpha 1. */
export function celu(x: TensorLike, { alpha = 1 }: { alpha?: number | undefined } = {}): Tensor {
  if (alpha === 0) throw new ArgumentError("celu", "expected alpha other than 0");
  return exponentialUnit(floatOf("celu", x), alpha, 1 / alpha, 1);
}

/** Self-normalising elu (https://arxiv.org/abs/1706.02515). */
export function selu(x: TensorLike): Tensor {
  const [alpha, scale] = [1.6732632423543772, 1.0507009873554805];
  return exponentialUnit(floatOf("selu", x), alpha * scale, 1, scale);
}

export interface GeluOptions {
  /** "none" (default): by the error function; "tanh": the usual approximation. */
  approximate?: "none" | "tanh" | undefined;
}

/** x·Φ(x), with the standard normal distribution function Φ (https://arxiv.org/abs/1606.08415). */
export function gelu(x: TensorLike, { approximate = "none" }: GeluOptions = {}): Tensor {
  const t = floatOf("gelu", x);
  if (approximate === "none") return mul(mul(t, 0.5), add(erf(mul(t, Math.SQRT1_2)), 1));
  if (approximate !== "tanh")
    throw new ArgumentError("gelu", `expected approximate "none" or "tanh", got ${String(approximate)}`);
  const inner = mul(add(t, mul(mul(mul(t, t), t), 0.044715)), Math.sqrt(2 / Math.PI));
  return mul(mul(t, 0.5), add(tanh(inner), 1));
}

/** x·sigmoid(x), also called swish. */
export function silu(x: TensorLike): Tensor {
  const t = floatOf("silu", x);
  return mul(t, sigmoid(t));
}

export interface SoftplusOptions {
  /** Default 1. */
  beta?: number | undefined;
  /** Above it (x·beta > threshold) the result is x itself. Default 20. */
  threshold?: number | undefined;
}

/** ln(1 + e^(beta·x)) / beta, a smooth relu. */
export function softplus(x: TensorLike, { beta = 1, threshold = 20 }: SoftplusOptions = {}): Tensor {
  const t = floatOf("softplus", x);
  const scaled = beta === 1 ? t : mul(t, beta);
  const smooth = log1pExp(scaled);
  return where(greater(scaled, threshold), t, beta === 1 ? smooth : div(smooth, beta));
}

/** x·tanh(ln(1 + eˣ)) (https://arxiv.org/abs/1908.08681). */
export function mish(x: TensorLike): Tensor {
  const t = floatOf("mish", x);
  return mul(t, tanh(log1pExp(t)));
}

/** x·relu6(x + 3)/6 (https://arxiv.org/abs/1905.02244). */
export function hardSwish(x: TensorLike): Tensor {
  const t = floatOf("hardSwish", x);
  // Not by relu6: PyTorch takes the middle branch's derivative at both kinks (version 2.13 the outer ones').
  // Limited, for the branch not taken: an infinite x would multiply its zero gradient.
  const middle = clamp(t, { min: -3, max: 3 });
  return where(less(t, -3), mul(t, 0), where(lessEqual(t, 3), div(mul(middle, add(middle, 3)), 6), t));
}

/** relu6(x + 3)/6. */
export const hardSigmoid = (x: TensorLike): Tensor =>
  div(hardTanh(add(floatOf("hardSigmoid", x), 3), { min: 0, max: 6 }), 6);

/** ln sigmoid(x) without underflow. */
export const logSigmoid = (x: TensorLike): Tensor => neg(log1pExp(neg(floatOf("logSigmoid", x))));

/** x / (1 + |x|). */
export function softsign(x: TensorLike): Tensor {
  const t = floatOf("softsign", x);
  return div(t, add(abs(t), 1));
}

/** The first half of an axis gated by the sigmoid of the second (https://arxiv.org/abs/1612.08083). Default axis -1. */
export function glu(x: TensorLike, { axis = -1 }: { axis?: number | undefined } = {}): Tensor {
  const t = floatOf("glu", x);
  const n = t.shape[normalizeAxis("glu", axis, t.rank)] as number;
  if (n % 2 !== 0) throw new ShapeError("glu", `expected an even size on axis ${axis}, got ${formatShape(t.shape)}`);
  const [value, gate] = split(t, n / 2, { axis }) as [Tensor, Tensor];
  return mul(value, sigmoid(gate));
}
