/**
 * The sweep: random graphs, their gradients and steps that update parameters, against the direct evaluation of the same
 * mathematics. A failure shrinks to a small graph, printed as a program.
 */
import * as fc from "fast-check";
import type { Case } from "../case.ts";
import { needDTypes } from "../needs.ts";
import { type Built, withGradients } from "./build.ts";
import { checkGraph, checkUpdates, type Tolerance, WrongGraph } from "./check.ts";
import { contractionOperations } from "./contractionOperations.ts";
import { allOperations, continuousOperations, reductions, smoothOperations } from "./operations.ts";
import { type LeafDType, type Recipe, recipes } from "./recipe.ts";
import { updateRecipes } from "./updateRecipes.ts";
import { viewOperations } from "./viewOperations.ts";

export interface SweepOptions {
  /** Graphs per case. */
  readonly runs?: number;
  /** What the graphs are drawn from: the same seed and runs give the same graphs. */
  readonly seed?: number;
}

const defaultRuns = 120;
const defaultSeed = 20260731;

interface Sweep {
  readonly name: string;
  readonly floats: "float64" | "float32";
  readonly recipes: fc.Arbitrary<Recipe>;
  readonly check: (recipe: Recipe) => Promise<void>;
}

const double: Tolerance = { relative: 1e-9, cancelled: 1e-12 };
const single: Tolerance = { relative: 1e-4, cancelled: 1e-5 };
/** What one run leaves wrong the next ones start from. */
const repeated = {
  float64: { relative: 1e-9, cancelled: 1e-11 },
  float32: { relative: 1e-3, cancelled: 1e-4 },
} as const;

const itself = (built: Built): Built => built;
const graphs =
  (tolerance: Tolerance) =>
  (recipe: Recipe): Promise<void> =>
    checkGraph(recipe, itself, tolerance);
const gradients =
  (tolerance: Tolerance) =>
  (recipe: Recipe): Promise<void> =>
    checkGraph(recipe, withGradients, tolerance);
const updates =
  (tolerance: Tolerance) =>
  (recipe: Recipe): Promise<void> =>
    checkUpdates(recipe, tolerance);

const floatLeaves = (floats: LeafDType) => ({ dtypes: [floats], kinds: ["spread", "ties"] }) as const;

const elementwise = ["add", "sub", "mul", "maximum", "neg", "scale", "square", "relu", "clamp", "barrier"];
/** Chains of views with reductions and broadcasts between them; the elementwise steps are what meets there. */
const chained = [...Object.keys(viewOperations), ...reductions, ...reductions, ...elementwise];
/** Products and convolutions of what views and reductions give, with what may be fused behind them. */
const contracted = [
  ...Object.keys(contractionOperations),
  ...Object.keys(contractionOperations),
  "permute",
  "slice",
  "reshape",
  "flip",
  "repeat",
  "sum",
  "add",
  "mul",
  "relu",
  "tanh",
  "softmax",
];

const sweeps: readonly Sweep[] = [
  {
    name: "graphs",
    floats: "float64",
    recipes: recipes({
      ops: allOperations,
      dtypes: ["float64", "int32", "bool"],
      kinds: ["spread", "ties", "special"],
    }),
    check: graphs(double),
  },
  {
    name: "gradients",
    floats: "float64",
    recipes: recipes({ ...floatLeaves("float64"), ops: continuousOperations, maxSteps: 10 }),
    check: gradients(double),
  },
  {
    name: "graphs",
    floats: "float32",
    recipes: recipes({ ...floatLeaves("float32"), ops: continuousOperations, maxSteps: 10 }),
    check: graphs(single),
  },
  {
    name: "gradients of smooth graphs",
    floats: "float32",
    recipes: recipes({ ...floatLeaves("float32"), ops: smoothOperations, maxSteps: 8 }),
    check: gradients(single),
  },
  {
    name: "updates of parameters",
    floats: "float64",
    recipes: updateRecipes(
      "float64",
      allOperations.filter((op) => op !== "rand"),
    ),
    check: updates(repeated.float64),
  },
  {
    name: "updates of parameters",
    floats: "float32",
    recipes: updateRecipes("float32", continuousOperations),
    check: updates(repeated.float32),
  },
  ...(["float64", "float32"] as const).flatMap((floats): Sweep[] => {
    const tolerance = { float64: double, float32: single }[floats];
    return [
      {
        name: "chains of views and reductions",
        floats,
        recipes: recipes({ ...floatLeaves(floats), ops: chained, maxSteps: 30 }),
        check: graphs(tolerance),
      },
      {
        name: "contractions",
        floats,
        recipes: recipes({ ...floatLeaves(floats), ops: contracted, maxSteps: 12, zeroSizes: false }),
        check: graphs(tolerance),
      },
    ];
  }),
];

function failureMessage(details: fc.RunDetails<[Recipe]>): string {
  const { errorInstance: error, numRuns, numShrinks, seed, counterexamplePath } = details;
  const what = error instanceof Error ? error.message : String(error);
  const program = error instanceof WrongGraph ? `\n\n${error.program}\n` : "";
  const again = `--seed ${seed} --runs ${numRuns}, or THALWEG_SWEEP_SEED=${seed} THALWEG_SWEEP_RUNS=${numRuns} for tests`;
  return `graph ${numRuns}, shrunk ${numShrinks} times: ${what}${program}\nAgain: ${again} (path ${counterexamplePath})`;
}

/** Every property of the sweep. */
export function sweepCases({ runs = defaultRuns, seed = defaultSeed }: SweepOptions = {}): Case[] {
  return sweeps.map(({ name, floats, recipes, check }) => ({
    layer: "sweep",
    name: `${name} (${floats})`,
    async run({ backend }) {
      needDTypes(backend, floats);
      const details = await fc.check(fc.asyncProperty(recipes, check), { numRuns: runs, seed });
      if (details.failed) throw new Error(failureMessage(details as fc.RunDetails<[Recipe]>));
    },
  }));
}
