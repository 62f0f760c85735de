/** The part of TensorFlow.js that is used here, which is installed on demand and so has no types at hand. */

export interface TfTensor {
  readonly shape: readonly number[];
  dataSync(): Float32Array;
  dispose(): void;
  add(other: TfTensor | number): TfTensor;
  sub(other: TfTensor): TfTensor;
  mul(other: TfTensor | number): TfTensor;
  square(): TfTensor;
  rsqrt(): TfTensor;
  tanh(): TfTensor;
  sigmoid(): TfTensor;
  relu(): TfTensor;
  softmax(): TfTensor;
  matMul(other: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor;
  reshape(shape: readonly number[]): TfTensor;
  transpose(axes: readonly number[]): TfTensor;
  split(parts: number, axis: number): TfTensor[];
  conv2d(weight: TfTensor, strides: number, pad: "same"): TfTensor;
  maxPool(size: number, strides: number, pad: "valid"): TfTensor;
}

export interface TfVariable extends TfTensor {
  readonly name: string;
  assign(value: TfTensor): void;
}

export interface TfOptimizer {
  /** Computes the gradients of all variables and applies them; gives the loss from before. */
  minimize(loss: () => TfTensor, returnCost: true): TfTensor;
  computeGradients(loss: () => TfTensor): { readonly value: TfTensor; readonly grads: Record<string, TfTensor> };
  applyGradients(gradients: Record<string, TfTensor>): void;
}

export interface Tfjs {
  readonly version: { readonly tfjs: string };
  readonly losses: { softmaxCrossEntropy(labels: TfTensor, logits: TfTensor): TfTensor };
  readonly train: {
    sgd(lr: number): TfOptimizer;
    adam(lr: number, beta1: number, beta2: number, eps: number): TfOptimizer;
  };
  setBackend(name: string): Promise<boolean>;
  getBackend(): string;
  enableProdMode(): void;
  tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype?: string): TfTensor;
  variable(initial: TfTensor): TfVariable;
  oneHot(indices: TfTensor, depth: number): TfTensor;
  cast(x: TfTensor, dtype: string): TfTensor;
  moments(x: TfTensor, axis: number, keepDims: boolean): { readonly mean: TfTensor; readonly variance: TfTensor };
  tidy<T>(build: () => T): T;
}

export interface TfjsWasm {
  setThreadsCount(count: number): void;
  getThreadsCount(): number;
}

/** By plain operations, as there is no function for it: (x - mean) / √(variance + eps) · weight + bias. */
export function layerNorm(tf: Tfjs, x: TfTensor, weight: TfTensor, bias: TfTensor): TfTensor {
  const { mean, variance } = tf.moments(x, -1, true);
  return x.sub(mean).mul(variance.add(1e-5).rsqrt()).mul(weight).add(bias);
}
