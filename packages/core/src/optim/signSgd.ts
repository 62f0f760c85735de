/**
 * Steps by the sign alone, of the gradient or of its running average. Bernstein et al. 2018, "signSGD: compressed
 * optimisation for non-convex problems", https://arxiv.org/abs/1802.04434 (algorithms 1 and 2).
 */
import { zerosLike } from "../tensor/creation.ts";
import { mul, sign } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBoolean, checkDecay, checkNonNegative } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

export interface SignSgdOptions {
  /** Weight decay. Default 0. */
  weightDecay: number;
  /** Let p shrink by lr · weightDecay, instead of adding weightDecay · p to the gradient. Default false. */
  decoupledWeightDecay: boolean;
}

export interface SignumOptions extends SignSgdOptions {
  /** Decay rate of the running average. Default 0.9. */
  momentum: number;
}

function check(rule: string, { weightDecay, decoupledWeightDecay }: Readonly<SignSgdOptions>): void {
  checkNonNegative(rule, "weightDecay", weightDecay);
  checkBoolean(rule, "decoupledWeightDecay", decoupledWeightDecay);
}

/** Parameter and gradient after weight decay of either kind. */
function decayed<State extends string, Options extends SignSgdOptions>(
  context: UpdateContext<State, Options>,
): { parameter: Tensor; g: Tensor } {
  return context.options.decoupledWeightDecay
    ? { parameter: shrunk(context), g: context.gradient }
    : { parameter: context.parameter, g: withL2(context) };
}

/**
 *     g ← g + weightDecay p, or decoupled p ← (1 - lr weightDecay) p
 *     p ← p - lr sign(g)
 */
export const signSgdRule: Rule<never, SignSgdOptions> = {
  name: "signSgd",
  lr: 1e-2,
  defaults: { weightDecay: 0, decoupledWeightDecay: false },
  check: (options) => check("signSgd", options),
  initialState: () => ({}),
  update(context) {
    const { parameter, g } = decayed(context);
    return descended(parameter, mul(context.lr, sign(g)));
  },
};

/**
 *     g ← g + weightDecay p, or decoupled p ← (1 - lr weightDecay) p
 *     m ← momentum m + (1 - momentum) g
 *     p ← p - lr sign(m)
 */
export const signumRule: Rule<"expAvg", SignumOptions> = {
  name: "signum",
  lr: 1e-2,
  defaults: { momentum: 0.9, weightDecay: 0, decoupledWeightDecay: false },
  check(options) {
    check("signum", options);
    checkDecay("signum", "momentum", options.momentum);
  },
  initialState: (parameter) => ({ expAvg: zerosLike(parameter) }),
  update(context) {
    const { parameter, g } = decayed(context);
    const expAvg = runningAverage(context, "momentum", ({ momentum }) => momentum, context.state.expAvg, g);
    return { ...descended(parameter, mul(context.lr, sign(expAvg))), state: { expAvg } };
  },
};

/**
 * SignSGD (Bernstein et al. 2018); lr 0.01. Every element moves by lr, whatever the size of its gradient; sign(0) is 0.
 * For distributed training, where one bit per element is sent, and as the simplest of the sign methods. Costs no state.
 */
export const signSgd = namedOptimizer<{ torch: SignSgdOptions }>({ torch: signSgdRule });

/**
 * Signum, signSGD with momentum (Bernstein et al. 2018); lr 0.01. The sign of a running average is less noisy than that
 * of one gradient; lion is its successor. Costs one tensor of state per parameter.
 */
export const signum = namedOptimizer<{ torch: SignumOptions }>({ torch: signumRule });
