/**
 * MARS: variance reduction for AdamW, Lion and Shampoo. Yuan et al. 2024, "MARS: Unleashing the Power of Variance
 * Reduction for Training Large Models", https://arxiv.org/abs/2411.10438 (algorithm 2, the approximate form);
 * https://github.com/AGI-Arena/MARS.
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, div, maximum, mul, sign, sqrt, square, sub } from "../tensor/elementwise.ts";
import { newtonSchulz } from "../tensor/newtonSchulz.ts";
import { sum } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { descended, moment } from "./moments.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import type { Rule, UpdateContext } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";

export type MarsType = "mars-adamw" | "mars-lion" | "mars-shampoo";

export interface MarsOptions {
  /** Decay rates of the two running averages. Default [0.95, 0.99]. */
  betas: readonly [number, number];
  /** Added to the corrected root; of mars-shampoo to the norm. Default 1e-8. */
  eps: number;
  /** Added to the direction as weightDecay · p. Default 0. */
  weightDecay: number;
  /** Divide by the largest second moment so far. Default false. */
  amsgrad: boolean;
  /** How much of the change of the gradient counts. Default 0.025. */
  gamma: number;
  /** What is done with the corrected gradient. Default "mars-adamw". */
  marsType: MarsType;
  /** Do the same with parameters that are no matrices; otherwise (default) AdamW with the three options below. */
  optimize1d: boolean;
  /** Their learning rate while lr is the one the optimizer was made with; it changes as lr does. Default 3e-3. */
  lr1d: number;
  /** Decay rates of theirs. Default [0.9, 0.95]. */
  betas1d: readonly [number, number];
  /** Weight decay of theirs. Default 0.1. */
  weightDecay1d: number;
}

type State = "expAvg" | "expAvgSq" | "maxExpAvgSq" | "previous";
type Context = UpdateContext<State, MarsOptions>;

const marsTypes: readonly MarsType[] = ["mars-adamw", "mars-lion", "mars-shampoo"];

const isMatrix = ({ shape }: Tensor): boolean => shape.length === 2;

/** Whether an update goes by the variance-reduced gradient. */
const isReduced = (parameter: Tensor, { optimize1d }: Readonly<MarsOptions>): boolean =>
  optimize1d || isMatrix(parameter);

/** Whether an update divides by a second moment. */
const isScaled = (parameter: Tensor, options: Readonly<MarsOptions>): boolean =>
  !isReduced(parameter, options) ||
  options.marsType === "mars-adamw" ||
  (options.marsType === "mars-shampoo" && !isMatrix(parameter));

/** Five Newton-Schulz steps towards the nearest orthogonal matrix. */
const orthogonal = (matrix: Tensor, eps: Tensor): Tensor =>
  newtonSchulz(div(matrix, add(sqrt(sum(square(matrix))), eps)));

/** (1 / (1 - β₁ᵗ)) m / (√v / √(1 - β₂ᵗ) + eps), with the largest v so far with amsgrad; and the new state. */
function scaled(
  { state, options, scalar }: Context,
  option: "betas" | "betas1d",
  expAvg: Tensor,
  expAvgSq: Tensor,
): { direction: Tensor; state: Partial<Record<State, Tensor>> } {
  const correction = scalar(`correction of ${option}[0]`, ({ step, options }) => 1 / (1 - options[option][0] ** step));
  const rescale = scalar(`rescale of ${option}[1]`, ({ step, options }) => {
    return 1 / Math.sqrt(1 - options[option][1] ** step);
  });
  const eps = scalar("eps", ({ options }) => options.eps);
  const maxExpAvgSq = options.amsgrad ? maximum(state.maxExpAvgSq, expAvgSq) : undefined;
  const denominator = add(mul(sqrt(maxExpAvgSq ?? expAvgSq), rescale), eps);
  return {
    direction: mul(div(expAvg, denominator), correction),
    state: maxExpAvgSq ? { expAvg, expAvgSq, maxExpAvgSq } : { expAvg, expAvgSq },
  };
}

/** What is descended along, and the new state. */
function reducedDirection(context: Context): ReturnType<typeof scaled> {
  const { parameter, gradient: g, state, options, scalar } = context;
  const weight = scalar("gamma beta1 / (1 - beta1)", ({ options: { gamma, betas } }) => {
    return gamma * (betas[0] / (1 - betas[0]));
  });
  const corrected = add(mul(sub(g, state.previous), weight), g);
  const c = div(corrected, maximum(sqrt(sum(square(corrected))), 1));
  const expAvg = moment(context, 0, state.expAvg, c);
  if (isScaled(parameter, options)) {
    const expAvgSq = moment(context, 1, state.expAvgSq, square(c));
    const result = scaled(context, "betas", expAvg, expAvgSq);
    return { ...result, state: { ...result.state, previous: g } };
  }
  const next = { expAvg, previous: g };
  if (options.marsType === "mars-lion") return { direction: sign(expAvg), state: next };
  const eps = scalar("eps", ({ options }) => options.eps);
  const debias = scalar("1 / (1 - beta1)", ({ options }) => 1 / (1 - options.betas[0]));
  const [rows, columns] = parameter.shape as readonly [number, number];
  return { direction: mul(orthogonal(mul(expAvg, debias), eps), Math.sqrt(Math.max(1, rows / columns))), state: next };
}

/**
 * Matrices, and all with optimize1d:
 *
 *     c = g + gamma β₁ / (1 - β₁) (g - g before), divided by ‖c‖ where that exceeds 1; g before starts at 0
 *     m ← β₁ m + (1 - β₁) c
 *     mars-adamw:   v ← β₂ v + (1 - β₂) c²,  u = m / (1 - β₁ᵗ) / (√v / √(1 - β₂ᵗ) + eps)
 *     mars-lion:    u = sign(m)
 *     mars-shampoo: u = √max(1, rows / columns) orthogonal(m / (1 - β₁)) of matrices, mars-adamw's of others
 *     p ← p - lr (u + weightDecay p)
 *
 * Others: mars-adamw's with g for c, and lr · lr1d / (initial lr), betas1d and weightDecay1d.
 */
export const marsRule: Rule<State, MarsOptions> = {
  name: "mars",
  lr: 3e-3,
  defaults: {
    betas: [0.95, 0.99],
    eps: 1e-8,
    weightDecay: 0,
    amsgrad: false,
    gamma: 0.025,
    marsType: "mars-adamw",
    optimize1d: false,
    lr1d: 3e-3,
    betas1d: [0.9, 0.95],
    weightDecay1d: 0.1,
  },
  check(options) {
    checkBetas("mars", options.betas);
    checkNonNegative("mars", "eps", options.eps);
    checkNonNegative("mars", "weightDecay", options.weightDecay);
    checkBoolean("mars", "amsgrad", options.amsgrad);
    checkNonNegative("mars", "gamma", options.gamma);
    if (!marsTypes.includes(options.marsType)) {
      throw new ArgumentError(
        "mars",
        `marsType must be one of ${marsTypes.join(", ")}, got ${String(options.marsType)}`,
      );
    }
    checkBoolean("mars", "optimize1d", options.optimize1d);
    checkNonNegative("mars", "lr1d", options.lr1d);
    checkBetas("mars", options.betas1d, 2, "betas1d");
    checkNonNegative("mars", "weightDecay1d", options.weightDecay1d);
  },
  exactState: ["previous"],
  initialState(parameter, options) {
    const zero = () => zerosLike(parameter);
    return {
      expAvg: zero(),
      ...(isReduced(parameter, options) ? { previous: zero() } : {}),
      ...(isScaled(parameter, options) ? { expAvgSq: zero() } : {}),
      ...(isScaled(parameter, options) && options.amsgrad ? { maxExpAvgSq: zero() } : {}),
    };
  },
  update(context) {
    const { parameter, gradient: g, state, options, lr, scalar } = context;
    if (isReduced(parameter, options)) {
      const { direction, state: next } = reducedDirection(context);
      const decay = scalar("weightDecay", ({ options }) => options.weightDecay);
      const whole = options.weightDecay === 0 ? direction : add(direction, mul(parameter, decay));
      return { ...descended(parameter, mul(lr, whole)), state: next };
    }
    const expAvg = runningAverage(context, "betas1d[0]", ({ betas1d }) => betas1d[0], state.expAvg, g);
    const expAvgSq = runningAverage(context, "betas1d[1]", ({ betas1d }) => betas1d[1], state.expAvgSq, square(g));
    const { direction, state: next } = scaled(context, "betas1d", expAvg, expAvgSq);
    // Of a schedule that starts at 0 there is no ratio to keep.
    const rate = scalar("rate1d", ({ lr, initialLr, options }) =>
      initialLr === 0 ? options.lr1d : lr * (options.lr1d / initialLr),
    );
    const decay = scalar("weightDecay1d", ({ options }) => options.weightDecay1d);
    return { ...descended(parameter, mul(rate, add(direction, mul(parameter, decay)))), state: next };
  },
};

/**
 * MARS, as its authors' (approximate); lr 3e-3. For training large models from scratch: momentum on gradients from which
 * part of the noise is taken by looking at the gradient before. Three state tensors per matrix (two with mars-lion and
 * mars-shampoo), two per other parameter, one more with amsgrad; a norm per tensor before each update.
 */
export const mars = namedOptimizer<{ torch: MarsOptions }>({ torch: marsRule });
