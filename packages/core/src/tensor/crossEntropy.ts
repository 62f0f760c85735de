/**
 * Cross entropy and negative log-likelihood. The target's term is picked by comparing with the class numbers rather than
 * by index, so that the loss and its gradient are one pass over each row.
 *
 * The class axis is axis 1, or axis 0 of a single unbatched row: input [n, c, …] with target [n, …], or [c] with [].
 */
import { type DType, isFloat, isInteger } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { formatShape, type Shape, sameShape } from "../graph/shape.ts";
import { sensitiveOperand } from "./autocast.ts";
import { asTensor, castTo, constantLike, reshapeTo, type TensorLike } from "./convert.ts";
import { add, div, equal, greaterEqual, less, logicalAnd, mul, neg, notEqual, where } from "./elementwise.ts";
import { type LossOptions, type Reduction, reduceLoss } from "./losses.ts";
import { reduceNode, sum } from "./reduce.ts";
import { logSoftmax } from "./softmax.ts";
import { Tensor } from "./tensor.ts";
import { iotaAlong } from "./views.ts";

export interface NLLLossOptions extends LossOptions {
  /** Factor for each class [c]. With reduction "mean" the sum is divided by the factors of the targets. */
  weight?: TensorLike | null | undefined;
  /** Targets with this value count for nothing. Default -100. */
  ignoreIndex?: number | undefined;
}

export interface CrossEntropyOptions extends NLLLossOptions {
  /** Share of the target spread evenly over all classes, in [0, 1]. Default 0. */
  labelSmoothing?: number | undefined;
}

interface Classes {
  readonly logp: Tensor;
  readonly axis: number;
  readonly count: number;
  /** [c] as [c, 1, …], to go with logp. */
  readonly weight: Tensor | undefined;
}

function classes(
  subject: string,
  x: Tensor,
  toLog: (x: Tensor, axis: number) => Tensor,
  weight: TensorLike | null | undefined,
): Classes {
  if (!isFloat(x.dtype)) throw new DTypeError(subject, `takes a float input, got ${x.dtype}`);
  if (x.rank === 0) throw new ShapeError(subject, "expected input [n, classes, …] or [classes], got a scalar");
  const axis = x.rank > 1 ? 1 : 0;
  const count = x.shape[axis] as number;
  let spread: Tensor | undefined;
  if (weight !== undefined && weight !== null) {
    const w = asTensor(weight, weight instanceof Tensor ? undefined : x.dtype);
    if (w.rank !== 1 || w.size !== count)
      throw new ShapeError(subject, `expected weight [${count}], got ${formatShape(w.shape)}`);
    spread = reshapeTo(w, [count, ...new Array<number>(x.rank - 1 - axis).fill(1)]);
  }
  return { logp: toLog(x, axis), axis, count, weight: spread };
}

const along = (t: Tensor, axis: number): Tensor => reduceNode("sum", t, [axis]);

/** The loss for whole-number targets. */
function forIndices(
  subject: string,
  { logp, axis, count, weight }: Classes,
  target: Tensor,
  { reduction, ignoreIndex, smoothing }: { reduction: Reduction; ignoreIndex: number; smoothing: number },
): Tensor {
  const withoutClasses = logp.shape.filter((_, i) => i !== axis);
  if (!sameShape(target.shape, withoutClasses)) {
    throw new ShapeError(
      subject,
      `expected target ${formatShape(withoutClasses)} for input ${formatShape(logp.shape)}, got ${formatShape(target.shape)}`,
    );
  }
  const dtype = logp.dtype;
  const column = reshapeTo(
    target,
    logp.shape.map((n, i) => (i === axis ? 1 : n)),
  );
  const chosen = equal(iotaAlong(count, axis, logp.rank), column);
  const counts = notEqual(target, ignoreIndex);
  const pick = (t: Tensor): Tensor => along(where(chosen, t, constantLike(logp, 0)), axis);
  const nll = neg(pick(weight === undefined ? logp : mul(logp, weight)));
  let loss = nll;
  if (smoothing > 0) {
    const spread = neg(along(weight === undefined ? logp : mul(logp, weight), axis));
    loss = add(mul(nll, 1 - smoothing), mul(spread, smoothing / count));
  }
  // A class that does not exist must not pass for a loss of 0.
  const known = logicalAnd(greaterEqual(target, 0), less(target, count));
  loss = where(counts, where(known, loss, Number.NaN), 0);
  if (reduction !== "mean") return reduceLoss(subject, loss, reduction);
  const share = weight === undefined ? castTo(counts, dtype) : where(counts, pick(weight), 0);
  return div(sum(loss), sum(share));
}

/** The loss for targets that are a distribution over the classes. */
function forProbabilities(
  subject: string,
  { logp, axis, count, weight }: Classes,
  target: Tensor,
  { reduction, smoothing }: { reduction: Reduction; smoothing: number },
): Tensor {
  const smoothed = smoothing > 0 ? add(mul(target, 1 - smoothing), smoothing / count) : target;
  const terms = mul(logp, weight === undefined ? smoothed : mul(smoothed, weight));
  return reduceLoss(subject, neg(along(terms, axis)), reduction);
}

/** A target given as a list is whole numbers unless it has the input's own shape. */
function asTarget(subject: string, target: TensorLike, input: Shape, dtype: DType): Tensor {
  const t = sensitiveOperand(target);
  if (target instanceof Tensor) return t;
  return castTo(t, subject === "crossEntropy" && sameShape(t.shape, input) ? dtype : "int32");
}

/**
 * Negative log-likelihood of int32 `target` under log-probabilities `input`. A target that is no class gives NaN (PyTorch
 * throws). With reduction "mean", NaN when every target is ignored.
 */
export function nllLoss(
  input: TensorLike,
  target: TensorLike,
  { weight, reduction = "mean", ignoreIndex = -100 }: NLLLossOptions = {},
): Tensor {
  const x = sensitiveOperand(input);
  const y = asTarget("nllLoss", target, x.shape, x.dtype);
  if (!isInteger(y.dtype)) throw new DTypeError("nllLoss", `expected int32 targets, got ${y.dtype}`);
  const over = classes("nllLoss", x, (t) => t, weight);
  return forIndices("nllLoss", over, castTo(y, "int32"), { reduction, ignoreIndex, smoothing: 0 });
}

/**
 * Cross entropy of softmax(input) with `target`: class numbers (int32) or, as floats of the input's shape, probabilities.
 * A target that is no class gives NaN (PyTorch throws). With reduction "mean", NaN when every target is ignored.
 */
export function crossEntropy(
  input: TensorLike,
  target: TensorLike,
  { weight, reduction = "mean", ignoreIndex = -100, labelSmoothing = 0 }: CrossEntropyOptions = {},
): Tensor {
  const subject = "crossEntropy";
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ArgumentError(subject, `expected labelSmoothing in [0, 1], got ${labelSmoothing}`);
  }
  const x = sensitiveOperand(input);
  const y = asTarget(subject, target, x.shape, x.dtype);
  const over = classes(subject, x, (t, axis) => logSoftmax(t, { axis }), weight);
  if (isInteger(y.dtype)) {
    return forIndices(subject, over, castTo(y, "int32"), { reduction, ignoreIndex, smoothing: labelSmoothing });
  }
  if (!isFloat(y.dtype))
    throw new DTypeError(subject, `expected int32 class numbers or float probabilities as target, got ${y.dtype}`);
  if (!sameShape(y.shape, x.shape)) {
    throw new ShapeError(
      subject,
      `probabilities must have the input's shape ${formatShape(x.shape)}, got ${formatShape(y.shape)}; class numbers must be int32`,
    );
  }
  return forProbabilities(subject, over, y, { reduction, smoothing: labelSmoothing });
}
