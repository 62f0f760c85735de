/** Whether a backend computes a graph as its definition says. */
import { compile, manualSeed, Parameter, type Tensor, tensor } from "@thalweg/core";
import { type Evaluated, evaluateNodes } from "@thalweg/core/backend";
import { type Built, build, makeLeaf } from "./build.ts";
import { graphProgram, numberCode, updatesProgram } from "./code.ts";
import type { Leaf, Recipe } from "./recipe.ts";

type Node = Tensor["node"];

function nodesOf(roots: readonly Node[]): Node[] {
  const seen = new Set<Node>(roots);
  for (const node of seen) for (const input of node.inputs) seen.add(input);
  return [...seen];
}

/** The direct evaluation of each tensor, and the largest finite value met on the way. */
export function evaluate(tensors: readonly Tensor[]): { values: readonly Evaluated[]; largest: number } {
  const roots = tensors.map(({ node }) => node);
  const nodes = nodesOf(roots);
  const evaluated = new Map(evaluateNodes(nodes).map((value, i) => [nodes[i] as Node, value]));
  let largest = 1;
  for (const { values } of evaluated.values()) {
    for (const value of values) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  }
  return { values: roots.map((root) => evaluated.get(root) as Evaluated), largest };
}

export interface Tolerance {
  /** Relative to the expected value, or to 1. */
  readonly relative: number;
  /** Relative to the largest value anywhere in the graph: what cancels may leave this much. */
  readonly cancelled: number;
  /** Whether 0 and -0 differ. */
  readonly signedZeros?: boolean;
}

/** Throws with the first element that differs. */
export function expectSame(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { relative, cancelled, signedZeros = false }: Tolerance,
  largest = 1,
): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} elements, expected ${expected.length}`);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    if (Object.is(a, e)) continue;
    const zeros = a === 0 && e === 0 && signedZeros;
    const near =
      a === e || Math.abs(a - e) <= relative * Math.max(1, Math.abs(e)) || Math.abs(a - e) <= cancelled * largest;
    if (zeros || !near) {
      throw new Error(`${what}, element ${i}: got ${numberCode(a)}, expected ${numberCode(e)}`);
    }
  }
}

/** A graph that is not computed as it is defined. */
export class WrongGraph extends Error {
  /** The program that shows it. */
  readonly program: string;

  constructor(error: unknown, program: string) {
    super(error instanceof Error ? error.message : String(error), { cause: error });
    this.program = program;
  }
}

/** Seed of the random numbers a graph may draw; printed programs set the same. */
const graphSeed = 7;

/** Compiles and runs the recipe's graph on the current backend. `derive`: what to do with the graph first. */
export async function checkGraph(recipe: Recipe, derive: (built: Built) => Built, tolerance: Tolerance): Promise<void> {
  const leaves = recipe.leaves.map(makeLeaf);
  manualSeed(graphSeed);
  const direct = derive(build(recipe, leaves));
  const { values, largest } = evaluate(direct.results);
  manualSeed(graphSeed);
  try {
    const graph = compile((...inputs: Tensor[]) => derive(build(recipe, inputs)).results);
    const actual = await Promise.all(graph(...leaves).map((result) => result.data()));
    for (const [i, expected] of values.entries()) {
      expectSame(`result ${i}`, actual[i] as ArrayLike<number>, expected.values, tolerance, largest);
    }
  } catch (error) {
    const expected = values.map((value) => value.values);
    throw new WrongGraph(error, graphProgram(direct.code, expected));
  }
}

/** Runs of a compiled step. */
const replays = 3;

/** One step without memory: the results, and what every leaf has become. */
function pureStep(recipe: Recipe, state: readonly Tensor[]) {
  const current = [...state];
  const built = build(recipe, current, {
    current: (i) => current[i] as Tensor,
    assign: (i, value) => {
      current[i] = value;
    },
  });
  return { ...built, state: current };
}

/**
 * Compiles the recipe as a step that updates parameters in place and runs it several times, against the same mathematics
 * without memory.
 */
export async function checkUpdates(recipe: Recipe, tolerance: Tolerance): Promise<void> {
  let state: readonly Tensor[] = recipe.leaves.map(makeLeaf);
  manualSeed(graphSeed);
  const expected = Array.from({ length: replays }, () => {
    const next = pureStep(recipe, state);
    const { values, largest } = evaluate([...next.results, ...next.state]);
    state = next.state.map(({ shape, dtype }, i) =>
      tensor(values[next.results.length + i]?.values as Float64Array, { shape, dtype }),
    );
    return { values: values.map((value) => value.values), largest, code: next.code };
  });
  const parameters = recipe.leaves.map((leaf: Leaf, i) => new Parameter(makeLeaf(leaf), { name: `x${i}` }));
  const step = compile(
    () =>
      build(recipe, parameters, {
        current: (i) => parameters[i] as Parameter,
        assign: (i, value) => (parameters[i] as Parameter).assign(value),
      }).results,
  );
  manualSeed(graphSeed);
  try {
    for (const [replay, { values, largest }] of expected.entries()) {
      const results = step();
      const actual = await Promise.all([...results, ...parameters].map((result) => result.data()));
      for (const [i, value] of values.entries()) {
        const what = i < results.length ? `result ${i}` : `parameter ${i - results.length}`;
        expectSame(`run ${replay}: ${what}`, actual[i] as ArrayLike<number>, value, tolerance, largest);
      }
    }
    if (step.traces !== 1) throw new Error(`traced ${step.traces} times`);
  } catch (error) {
    const [{ code }] = expected as [(typeof expected)[number]];
    throw new WrongGraph(
      error,
      updatesProgram(
        code,
        expected.map(({ values }) => values),
      ),
    );
  } finally {
    for (const parameter of parameters) parameter.dispose();
  }
}
