/**
 * Losses. `reduction`: "mean" (default), "sum" or "none". Inputs are floats; input and target have one shape unless said
 * otherwise (PyTorch broadcasts with a warning; here it is an error, as it nearly always is one).
 */
import { isFloat } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { formatShape, sameShape } from "../graph/shape.ts";
import { sensitiveOperand } from "./autocast.ts";
import { asTensor, castTo, type TensorLike } from "./convert.ts";
import {
  abs,
  add,
  clamp,
  div,
  equal,
  exp,
  less,
  lessEqual,
  log,
  log1pExp,
  mul,
  neg,
  square,
  stopGradient,
  sub,
  where,
} from "./elementwise.ts";
import { mean, norm, sum } from "./reduce.ts";
import { Tensor } from "./tensor.ts";

export type Reduction = "mean" | "sum" | "none";

export interface LossOptions {
  /** Default "mean": over all elements. */
  reduction?: Reduction | undefined;
}

export function reduceLoss(subject: string, loss: Tensor, reduction: Reduction): Tensor {
  switch (reduction) {
    case "mean":
      return mean(loss);
    case "sum":
      return sum(loss);
    case "none":
      return loss;
    default:
      throw new ArgumentError(subject, `expected reduction "mean", "sum" or "none", got ${String(reduction)}`);
  }
}

function floats(subject: string, x: TensorLike): Tensor {
  const t = sensitiveOperand(x);
  if (!isFloat(t.dtype)) throw new DTypeError(subject, `takes a float input, got ${t.dtype}`);
  return t;
}

/** Input and target of one shape; a target that is a bare number or scalar is compared with every element. */
function operands(subject: string, input: TensorLike, target: TensorLike): [Tensor, Tensor] {
  const x = floats(subject, input);
  const y = sensitiveOperand(target instanceof Tensor ? target : asTensor(target, x.dtype));
  if (y.rank !== 0 && !sameShape(x.shape, y.shape)) {
    throw new ShapeError(
      subject,
      `expected input and target of one shape, got ${formatShape(x.shape)} and ${formatShape(y.shape)}`,
    );
  }
  return [x, y];
}

/** (input - target)². */
export function mseLoss(input: TensorLike, target: TensorLike, { reduction = "mean" }: LossOptions = {}): Tensor {
  return reduceLoss("mseLoss", square(sub(...operands("mseLoss", input, target))), reduction);
}

/** |input - target|; gradient 0 where they are equal. */
export function l1Loss(input: TensorLike, target: TensorLike, { reduction = "mean" }: LossOptions = {}): Tensor {
  return reduceLoss("l1Loss", abs(sub(...operands("l1Loss", input, target))), reduction);
}

/** With d = |input - target|: d²/(2·beta) below beta, d - beta/2 above. Default beta 1; 0 is l1Loss. */
export function smoothL1Loss(
  input: TensorLike,
  target: TensorLike,
  { reduction = "mean", beta = 1 }: LossOptions & { beta?: number | undefined } = {},
): Tensor {
  if (!(beta >= 0)) throw new ArgumentError("smoothL1Loss", `expected beta ≥ 0, got ${beta}`);
  const d = abs(sub(...operands("smoothL1Loss", input, target)));
  if (beta === 0) return reduceLoss("smoothL1Loss", d, reduction);
  return reduceLoss(
    "smoothL1Loss",
    where(less(d, beta), div(mul(square(d), 0.5), beta), sub(d, 0.5 * beta)),
    reduction,
  );
}

/** With d = |input - target|: d²/2 up to delta, delta·(d - delta/2) above. Default delta 1. */
export function huberLoss(
  input: TensorLike,
  target: TensorLike,
  { reduction = "mean", delta = 1 }: LossOptions & { delta?: number | undefined } = {},
): Tensor {
  if (!(delta > 0)) throw new ArgumentError("huberLoss", `expected delta > 0, got ${delta}`);
  const d = abs(sub(...operands("huberLoss", input, target)));
  return reduceLoss(
    "huberLoss",
    where(lessEqual(d, delta), mul(square(d), 0.5), mul(sub(d, 0.5 * delta), delta)),
    reduction,
  );
}

export interface BCEWithLogitsOptions extends LossOptions {
  /** Factor of each element's loss; broadcasts. */
  weight?: TensorLike | null | undefined;
  /** Factor of the positive term; broadcasts, so that [classes] gives one per class. */
  posWeight?: TensorLike | null | undefined;
}

/** Binary cross entropy of sigmoid(input) with targets in [0, 1]: -posWeight·y·ln σ(x) - (1 - y)·ln(1 - σ(x)), without overflow. */
export function bceWithLogits(
  input: TensorLike,
  target: TensorLike,
  { reduction = "mean", weight, posWeight }: BCEWithLogitsOptions = {},
): Tensor {
  const [x, target0] = operands("bceWithLogits", input, target);
  const y = isFloat(target0.dtype) ? target0 : castTo(target0, x.dtype);
  let positive = mul(y, log1pExp(neg(x)));
  if (posWeight !== undefined && posWeight !== null) positive = mul(positive, posWeight);
  let loss = add(mul(sub(1, y), log1pExp(x)), positive);
  if (weight !== undefined && weight !== null) loss = mul(loss, weight);
  return reduceLoss("bceWithLogits", loss, reduction);
}

export interface KLDivOptions {
  /**
   * "batchmean" divides the sum by the first axis's size, which a scalar lacks: the divergence proper. Default "mean", as
   * in PyTorch.
   */
  reduction?: Reduction | "batchmean" | undefined;
  /** Whether the target too is a logarithm. Default false. */
  logTarget?: boolean | undefined;
}

/** Kullback-Leibler divergence of the log-probabilities `input` from `target`: target·(ln target - input), 0·ln 0 being 0. */
export function klDiv(
  input: TensorLike,
  target: TensorLike,
  { reduction = "mean", logTarget = false }: KLDivOptions = {},
): Tensor {
  const [x, y] = operands("klDiv", input, target);
  let loss: Tensor;
  if (logTarget) loss = mul(exp(y), sub(y, x));
  else {
    const zero = equal(y, 0);
    loss = sub(where(zero, 0, mul(y, log(where(zero, 1, y)))), mul(y, x));
  }
  if (reduction !== "batchmean") return reduceLoss("klDiv", loss, reduction);
  return x.rank === 0 ? loss : div(sum(loss), x.shape[0] as number);
}

export interface CosineSimilarityOptions {
  /** Default 1. */
  axis?: number | undefined;
  /** Least value of either norm. Default 1e-8. */
  eps?: number | undefined;
}

/**
 * a·b / (max(‖a‖, eps)·max(‖b‖, eps)) along an axis; a and b broadcast. As in PyTorch the derivative is that of the norm
 * also where eps takes its place.
 */
export function cosineSimilarity(
  a: TensorLike,
  b: TensorLike,
  { axis = 1, eps = 1e-8 }: CosineSimilarityOptions = {},
): Tensor {
  const unit = (x: TensorLike): Tensor => {
    const t = floats("cosineSimilarity", x);
    const length = norm(t, { axis, keepDim: true });
    return div(t, add(length, stopGradient(sub(clamp(length, { min: eps }), length))));
  };
  return sum(mul(unit(a), unit(b)), { axis });
}
