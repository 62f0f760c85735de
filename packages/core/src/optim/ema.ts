/**
 * An exponential moving average of the parameters, to evaluate with. Polyak & Juditsky 1992; the warm-up is that of
 * TensorFlow's ExponentialMovingAverage.
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, barrier, div, mul, notEqual, where } from "../tensor/elementwise.ts";
import { checkWithoutAverage } from "./adaptedContext.ts";
import { checkBoolean, checkDecay } from "./checks.ts";
import { arithmetic, inDType } from "./updates.ts";
import { wrapper } from "./wrapper.ts";

export interface EmaOptions {
  /** What is kept of the average at each step, in [0, 1). Default 0.999. */
  decay: number;
  /** Start from zeros and divide by 1 - decayᵗ, so that the initial parameters count for nothing. Default false. */
  biasCorrection: boolean;
  /** Decay by min(decay, (1 + t) / (10 + t)) at step t, so that the initial parameters are forgotten soon. Default false. */
  warmup: boolean;
}

/**
 * Keeps beside each parameter p that the optimizer trains
 *
 *     e ← decay e + (1 - decay) p
 *
 * from e = the initial p on. `optimizer.eval()` puts e into the parameters, `optimizer.train()` puts p back. One more state
 * tensor per parameter, in float32 for 16-bit parameters. A step counts for the parameters that had a gradient.
 */
export const ema = wrapper<EmaOptions>({
  name: "ema",
  defaults: { decay: 0.999, biasCorrection: false, warmup: false },
  check({ decay, biasCorrection, warmup }) {
    checkDecay("ema", "decay", decay);
    checkBoolean("ema", "biasCorrection", biasCorrection);
    checkBoolean("ema", "warmup", warmup);
    if (biasCorrection && warmup) {
      throw new ArgumentError("ema", "biasCorrection and warmup both undo the start; choose one");
    }
  },
  transform(rule, { decay, biasCorrection, warmup }) {
    checkWithoutAverage("ema", rule);
    const decayAt = (step: number): number => (warmup ? Math.min(decay, (1 + step) / (10 + step)) : decay);
    return {
      ...rule,
      initialState(parameter, options, name) {
        const start = inDType(parameter, arithmetic(parameter));
        return {
          ...rule.initialState(parameter, options, name),
          ema: biasCorrection ? zerosLike(start) : barrier(start),
        };
      },
      update(context) {
        const { parameter, state } = rule.update(context);
        const keep = context.scalar("ema.decay", ({ step }) => decayAt(step));
        const take = context.scalar("1 - ema.decay", ({ step }) => 1 - decayAt(step));
        const before = context.state.ema as typeof parameter;
        return { parameter, state: { ...state, ema: add(mul(before, keep), mul(parameter, take)) } };
      },
      evaluationValue({ state, parameter, scalar }) {
        const average = state.ema as typeof parameter;
        if (!biasCorrection) return average;
        // Before the first step there is nothing to correct.
        const taken = scalar("ema.taken", ({ step }) => 1 - decay ** step);
        return where(notEqual(taken, 0), div(average, taken), parameter);
      },
    };
  },
});
