/** What textbooks say of optimizers, shown. */
import { compile, mul, ones, Parameter, square, sum, tensor } from "@thalweg/core";
import { adagrad, type Optimizer, sgd } from "@thalweg/core/optim";
import { type SparseData, sparseLoss } from "./sparseFeatures.ts";

/** A line of the outcome: the better of two, and by how much it was to be better. */
export interface Claim {
  readonly claim: string;
  /** What the two come to, named. */
  readonly results: readonly { readonly rule: string; readonly rate: string; readonly value: number }[];
  /** What is measured, e.g. `loss`; smaller is better. */
  readonly quantity: string;
  readonly holds: boolean;
}

/** Eigenvalues from 1 to the condition number, evenly spaced in their logarithms. */
const spectrum = (count: number, condition: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => condition ** (i / (count - 1)));

/** How far from the minimum of ½ Σ λᵢ pᵢ² so many steps lead, from all ones: the distance left, of the first. */
async function distanceLeft(
  eigenvalues: Float64Array,
  steps: number,
  make: (parameter: Parameter) => Optimizer,
): Promise<number> {
  const lambda = tensor(eigenvalues, { shape: [eigenvalues.length], dtype: "float64" });
  const p = new Parameter(ones([eigenvalues.length], { dtype: "float64" }), { name: "p" });
  const optimizer = make(p);
  const step = compile(() => optimizer.minimize(mul(0.5, sum(mul(lambda, square(p))))));
  for (let i = 0; i < steps; i++) step();
  return Math.sqrt((await sum(square(p)).item()) / eigenvalues.length);
}

/**
 * On a quadratic of condition number κ gradient descent at its best rate, 2 / (L + μ), comes closer by (κ - 1) / (κ + 1) per step;
 * with momentum, at the best of both, by (√κ - 1) / (√κ + 1). Polyak 1964; Goh 2017, https://distill.pub/2017/momentum.
 */
export async function momentumBeatsSgd(): Promise<Claim> {
  const [condition, steps] = [1000, 400];
  const eigenvalues = spectrum(50, condition);
  const root = Math.sqrt(condition);
  const best = 2 / (condition + 1);
  const momentum = ((root - 1) / (root + 1)) ** 2;
  const withMomentum = (2 / (root + 1)) ** 2;
  const plain = await distanceLeft(eigenvalues, steps, (p) => sgd([p], { lr: best }) as Optimizer);
  const heavy = await distanceLeft(eigenvalues, steps, (p) => sgd([p], { lr: withMomentum, momentum }) as Optimizer);
  // The slowest directions alone are left; theory bounds both, the heavy ball's up to a factor that grows with the steps.
  const bound = ((condition - 1) / (condition + 1)) ** steps;
  const heavyBound = steps * ((root - 1) / (root + 1)) ** steps;
  return {
    claim: `momentum beats plain SGD on a quadratic of condition number ${condition}, ${steps} steps`,
    quantity: "distance left",
    results: [
      { rule: "sgd, momentum", rate: `${withMomentum.toPrecision(3)}, ${momentum.toPrecision(3)}`, value: heavy },
      { rule: "sgd", rate: best.toPrecision(3), value: plain },
    ],
    holds: plain <= bound && heavy <= heavyBound && heavy < plain / 1000,
  };
}

/** Rates a factor of two apart, from far too small to far too large. */
const rates = (from: number, to: number): number[] => {
  const found: number[] = [];
  for (let rate = from; rate <= to * 1.001; rate *= 2) found.push(rate);
  return found;
};

type MakeAtRate = (parameters: readonly Parameter[], lr: number) => Optimizer;

/** The least loss on what was not trained on, over rates; and that no rate at the ends of the range is the best. */
async function bestOf(
  data: SparseData,
  candidates: readonly number[],
  make: MakeAtRate,
): Promise<{ rate: number; value: number; inside: boolean }> {
  let best = { rate: Number.NaN, value: Number.POSITIVE_INFINITY, inside: false };
  for (const [i, rate] of candidates.entries()) {
    const value = await sparseLoss(data, (parameters) => make(parameters, rate));
    if (value < best.value) best = { rate, value, inside: i > 0 && i < candidates.length - 1 };
  }
  return best;
}

/**
 * Where most features are rare, a rate for each feature that falls with how often it was seen does better than one rate for
 * all: Duchi, Hazan & Singer 2011. Both at the best of many constant rates, after one pass.
 */
export async function adagradBeatsSgd(data: SparseData): Promise<Claim> {
  const plain = await bestOf(data, rates(1 / 4, 16), (parameters, lr) => sgd(parameters, { lr }) as Optimizer);
  const adaptive = await bestOf(data, rates(1 / 16, 4), (parameters, lr) => adagrad(parameters, { lr }) as Optimizer);
  return {
    claim: `Adagrad beats SGD on sparse features: ${data.source}, ${data.features} features`,
    quantity: "validation loss",
    results: [
      { rule: "adagrad", rate: String(adaptive.rate), value: adaptive.value },
      { rule: "sgd", rate: String(plain.rate), value: plain.value },
    ],
    holds: adaptive.inside && plain.inside && adaptive.value < plain.value,
  };
}
