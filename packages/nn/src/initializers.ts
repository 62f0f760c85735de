/**
 * Initial values of parameters, as lazy tensors: shape → tensor. All draw from core's random streams, so that
 * `manualSeed` decides them on every backend alike. The shapes are PyTorch's: [out, in, …kernel].
 */
import {
  ArgumentError,
  add,
  clamp,
  type DType,
  div,
  erf,
  exp,
  log1p,
  maximum,
  mul,
  neg,
  rand,
  randn,
  type Shape,
  ShapeError,
  sign,
  sqrt,
  square,
  sub,
  type Tensor,
} from "@thalweg/core";

export interface InitializerOptions {
  /** Default float32. */
  readonly dtype?: DType;
}

export type Nonlinearity = "linear" | "sigmoid" | "tanh" | "relu" | "leakyRelu" | "selu";

/**
 * Keeps a variance of one through the nonlinearity, as torch.nn.init.calculate_gain. `slope` is that of leakyRelu
 * (0.01).
 */
export function calculateGain(nonlinearity: Nonlinearity, slope = 0.01): number {
  switch (nonlinearity) {
    case "linear":
    case "sigmoid":
      return 1;
    case "tanh":
      return 5 / 3;
    case "relu":
      return Math.SQRT2;
    case "leakyRelu":
      return Math.sqrt(2 / (1 + slope ** 2));
    case "selu":
      return 3 / 4;
    default:
      throw new ArgumentError("calculateGain", `unknown nonlinearity ${String(nonlinearity satisfies never)}`);
  }
}

/**
 * Inputs and outputs of one unit of a weight [out, in, …kernel].
 *
 * @throws ShapeError below rank 2.
 */
export function fans(subject: string, shape: Shape): { readonly fanIn: number; readonly fanOut: number } {
  if (shape.length < 2) {
    throw new ShapeError(
      subject,
      `a weight of rank 2 or more has a fan in and a fan out, got shape [${shape.join(", ")}]`,
    );
  }
  const kernel = shape.slice(2).reduce((product, n) => product * n, 1);
  return { fanIn: (shape[1] as number) * kernel, fanOut: (shape[0] as number) * kernel };
}

/** Uniform in [low, high). */
export function uniform(
  shape: Shape,
  { low = 0, high = 1, dtype = "float32" }: InitializerOptions & { readonly low?: number; readonly high?: number } = {},
): Tensor {
  return add(mul(rand(shape, { dtype }), high - low), low);
}

/** Gaussian. */
export function normal(
  shape: Shape,
  { mean = 0, std = 1, dtype = "float32" }: InitializerOptions & { readonly mean?: number; readonly std?: number } = {},
): Tensor {
  return add(mul(randn(shape, { dtype }), std), mean);
}

export interface KaimingOptions extends InitializerOptions {
  /** Slope of the leaky ReLU that follows. Default 0. */
  readonly a?: number;
  /** Whether the forward pass (fanIn, default) or the backward pass (fanOut) keeps its variance. */
  readonly mode?: "fanIn" | "fanOut";
  /** Default leakyRelu, with slope `a`. */
  readonly nonlinearity?: Nonlinearity;
}

const kaimingStd = (
  subject: string,
  shape: Shape,
  { a = 0, mode = "fanIn", nonlinearity = "leakyRelu" }: KaimingOptions,
) => calculateGain(nonlinearity, a) / Math.sqrt(fans(subject, shape)[mode]);

/** U(±√3 gain / √fan). He et al. 2015, https://arxiv.org/abs/1502.01852 */
export function kaimingUniform(shape: Shape, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd("kaimingUniform", shape, options);
  return uniform(shape, { ...dtypeOf(options), low: -bound, high: bound });
}

/** N(0, gain² / fan). He et al. 2015, https://arxiv.org/abs/1502.01852 */
export function kaimingNormal(shape: Shape, options: KaimingOptions = {}): Tensor {
  return normal(shape, { ...dtypeOf(options), std: kaimingStd("kaimingNormal", shape, options) });
}

export interface GainOptions extends InitializerOptions {
  /** Default 1. */
  readonly gain?: number;
}

const xavierStd = (subject: string, shape: Shape, { gain = 1 }: GainOptions): number => {
  const { fanIn, fanOut } = fans(subject, shape);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
};

/**
 * U(±gain √(6 / (fanIn + fanOut))). Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward
 * neural networks".
 */
export function xavierUniform(shape: Shape, options: GainOptions = {}): Tensor {
  const bound = Math.sqrt(3) * xavierStd("xavierUniform", shape, options);
  return uniform(shape, { ...dtypeOf(options), low: -bound, high: bound });
}

/** N(0, gain² · 2 / (fanIn + fanOut)). Glorot & Bengio 2010. */
export function xavierNormal(shape: Shape, options: GainOptions = {}): Tensor {
  return normal(shape, { ...dtypeOf(options), std: xavierStd("xavierNormal", shape, options) });
}

const dtypeOf = ({ dtype = "float32" }: InitializerOptions): Required<InitializerOptions> => ({ dtype });

export interface TruncatedNormalOptions extends InitializerOptions {
  /** Mean and standard deviation of the normal distribution that is cut. Defaults 0 and 1. */
  readonly mean?: number;
  readonly std?: number;
  /** The cut, in the units of the values. Defaults -2 and 2. */
  readonly low?: number;
  readonly high?: number;
}

/**
 * A Gaussian cut to [low, high], by the inverse of its distribution function, as torch.nn.init.trunc_normal_.
 *
 * @throws ArgumentError unless low < high and std > 0.
 */
export function truncatedNormal(
  shape: Shape,
  { mean = 0, std = 1, low = -2, high = 2, dtype = "float32" }: TruncatedNormalOptions = {},
): Tensor {
  if (!(low < high) || !(std > 0)) {
    throw new ArgumentError(
      "truncatedNormal",
      `expected low < high and std > 0, got low ${low}, high ${high}, std ${std}`,
    );
  }
  const [from, to] = [erfNumber((low - mean) / (std * Math.SQRT2)), erfNumber((high - mean) / (std * Math.SQRT2))];
  const level = uniform(shape, { low: from, high: to, dtype });
  return clamp(add(mul(inverseErf(level), std * Math.SQRT2), mean), { min: low, max: high });
}

/** erf of a number by its series (small) or continued fraction (large), to about 1e-15. */
function erfNumber(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let [term, sum] = [z, z];
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = z;
  for (let k = 80; k >= 1; k--) fraction = z + k / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / (fraction * Math.sqrt(Math.PI)));
}

/** The inverse of erf on (-1, 1): Winitzki's approximation, then two steps of Halley's method with erf itself. */
export function inverseErf(y: Tensor): Tensor {
  const a = 0.147;
  const logarithm = log1p(neg(square(y)));
  const t = add(mul(logarithm, 0.5), 2 / (Math.PI * a));
  // Near zero the difference of the roots can round below zero.
  const squared = maximum(sub(sqrt(sub(square(t), mul(logarithm, 1 / a))), t), 0);
  let x = mul(sign(y), sqrt(squared));
  for (let i = 0; i < 2; i++) {
    const step = mul(mul(sub(erf(x), y), exp(square(x))), Math.sqrt(Math.PI) / 2);
    x = sub(x, div(step, add(mul(x, step), 1)));
  }
  return x;
}
