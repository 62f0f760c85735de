/** Batch normalisation with running statistics. Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167 */
import {
  ArgumentError,
  type DType,
  guard,
  batchNorm as normalizeBatch,
  ones,
  Parameter,
  ShapeError,
  type Tensor,
  zeros,
} from "@thalweg/core";
import { checkCount } from "./checks.ts";
import { type ModuleMethods, module } from "./module.ts";

export interface BatchNormOptions {
  /** Default 1e-5. */
  readonly eps?: number;
  /** Weight of the newest batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
  /** Whether there are a scale and a shift to train. Default true. */
  readonly affine?: boolean;
  readonly dtype?: DType;
}

export type BatchNorm = ModuleMethods &
  ((x: Tensor) => Tensor) & {
    readonly weight: Parameter | undefined;
    readonly bias: Parameter | undefined;
    readonly runningMean: Parameter;
    readonly runningVar: Parameter;
    /** Weight of the newest batch in the running statistics. May be set; a compiled function notices. */
    momentum: number;
  };

/**
 * Normalises each channel of [batch, channels], [batch, channels, length] or [batch, channels, height, width], as
 * torch.nn.BatchNorm1d and 2d. In training by the statistics of the batch, which also move the running ones (the
 * variance unbiased), at every run of a compiled function; in evaluation by the running ones.
 *
 * @throws ShapeError when called with another rank or number of channels, or in training with one value per channel.
 */
export function batchNorm(
  numFeatures: number,
  { eps = 1e-5, momentum = 0.1, affine = true, dtype = "float32" }: BatchNormOptions = {},
): BatchNorm {
  checkCount("batchNorm", "numFeatures", numFeatures);
  checkMomentum(momentum);
  const shape = [numFeatures];
  const weight = affine ? new Parameter(ones(shape, { dtype })) : undefined;
  const bias = affine ? new Parameter(zeros(shape, { dtype })) : undefined;
  const runningMean = new Parameter(zeros(shape, { dtype }), { trainable: false });
  const runningVar = new Parameter(ones(shape, { dtype }), { trainable: false });

  const forward = (x: Tensor): Tensor => {
    const { training, momentum } = self;
    guard(() => self.training === training && self.momentum === momentum);
    if (x.rank < 2 || x.rank > 4 || x.shape[1] !== numFeatures) {
      throw new ShapeError(
        "batchNorm",
        `expected [batch, ${numFeatures}], with up to two more axes, got [${x.shape.join(", ")}]`,
      );
    }
    if (training && x.size <= numFeatures) {
      throw new ShapeError("batchNorm", `training wants more than one value per channel, got [${x.shape.join(", ")}]`);
    }
    const result = normalizeBatch(x, { runningMean, runningVar, weight, bias, training, momentum, eps });
    if (training && result.runningMean && result.runningVar) {
      runningMean.assign(result.runningMean);
      runningVar.assign(result.runningVar);
    }
    return result.output;
  };
  let current = momentum;
  const self = Object.defineProperty(
    module({ weight, bias, runningMean, runningVar }, forward, "batchNorm"),
    "momentum",
    {
      get: () => current,
      set: (value: number) => {
        checkMomentum(value);
        current = value;
      },
      enumerable: true,
    },
  ) as BatchNorm;
  return self;
}

function checkMomentum(momentum: number): void {
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new ArgumentError("batchNorm", `momentum must be in [0, 1], got ${momentum}`);
  }
}
