/**
 * Random graphs, their gradients among them, on every backend against the direct evaluation of the same graph. A failure
 * shrinks to a small graph, printed as code. THALWEG_SWEEP_RUNS: graphs per property (default 120); THALWEG_SWEEP_SEED.
 */

import type { Tensor } from "@thalweg/core";
import { type Backend, manualSeed, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { cpu } from "@thalweg/cpu-js";
import * as fc from "fast-check";
import { describe, it } from "vitest";
import { type Built, build, gradients, makeLeaf } from "./build.ts";
import { evaluate, expectSame, runCompiled, type Tolerance } from "./check.ts";
import { allOperations, continuousOperations } from "./operations.ts";
import { type Recipe, type RecipeOptions, recipes } from "./recipe.ts";

const numRuns = Number(process.env.THALWEG_SWEEP_RUNS ?? 120);
const seed = process.env.THALWEG_SWEEP_SEED === undefined ? 20260731 : Number(process.env.THALWEG_SWEEP_SEED);
const timeout = 60_000 + 200 * numRuns;

const exact: RecipeOptions = {
  ops: allOperations,
  dtypes: ["float64", "int32", "bool"],
  kinds: ["spread", "ties", "special"],
};
const smooth: RecipeOptions = {
  ops: continuousOperations,
  dtypes: ["float64"],
  kinds: ["spread", "ties"],
  maxSteps: 10,
};
const rounded: RecipeOptions = {
  ops: continuousOperations,
  dtypes: ["float32"],
  kinds: ["spread", "ties"],
  maxSteps: 10,
};

const double: Tolerance = { relative: 1e-9, cancelled: 1e-12 };
const single: Tolerance = { relative: 1e-4, cancelled: 1e-5 };

function check(
  recipe: Recipe,
  backend: Backend,
  tensorsOf: (built: Built) => readonly Tensor[],
  tolerance: Tolerance,
): void {
  const leaves = recipe.leaves.map(makeLeaf);
  manualSeed(7);
  const direct = build(recipe, leaves);
  const { values, largest } = evaluate(tensorsOf(direct));
  useBackend(backend);
  manualSeed(7);
  try {
    const actual = runCompiled((...inputs) => tensorsOf(build(recipe, inputs)), leaves);
    for (const [i, expected] of values.entries()) {
      expectSame(`result ${i}`, actual[i] as ArrayLike<number>, expected.values, tolerance, largest);
    }
  } catch (error) {
    throw new Error(`${String(error)}\n\n${direct.code}\n`, { cause: error });
  }
}

function sweep(
  options: RecipeOptions,
  backend: Backend,
  tensorsOf: (built: Built) => readonly Tensor[],
  tolerance: Tolerance,
): void {
  fc.assert(
    fc.property(recipes(options), (recipe) => check(recipe, backend, tensorsOf, tolerance)),
    { numRuns, seed },
  );
}

const backends: Readonly<Record<string, () => Backend | Promise<Backend>>> = {
  "the reference interpreter": () => referenceBackend(),
  "loop kernels alone": () => referenceBackend({ kernels: ["loop"] }),
  "cpu-js": cpu,
};

describe.each(Object.keys(backends))("%s", async (name) => {
  const backend = await (backends[name] as () => Backend | Promise<Backend>)();
  const results = ({ results }: Built): readonly Tensor[] => results;
  it("computes graphs as they are defined", () => sweep(exact, backend, results, double), timeout);
  it("computes gradients as they are defined", () => sweep(smooth, backend, gradients, double), timeout);
  it("computes float32 graphs as they are defined", () => sweep(rounded, backend, results, single), timeout);
});
