/** Recipes of compiled steps that update their leaves: values read before and after an update, swaps, snapshots. */
import * as fc from "fast-check";
import type { Leaf, LeafDType, Recipe, Step } from "./recipe.ts";

/** What parameters are mostly computed with, so that their shapes survive and updates follow each other. */
const frequent = [
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

/** `ops`: drawn from beside the frequent ones and the updates themselves. */
export function updateRecipes(dtype: LeafDType, ops: readonly string[]): fc.Arbitrary<Recipe> {
  const leaf: fc.Arbitrary<Leaf> = fc.record({
    shape: fc.constantFrom<readonly number[]>([2, 3], [2, 3], [3, 3], [3], [1], []),
    dtype: fc.constant(dtype),
    kind: fc.constantFrom("spread" as const, "ties" as const),
    seed: fc.integer({ min: 0, max: 50 }),
  });
  const numbers = fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 6, size: "max" });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ op: fc.constant("assign"), numbers }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("snapshot"), numbers }) },
    { weight: 5, arbitrary: fc.record({ op: fc.constantFrom(...frequent), numbers }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constantFrom(...ops), numbers }) },
  );
  return fc.record({
    leaves: fc.array(leaf, { minLength: 1, maxLength: 4 }),
    steps: fc.array(step, { minLength: 1, maxLength: 14, size: "max" }),
    results: fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 4, size: "max" }),
  });
}
