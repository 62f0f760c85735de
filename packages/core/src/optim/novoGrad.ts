/**
 * NovoGrad: momentum on gradients that are normalised tensor by tensor. Ginsburg et al. 2019, "Stochastic Gradient
 * Methods with Layer-wise Adaptive Moments for Training of Deep Networks", https://arxiv.org/abs/1905.11286 (algorithm 1).
 */
import { zeros, zerosLike } from "../tensor/creation.ts";
import { add, div, equal, maximum, mul, sqrt, square, where } from "../tensor/elementwise.ts";
import { sum } from "../tensor/reduce.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule } from "./rule.ts";

export interface NovoGradOptions {
  /** Decay rates of the momentum and of the second moment. Default [0.95, 0.98]. */
  betas: readonly [number, number];
  /** Added to the root. Default 1e-8. */
  eps: number;
  /** weightDecay · p is added to the normalised gradient. Default 0. */
  weightDecay: number;
  /** The momentum takes 1 - betas[0] of each gradient. Default false: all of it. */
  gradAveraging: boolean;
  /** Divide by the largest second moment so far. Default false. */
  amsgrad: boolean;
}

/**
 *     v ← β₂ v + (1 - β₂) ‖g‖², one number for the tensor; ‖g‖² while v = 0
 *     m ← β₁ m + a (g / (√v + eps) + weightDecay p), where a = 1 - β₁ with gradAveraging, 1 without
 *     p ← p - lr m
 */
export const novoGradRule: Rule<"expAvg" | "expAvgSq" | "maxExpAvgSq", NovoGradOptions> = {
  name: "novoGrad",
  lr: 1e-3,
  defaults: { betas: [0.95, 0.98], eps: 1e-8, weightDecay: 0, gradAveraging: false, amsgrad: false },
  check({ betas, eps, weightDecay, gradAveraging, amsgrad }) {
    checkBetas("novoGrad", betas);
    checkNonNegative("novoGrad", "eps", eps);
    checkNonNegative("novoGrad", "weightDecay", weightDecay);
    checkBoolean("novoGrad", "gradAveraging", gradAveraging);
    checkBoolean("novoGrad", "amsgrad", amsgrad);
  },
  initialState(parameter, { amsgrad }) {
    const { dtype } = parameter;
    const state = { expAvg: zerosLike(parameter), expAvgSq: zeros([], { dtype }) };
    return amsgrad ? { ...state, maxExpAvgSq: zeros([], { dtype }) } : state;
  },
  update(context) {
    const { parameter, gradient, state, options, lr, scalar } = context;
    const norm = sum(square(gradient));
    const average = moment(context, 1, state.expAvgSq, norm);
    const expAvgSq = where(equal(state.expAvgSq, 0), norm, average);
    const maxExpAvgSq = options.amsgrad ? maximum(state.maxExpAvgSq, expAvgSq) : undefined;
    const root = add(
      sqrt(maxExpAvgSq ?? expAvgSq),
      scalar("eps", ({ options }) => options.eps),
    );
    const decay = mul(
      parameter,
      scalar("weightDecay", ({ options }) => options.weightDecay),
    );
    const normalised = div(gradient, root);
    const direction = options.weightDecay === 0 ? normalised : add(normalised, decay);
    const beta1 = scalar("betas[0]", ({ options }) => options.betas[0]);
    const take = scalar("take", ({ options }) => (options.gradAveraging ? 1 - options.betas[0] : 1));
    const expAvg = add(mul(state.expAvg, beta1), mul(direction, take));
    const next = { expAvg, expAvgSq };
    return { ...descended(parameter, mul(lr, expAvg)), state: maxExpAvgSq ? { ...next, maxExpAvgSq } : next };
  },
};

/**
 * NovoGrad, as NVIDIA's and timm's NvNovoGrad; lr 1e-3. Steps of like size in all layers, for large batches; half the
 * memory of Adam: one state tensor and one number per parameter (two numbers with amsgrad).
 */
export const novoGrad = namedOptimizer<{ torch: NovoGradOptions }>({ torch: novoGradRule });
