/**
 * Cautious optimizers: of any rule's step, only what goes down the present gradient. Liang et al. 2024, "Cautious
 * Optimizers: Improving Training with One Line of Code", https://arxiv.org/abs/2411.16085 (algorithm 1), with the scaling
 * of timm.
 */
import { zerosLike } from "../tensor/creation.ts";
import { div, maximum, mul, relu, sign, sub } from "../tensor/elementwise.ts";
import { mean } from "../tensor/reduce.ts";
import { type AdamOptions, type AdamState, adamState, adamStep, checkAdam } from "./adam.ts";
import { checkBetas, checkBoolean, checkNonNegative, checkPositive } from "./checks.ts";
import { type LionOptions, lionRule, lionStep } from "./lion.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";
import { correctedShrunk, shrunk } from "./weightDecay.ts";
import { wrapper } from "./wrapper.ts";

export interface CautiousOptions {
  /** What the share of entries that remain counts as at least, where the step is divided by it. Default 1e-3. */
  minimum: number;
}

/** `rule` with the steps of `cautious`. */
function cautiously<State extends string, Options extends object>(
  rule: Rule<State, Options>,
  least: number,
): Rule<State, Options> {
  return {
    ...rule,
    update(context) {
      const { parameter, gradient } = context;
      const result = rule.update(context);
      const { from, by } = result.step ?? { from: parameter, by: sub(parameter, result.parameter) };
      // Signs, as the product of two small numbers may be 0.
      const mask = relu(mul(sign(by), sign(gradient)));
      return { ...result, ...descended(from, mul(by, div(mask, maximum(mean(mask), least)))) };
    },
  };
}

/**
 * Leaves out the entries of a step u (p ← p - u) that go up the present gradient, and scales the others up for them:
 *
 *     mask = 1 where u g > 0, else 0
 *     u ← u · mask / max(mean(mask), minimum)
 *
 * The mean is over the tensor. Decoupled weight decay is no part of the step. No state; a mean per tensor before the
 * update. Makes rules with momentum faster at no more than that.
 */
export const cautious = wrapper<CautiousOptions>({
  name: "cautious",
  defaults: { minimum: 1e-3 },
  check: ({ minimum }) => checkPositive("cautious", "minimum", minimum),
  transform: (rule, { minimum }) => cautiously(rule, minimum),
});

interface CorrectedDecay {
  /** Decay falls with the square of lr: it is multiplied by lr / (initial lr). Default false. */
  correctedWeightDecay: boolean;
}

export interface CautiousAdamWOptions extends AdamOptions, CorrectedDecay {}

export interface CautiousLionOptions extends LionOptions, CorrectedDecay {}

/** The step of `adamW`, masked as `cautious` does. */
export const cautiousAdamWRule: Rule<AdamState, CautiousAdamWOptions> = cautiously<AdamState, CautiousAdamWOptions>(
  {
    name: "cautiousAdamW",
    lr: 1e-3,
    defaults: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, amsgrad: false, correctedWeightDecay: false },
    check(options) {
      checkAdam("cautiousAdamW", options);
      checkBoolean("cautiousAdamW", "correctedWeightDecay", options.correctedWeightDecay);
    },
    initialState: adamState,
    update(context) {
      const { gradient, options } = context;
      return adamStep(options.correctedWeightDecay ? correctedShrunk(context) : shrunk(context), gradient, context);
    },
  },
  1e-3,
);

/** The step of `lion`, masked as `cautious` does. */
export const cautiousLionRule: Rule<"expAvg", CautiousLionOptions> = cautiously<"expAvg", CautiousLionOptions>(
  {
    name: "cautiousLion",
    lr: 1e-4,
    defaults: { ...lionRule.defaults, correctedWeightDecay: false },
    check({ betas, weightDecay, correctedWeightDecay }) {
      checkBetas("cautiousLion", betas);
      checkNonNegative("cautiousLion", "weightDecay", weightDecay);
      checkBoolean("cautiousLion", "correctedWeightDecay", correctedWeightDecay);
    },
    initialState: (parameter) => ({ expAvg: zerosLike(parameter) }),
    update: (context) =>
      lionStep(context.options.correctedWeightDecay ? correctedShrunk(context) : shrunk(context), context),
  },
  1e-3,
);

/**
 * AdamW that steps only where its momentum agrees with the gradient, as timm's AdamW with `caution`; lr 1e-3. Two state
 * tensors per parameter, three with amsgrad.
 */
export const cautiousAdamW = namedOptimizer<{ torch: CautiousAdamWOptions }>({ torch: cautiousAdamWRule });

/** Lion that steps only where its direction agrees with the gradient, as timm's Lion with `caution`; lr 1e-4. One state
 * tensor per parameter. */
export const cautiousLion = namedOptimizer<{ torch: CautiousLionOptions }>({ torch: cautiousLionRule });
