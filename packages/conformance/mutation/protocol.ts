/** What the runner tells the process of a mutant, and what that answers. */
import type { Layer } from "../src/case.ts";

/** Given as JSON in the last argument. */
export interface Assignment {
  readonly backend: string;
  /** None: the backend as it is. */
  readonly mutant: string | null;
  /** In the order in which they are run. */
  readonly layers: readonly Layer[];
  /** Stop at the first layer that fails. */
  readonly first: boolean;
}

export interface LayerResult {
  readonly layer: Layer;
  readonly cases: number;
  readonly seconds: number;
  /** Times that the mutant had changed something when the layer ended. */
  readonly applied: number;
  /** The first case that failed. */
  readonly failed: { readonly case: string; readonly message: string } | null;
}

/** Printed last, as JSON in one line. */
export interface ChildResult {
  /** Times that the mutant changed something. */
  readonly applied: number;
  readonly layers: readonly LayerResult[];
}
