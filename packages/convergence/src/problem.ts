/** What a rule is tried on. */
import type { Parameter } from "@thalweg/core";
import type { Optimizer } from "@thalweg/core/optim";

/** Makes the optimizer of a run of so many steps. */
export type MakeOptimizer = (parameters: readonly Parameter[], steps: number) => Optimizer;

/** How a problem counts: what a solver must come below, or above. */
export interface Target {
  /** What is measured, e.g. `loss`. */
  readonly quantity: string;
  readonly value: number;
  readonly better: "below" | "above";
}

export interface Problem {
  /** What rates are found by; see `rates.ts`. */
  readonly kind: ProblemKind;
  /** With where its data comes from. */
  readonly name: string;
  readonly target: Target;
  /** Trains from the start, the same at every call, and measures. */
  solve(make: MakeOptimizer): Promise<number>;
}

export const problemKinds = ["rosenbrock", "quadraticDeep", "logistic", "mlp"] as const;
export type ProblemKind = (typeof problemKinds)[number];

export const reached = ({ value, better }: Target, result: number): boolean =>
  better === "below" ? result <= value : result >= value;
