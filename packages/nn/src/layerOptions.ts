import type { DType } from "@thalweg/core";

/** Options that layers with weights share. */
export interface LayerOptions {
  /** Whether there is a bias. Default true. */
  readonly bias?: boolean;
  /** dtype of the parameters. Default float32. */
  readonly dtype?: DType;
}
