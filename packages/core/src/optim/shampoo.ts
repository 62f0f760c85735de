/**
 * Shampoo: a preconditioner for every axis of a parameter. Gupta, Koren & Singer 2018, "Shampoo: Preconditioned
 * Stochastic Tensor Optimization", https://arxiv.org/abs/1802.09568 (algorithm 2).
 */

import { reshapeTo } from "../tensor/convert.ts";
import { eye, zeros, zerosLike } from "../tensor/creation.ts";
import { add, mul, pow } from "../tensor/elementwise.ts";
import { inverseRoot } from "../tensor/inverseRoot.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkDecay, checkNonNegative, checkPositive, checkPositiveInteger } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import { alongAxis, inBatches, onAxis, secondMoment, secondMomentDiagonal } from "./preconditioners.ts";
import type { Rule } from "./rule.ts";
import { withL2 } from "./weightDecay.ts";

export interface ShampooOptions {
  /** Factor on the buffer of preconditioned gradients; 0 (default) keeps none. */
  momentum: number;
  /** L2: weightDecay · p is added to the gradient. Default 0. */
  weightDecay: number;
  /** The preconditioners start as epsilon · I. Default 1e-4. */
  epsilon: number;
  /** The inverse roots are computed at updates 1, 1 + updateFreq, 1 + 2 updateFreq and so on. Default 1. */
  updateFreq: number;
  /** A longer axis keeps the diagonal of its preconditioner only. Default 128. */
  maxPreconditionerDim: number;
}

/** A scalar is a vector of one. */
const shapeOf = ({ shape }: Tensor): readonly number[] => (shape.length === 0 ? [1] : shape);

/**
 *     g ← g + weightDecay p
 *     H_i ← H_i + G_i G_iᵀ for each axis i of k, from epsilon I; G_i is g unfolded along the axis
 *     u = g multiplied along every axis by H_i^(-1/(2k))
 *     b ← momentum b + u
 *     p ← p - lr b
 *
 * The state keeps H_i - epsilon I as `statistics.i`, and H_i^(-1/(2k)) as `root.i`. Between two computations of the
 * roots the old ones serve. Along an axis longer than maxPreconditionerDim, H_i is its diagonal.
 */
export const shampooRule: Rule<string, ShampooOptions> = {
  name: "shampoo",
  lr: 0.1,
  defaults: { momentum: 0, weightDecay: 0, epsilon: 1e-4, updateFreq: 1, maxPreconditionerDim: 128 },
  check({ momentum, weightDecay, epsilon, updateFreq, maxPreconditionerDim }) {
    checkDecay("shampoo", "momentum", momentum);
    checkNonNegative("shampoo", "weightDecay", weightDecay);
    checkPositive("shampoo", "epsilon", epsilon);
    checkPositiveInteger("shampoo", "updateFreq", updateFreq);
    checkPositiveInteger("shampoo", "maxPreconditionerDim", maxPreconditionerDim);
  },
  initialState(parameter, { momentum, maxPreconditionerDim }) {
    const state: Record<string, Tensor> = {};
    for (const [axis, n] of shapeOf(parameter).entries()) {
      const dtype = parameter.dtype === "float64" ? "float64" : "float32";
      const isFull = n <= maxPreconditionerDim;
      state[`statistics.${axis}`] = zeros(isFull ? [n, n] : [n], { dtype });
      if (isFull) state[`root.${axis}`] = eye(n, n, { dtype });
    }
    return momentum === 0 ? state : { ...state, momentumBuffer: zerosLike(parameter) };
  },
  update(context) {
    const { parameter, options, lr, scalar, decide } = context;
    const { momentum } = options;
    const shape = shapeOf(parameter);
    const g = reshapeTo(withL2(context), shape);
    const epsilon = scalar("epsilon", ({ options }) => options.epsilon);
    const anew = decide(({ step, options }) => (step - 1) % options.updateFreq === 0);
    const power = 2 * shape.length;
    const state: Record<string, Tensor> = {};
    const full = new Map<number, Tensor>();
    for (const axis of shape.keys()) {
      const before = context.state[`statistics.${axis}`] as Tensor;
      const isFull = before.rank === 2;
      const statistics = add(before, isFull ? secondMoment(g, axis) : secondMomentDiagonal(g, axis));
      state[`statistics.${axis}`] = statistics;
      if (isFull) full.set(axis, statistics);
    }
    const roots = anew ? inBatches(full, (batch) => inverseRoot(batch, power, { eps: epsilon })) : undefined;
    let u = g;
    for (const axis of shape.keys()) {
      if (full.has(axis)) {
        const root = roots?.get(axis) ?? (context.state[`root.${axis}`] as Tensor);
        state[`root.${axis}`] = root;
        u = alongAxis(u, root, axis);
      } else {
        const shifted = add(state[`statistics.${axis}`] as Tensor, epsilon);
        u = mul(u, onAxis(pow(shifted, -1 / power), u, axis));
      }
    }
    const direction = reshapeTo(u, parameter.shape);
    if (momentum === 0) return { ...descended(parameter, mul(lr, direction)), state };
    const keep = scalar("momentum", ({ options }) => options.momentum);
    const momentumBuffer = add(mul(context.state.momentumBuffer as Tensor, keep), direction);
    return { ...descended(parameter, mul(lr, momentumBuffer)), state: { ...state, momentumBuffer } };
  },
};

/**
 * Shampoo: whitens the gradient along every axis by the inverse root of what has been summed up along it; lr 0.1. For
 * matrices and convolutions of moderate size, where few expensive steps beat many cheap ones; vectors get the full
 * matrix of Adagrad. Two n × n state tensors per axis of n elements, and one `eigh` of each at every updateFreq-th step
 * (a compiled step keeps one Program with and one without). Axes longer than maxPreconditionerDim, such as the rows of
 * embeddings, keep a diagonal, as in the paper.
 *
 * The powers are the paper's, -1/(2k) for k axes; widely copied ports use -1/k.
 */
export const shampoo = namedOptimizer<{ torch: ShampooOptions }>({ torch: shampooRule });
