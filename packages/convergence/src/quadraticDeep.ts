/**
 * quadratic_deep of DeepOBS (Schneider, Balles & Hennig 2019, https://arxiv.org/abs/1903.05499): a noisy quadratic in 100
 * dimensions whose Hessian has the spectrum of a deep network, 90 eigenvalues from U(0, 1) and 10 from U(30, 60), randomly
 * rotated; after Chaudhari et al. 2016, https://arxiv.org/abs/1611.01838. The loss of θ is ½ (θ - x)ᵀ H (θ - x), averaged over
 * samples x ~ N(0, 0.6²); θ starts at all ones.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { compile, matmul, mean, mul, ones, Parameter, sub, sum, type Tensor, tensor } from "@thalweg/core";
import { DataError } from "@thalweg/train";
import { normal, shuffled, uniform } from "./numbers.ts";
import type { MakeOptimizer, Problem } from "./problem.ts";

const dimensions = 100;
const samples = 1000;
const batchSize = 128;
/** The last samples of each shuffle, short of a batch, are left out; so are those of the sets it is evaluated on. */
const batches = Math.floor(samples / batchSize);

export interface QuadraticDeep {
  /** 100 × 100, row-major. */
  readonly hessian: Float64Array;
  /** 1000 samples each. */
  readonly train: Float32Array;
  readonly test: Float32Array;
}

/** The files `hessian.f64`, `train.f32` and `test.f32` of `folder`, little-endian. Throws DataError. */
export async function readQuadraticDeep(folder: string): Promise<QuadraticDeep> {
  const read = async (file: string, bytes: number): Promise<ArrayBuffer> => {
    const path = join(folder, file);
    const found = await readFile(path).catch((cause: Error) => {
      throw new DataError(path, cause.message, { cause });
    });
    if (found.length !== bytes) throw new DataError(path, `${found.length} bytes; expected ${bytes}`);
    return new Uint8Array(found).buffer;
  };
  return {
    hessian: new Float64Array(await read("hessian.f64", 8 * dimensions ** 2)),
    train: new Float32Array(await read("train.f32", 4 * samples * dimensions)),
    test: new Float32Array(await read("test.f32", 4 * samples * dimensions)),
  };
}

/** A problem of the same definition with other random numbers. */
export async function generateQuadraticDeep(seed: number): Promise<QuadraticDeep> {
  const small = await uniform(dimensions, seed);
  const eigenvalues = small.map((value, i) => (i < 90 ? value : 30 + 30 * value));
  const hessian = new Float64Array(dimensions ** 2);
  eigenvalues.forEach((value, i) => {
    hessian[i * dimensions + i] = value;
  });
  // As many reflections as there are dimensions, at random hyperplanes, make a random rotation.
  for (let reflection = 0; reflection < dimensions; reflection++) {
    reflect(hessian, await normal(dimensions, seed + 1 + reflection));
  }
  const draw = async (at: number): Promise<Float32Array> =>
    Float32Array.from(await normal(samples * dimensions, seed + at), (value) => 0.6 * value);
  return { hessian, train: await draw(1001), test: await draw(1002) };
}

/** H ← P H P with P = 1 - 2 v vᵀ / vᵀv. */
function reflect(hessian: Float64Array, v: Float64Array): void {
  const n = dimensions;
  const scale = 2 / v.reduce((total, value) => total + value ** 2, 0);
  const hv = v.map((_, i) => v.reduce((total, value, j) => total + (hessian[i * n + j] as number) * value, 0));
  const vhv = v.reduce((total, value, i) => total + value * (hv[i] as number), 0);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const [vi, vj, hi, hj] = [v[i], v[j], hv[i], hv[j]] as [number, number, number, number];
      hessian[i * n + j] = (hessian[i * n + j] as number) - scale * (vi * hj + hi * vj) + scale ** 2 * vhv * vi * vj;
    }
  }
}

/** Test losses at the start and after each epoch, of a training run in an order that `seed` decides. */
export async function testLosses(
  { hessian, train, test }: QuadraticDeep,
  make: MakeOptimizer,
  epochs: number,
  seed: number,
): Promise<number[]> {
  const h = tensor(Float32Array.from(hessian), { shape: [dimensions, dimensions] });
  const loss = (theta: Tensor, x: Tensor): Tensor => {
    const difference = sub(theta, x);
    return mul(0.5, mean(sum(mul(matmul(difference, h), difference), { axis: 1 })));
  };
  const theta = new Parameter(ones([dimensions]), { name: "theta" });
  const optimizer = make([theta], epochs * batches);
  const step = compile((x: Tensor) => optimizer.minimize(loss(theta, x)));
  const seen = batches * batchSize;
  const evaluated = tensor(test.slice(0, seen * dimensions), { shape: [seen, dimensions] });
  const evaluate = compile((x: Tensor) => loss(theta, x));
  const measure = async (): Promise<number> => {
    optimizer.eval();
    const value = await evaluate(evaluated).item();
    optimizer.train();
    return value;
  };
  const losses = [await measure()];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = await shuffled(samples, seed + epoch);
    for (let batch = 0; batch < batches; batch++) {
      const rows = order.slice(batch * batchSize, (batch + 1) * batchSize);
      const x = new Float32Array(batchSize * dimensions);
      rows.forEach((row, i) => {
        x.set(train.subarray(row * dimensions, (row + 1) * dimensions), i * dimensions);
      });
      step(tensor(x, { shape: [batchSize, dimensions] }));
    }
    losses.push(await measure());
  }
  return losses;
}

/** The loss at θ = 0, the middle of the distribution, on the samples that are evaluated: what noise alone comes to. */
export function lossAtCentre({ hessian, test }: QuadraticDeep): number {
  const n = dimensions;
  const count = batches * batchSize;
  let total = 0;
  for (let sample = 0; sample < count; sample++) {
    const x = test.subarray(sample * n, (sample + 1) * n);
    for (let i = 0; i < n; i++) {
      let hx = 0;
      for (let j = 0; j < n; j++) hx += (hessian[i * n + j] as number) * (x[j] as number);
      total += (0.5 * hx * (x[i] as number)) / count;
    }
  }
  return total;
}

/** How far above the loss at the centre a solution may be. */
const margin = 1.01;

export const quadraticDeep = (data: QuadraticDeep, source: string, epochs: number): Problem => ({
  kind: "quadraticDeep",
  name: `quadratic_deep (${source}), ${epochs} epochs`,
  target: { quantity: "test loss", value: margin * lossAtCentre(data), better: "below" },
  solve: async (make) => (await testLosses(data, make, epochs, 1)).at(-1) as number,
});
