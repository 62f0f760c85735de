/** Weight decay as a piece. */
import { add, mul } from "../../tensor/elementwise.ts";
import { checkNonNegative } from "../checks.ts";
import { type MatchOptions, predicateOfOptions } from "../parameterMatch.ts";
import type { Scheduled } from "../rule.ts";
import type { Piece } from "./piece.ts";

export interface AddDecayedWeightsOptions {
  /** Factor on the weights. */
  weightDecay: number;
}

/**
 * u ← u + weightDecay p. After the scaling and before the learning rate it is decoupled decay (Loshchilov & Hutter 2017,
 * https://arxiv.org/abs/1711.05101), before the scaling it is L2. As optax's `add_decayed_weights`. For parameters that
 * match `only` and not `except`; groups may have a weightDecay of their own besides.
 *
 * @throws ArgumentError for a match that is none; in a chain, for a weightDecay out of range.
 */
export function addDecayedWeights(
  weightDecay: Scheduled<number> = 0,
  options: MatchOptions = {},
): Piece<never, AddDecayedWeightsOptions> {
  const isMeant = predicateOfOptions("addDecayedWeights", options);
  return {
    name: "addDecayedWeights",
    options: { weightDecay },
    check: ({ weightDecay }) => checkNonNegative("addDecayedWeights", "weightDecay", weightDecay),
    update(u, { name, parameter, options, scalar }) {
      if (options.weightDecay === 0 || !isMeant(parameter, name)) return { update: u };
      const decay = scalar("weightDecay", ({ options }) => options.weightDecay);
      return { update: add(u, mul(parameter, decay)) };
    },
  };
}
