/**
 * Stochastic weight averaging: the mean of the parameters along the end of training. Izmailov et al. 2018,
 * https://arxiv.org/abs/1803.05407 (algorithm 1).
 */
import { add, barrier, mul } from "../tensor/elementwise.ts";
import { checkWithoutAverage } from "./adaptedContext.ts";
import { checkPositiveInteger } from "./checks.ts";
import { arithmetic, inDType } from "./updates.ts";
import { wrapper } from "./wrapper.ts";

export interface SwaOptions {
  /** The first step that counts, from 1. Default 1. */
  start: number;
  /** Every how many steps from then on the parameters are taken into the average; the paper takes one per epoch. Default 1. */
  every: number;
}

/**
 * At the steps t = start, start + every, start + 2 every …, with n such steps before
 *
 *     a ← a + (p - a) / (n + 1)
 *
 * `optimizer.eval()` puts a into the parameters (before `start` they stay as they are), `optimizer.train()` puts p back.
 * One more state tensor per parameter, in float32 for 16-bit parameters. A step counts for the parameters that had a
 * gradient. With batch normalisation call `updateBatchNorm` on the averaged model: its running statistics are those of
 * other weights. Goes with a rate that is constant or cyclic from `start` on.
 */
export const swa = wrapper<SwaOptions>({
  name: "swa",
  defaults: { start: 1, every: 1 },
  check({ start, every }) {
    checkPositiveInteger("swa", "start", start);
    checkPositiveInteger("swa", "every", every);
  },
  transform(rule, { start, every }) {
    checkWithoutAverage("swa", rule);
    /** What p counts in the new average; all of it until the first that counts. */
    const weightAt = (step: number): number => {
      if (step < start) return 1;
      return (step - start) % every === 0 ? 1 / ((step - start) / every + 1) : 0;
    };
    return {
      ...rule,
      initialState: (parameter, options, name) => ({
        ...rule.initialState(parameter, options, name),
        swa: barrier(inDType(parameter, arithmetic(parameter))),
      }),
      update(context) {
        const { parameter, state } = rule.update(context);
        const take = context.scalar("swa.weight", ({ step }) => weightAt(step));
        const keep = context.scalar("1 - swa.weight", ({ step }) => 1 - weightAt(step));
        const before = context.state.swa as typeof parameter;
        return { parameter, state: { ...state, swa: add(mul(before, keep), mul(parameter, take)) } };
      },
      evaluationValue: ({ state, parameter }) => state.swa as typeof parameter,
    };
  },
});
