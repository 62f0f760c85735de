/** What an update keeps and runs, counted on a small group. */
import { ArgumentError, compile, Parameter, type Tensor, zeros } from "@thalweg/core";
import { programStatistics } from "@thalweg/core/backend";
import type { Optimizer } from "@thalweg/core/optim";

/** Matrices and vectors, which some rules treat apart. */
const shapes = [[32, 24], [32], [16, 32], [16]] as const;
const symbols = new Map([
  [32, "m"],
  [24, "n"],
]);

export interface Costs {
  /** State of an m × n matrix and of a vector of m: names with shapes. */
  readonly matrix: readonly string[];
  readonly vector: readonly string[];
  /** Of one update of the whole group. */
  readonly kernels: number;
}

/** Undefined of an optimizer that looks at the loss itself, and so has no update of its own. */
export function costsOf(make: (parameters: readonly Parameter[]) => Optimizer): Costs | undefined {
  const parameters = shapes.map((shape, i) => new Parameter(zeros(shape), { name: `p${i}` }));
  const gradients = shapes.map((shape) => zeros(shape));
  const optimizer = make(parameters);
  const step = compile((...given: Tensor[]) => optimizer.update(given));
  let kernels: number;
  try {
    ({ kernels } = programStatistics(step.program(...gradients)));
  } catch (error) {
    if (error instanceof ArgumentError) return undefined;
    throw error;
  }
  const stateOf = (name: string): string[] =>
    Object.entries(optimizer.state.get(name) ?? {}).map(
      ([key, { shape }]) => `\`${key}\` [${shape.map((n) => symbols.get(n) ?? n).join(", ")}]`,
    );
  return { matrix: stateOf("p0"), vector: stateOf("p1"), kernels };
}

export const costsText = ({ matrix, vector, kernels }: Costs): string => {
  const of = (state: readonly string[]): string => state.join(", ") || "none";
  const state =
    of(matrix).replaceAll("m, n", "m") === of(vector) ? of(matrix) : `matrix ${of(matrix)}; vector ${of(vector)}`;
  return `State: ${state}. Kernels of an update of two matrices and two vectors: ${kernels}.`;
};
