/** Caution as a piece. Liang et al. 2024, https://arxiv.org/abs/2411.16085 (algorithm 1). */
import { div, maximum, mul, relu, sign } from "../../tensor/elementwise.ts";
import { mean } from "../../tensor/reduce.ts";
import { checkPositive } from "../checks.ts";
import type { Piece } from "./piece.ts";

export interface CautiousMaskOptions {
  /** What the share of entries that remain counts as at least, where the update is divided by it. Default 1e-3. */
  minimum: number;
}

/**
 * Leaves out the entries of the update that point against the gradient the chain began with:
 *
 *     mask = 1 where u g > 0, else 0
 *     u ← u · mask / max(mean(mask), minimum)
 *
 * Stands before the learning rate, which turns the sign. Made of a chain from outside, `cautious` does the same.
 *
 * @throws ArgumentError, in a chain, for a minimum out of range.
 */
export const cautiousMask = (options: Partial<CautiousMaskOptions> = {}): Piece<never, CautiousMaskOptions> => ({
  name: "cautiousMask",
  options: { minimum: 1e-3, ...options },
  check: ({ minimum }) => checkPositive("cautiousMask", "minimum", minimum),
  update(u, { gradient, scalar }) {
    const mask = relu(mul(sign(u), sign(gradient)));
    const least = scalar("minimum", ({ options }) => options.minimum);
    return { update: mul(u, div(mask, maximum(mean(mask), least))) };
  },
});
