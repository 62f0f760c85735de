/**
 * SOAP: Adam in the eigenbasis of Shampoo's preconditioners. Vyas et al. 2024, "SOAP: Improving and Stabilizing Shampoo
 * using Adam", https://arxiv.org/abs/2409.11321 (algorithm 3), with the authors' code
 * https://github.com/nikhilvyas/SOAP.
 */
import { eye, zeros, zerosLike } from "../tensor/creation.ts";
import { eigh } from "../tensor/eigh.ts";
import { add, div, mul, sqrt, square } from "../tensor/elementwise.ts";
import { argSort, indexSelect } from "../tensor/indexing.ts";
import { matmul } from "../tensor/linalg.ts";
import { qr } from "../tensor/qr.ts";
import { mean, sum } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { flip, transpose } from "../tensor/views.ts";
import { checkBetas, checkBoolean, checkDecay, checkNonNegative, checkPositiveInteger } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import { alongAxis, inBatches, secondMoment } from "./preconditioners.ts";
import type { Rule, UpdateContext } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";

export interface SoapOptions {
  /** Decay rates of the two running averages. Default [0.95, 0.95]. */
  betas: readonly [number, number];
  /** Decay rate of the preconditioners; negative: betas[1]. Default -1. */
  shampooBeta: number;
  /** Added to the uncorrected root. Default 1e-8. */
  eps: number;
  /** p shrinks by lr · weightDecay after the step. Default 0.01. */
  weightDecay: number;
  /** The bases turn at every so many steps. Default 10. */
  preconditionFrequency: number;
  /** Longer axes are left as they are. Default 128 (the authors': 10000). */
  maxPrecondDim: number;
  /** Whether vectors have a basis, too. Default false: plain Adam. */
  precondition1d: boolean;
  /** Divide the step by its root mean square. Default false. */
  normalizeGrads: boolean;
  /** Correct the averages for their start at 0. Default true. */
  correctBias: boolean;
}

type Context = UpdateContext<string, SoapOptions>;

/** Axes that have a basis. */
function axesOf(x: Tensor, { maxPrecondDim, precondition1d }: Readonly<SoapOptions>): number[] {
  if (x.rank === 0 || (x.rank === 1 && !precondition1d)) return [];
  return [...x.shape.keys()].filter((axis) => (x.shape[axis] as number) <= maxPrecondDim);
}

const statisticsOf = (context: Context, g: Tensor, axis: number): Tensor =>
  runningAverage(
    context,
    "shampooBeta",
    ({ shampooBeta, betas }) => (shampooBeta >= 0 ? shampooBeta : betas[1]),
    context.state[`statistics.${axis}`] as Tensor,
    secondMoment(g, axis),
  );

const basisOf = ({ state }: Context, axis: number): Tensor => state[`basis.${axis}`] as Tensor;

/** Directions of the axes to directions of the bases. */
const projected = (x: Tensor, axes: readonly number[], basis: (axis: number) => Tensor): Tensor =>
  axes.reduce((y, axis) => alongAxis(y, transpose(basis(axis)), axis), x);

/** And back. */
const projectedBack = (x: Tensor, axes: readonly number[], basis: (axis: number) => Tensor): Tensor =>
  axes.reduce((y, axis) => alongAxis(y, basis(axis), axis), x);

/** Tensors of axes as state. */
const named = (kind: string, tensors: ReadonlyMap<number, Tensor>): Record<string, Tensor> =>
  Object.fromEntries([...tensors].map(([axis, x]) => [`${kind}.${axis}`, x]));

/** Statistics of the first gradient, and their eigenvectors. */
function firstBases(context: Context, axes: readonly number[]): Record<string, Tensor> {
  const statistics = new Map(axes.map((axis) => [axis, statisticsOf(context, context.gradient, axis)]));
  const bases = inBatches(statistics, (batch) => flip(eigh(batch).vectors, 2));
  return { ...named("statistics", statistics), ...named("basis", bases) };
}

/**
 * Statistics with the present gradient; and with `turn`, bases one power iteration on, with the averages seen from
 * them.
 */
function nextBases(
  context: Context,
  axes: readonly number[],
  averages: { readonly expAvg: Tensor; readonly expAvgSq: Tensor },
  turn: boolean,
): Record<string, Tensor> {
  const statistics = new Map(axes.map((axis) => [axis, statisticsOf(context, context.gradient, axis)]));
  const bases = new Map(axes.map((axis) => [axis, basisOf(context, axis)]));
  if (!turn) return { ...averages, ...named("statistics", statistics), ...named("basis", bases) };
  let { expAvg, expAvgSq } = averages;
  const iterated = new Map<number, Tensor>();
  for (const [axis, basis] of bases) {
    const image = matmul(statistics.get(axis) as Tensor, basis);
    const order = argSort(sum(mul(basis, image), { axis: 0 }), { descending: true });
    iterated.set(axis, indexSelect(image, order, { axis: 1 }));
    expAvgSq = indexSelect(expAvgSq, order, { axis });
  }
  const turned = inBatches(iterated, (batch) => qr(batch).q);
  for (const [axis, basis] of bases) {
    expAvg = alongAxis(expAvg, matmul(transpose(turned.get(axis) as Tensor), basis), axis);
  }
  return { expAvg, expAvgSq, ...named("statistics", statistics), ...named("basis", turned) };
}

/**
 * At a parameter's first update, for each axis i
 *
 *     L_i = (1 - shampooBeta) G_i G_iᵀ,  Q_i = eigenvectors of L_i, the largest eigenvalue first
 *
 * and nothing else. At each later one, t counting them from 1, in the bases Q (x̃ is x turned by Q_iᵀ along every axis)
 *
 *     m̃ ← β₁ m̃ + (1 - β₁) g̃,  v ← β₂ v + (1 - β₂) g̃²
 *     ũ = m̃ / (√v + eps)
 *     p ← (p - lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) u) (1 - lr weightDecay)
 *     L_i ← shampooBeta L_i + (1 - shampooBeta) G_i G_iᵀ
 *
 * and when t is a multiple of preconditionFrequency, Q_i ← the Q of QR(L_i Q_i), columns sorted by the diagonal of Q_iᵀ
 * L_i Q_i and v with them; m̃ is turned into the new bases.
 */
export const soapRule: Rule<string, SoapOptions> = {
  name: "soap",
  lr: 3e-3,
  defaults: {
    betas: [0.95, 0.95],
    shampooBeta: -1,
    eps: 1e-8,
    weightDecay: 0.01,
    preconditionFrequency: 10,
    maxPrecondDim: 128,
    precondition1d: false,
    normalizeGrads: false,
    correctBias: true,
  },
  check(options) {
    checkBetas("soap", options.betas);
    if (!(options.shampooBeta < 0)) checkDecay("soap", "shampooBeta", options.shampooBeta);
    checkNonNegative("soap", "eps", options.eps);
    checkNonNegative("soap", "weightDecay", options.weightDecay);
    checkPositiveInteger("soap", "preconditionFrequency", options.preconditionFrequency);
    checkPositiveInteger("soap", "maxPrecondDim", options.maxPrecondDim);
    checkBoolean("soap", "precondition1d", options.precondition1d);
    checkBoolean("soap", "normalizeGrads", options.normalizeGrads);
    checkBoolean("soap", "correctBias", options.correctBias);
  },
  initialState(parameter, options) {
    const state: Record<string, Tensor> = { expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) };
    const dtype = parameter.dtype === "float64" ? "float64" : "float32";
    for (const axis of axesOf(parameter, options)) {
      const n = parameter.shape[axis] as number;
      state[`statistics.${axis}`] = zeros([n, n], { dtype });
      state[`basis.${axis}`] = eye(n, n, { dtype });
    }
    return state;
  },
  update(context) {
    const { parameter, gradient: g, options, scalar, decide } = context;
    const axes = axesOf(parameter, options);
    if (decide(({ step }) => step === 1))
      return { parameter, state: { ...context.state, ...firstBases(context, axes) } };
    const basis = (axis: number): Tensor => basisOf(context, axis);
    const turned = projected(g, axes, basis);
    const expAvg = moment(context, 0, context.state.expAvg as Tensor, turned);
    const expAvgSq = moment(context, 1, context.state.expAvgSq as Tensor, square(turned));
    const eps = scalar("eps", ({ options }) => options.eps);
    const step = projectedBack(div(expAvg, add(sqrt(expAvgSq), eps)), axes, basis);
    const direction = options.normalizeGrads ? div(step, add(sqrt(mean(square(step))), 1e-30)) : step;
    const stepSize = scalar("stepSize", ({ lr, step, options: { betas, correctBias } }) => {
      const t = step - 1;
      return correctBias ? (lr * Math.sqrt(1 - betas[1] ** t)) / (1 - betas[0] ** t) : lr;
    });
    const shrink = scalar("shrink", ({ lr, options }) => 1 - lr * options.weightDecay);
    // The decay comes after the step: it shrinks both.
    const by = mul(mul(stepSize, direction), shrink);
    const averages = { expAvg, expAvgSq };
    const turn = decide(({ step, options }) => step > 1 && (step - 1) % options.preconditionFrequency === 0);
    return { ...descended(mul(parameter, shrink), by), state: nextBases(context, axes, averages, turn) };
  },
};

/**
 * SOAP: Adam on gradients turned into the eigenbasis of Shampoo's preconditioners; lr 3e-3. For matrices and
 * convolutions of moderate size; fewer steps than adamW at more work for each. Two state tensors per parameter and two
 * n × n per axis of n elements; four products with n × n per axis and step, one `qr` of each at every
 * preconditionFrequency-th step and one `eigh` at the first (a compiled step keeps a Program for each of the three
 * kinds). Vectors and axes longer than maxPrecondDim, such as the rows of embeddings, are not turned: a vector's rule
 * is Adam. The first update of a parameter changes its state only.
 */
export const soap = namedOptimizer<{ torch: SoapOptions }>({ torch: soapRule });
