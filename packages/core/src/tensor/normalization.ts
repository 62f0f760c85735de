/** Normalisation layers as functions: (x - mean) / √(variance + eps), then scaled and shifted. */
import { isFloat } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../graph/shape.ts";
import { sensitiveOperand } from "./autocast.ts";
import { asTensor, castTo, reshapeTo, type TensorLike, widen } from "./convert.ts";
import { add, div, mul, rsqrt, square, stopGradient, sub } from "./elementwise.ts";
import { reduceNode } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";

type Optional = TensorLike | null | undefined;
const given = (x: Optional): x is TensorLike => x !== undefined && x !== null;

function floats(subject: string, x: TensorLike): Tensor {
  const t = asTensor(x);
  if (!isFloat(t.dtype)) throw new DTypeError(subject, `takes floats, got ${t.dtype}`);
  return t;
}

/** Mean over `axes`, which stay as size 1. */
function meanOver(x: Tensor, axes: readonly number[]): Tensor {
  const count = axes.reduce((n, axis) => n * (x.shape[axis] as number), 1);
  return reshapeTo(
    div(reduceNode("sum", x, axes), count),
    x.shape.map((n, i) => (axes.includes(i) ? 1 : n)),
  );
}

/** x centered over `axes`, and its variance there. */
function moments(x: Tensor, axes: readonly number[]): { mean: Tensor; centered: Tensor; variance: Tensor } {
  const mean = meanOver(x, axes);
  const centered = sub(x, mean);
  return { mean, centered, variance: meanOver(square(centered), axes) };
}

function affine(subject: string, y: Tensor, weight: Optional, bias: Optional, expected: Shape, shape: Shape): Tensor {
  const part = (name: string, value: TensorLike): Tensor => {
    const t = asTensor(value);
    if (!sameShape(t.shape, expected))
      throw new ShapeError(subject, `expected ${name} ${formatShape(expected)}, got ${formatShape(t.shape)}`);
    return reshapeTo(t, shape);
  };
  let out = y;
  if (given(weight)) out = mul(out, part("weight", weight));
  if (given(bias)) out = add(out, part("bias", bias));
  return out;
}

function trailingAxes(
  subject: string,
  x: Tensor,
  normalizedShape: number | readonly number[],
): { axes: number[]; shape: Shape } {
  const shape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
  const first = x.rank - shape.length;
  if (shape.length === 0 || first < 0 || !sameShape(x.shape.slice(first), shape)) {
    throw new ShapeError(subject, `expected an input ending in ${formatShape(shape)}, got ${formatShape(x.shape)}`);
  }
  return { axes: shape.map((_, i) => first + i), shape };
}

export interface RMSNormOptions {
  /** The trailing axes normalised over, by size. */
  normalizedShape: number | readonly number[];
  /** Of shape normalizedShape. */
  weight?: Optional;
  /** Default 1e-6. */
  eps?: number | undefined;
}

export interface LayerNormOptions {
  /** The trailing axes normalised over, by size. */
  normalizedShape: number | readonly number[];
  /** Of shape normalizedShape. */
  weight?: Optional;
  /** Of shape normalizedShape. */
  bias?: Optional;
  /** Default 1e-5. */
  eps?: number | undefined;
}

/** Normalises over the trailing axes (https://arxiv.org/abs/1607.06450). */
export function layerNorm(x: TensorLike, { normalizedShape, weight, bias, eps = 1e-5 }: LayerNormOptions): Tensor {
  const t = floats("layerNorm", sensitiveOperand(x));
  const { axes, shape } = trailingAxes("layerNorm", t, normalizedShape);
  const { centered, variance } = moments(widen(t), axes);
  const normalized = mul(centered, rsqrt(add(variance, eps)));
  return castTo(affine("layerNorm", normalized, weight, bias, shape, shape), t.dtype);
}

/** x / √(mean(x²) + eps) over the trailing axes, times weight (https://arxiv.org/abs/1910.07467). */
export function rmsNorm(x: TensorLike, { normalizedShape, weight, eps = 1e-6 }: RMSNormOptions): Tensor {
  const t = floats("rmsNorm", sensitiveOperand(x));
  const { axes, shape } = trailingAxes("rmsNorm", t, normalizedShape);
  const wide = widen(t);
  const normalized = mul(wide, rsqrt(add(meanOver(square(wide), axes), eps)));
  return castTo(affine("rmsNorm", normalized, weight, undefined, shape, shape), t.dtype);
}

/** [c] as it goes with [n, c, …]. */
const perChannel = (x: Tensor): Shape => [x.shape[1] as number, ...new Array<number>(x.rank - 2).fill(1)];

export interface GroupNormOptions {
  /** Groups the channels are divided into; must divide their number. */
  numGroups: number;
  /** [c]. */
  weight?: Optional;
  /** [c]. */
  bias?: Optional;
  /** Default 1e-5. */
  eps?: number | undefined;
}

/** Normalises each sample over groups of channels and all space; x [n, c, …] (https://arxiv.org/abs/1803.08494). */
export function groupNorm(x: TensorLike, { numGroups, weight, bias, eps = 1e-5 }: GroupNormOptions): Tensor {
  const t = floats("groupNorm", sensitiveOperand(x));
  if (t.rank < 2) throw new ShapeError("groupNorm", `expected input [n, c, …], got ${formatShape(t.shape)}`);
  const [n, c] = t.shape as [number, number];
  if (!Number.isInteger(numGroups) || numGroups < 1 || c % numGroups !== 0) {
    throw new ArgumentError("groupNorm", `numGroups ${numGroups} does not divide ${c} channels`);
  }
  const grouped = reshapeTo(widen(t), [n, numGroups, (c / numGroups) * sizeOf(t.shape.slice(2))]);
  const { centered, variance } = moments(grouped, [2]);
  const normalized = reshapeTo(mul(centered, rsqrt(add(variance, eps))), t.shape);
  return castTo(affine("groupNorm", normalized, weight, bias, [c], perChannel(t)), t.dtype);
}

export interface BatchNormOptions {
  /** [c]. Needed unless training. */
  runningMean?: Optional;
  /** [c]. Needed unless training. */
  runningVar?: Optional;
  /** [c]. */
  weight?: Optional;
  /** [c]. */
  bias?: Optional;
  /** Whether to normalise by the batch's own statistics, and to update the running ones. Default false. */
  training?: boolean | undefined;
  /** Weight of the batch in the new running statistics. Default 0.1. */
  momentum?: number | undefined;
  /** Default 1e-5. */
  eps?: number | undefined;
}

export interface BatchNormResult {
  readonly output: Tensor;
  /** In training, the updated statistics (without gradient); else those given. Undefined when none were given. */
  readonly runningMean: Tensor | undefined;
  readonly runningVar: Tensor | undefined;
}

/**
 * Normalises each channel over the batch and all space; x [n, c, …] (https://arxiv.org/abs/1502.03167). The running variance
 * is of the sample (n - 1), the one normalised by is of the population (n), as in PyTorch.
 */
export function batchNorm(
  x: TensorLike,
  { runningMean, runningVar, weight, bias, training = false, momentum = 0.1, eps = 1e-5 }: BatchNormOptions = {},
): BatchNormResult {
  const subject = "batchNorm";
  const t = floats(subject, x);
  if (t.rank < 2) throw new ShapeError(subject, `expected input [n, c, …], got ${formatShape(t.shape)}`);
  const c = t.shape[1] as number;
  const shape = perChannel(t);
  const statistic = (name: string, value: Optional): Tensor | undefined => {
    if (!given(value)) return undefined;
    const s = asTensor(value);
    if (!sameShape(s.shape, [c])) throw new ShapeError(subject, `expected ${name} [${c}], got ${formatShape(s.shape)}`);
    return s;
  };
  const [mean0, var0] = [statistic("runningMean", runningMean), statistic("runningVar", runningVar)];
  if (!training) {
    if (mean0 === undefined || var0 === undefined) {
      throw new ArgumentError(subject, "expected runningMean and runningVar when not training");
    }
    const scale = rsqrt(add(reshapeTo(var0, shape), eps));
    const normalized = mul(sub(widen(t), reshapeTo(mean0, shape)), scale);
    const output = castTo(affine(subject, normalized, weight, bias, [c], shape), t.dtype);
    return { output, runningMean: mean0, runningVar: var0 };
  }
  const count = t.size / c;
  if (count <= 1)
    throw new ShapeError(
      subject,
      `expected more than one value per channel when training, got ${formatShape(t.shape)}`,
    );
  const axes = t.shape.map((_, i) => i).filter((i) => i !== 1);
  const { mean, centered, variance } = moments(widen(t), axes);
  const mix = (old: Tensor | undefined, now: Tensor, factor: number): Tensor | undefined =>
    old && castTo(add(mul(old, 1 - momentum), mul(reshapeTo(stopGradient(now), [c]), momentum * factor)), old.dtype);
  return {
    output: castTo(affine(subject, mul(centered, rsqrt(add(variance, eps))), weight, bias, [c], shape), t.dtype),
    runningMean: mix(mean0, mean, 1),
    runningVar: mix(var0, variance, count / (count - 1)),
  };
}
