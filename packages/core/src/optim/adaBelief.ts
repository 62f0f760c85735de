/**
 * AdaBelief: Adam with the variance of the gradient about its running mean in the place of its second moment. Zhuang et
 * al. 2020, "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients",
 * https://arxiv.org/abs/2010.07468 (algorithm 2); https://github.com/juntang-zhuang/Adabelief-Optimizer (0.2.1).
 */
import { zerosLike } from "../tensor/creation.ts";
import { add, div, maximum, mul, notEqual, sqrt, square, sub, where } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkOptax, correctedMean, correctedSquare, type NadamOptaxOptions } from "./adamOptax.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import { averageLength, rectification } from "./rectification.ts";
import type { Rule, ScalarContext, UpdateContext } from "./rule.ts";
import { shrunk, withL2 } from "./weightDecay.ts";

export interface AdaBeliefOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the variance at every step, which keeps it, and to the root. Default 1e-16. */
  eps: number;
  /** Default 0; see `weightDecouple` and `fixedDecay`. */
  weightDecay: number;
  /** p shrinks by lr · weightDecay (default); otherwise L2, added to the gradient. */
  weightDecouple: boolean;
  /** Of decoupled decay: p shrinks by weightDecay, whatever lr. Default false. */
  fixedDecay: boolean;
  /** Divide by the largest variance so far; without effect on rectified steps. Default false. */
  amsgrad: boolean;
  /** Rectify early steps as RAdam does. Default true. */
  rectify: boolean;
  /** Where steps cannot be rectified yet: plain momentum (default), or no step. */
  degeneratedToSgd: boolean;
}

export interface AdaBeliefOptaxOptions extends NadamOptaxOptions {
  /** Added to the direction as weightDecay · p, before lr scales it. Default 0. */
  weightDecay: number;
  /** Look ahead along the first moment. Default false. */
  nesterov: boolean;
}

type State = "expAvg" | "expAvgVar" | "maxExpAvgVar";

const moments = (parameter: Tensor) => ({ expAvg: zerosLike(parameter), expAvgVar: zerosLike(parameter) });

function decayed(context: UpdateContext<State, AdaBeliefOptions>): readonly [Tensor, Tensor] {
  const { parameter, gradient, options, scalar } = context;
  if (!options.weightDecouple) return [parameter, withL2(context)];
  if (!options.fixedDecay) return [shrunk(context), gradient];
  return [
    mul(
      parameter,
      scalar("1 - weightDecay", ({ options }) => 1 - options.weightDecay),
    ),
    gradient,
  ];
}

type Context = ScalarContext<AdaBeliefOptions>;

const isAdaptive = ({ step, options: { rectify, betas } }: Context): boolean =>
  !rectify || averageLength(betas[1], step).now >= 5;

function stepSize(context: Context): number {
  const { lr, step, options } = context;
  const { betas, rectify, degeneratedToSgd } = options;
  const plain = lr / (1 - betas[0] ** step);
  if (!rectify) return plain;
  if (!isAdaptive(context)) return degeneratedToSgd ? plain : 0;
  return plain * Math.sqrt(1 - betas[1] ** step) * rectification(averageLength(betas[1], step));
}

/**
 *     m ← β₁ m + (1 - β₁) g,  s ← β₂ s + (1 - β₂) (g - m)² + eps
 *     p ← p - lr / (1 - β₁ᵗ) · m / (√s / √(1 - β₂ᵗ) + eps)
 *
 * With rectify, and r and ρₜ as in RAdam,
 *
 *     p ← p - lr r √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√s + eps) where ρₜ ≥ 5
 *     p ← p - lr / (1 - β₁ᵗ) · m elsewhere
 */
export const adaBeliefRule: Rule<State, AdaBeliefOptions> = {
  name: "adaBelief",
  lr: 1e-3,
  defaults: {
    betas: [0.9, 0.999],
    eps: 1e-16,
    weightDecay: 0,
    weightDecouple: true,
    fixedDecay: false,
    amsgrad: false,
    rectify: true,
    degeneratedToSgd: true,
  },
  check(options) {
    checkBetas("adaBelief", options.betas);
    checkNonNegative("adaBelief", "eps", options.eps);
    checkNonNegative("adaBelief", "weightDecay", options.weightDecay);
    for (const name of ["weightDecouple", "fixedDecay", "amsgrad", "rectify", "degeneratedToSgd"] as const) {
      checkBoolean("adaBelief", name, options[name]);
    }
  },
  initialState: (parameter, { amsgrad }) =>
    amsgrad ? { ...moments(parameter), maxExpAvgVar: zerosLike(parameter) } : moments(parameter),
  update(context) {
    const { state, options, scalar } = context;
    const [p, g] = decayed(context);
    const eps = scalar("eps", ({ options }) => options.eps);
    const expAvg = moment(context, 0, state.expAvg, g);
    const expAvgVar = add(moment(context, 1, state.expAvgVar, square(sub(g, expAvg))), eps);
    const maxExpAvgVar = options.amsgrad ? maximum(state.maxExpAvgVar, expAvgVar) : undefined;
    const rescale = scalar("rescale", ({ step, options }) =>
      options.rectify ? 1 : 1 / Math.sqrt(1 - options.betas[1] ** step),
    );
    const variance = options.rectify ? expAvgVar : (maxExpAvgVar ?? expAvgVar);
    const adaptive = scalar("adaptive", (context) => (isAdaptive(context) ? 1 : 0));
    const denominator = where(notEqual(adaptive, 0), add(mul(sqrt(variance), rescale), eps), 1);
    const by = mul(scalar("stepSize", stepSize), div(expAvg, denominator));
    const next = { expAvg, expAvgVar };
    return { ...descended(p, by), state: maxExpAvgVar ? { ...next, maxExpAvgVar } : next };
  },
};

/**
 *     m ← β₁ m + (1 - β₁) g,  s ← β₂ s + (1 - β₂) (g - m)² + epsRoot
 *     p ← p - lr (m̂ / (√(s / (1 - β₂ᵗ)) + eps) + weightDecay p)
 *
 * with the m̂ of optax' adam.
 */
export const adaBeliefOptaxRule: Rule<State, AdaBeliefOptaxOptions> = {
  name: "adaBelief",
  convention: "optax",
  defaults: { betas: [0.9, 0.999], eps: 1e-16, epsRoot: 1e-16, weightDecay: 0, nesterov: false },
  check(options) {
    checkOptax("adaBelief", options);
    checkNonNegative("adaBelief", "weightDecay", options.weightDecay);
    checkBoolean("adaBelief", "nesterov", options.nesterov);
  },
  initialState: moments,
  update(context) {
    const { parameter, gradient: g, state, options, lr, scalar } = context;
    const epsRoot = scalar("epsRoot", ({ options }) => options.epsRoot);
    const eps = scalar("eps", ({ options }) => options.eps);
    const expAvg = moment(context, 0, state.expAvg, g);
    const expAvgVar = add(moment(context, 1, state.expAvgVar, square(sub(g, expAvg))), epsRoot);
    const mean = correctedMean(context, options.nesterov, expAvg, g);
    const direction = div(mean, add(sqrt(correctedSquare(context, expAvgVar)), eps));
    const decay = mul(
      parameter,
      scalar("weightDecay", ({ options }) => options.weightDecay),
    );
    const by = mul(lr, options.weightDecay === 0 ? direction : add(direction, decay));
    return { ...descended(parameter, by), state: { expAvg, expAvgVar } };
  },
};

/**
 * AdaBelief of its authors' package (0.2.1); lr 1e-3. Long steps where gradients come as expected, short ones where they
 * scatter; the authors advise an eps of 1e-8 where SGD does better than Adam (images), 1e-16 where Adam does (text). Two
 * state tensors per parameter, three with amsgrad. Conventions: optax never rectifies, adds `epsRoot` to the variance
 * and eps to the root (both 1e-16), has `nesterov`, decays by what it adds to the direction, and demands lr.
 */
export const adaBelief = namedOptimizer<{ torch: AdaBeliefOptions; optax: AdaBeliefOptaxOptions }>({
  torch: adaBeliefRule,
  optax: adaBeliefOptaxRule,
});
