/** Lookahead: k steps forward, 1 step back. Zhang et al. 2019, https://arxiv.org/abs/1907.08610 (algorithm 1). */
import { ArgumentError } from "../graph/errors.ts";
import { add, barrier, mul, notEqual, sub, where } from "../tensor/elementwise.ts";
import { checkPositiveInteger } from "./checks.ts";
import { wrapper } from "./wrapper.ts";

export interface LookaheadOptions {
  /** Steps of the inner optimizer between two synchronisations. Default 5. */
  k: number;
  /** How far the slow weights move towards the fast ones, in (0, 1]. Default 0.5. */
  alpha: number;
}

/**
 * Keeps slow weights beside those that the optimizer trains; at every k-th step
 *
 *     slow ← slow + alpha (p - slow),  p ← slow
 *
 * The slow weights start as the initial parameters; the inner state is kept. One more state tensor per parameter.
 * Steadier training, and less to choose: the inner learning rate may be larger.
 */
export const lookahead = wrapper<LookaheadOptions>({
  name: "lookahead",
  defaults: { k: 5, alpha: 0.5 },
  check({ k, alpha }) {
    checkPositiveInteger("lookahead", "k", k);
    if (!(alpha > 0 && alpha <= 1))
      throw new ArgumentError("lookahead", `alpha must be in (0, 1], got ${String(alpha)}`);
  },
  transform: (rule, { k, alpha }) => ({
    ...rule,
    initialState: (parameter, options, name) => ({
      ...rule.initialState(parameter, options, name),
      slow: barrier(parameter),
    }),
    update(context) {
      const { parameter: fast, state } = rule.update(context);
      const pull = context.scalar("pull", ({ step }) => (step % k === 0 ? alpha : 0));
      const before = context.state.slow as typeof fast;
      const slow = add(before, mul(pull, sub(fast, before)));
      return { parameter: where(notEqual(pull, 0), slow, fast), state: { ...state, slow } };
    },
  }),
});
