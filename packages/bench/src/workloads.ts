/** What is measured, and the numbers it starts from: the same for every peer, sent as data. */

/** One workload's sizes and starting values, plain data that crosses to the peers' processes. */
export interface Workload {
  readonly name: WorkloadName;
  /** Runs before the first measurement. */
  readonly warmUp: number;
  /** Measurements that count. */
  readonly repeats: number;
  /** The ratio to reach against tfjs-cpu; none where there is no peer. */
  readonly goal?: number;
}

export const workloads = {
  /** 512 × 512 by 512 × 512, float32, the product read back. */
  "matmul-512": { warmUp: 4, repeats: 9, goal: 4 },
  /** 784-256-128-10, batch 128, one Adam step, its loss read. */
  "mlp-adam": { warmUp: 5, repeats: 15, goal: 4 },
  /** Conv 5×5 1→32, pool, conv 5×5 32→64, pool, 3136→256→10, batch 32, one SGD step, its loss read. */
  "cnn-sgd": { warmUp: 1, repeats: 3, goal: 60 },
  /** One Adam update of a single tensor of 1,000,000 parameters, the gradient given. */
  "adam-1m": { warmUp: 5, repeats: 15, goal: 30 },
  /** An MLP 8-8-8 with batch 1, one SGD step, its loss not read: what a step costs beside its arithmetic. */
  dispatch: { warmUp: 10_000, repeats: 15 },
} as const satisfies Record<string, Omit<Workload, "name">>;

export type WorkloadName = keyof typeof workloads;
export const workloadNames = Object.keys(workloads) as readonly WorkloadName[];

export const learningRate = 1e-3;
export const adamEps = 1e-8;

/** Evenly spread numbers in [-1, 1), from a linear congruential generator (Numerical Recipes): plain, the same everywhere. */
export function numbers(count: number, seed: number, scale = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return scale * (state / 2 ** 31 - 1);
  });
}

/** Weight and bias of a layer with `inputs` values into each output, as large as PyTorch's default. */
export interface LayerWeights {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

const layer = (weights: number, outputs: number, inputs: number, seed: number): LayerWeights => ({
  weight: numbers(weights, seed, 1 / Math.sqrt(inputs)),
  bias: numbers(outputs, seed + 1, 1 / Math.sqrt(inputs)),
});

/** Weights [out, in] of the dense layers between `widths`. */
export const denseLayers = (widths: readonly number[], seed: number): LayerWeights[] =>
  widths.slice(1).map((outputs, i) => {
    const inputs = widths[i] as number;
    return layer(outputs * inputs, outputs, inputs, seed + 10 * i);
  });

/** Weights [out, in, 5, 5] of a convolution. */
export const convolution = (inputs: number, outputs: number, seed: number): LayerWeights =>
  layer(outputs * inputs * 25, outputs, inputs * 25, seed);

/** Images [count, 1, 28, 28] (equally [count, 784]) from 0 to 1. */
export const images = (count: number): Float32Array => numbers(count * 784, 99, 0.5).map((x) => x + 0.5);

export const labels = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => (7 * i) % 10);
