/** What rules of the Adam family have in common: averages with decay rates `betas`, and a step off from somewhere. */
import { sub } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ScalarMaker, UpdateResult } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";

/** beta · before + (1 - beta) · now, where beta is `betas[index]`. */
export const moment = <Options extends { readonly betas: readonly number[] }>(
  context: ScalarMaker<Options>,
  index: number,
  before: Tensor,
  now: Tensor,
): Tensor => runningAverage(context, `betas[${index}]`, ({ betas }) => betas[index] as number, before, now);

/** p = from - by. */
export const descended = (from: Tensor, by: Tensor): Pick<Required<UpdateResult<never>>, "parameter" | "step"> => ({
  parameter: sub(from, by),
  step: { from, by },
});
