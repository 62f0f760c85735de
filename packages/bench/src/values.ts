/**
 * The numbers every runner starts from and the ones it is checked by. A runner in another language repeats this file:
 * integer arithmetic modulo 2³², then float64, rounded to float32 once at the end.
 */

/** Of training steps. */
export const learningRate = 1e-3;
/** Of the bare optimizer updates: large, so that a wrong update (no weight decay, say) shows after a few of them. */
export const updateLearningRate = 0.05;

/** The state after this one, of a linear congruential generator (Numerical Recipes): s ← 1664525 s + 1013904223 mod 2³². */
const next = (state: number): number => (Math.imul(state, 1664525) + 1013904223) >>> 0;

/** Evenly spread in [offset - scale, offset + scale): offset + scale · (s / 2³¹ - 1) for each state s after `seed`. */
export function numbers(count: number, seed: number, scale = 1, offset = 0): Float32Array {
  const values = new Float32Array(count);
  let state = seed >>> 0;
  for (let i = 0; i < count; i++) {
    state = next(state);
    values[i] = offset + scale * (state / 2 ** 31 - 1);
  }
  return values;
}

/** Inputs of the networks, from 0 to 1: images [count, 1, 28, 28] with 784 values each, or rows of an MLP's input. */
export const images = (count: number, valuesEach = 784): Float32Array => numbers(count * valuesEach, 99, 0.5, 0.5);

/** The class of each image. */
export const labels = (count: number, classes = 10): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => (7 * i) % classes);

/**
 * A stream of batch · context + 1 tokens, ⌊s / 2¹⁶⌋ mod vocabulary for the states s after the seed 77. The inputs
 * [batch, context] are all but its last, the targets all but its first.
 */
export function tokens(
  batch: number,
  context: number,
  vocabulary: number,
): { inputs: Int32Array; targets: Int32Array } {
  const count = batch * context;
  let state = 77;
  const stream = Int32Array.from({ length: count + 1 }, () => {
    state = next(state);
    return (state >>> 16) % vocabulary;
  });
  return { inputs: stream.slice(0, count), targets: stream.slice(1) };
}

/** Inputs of the single operations, all row-major: see WorkloadSpec for what is made of them. */
export const matmulInputs = (size: number) => ({ a: numbers(size * size, 1), b: numbers(size * size, 2) });
export const elementwiseInputs = (size: number) => ({ x: numbers(size, 1), b: numbers(size, 2) });
export const softmaxInput = (rows: number, columns: number) => numbers(rows * columns, 1, 4);
export const layerNormInputs = (rows: number, columns: number) => ({
  x: numbers(rows * columns, 1),
  weight: numbers(columns, 2, 0.5, 1),
  bias: numbers(columns, 3, 0.5),
});

/**
 * Parameters and gradients of a bare update, each cut into `tensors` consecutive parts of equal length. The parameters
 * lie in [0.5, 1.5), so that none is near 0 after the few updates before the check.
 */
export function updateInputs(size: number, tensors: number): { parameters: Float32Array[]; gradients: Float32Array[] } {
  const each = size / tensors;
  const cut = (all: Float32Array) => Array.from({ length: tensors }, (_, i) => all.subarray(i * each, (i + 1) * each));
  return { parameters: cut(numbers(size, 1, 0.5, 1)), gradients: cut(numbers(size, 2)) };
}

/** Which of n values a tensor is checked by. */
export const samplePlaces = (n: number): number[] => [Math.floor(n / 7), Math.floor(n / 2), n - 1];

/** What a tensor of n values is checked by: those at ⌊n / 7⌋, ⌊n / 2⌋ and n - 1. */
export const samples = (values: ArrayLike<number>): number[] =>
  samplePlaces(values.length).map((i) => values[i] as number);

/** Samples and then the mean, summed in float64: what the result of a single operation is checked by. */
export function samplesAndMean(values: ArrayLike<number>): number[] {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return [...samples(values), sum / values.length];
}
