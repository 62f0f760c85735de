/** Whether a backend computes a graph as its definition says. */
import { compile, type Tensor } from "@thalweg/core";
import { type Evaluated, evaluateNodes } from "@thalweg/core/backend";

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
      const show = (x: number): string => (Object.is(x, -0) ? "-0" : String(x));
      throw new Error(`${what}, element ${i}: got ${show(a)}, expected ${show(e)}`);
    }
  }
}

/** Runs `fn` on `args` as one compiled Program on the current backend. */
export function runCompiled(
  fn: (...args: Tensor[]) => readonly Tensor[],
  args: readonly Tensor[],
): ArrayLike<number>[] {
  const results = compile((...inputs: Tensor[]) => fn(...inputs))(...args);
  return results.map((result) => result.dataSync());
}
