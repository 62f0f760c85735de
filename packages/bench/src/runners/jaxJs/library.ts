/**
 * The part of jax-js that is used here, which is installed on demand and so has no types at hand. Every function takes its
 * arrays away from the caller; `.ref` keeps one for another use.
 */

export interface JaxArray {
  readonly ref: this;
  readonly shape: readonly number[];
  dataSync(): Float32Array;
  dispose(): void;
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  neg(): JaxArray;
  sum(axis: number): JaxArray;
  mean(): JaxArray;
  max(axis: readonly number[]): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(axes: readonly number[]): JaxArray;
  /** One range per axis; [] is all of it. */
  slice(...ranges: readonly (readonly [number, number] | readonly [])[]): JaxArray;
}

/** Arrays in lists and records, however deep. */
export type JaxTree = JaxArray | readonly JaxTree[] | { readonly [key: string]: JaxTree };

export interface Jax {
  init(device: string): Promise<readonly string[]>;
  defaultDevice(device: string): string;
  /** Compiled at the first call with arguments of these shapes. */
  jit<Args extends readonly JaxTree[], Result extends JaxTree>(
    build: (...args: Args) => Result,
  ): (...args: Args) => Result;
  valueAndGrad<First extends JaxTree, Rest extends readonly JaxTree[]>(
    loss: (first: First, ...rest: Rest) => JaxArray,
  ): (first: First, ...rest: Rest) => [JaxArray, First];
  /** Does not take the arrays away. */
  blockUntilReady(tree: JaxTree): Promise<unknown>;
  readonly tree: { ref<Tree extends JaxTree>(tree: Tree): Tree };
  readonly numpy: {
    readonly int32: unknown;
    array(values: Float32Array | Int32Array | number, options?: { readonly dtype?: unknown }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    tanh(x: JaxArray): JaxArray;
    pad(x: JaxArray, widths: readonly (readonly [number, number])[]): JaxArray;
    concatenate(parts: readonly JaxArray[], axis: number): JaxArray;
    split(x: JaxArray, parts: number, axis: number): JaxArray[];
  };
  readonly nn: {
    relu(x: JaxArray): JaxArray;
    sigmoid(x: JaxArray): JaxArray;
    gelu(x: JaxArray, options: { readonly approximate: boolean }): JaxArray;
    softmax(x: JaxArray, axis: number): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
    standardize(x: JaxArray, axis: number, options: { readonly epsilon: number }): JaxArray;
    oneHot(indices: JaxArray, classes: number): JaxArray;
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray, options: { readonly isCausal: boolean }): JaxArray;
  };
}

/** An array of these values and this shape. */
export const arrayOf = ({ numpy }: Jax, values: Float32Array, shape: readonly number[]): JaxArray =>
  numpy.array(values).reshape(shape);
