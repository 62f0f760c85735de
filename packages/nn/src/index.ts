/** `@thalweg/nn`: modules, losses, initialisers. */

/** Initialisers too. */
export { ones, zeros } from "@thalweg/core";
export * from "./activations.ts";
export {
  type AttentionInputs,
  type AttentionOptions,
  type MultiHeadAttention,
  multiHeadAttention,
} from "./attention.ts";
export { type BatchNorm, type BatchNormOptions, batchNorm } from "./batchNorm.ts";
export { type Layer, residual, sequential } from "./containers.ts";
export { type Convolution, conv1d, conv2d, convTranspose2d } from "./convolution.ts";
export { dropout } from "./dropout.ts";
export {
  calculateGain,
  type GainOptions,
  type InitializerOptions,
  type KaimingOptions,
  kaimingNormal,
  kaimingUniform,
  type Nonlinearity,
  normal,
  type TruncatedNormalOptions,
  truncatedNormal,
  uniform,
  xavierNormal,
  xavierUniform,
} from "./initializers.ts";
export type { LayerOptions } from "./layerOptions.ts";
export { type Embedding, embedding, type Linear, linear } from "./linear.ts";
export * from "./losses.ts";
export { type AnyModule, isModule, type Module, type ModuleMethods, module, type Parts } from "./module.ts";
export { groupNorm, layerNorm, type Normalization, rmsNorm } from "./normalization.ts";
export { orthogonal } from "./orthogonal.ts";
export { adaptiveAvgPool2d, avgPool2d, flatten, maxPool2d } from "./pooling.ts";
export { type GruCell, gruCell, type LstmCell, type LstmState, lstmCell } from "./recurrent.ts";
export { parameterCount, summary } from "./summary.ts";
export { updateBatchNorm } from "./updateBatchNorm.ts";
