/**
 * Compiled functions that update parameters: values read before and after an update, swaps, updates that other kernels
 * must see the old value of. Several replays against the same mathematics without memory.
 */
import { type Backend, compile, manualSeed, Parameter, type Tensor, tensor, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { cpu } from "@thalweg/cpu-js";
import * as fc from "fast-check";
import { describe, it } from "vitest";
import { build, makeLeaf } from "./build.ts";
import { evaluate, expectSame } from "./check.ts";
import { allOperations } from "./operations.ts";
import type { Leaf, Recipe, Step } from "./recipe.ts";

const numRuns = Number(process.env.THALWEG_SWEEP_RUNS ?? 120);
const seed = process.env.THALWEG_SWEEP_SEED === undefined ? 20260731 : Number(process.env.THALWEG_SWEEP_SEED);
const timeout = 60_000 + 200 * numRuns;
const replays = 3;

const leaf: fc.Arbitrary<Leaf> = fc.record({
  shape: fc.constantFrom<readonly number[]>([2, 3], [2, 3], [3, 3], [3], [1], []),
  dtype: fc.constant("float64" as const),
  kind: fc.constantFrom("spread" as const, "ties" as const),
  seed: fc.integer({ min: 0, max: 50 }),
});
const numbers = fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 6, size: "max" });
const pointwise = [
  "add",
  "sub",
  "mul",
  "tanh",
  "scale",
  "neg",
  "sum",
  "mean",
  "permute",
  "matmul",
  "softmax",
  "flip",
  "barrier",
];
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant("assign"), numbers }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("snapshot"), numbers }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constantFrom(...pointwise), numbers }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom(...allOperations.filter((op) => op !== "rand")), numbers }) },
);
const recipe: fc.Arbitrary<Recipe> = fc.record({
  leaves: fc.array(leaf, { minLength: 1, maxLength: 4 }),
  steps: fc.array(step, { minLength: 1, maxLength: 14, size: "max" }),
  results: fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 4, size: "max" }),
});

/** One step without memory: the results, and what every leaf has become. */
function pure(of: Recipe, state: readonly Tensor[]) {
  const current = [...state];
  const built = build(of, current, {
    current: (i) => current[i] as Tensor,
    assign: (i, value) => {
      current[i] = value;
    },
  });
  return { ...built, state: current };
}

function check(of: Recipe, backend: Backend): void {
  useBackend(backend);
  const parameters = of.leaves.map((leaf, i) => new Parameter(makeLeaf(leaf), { name: `p${i}` }));
  const step = compile(() => {
    const { results } = build(of, parameters, {
      current: (i) => parameters[i] as Parameter,
      assign: (i, value) => (parameters[i] as Parameter).assign(value),
    });
    return results;
  });
  let state: readonly Tensor[] = of.leaves.map(makeLeaf);
  manualSeed(7);
  const expected = Array.from({ length: replays }, () => {
    const next = pure(of, state);
    const { values, largest } = evaluate([...next.results, ...next.state]);
    state = next.state.map(({ shape, dtype }, i) =>
      tensor(values[next.results.length + i]?.values as Float64Array, { shape, dtype }),
    );
    return { values, largest, code: next.code };
  });
  manualSeed(7);
  for (const [replay, { values, largest, code }] of expected.entries()) {
    try {
      const results = step().map((result) => result.dataSync());
      const actual = [...results, ...parameters.map((parameter) => parameter.dataSync())];
      for (const [i, value] of values.entries()) {
        const what = i < results.length ? `result ${i}` : `parameter ${i - results.length}`;
        const tolerance = { relative: 1e-9, cancelled: 1e-11 };
        expectSame(`run ${replay}: ${what}`, actual[i] as ArrayLike<number>, value.values, tolerance, largest);
      }
    } catch (error) {
      throw new Error(`${String(error)}\n\n${code}\n`, { cause: error });
    }
  }
  if (step.traces !== 1) throw new Error(`traced ${step.traces} times`);
}

const backends: Readonly<Record<string, () => Backend | Promise<Backend>>> = {
  "the reference interpreter": () => referenceBackend(),
  "loop kernels alone": () => referenceBackend({ kernels: ["loop"] }),
  "cpu-js": cpu,
};

describe.each(Object.keys(backends))("%s", async (name) => {
  const backend = await (backends[name] as () => Backend | Promise<Backend>)();
  it(
    "updates parameters as if nothing were in place",
    () =>
      fc.assert(
        fc.property(recipe, (of) => check(of, backend)),
        { numRuns, seed },
      ),
    timeout,
  );
});
