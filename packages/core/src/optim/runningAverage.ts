/** Exponentially decaying averages, which half of the rules keep. */
import { add, mul } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ScalarMaker } from "./rule.ts";

/** decay · before + (1 - decay) · now. `name` is that of the scalar `decay`. */
export function runningAverage<Options extends object>(
  { scalar }: ScalarMaker<Options>,
  name: string,
  decay: (options: Readonly<Options>) => number,
  before: Tensor,
  now: Tensor,
): Tensor {
  const keep = scalar(name, ({ options }) => decay(options));
  const take = scalar(`1 - ${name}`, ({ options }) => 1 - decay(options));
  return add(mul(before, keep), mul(now, take));
}
