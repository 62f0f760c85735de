/**
 * D-Adaptation for Adam: finds the learning rate by estimating the distance to the solution. Defazio & Mishchenko 2023,
 * "Learning-Rate-Free Learning by D-Adaptation", https://arxiv.org/abs/2301.07733 (algorithm 5);
 * https://github.com/facebookresearch/dadaptation.
 */
import { zerosLike } from "../tensor/creation.ts";
import { abs, add, div, greater, maximum, minimum, mul, sqrt, square, sub, where } from "../tensor/elementwise.ts";
import { sum } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkBoolean, checkNonNegative, checkPositive } from "./checks.ts";
import { checkGrowthRate, correction, growthLimit, largestRate, startOf } from "./distance.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, SharedGroup, UpdateContext } from "./rule.ts";
import { withL2 } from "./weightDecay.ts";

export interface DAdaptAdamOptions {
  /** Decay rates of the two running averages. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the root. Default 1e-8. */
  eps: number;
  /** L2, added to the gradient, unless `decouple`. Default 0. */
  weightDecay: number;
  /** p shrinks by d · lr · weightDecay instead. Default false. */
  decouple: boolean;
  /** Correct both averages for their start at 0. Default false. */
  useBiasCorrection: boolean;
  /** What d starts at: a small number; no schedule. Default 1e-6. */
  d0: number;
  /** Largest factor by which d may grow in one step; null (default) for no limit. */
  growthRate: number | null;
  /** Of the group: scales its learning rate against the others'. Default 1. */
  layerScale: number;
}

type State = "expAvg" | "expAvgSq" | "s";
type Context = UpdateContext<State, DAdaptAdamOptions>;

const gradientOf = (context: Context): Tensor => (context.options.decouple ? context.gradient : withL2(context));

/** 1 where the group's own lr is positive; its state stands still while it is 0. */
const isOn = ({ scalar }: Pick<Context, "scalar">): Tensor => scalar("isOn", ({ lr }) => (lr > 0 ? 1 : 0));

/** √β₂ s + (1 - √β₂) dlr g. */
function newS(context: Context, dlr: Tensor): Tensor {
  const { state, scalar } = context;
  const keep = scalar("sKeep", ({ lr, options }) => (lr > 0 ? Math.sqrt(options.betas[1]) : 1));
  const take = scalar("sTake", ({ lr, options }) => (lr > 0 ? 1 - Math.sqrt(options.betas[1]) : 0));
  return add(mul(state.s, keep), mul(gradientOf(context), mul(dlr, take)));
}

const total = (parts: readonly Tensor[]): Tensor => parts.reduce((sum, part) => add(sum, part));

/**
 *     dlr = d lr, times √(1 - β₂ᵏ) / (1 - β₁ᵏ) with useBiasCorrection
 *     a = dlr Σ g s / (√v + eps), the sum over all entries of all parameters
 *     m ← β₁ m + (1 - β₁) dlr g,  v ← β₂ v + (1 - β₂) g²,  s ← √β₂ s + (1 - √β₂) dlr g
 *     r ← √β₂ r + (1 - √β₂) a
 *     d ← max(d, min(r / ((1 - √β₂) Σ |s|), growthRate d))
 *     p ← p - m / (√v + eps)
 *
 * k counts the steps with Σ |s| > 0; others change neither p, d, r nor k. layerScale multiplies the group's terms of both
 * sums, and what m takes in. lr is the largest of all groups; a group may stand still with an lr of 0.
 */
export const dAdaptAdamRule: Rule<State, DAdaptAdamOptions> = {
  name: "dAdaptAdam",
  lr: 1,
  defaults: {
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    decouple: false,
    useBiasCorrection: false,
    d0: 1e-6,
    growthRate: null,
    layerScale: 1,
  },
  check({ betas, eps, weightDecay, decouple, useBiasCorrection, d0, growthRate, layerScale }) {
    checkBetas("dAdaptAdam", betas);
    checkPositive("dAdaptAdam", "eps", eps);
    checkNonNegative("dAdaptAdam", "weightDecay", weightDecay);
    checkBoolean("dAdaptAdam", "decouple", decouple);
    checkBoolean("dAdaptAdam", "useBiasCorrection", useBiasCorrection);
    checkPositive("dAdaptAdam", "d0", d0);
    checkGrowthRate("dAdaptAdam", growthRate);
    checkNonNegative("dAdaptAdam", "layerScale", layerScale);
  },
  initialState: (parameter) => ({
    expAvg: zerosLike(parameter),
    expAvgSq: zerosLike(parameter),
    s: zerosLike(parameter),
  }),
  sharedState: (groups) => ({ d: startOf("dAdaptAdam", groups), numerator: 0, k: 0 }),
  share({ groups, state }) {
    const first = groups[0] as SharedGroup<State, DAdaptAdamOptions>;
    const { d, numerator, k } = state as Record<"d" | "numerator" | "k", Tensor>;
    const dlr = mul(mul(d, largestRate(groups)), correction(first, k));
    const products: Tensor[] = [];
    const sizes: Tensor[] = [];
    for (const { members, scalar } of groups) {
      const scale = scalar("sharedScale", ({ lr, options }) => (lr > 0 ? options.layerScale : 0));
      for (const member of members) {
        const eps = member.scalar("eps", ({ options }) => options.eps);
        const normalised = div(member.state.s, add(sqrt(member.state.expAvgSq), eps));
        products.push(mul(mul(scale, dlr), sum(mul(gradientOf(member), normalised))));
        sizes.push(mul(scale, sum(abs(newS(member, dlr)))));
      }
    }
    if (sizes.length === 0) return { state };
    const size = total(sizes);
    const hasMoved = greater(size, 0);
    const keep = first.scalar("sqrt(beta2)", ({ options }) => Math.sqrt(options.betas[1]));
    const take = first.scalar("1 - sqrt(beta2)", ({ options }) => 1 - Math.sqrt(options.betas[1]));
    const newNumerator = add(mul(numerator, keep), mul(total(products), take));
    const estimate = div(newNumerator, mul(size, take));
    const grown = maximum(d, minimum(estimate, mul(d, growthLimit(first))));
    return {
      state: {
        d: where(hasMoved, grown, d),
        numerator: where(hasMoved, newNumerator, numerator),
        k: where(hasMoved, add(k, 1), k),
      },
      values: { dlr, hasMoved: where(hasMoved, 1, mul(d, 0)) },
    };
  },
  update(context) {
    const { parameter, state, options, shared, scalar } = context;
    const { dlr, hasMoved } = shared as Record<"dlr" | "hasMoved", Tensor>;
    const g = gradientOf(context);
    const beta1 = scalar("beta1", ({ lr, options }) => (lr > 0 ? options.betas[0] : 1));
    const take = scalar("take", ({ lr, options }) => (lr > 0 ? options.layerScale * (1 - options.betas[0]) : 0));
    const eps = scalar("eps", ({ options }) => options.eps);
    const expAvg = add(mul(state.expAvg, beta1), mul(g, mul(dlr, take)));
    const averaged = moment(context, 1, state.expAvgSq, square(g));
    const on = greater(isOn(context), 0);
    const expAvgSq = where(on, averaged, state.expAvgSq);
    const by = where(greater(hasMoved, 0), div(expAvg, add(sqrt(expAvgSq), eps)), 0);
    const next = { expAvg, expAvgSq, s: newS(context, dlr) };
    if (!options.decouple || options.weightDecay === 0) return { ...descended(parameter, by), state: next };
    const decay = scalar("weightDecay", ({ options }) => options.weightDecay);
    const decayed = mul(parameter, mul(mul(dlr, decay), hasMoved));
    return { ...descended(sub(parameter, decayed), by), state: next };
  },
};

/**
 * Adam that needs no learning rate, as Facebook Research's DAdaptAdam: leave lr at 1, or let a schedule start there. d
 * grows from d0 to about the learning rate that Adam would want; it shows as `optimizer.sharedState.get("d")`. Three state
 * tensors per parameter, three numbers, and two sums over all entries before each update.
 */
export const dAdaptAdam = namedOptimizer<{ torch: DAdaptAdamOptions }>({ torch: dAdaptAdamRule });
