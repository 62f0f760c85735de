/**
 * Prodigy: Adam that finds its learning rate, faster than D-Adaptation. Mishchenko & Defazio 2023, "Prodigy: An
 * Expeditiously Adaptive Parameter-Free Learner", https://arxiv.org/abs/2306.06101 (algorithm 4);
 * https://github.com/konstmish/prodigy.
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import {
  abs,
  add,
  barrier,
  div,
  equal,
  greater,
  maximum,
  minimum,
  mul,
  sqrt,
  square,
  sub,
  where,
} from "../tensor/elementwise.ts";
import { sum } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { reshape, slice } from "../tensor/views.ts";
import {
  checkBetas,
  checkBoolean,
  checkDecay,
  checkNonNegative,
  checkPositive,
  checkPositiveInteger,
} from "./checks.ts";
import { checkGrowthRate, correction, growthLimit, largestRate, startOf } from "./distance.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, SharedGroup, UpdateContext } from "./rule.ts";
import { withL2 } from "./weightDecay.ts";

export interface ProdigyOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Decay rate of the sums that d is made of; null (default) for √betas[1]. */
  beta3: number | null;
  /** Times d, added to the root. Default 1e-8. */
  eps: number;
  /** p shrinks by d · lr · weightDecay, or see `decouple`. Default 0. */
  weightDecay: number;
  /** false: L2, added to the gradient. Default true. */
  decouple: boolean;
  /** Correct both averages for their start at 0. Default false. */
  useBiasCorrection: boolean;
  /** Keep lr out of the denominator of d: for a long warm-up. Default false. */
  safeguardWarmup: boolean;
  /** What d starts at: a small number; no schedule. Default 1e-6. */
  d0: number;
  /** Multiplies the estimate: the one to tune, between 0.5 and 2. Default 1. */
  dCoef: number;
  /** Largest factor by which d may grow in one step; null (default) for no limit. */
  growthRate: number | null;
  /** Estimate from every sliceP-th entry only: less memory. A whole number; no schedule. Default 1. */
  sliceP: number;
}

type State = "expAvg" | "expAvgSq" | "s" | "start" | "moved";
type Context = UpdateContext<State, ProdigyOptions>;

/** Every `step`-th entry. */
const sliced = (x: Tensor, step: number): Tensor => (step === 1 ? x : slice(reshape(x, [-1]), { axis: 0, step }));

const gradientOf = (context: Context): Tensor => (context.options.decouple ? context.gradient : withL2(context));

const beta3Of = ({ beta3, betas }: Readonly<ProdigyOptions>): number => beta3 ?? Math.sqrt(betas[1]);

/** β₃ s + (d / d₀) dlr g, with d for dlr with safeguardWarmup. */
function newS(context: Context, d: Tensor, dlr: Tensor): Tensor {
  const { state, options, scalar } = context;
  const keep = scalar("sKeep", ({ lr, options }) => (lr > 0 ? beta3Of(options) : 1));
  const take = scalar("sTake", ({ lr, options }) => (lr > 0 ? 1 / options.d0 : 0));
  const weight = mul(mul(d, take), options.safeguardWarmup ? d : dlr);
  return add(mul(state.s, keep), mul(sliced(gradientOf(context), options.sliceP), weight));
}

/**
 * p₀ - p. The first steps are about as small as d₀, and most of one is lost where p is rounded to float32: there their sum
 * is kept. In float64 p₀ is, as in the original.
 */
const way = ({ state, parameter, options }: Context): Tensor =>
  (state.moved as Tensor | undefined) ?? sub(state.start, sliced(parameter, options.sliceP));

const total = (parts: readonly Tensor[]): Tensor => parts.reduce((sum, part) => add(sum, part));

/**
 *     dlr = d lr, times √(1 - β₂ᵏ) / (1 - β₁ᵏ) with useBiasCorrection
 *     r ← β₃ r + (d / d₀) dlr Σ g (p₀ - p), the sum over all entries of all parameters
 *     s ← β₃ s + (d / d₀) dlr g
 *     m ← β₁ m + (1 - β₁) d g,  v ← β₂ v + (1 - β₂) d² g²
 *     d̂ = dCoef r / Σ |s|,  d ← max(d, d̂) if d = d₀,  dₘₐₓ ← max(dₘₐₓ, d̂),  d ← min(dₘₐₓ, growthRate d)
 *     p ← (1 - dlr weightDecay) p - dlr m / (√v + d eps)
 *
 * p₀ is the parameter at its first update, k counts the steps with Σ |s| > 0; others change neither p, d, r nor k. lr is
 * the largest of all groups; a group may stand still with an lr of 0.
 */
export const prodigyRule: Rule<State, ProdigyOptions> = {
  name: "prodigy",
  lr: 1,
  defaults: {
    betas: [0.9, 0.999],
    beta3: null,
    eps: 1e-8,
    weightDecay: 0,
    decouple: true,
    useBiasCorrection: false,
    safeguardWarmup: false,
    d0: 1e-6,
    dCoef: 1,
    growthRate: null,
    sliceP: 1,
  },
  check(options) {
    checkBetas("prodigy", options.betas);
    if (options.beta3 !== null) checkDecay("prodigy", "beta3", options.beta3);
    checkPositive("prodigy", "eps", options.eps);
    checkNonNegative("prodigy", "weightDecay", options.weightDecay);
    checkBoolean("prodigy", "decouple", options.decouple);
    checkBoolean("prodigy", "useBiasCorrection", options.useBiasCorrection);
    checkBoolean("prodigy", "safeguardWarmup", options.safeguardWarmup);
    checkPositive("prodigy", "d0", options.d0);
    checkPositive("prodigy", "dCoef", options.dCoef);
    checkGrowthRate("prodigy", options.growthRate);
    checkPositiveInteger("prodigy", "sliceP", options.sliceP);
  },
  exactState: ["moved"],
  initialState(parameter, { sliceP }) {
    if (Number.isNaN(sliceP)) {
      throw new ArgumentError("prodigy", "sliceP must be a number, as state is as large as it says; got a schedule");
    }
    const entries = sliced(parameter, sliceP);
    const moments = { expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter), s: zerosLike(entries) };
    return parameter.dtype === "float64"
      ? { ...moments, start: barrier(entries) }
      : { ...moments, moved: zerosLike(entries) };
  },
  sharedState(groups) {
    const d = startOf("prodigy", groups);
    return { d, dMax: d, numerator: 0, k: 0 };
  },
  share({ groups, state }) {
    const first = groups[0] as SharedGroup<State, ProdigyOptions>;
    const { d, dMax, numerator, k } = state as Record<"d" | "dMax" | "numerator" | "k", Tensor>;
    const dlr = mul(mul(d, largestRate(groups)), correction(first, k));
    const products: Tensor[] = [];
    const sizes: Tensor[] = [];
    for (const { members, scalar, options } of groups) {
      const isOn = scalar("isOn", ({ lr }) => (lr > 0 ? 1 : 0));
      const weight = mul(
        mul(
          d,
          scalar("isOn / d0", ({ lr, options }) => (lr > 0 ? 1 / options.d0 : 0)),
        ),
        dlr,
      );
      for (const member of members) {
        const g = sliced(gradientOf(member), options.sliceP);
        products.push(mul(weight, sum(mul(g, way(member)))));
        sizes.push(mul(isOn, sum(abs(newS(member, d, dlr)))));
      }
    }
    if (sizes.length === 0) return { state };
    const size = total(sizes);
    const hasMoved = greater(size, 0);
    const beta3 = first.scalar("beta3", ({ options }) => beta3Of(options));
    const newNumerator = add(mul(numerator, beta3), total(products));
    const dCoef = first.scalar("dCoef", ({ options }) => options.dCoef);
    const estimate = div(mul(dCoef, newNumerator), size);
    const d0 = first.scalar("d0", ({ options }) => options.d0);
    const base = where(equal(d, d0), maximum(d, estimate), d);
    const newMax = maximum(dMax, estimate);
    const grown = minimum(newMax, mul(base, growthLimit(first)));
    return {
      state: {
        d: where(hasMoved, grown, d),
        dMax: where(hasMoved, newMax, dMax),
        numerator: where(hasMoved, newNumerator, numerator),
        k: where(hasMoved, add(k, 1), k),
      },
      values: { dBefore: d, dlr, rate: where(hasMoved, dlr, mul(dlr, 0)) },
    };
  },
  update(context) {
    const { parameter, state, options, shared, scalar } = context;
    const { d, dBefore, dlr, rate } = shared as Record<"d" | "dBefore" | "dlr" | "rate", Tensor>;
    const g = gradientOf(context);
    const keep1 = scalar("keep1", ({ lr, options }) => (lr > 0 ? options.betas[0] : 1));
    const keep2 = scalar("keep2", ({ lr, options }) => (lr > 0 ? options.betas[1] : 1));
    const take1 = scalar("take1", ({ lr, options }) => (lr > 0 ? 1 - options.betas[0] : 0));
    const take2 = scalar("take2", ({ lr, options }) => (lr > 0 ? 1 - options.betas[1] : 0));
    const eps = scalar("eps", ({ options }) => options.eps);
    const expAvg = add(mul(state.expAvg, keep1), mul(g, mul(dBefore, take1)));
    const expAvgSq = add(mul(state.expAvgSq, keep2), mul(square(g), mul(square(dBefore), take2)));
    const direction = div(expAvg, add(sqrt(expAvgSq), mul(d, eps)));
    const by = where(greater(rate, 0), mul(rate, direction), 0);
    const decays = options.decouple && options.weightDecay !== 0;
    const decay = scalar("weightDecay", ({ options }) => options.weightDecay);
    const decayed = mul(parameter, mul(rate, decay));
    const { moved } = state as { readonly moved?: Tensor };
    const step = decays ? add(decayed, by) : by;
    const place = moved ? { moved: add(moved, sliced(step, options.sliceP)) } : { start: state.start };
    return {
      ...descended(decays ? sub(parameter, decayed) : parameter, by),
      state: { expAvg, expAvgSq, s: newS(context, dBefore, dlr), ...place },
    };
  },
};

/**
 * Prodigy, as its authors'; leave lr at 1, or let a schedule start there (cosine is advised). d grows from d0 to about
 * the learning rate that Adam would want; it shows as `optimizer.sharedState.get("d")`. Four state tensors per parameter,
 * four numbers, and two sums over all entries before each update; sliceP shrinks two of the tensors.
 */
export const prodigy = namedOptimizer<{ torch: ProdigyOptions }>({ torch: prodigyRule });
