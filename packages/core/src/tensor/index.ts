export * from "./activations.ts";
export * from "./attention.ts";
export { type Axis, asTensor, broadcastTo, defaultDType, resultType, type TensorLike } from "./convert.ts";
export {
  type ConvOptions, type ConvTransposeOptions, conv1d, conv2d, convTranspose1d, convTranspose2d, type Pair,
} from "./convolution.ts";
export * from "./creation.ts";
export * from "./crossEntropy.ts";
export * from "./indexing.ts";
