/**
 * Lion: the sign of a momentum that looks ahead. Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms",
 * https://arxiv.org/abs/2302.06675 (algorithm 2).
 */
import { zerosLike } from "../tensor/creation.ts";
import { mul, sign } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext, UpdateResult } from "./rule.ts";
import { shrunk } from "./weightDecay.ts";

export interface LionOptions {
  /** Of the direction, and of the momentum. Default [0.9, 0.99]. */
  betas: readonly [number, number];
  /** p shrinks by lr · weightDecay. Default 0. */
  weightDecay: number;
}

/**
 *     p ← p - lr sign(β₁ m + (1 - β₁) g)
 *     m ← β₂ m + (1 - β₂) g
 */
export function lionStep<Options extends LionOptions>(
  parameter: Tensor,
  context: UpdateContext<"expAvg", Options>,
): UpdateResult<"expAvg"> {
  const { gradient, state, lr } = context;
  const direction = sign(moment(context, 0, state.expAvg, gradient));
  return {
    ...descended(parameter, mul(lr, direction)),
    state: { expAvg: moment(context, 1, state.expAvg, gradient) },
  };
}

/** `lionStep` after p ← (1 - lr weightDecay) p. */
export const lionRule: Rule<"expAvg", LionOptions> = {
  name: "lion",
  lr: 1e-4,
  defaults: { betas: [0.9, 0.99], weightDecay: 0 },
  check({ betas, weightDecay }) {
    checkBetas("lion", betas);
    checkNonNegative("lion", "weightDecay", weightDecay);
  },
  initialState: (parameter) => ({ expAvg: zerosLike(parameter) }),
  update: (context) => lionStep(shrunk(context), context),
};

/**
 * Lion, as its authors'; lr 1e-4. Every entry moves by lr, whatever its gradient: wants an lr three to ten times smaller
 * than AdamW's, and a weight decay as much larger. One state tensor per parameter.
 */
export const lion = namedOptimizer<{ torch: LionOptions }>({ torch: lionRule });
