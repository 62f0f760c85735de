/**
 * SM3: AdaGrad in the memory of one vector per axis. An element's sum of squares is bounded by the least of what the
 * slices it lies in have seen. Anil, Gupta, Koren & Singer 2019, "Memory-efficient adaptive optimization",
 * https://arxiv.org/abs/1901.11150 (algorithm SM3-II, with slices along every axis as covers).
 */
import { zeros, zerosLike } from "../tensor/creation.ts";
import { add, greater, maximum, minimum, mul, rsqrt, square, where } from "../tensor/elementwise.ts";
import { max } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { reshape } from "../tensor/views.ts";
import { checkDecay, checkNonNegative } from "./checks.ts";
import { descended } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";

export interface Sm3Options {
  /** Decay rate of the running average of the step; 0 (default) keeps none, and no state of the parameter's size. */
  momentum: number;
  /** Average squares at this decay rate instead of summing them. Default 0. */
  beta: number;
  /** Added under the root. Default 1e-30. */
  eps: number;
}

type Accumulator = `accumulator${number}`;
type Sm3State = Accumulator | "momentumBuffer";

/** The axes that have an accumulator; a scalar has one, as if it were a vector of one. */
const axesOf = ({ rank }: Tensor): number[] => Array.from({ length: Math.max(rank, 1) }, (_, axis) => axis);

const accumulatorOf = (axis: number): Accumulator => `accumulator${axis}`;

/** A vector along `axis`, as what broadcasts against a tensor of `shape`. */
const along = (x: Tensor, axis: number, shape: readonly number[]): Tensor =>
  reshape(
    x,
    shape.map((size, i) => (i === axis ? size : 1)),
  );

/** The least of what the accumulators hold for each element. */
function bound({ parameter, state }: UpdateContext<Sm3State, Sm3Options>): Tensor {
  return axesOf(parameter)
    .map((axis) => along(state[accumulatorOf(axis)] as Tensor, axis, parameter.shape))
    .reduce(minimum);
}

/** The greatest entry of each slice across `axis`. */
function slicesMax(x: Tensor, axis: number): Tensor {
  const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
  return others.length === 0 ? x : max(x, { axis: others });
}

/**
 *     v ← min over the axes of accumulator[axis] + g², with beta > 0 beta · that + (1 - beta) g²
 *     accumulator[axis] ← max of v over the other axes, with beta > 0 not less than it was
 *     d = g / √(v + eps),  m ← momentum m + (1 - momentum) d
 *     p ← p - lr m
 */
export const sm3Rule: Rule<Sm3State, Sm3Options> = {
  name: "sm3",
  lr: 0.1,
  defaults: { momentum: 0, beta: 0, eps: 1e-30 },
  check({ momentum, beta, eps }) {
    checkDecay("sm3", "momentum", momentum);
    checkDecay("sm3", "beta", beta);
    checkNonNegative("sm3", "eps", eps);
  },
  initialState(parameter, { momentum }) {
    const { shape, dtype } = parameter;
    const vectors = axesOf(parameter).map((axis) => [
      accumulatorOf(axis),
      zeros(shape.slice(axis, axis + 1), { dtype }),
    ]);
    return {
      ...(Object.fromEntries(vectors) as Record<Accumulator, Tensor>),
      ...(momentum === 0 ? {} : { momentumBuffer: zerosLike(parameter) }),
    };
  },
  update(context) {
    const { parameter, gradient: g, state, options, lr, scalar } = context;
    const beta = scalar("beta", ({ options }) => options.beta);
    const keep = scalar("keep", ({ options }) => (options.beta === 0 ? 1 : options.beta));
    const take = scalar("1 - beta", ({ options }) => 1 - options.beta);
    const eps = scalar("eps", ({ options }) => options.eps);
    const squares = add(mul(bound(context), keep), mul(square(g), take));
    const accumulators = axesOf(parameter).map((axis) => {
      const now = slicesMax(squares, axis);
      const before = state[accumulatorOf(axis)] as Tensor;
      return [
        accumulatorOf(axis),
        options.beta === 0 ? now : where(greater(beta, 0), maximum(before, now), now),
      ] as const;
    });
    const step = mul(rsqrt(add(squares, eps)), g);
    const next = Object.fromEntries(accumulators) as Record<Accumulator, Tensor>;
    if (options.momentum === 0) return { ...descended(parameter, mul(lr, step)), state: next };
    const buffer = runningAverage(context, "momentum", ({ momentum }) => momentum, state.momentumBuffer, step);
    return { ...descended(parameter, mul(lr, buffer)), state: { ...next, momentumBuffer: buffer } };
  },
};

/**
 * SM3 (Anil et al. 2019), as in pytorch_optimizer; lr 0.1. AdaGrad for embeddings and other large tensors whose state would
 * not fit. Costs, per parameter, one vector of state along each axis; with momentum one tensor more.
 */
export const sm3 = namedOptimizer<{ torch: Sm3Options }>({ torch: sm3Rule });
