import type { ComputeDType } from "@thalweg/core/backend";
import type { Part } from "./lanes.ts";

/** A value of a Program's scalar language, for `Lanes.count` elements at once. Parts are locals or constants: free to use again. */
export interface Vector {
  readonly dtype: ComputeDType;
  /** float64: `Lanes.wideParts` of them; else one. A bool is a mask of 32-bit lanes. */
  readonly parts: readonly Part[];
  /** The number that all lanes hold, where it is known when the code is written; of float32 rounded to it. */
  readonly constant?: number;
}
