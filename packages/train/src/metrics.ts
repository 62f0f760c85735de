import { argMax, cast, equal, sum, type Tensor } from "@thalweg/core";

/** How many rows of `logits` [n, classes] are largest at their label [n]: an int32 scalar. */
export function correctCount(logits: Tensor, labels: Tensor): Tensor {
  return sum(cast(equal(argMax(logits, { axis: 1 }), labels), "int32"));
}
