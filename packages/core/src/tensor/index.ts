/** The public tensor operations. Importing this also gives tensors their methods. */
import "./methods.ts";

export * from "./activations.ts";
export * from "./attention.ts";
export { type AutocastDType, autocast, autocastDType } from "./autocast.ts";
export { type Axis, asTensor, broadcastTo, defaultDType, resultType, type TensorLike } from "./convert.ts";
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  type Pair,
} from "./convolution.ts";
export * from "./creation.ts";
export * from "./crossEntropy.ts";
export { type Eigen, eigh } from "./eigh.ts";
export { einsum } from "./einsum.ts";
export {
  abs,
  add,
  barrier,
  bitwiseAnd,
  bitwiseNot,
  bitwiseOr,
  bitwiseXor,
  cast,
  ceil,
  clamp,
  cos,
  div,
  equal,
  erf,
  exp,
  expm1,
  floor,
  floorDivide,
  fmod,
  greater,
  greaterEqual,
  isFinite,
  isInf,
  isNaN,
  less,
  lessEqual,
  log,
  log1p,
  log1pExp,
  log2,
  log10,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  maskedFill,
  maximum,
  minimum,
  mul,
  mulHigh,
  neg,
  notEqual,
  pow,
  reciprocal,
  remainder,
  round,
  rsqrt,
  shiftLeft,
  shiftRight,
  sign,
  sin,
  sqrt,
  square,
  sub,
  tan,
  trunc,
  where,
} from "./elementwise.ts";
export {
  argSort,
  embedding,
  gather,
  indexSelect,
  oneHot,
  type Sorted,
  type SortOptions,
  scatterAdd,
  sort,
  type TopKOptions,
  take,
  topK,
} from "./indexing.ts";
export { type InverseRootOptions, inverseRoot } from "./inverseRoot.ts";
export { chunk, concat, split, stack } from "./join.ts";
export { linear, matmul, outer, trace } from "./linalg.ts";
export type { Literal, NumericArray, TensorOptions } from "./literal.ts";
export {
  type BCEWithLogitsOptions,
  bceWithLogits,
  type CosineSimilarityOptions,
  cosineSimilarity,
  huberLoss,
  type KLDivOptions,
  klDiv,
  type LossOptions,
  l1Loss,
  mseLoss,
  type Reduction,
  smoothL1Loss,
} from "./losses.ts";
export { type NewtonSchulzOptions, newtonSchulz } from "./newtonSchulz.ts";
export * from "./normalization.ts";
export { Parameter, type ParameterOptions } from "./parameter.ts";
export {
  type AvgPoolOptions,
  adaptiveAvgPool2d,
  avgPool2d,
  type MaxPoolOptions,
  maxPool2d,
  type PoolOptions,
} from "./pooling.ts";
export { type FormatOptions, formatElements, formatTensor, print } from "./print.ts";
export { type QR, qr } from "./qr.ts";
export {
  type BernoulliOptions,
  bernoulli,
  defaultGenerator,
  Generator,
  manualSeed,
  permutation,
  type RandomOptions,
  rand,
  randint,
  randn,
} from "./random.ts";
export * from "./recurrent.ts";
export {
  all,
  any,
  argMax,
  argMin,
  cumSum,
  logSumExp,
  max,
  mean,
  min,
  type NormOptions,
  norm,
  prod,
  type ReduceOptions,
  std,
  sum,
  type VarianceOptions,
  variance,
} from "./reduce.ts";
export * from "./softmax.ts";
export { type NestedArray, Tensor } from "./tensor.ts";
export {
  type DiagonalOptions,
  diagonal,
  expand,
  flatten,
  flip,
  pad,
  permute,
  reshape,
  type SliceOptions,
  select,
  slice,
  squeeze,
  transpose,
  tril,
  triu,
  unsqueeze,
  type WindowOptions,
  window,
} from "./views.ts";
