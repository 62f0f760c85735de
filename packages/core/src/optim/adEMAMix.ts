/**
 * AdEMAMix: AdamW with a second, slow average of the gradients. Pagliardini et al. 2024, "The AdEMAMix Optimizer: Better,
 * Faster, Older", https://arxiv.org/abs/2409.03137 (algorithm 1); https://github.com/apple/ml-ademamix.
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, div, mul, sqrt, square } from "../tensor/elementwise.ts";
import { checkBetas, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, ScalarContext } from "./rule.ts";

export interface AdEMAMixOptions {
  /** Decay rates of the fast average, of the squares and of the slow average. Default [0.9, 0.999, 0.9999]. */
  betas: readonly [number, number, number];
  /** Weight of the slow average. Default 2. */
  alpha: number;
  /** Steps over which the slow average slows down from betas[0]; null (default) for none. */
  beta3Warmup: number | null;
  /** Steps over which alpha grows from 0; null (default) for none. */
  alphaWarmup: number | null;
  /** Added to the corrected root. Default 1e-8. */
  eps: number;
  /** Added to the direction as weightDecay · p. Default 0. */
  weightDecay: number;
}

type Context = ScalarContext<AdEMAMixOptions>;

const warmedAlpha = ({ step, options: { alpha, alphaWarmup: warmup } }: Context): number =>
  warmup !== null && step < warmup ? (step / warmup) * alpha : alpha;

const halfLife = (beta: number): number => Math.log(0.5) / Math.log(beta + 1e-8) - 1;

/** On a straight line of half-lives. */
function warmedBeta3({ step, options: { betas, beta3Warmup: warmup } }: Context): number {
  if (warmup === null || step >= warmup) return betas[2];
  const part = step / warmup;
  return 0.5 ** (1 / ((1 - part) * halfLife(betas[0]) + part * halfLife(betas[2]) + 1));
}

function checkWarmup(option: string, value: number | null): void {
  if (value !== null && !(typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw new ArgumentError("adEMAMix", `${option} must be null or a number of steps ≥ 0, got ${String(value)}`);
  }
}

/**
 *     m₁ ← β₁ m₁ + (1 - β₁) g,  m₂ ← β₃ m₂ + (1 - β₃) g,  v ← β₂ v + (1 - β₂) g²
 *     p ← p - lr ((m₁ / (1 - β₁ᵗ) + alpha m₂) / (√v / √(1 - β₂ᵗ) + eps) + weightDecay p)
 */
export const adEMAMixRule: Rule<"expAvgFast" | "expAvgSlow" | "expAvgSq", AdEMAMixOptions> = {
  name: "adEMAMix",
  lr: 1e-3,
  defaults: {
    betas: [0.9, 0.999, 0.9999],
    alpha: 2,
    beta3Warmup: null,
    alphaWarmup: null,
    eps: 1e-8,
    weightDecay: 0,
  },
  check({ betas, alpha, beta3Warmup, alphaWarmup, eps, weightDecay }) {
    checkBetas("adEMAMix", betas, 3);
    checkNonNegative("adEMAMix", "alpha", alpha);
    checkWarmup("beta3Warmup", beta3Warmup);
    checkWarmup("alphaWarmup", alphaWarmup);
    checkNonNegative("adEMAMix", "eps", eps);
    checkNonNegative("adEMAMix", "weightDecay", weightDecay);
  },
  initialState(parameter, { betas }) {
    const state = { expAvgSlow: zerosLike(parameter), expAvgSq: zerosLike(parameter) };
    return betas[0] === 0 ? state : { ...state, expAvgFast: zerosLike(parameter) };
  },
  update(context) {
    const { parameter, gradient: g, state, options, lr, scalar } = context;
    const correction = scalar("1 / (1 - beta1^t)", ({ step, options }) => 1 / (1 - options.betas[0] ** step));
    const rescale = scalar("rescale", ({ step, options }) => 1 / Math.sqrt(1 - options.betas[1] ** step));
    const eps = scalar("eps", ({ options }) => options.eps);
    const keep = scalar("beta3", warmedBeta3);
    const take = scalar("1 - beta3", (context) => 1 - warmedBeta3(context));
    const fast = options.betas[0] === 0 ? undefined : moment(context, 0, state.expAvgFast, g);
    const expAvgSlow = add(mul(state.expAvgSlow, keep), mul(g, take));
    const expAvgSq = moment(context, 1, state.expAvgSq, square(g));
    const mean = add(mul(fast ?? g, correction), mul(expAvgSlow, scalar("alpha", warmedAlpha)));
    const direction = div(mean, add(mul(sqrt(expAvgSq), rescale), eps));
    const decay = mul(
      parameter,
      scalar("weightDecay", ({ options }) => options.weightDecay),
    );
    const by = mul(lr, options.weightDecay === 0 ? direction : add(direction, decay));
    const next = { expAvgSlow, expAvgSq };
    return { ...descended(parameter, by), state: fast ? { ...next, expAvgFast: fast } : next };
  },
};

/**
 * AdEMAMix, as its authors'; lr 1e-3. For long training, in which gradients stay useful for tens of thousands of steps;
 * set both warm-ups to about the number of steps of the whole training. Three state tensors per parameter, two where
 * betas[0] is 0.
 */
export const adEMAMix = namedOptimizer<{ torch: AdEMAMixOptions }>({ torch: adEMAMixRule });
