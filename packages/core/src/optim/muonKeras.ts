/** Muon as Keras has it (keras.optimizers.Muon). */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, div, mul, sqrt, square } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkBoolean, checkNonNegative, checkNonNegativeOrNull } from "./checks.ts";
import { descended } from "./moments.ts";
import {
  type Companion,
  checkMomentum,
  checkNewtonSchulz,
  checkRouting,
  isMatrix,
  type NewtonSchulzSettings,
  orthogonalized,
  type Routing,
} from "./orthogonalized.ts";
import type { Rule, UpdateContext, UpdateResult } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";
import { shrunk } from "./weightDecay.ts";

export interface MuonKerasOptions extends NewtonSchulzSettings, Routing, Companion {
  /** Factor on the buffer. Default 0.95. */
  momentum: number;
  /** Orthogonalize g + momentum m instead of m. Default true. */
  nesterov: boolean;
  /** The step is multiplied by this times √max(rows, columns); null stands for 1. Default 0.2. */
  rmsRate: number | null;
  /** p shrinks by lr · weightDecay; null for none. Default 0.004. */
  weightDecay: number | null;
  /** Decay rates of Adam. Default [0.9, 0.999]. */
  adamBetas: readonly [number, number];
  /** As weightDecay, of parameters that Adam updates. Default 0.004. */
  adamWeightDecay: number | null;
  /** Added to Adam's uncorrected root. Default 1e-7. */
  eps: number;
}

type State = "momentumBuffer" | "expAvg" | "expAvgSq";

const isTwo = (rank: number): boolean => rank === 2;

/** Adam with epsilon hat; the decay is at the full rate. */
function companion(context: UpdateContext<State, MuonKerasOptions>): UpdateResult<State> {
  const { parameter, gradient: g, state, options, scalar } = context;
  const expAvg = runningAverage(context, "adamBetas[0]", ({ adamBetas }) => adamBetas[0], state.expAvg, g);
  const expAvgSq = runningAverage(context, "adamBetas[1]", ({ adamBetas }) => adamBetas[1], state.expAvgSq, square(g));
  const stepSize = scalar("stepSize", ({ lr, optimizerStep: t, options: { adamBetas, adamLrRatio } }) => {
    return (lr * adamLrRatio * Math.sqrt(1 - adamBetas[1] ** t)) / (1 - adamBetas[0] ** t);
  });
  const eps = scalar("eps", ({ options }) => options.eps);
  const shrink = scalar("adam shrink", ({ lr, options }) => 1 - lr * (options.adamWeightDecay ?? 0));
  const from = options.adamWeightDecay === null ? parameter : mul(parameter, shrink);
  return {
    ...descended(from, div(mul(expAvg, stepSize), add(sqrt(expAvgSq), eps))),
    state: { expAvg, expAvgSq },
  };
}

/**
 *     m ← momentum m + g
 *     u = g + momentum m with nesterov, else m
 *     o = newtonSchulz(u / (‖u‖ + 1e-7))
 *     p ← (1 - lr weightDecay) p - lr rmsRate √max(rows, columns) o
 *
 * What has not two axes, and embeddings, is Adam's, at lr · adamLrRatio. t counts the updates of the optimizer.
 */
export const muonKerasRule: Rule<State, MuonKerasOptions> = {
  name: "muon",
  convention: "keras",
  lr: 1e-3,
  defaults: {
    momentum: 0.95,
    nesterov: true,
    nsSteps: 5,
    nsCoefficients: [3.4445, -4.775, 2.0315],
    rmsRate: 0.2,
    weightDecay: 0.004,
    adamBetas: [0.9, 0.999],
    adamWeightDecay: 0.004,
    adamLrRatio: 1,
    eps: 1e-7,
    useMuon: null,
    excludeEmbeddings: true,
  },
  check(options) {
    const { momentum, nesterov, rmsRate, weightDecay, adamBetas, adamWeightDecay, adamLrRatio, eps } = options;
    checkMomentum("muon", momentum, adamLrRatio);
    checkBoolean("muon", "nesterov", nesterov);
    checkNewtonSchulz("muon", options);
    checkRouting("muon", options);
    checkNonNegativeOrNull("muon", "rmsRate", rmsRate);
    checkNonNegativeOrNull("muon", "weightDecay", weightDecay);
    if (!Array.isArray(adamBetas))
      throw new ArgumentError("muon", `adamBetas must be a list, got ${String(adamBetas)}`);
    checkBetas("muon", adamBetas);
    checkNonNegativeOrNull("muon", "adamWeightDecay", adamWeightDecay);
    checkNonNegative("muon", "eps", eps);
  },
  initialState(parameter, options, name): Partial<Record<State, Tensor>> {
    if (isMatrix("muon", name, parameter, options, isTwo)) return { momentumBuffer: zerosLike(parameter) };
    return { expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) };
  },
  update(context) {
    const { name, parameter, gradient: g, state, options, scalar } = context;
    if (!isMatrix("muon", name, parameter, options, isTwo)) return companion(context);
    const momentum = scalar("momentum", ({ options }) => options.momentum);
    const momentumBuffer = add(mul(state.momentumBuffer, momentum), g);
    const ahead = options.nesterov ? add(g, mul(momentumBuffer, momentum)) : momentumBuffer;
    const eps = scalar("norm eps", () => 1e-7);
    const direction = orthogonalized("muon", ahead, context, { floor: "added", eps });
    const size = Math.sqrt(Math.max(...parameter.shape));
    const rate = scalar(`lr rmsRate √${size ** 2}`, ({ lr, options }) =>
      options.rmsRate === null ? lr : lr * options.rmsRate * size,
    );
    return { ...descended(shrunk(context), mul(rate, direction)), state: { momentumBuffer } };
  },
};
