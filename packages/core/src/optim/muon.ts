/**
 * Muon: momentum orthogonalized by Newton-Schulz, for the weight matrices of hidden layers. Jordan et al. 2024,
 * https://kellerjordan.github.io/posts/muon/, with their code https://github.com/KellerJordan/Muon; Liu et al. 2025,
 * "Muon is Scalable for LLM Training", https://arxiv.org/abs/2502.16982 (weight decay, scaling to AdamW's RMS).
 */
import { ArgumentError } from "../graph/errors.ts";
import { zerosLike } from "../tensor/creation.ts";
import { add, div, mul, sqrt, square } from "../tensor/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkBetas, checkBoolean, checkNonNegative } from "./checks.ts";
import { descended } from "./moments.ts";
import { type MuonKerasOptions, muonKerasRule } from "./muonKeras.ts";
import { namedOptimizer } from "./namedOptimizer.ts";
import {
  type Companion,
  checkMomentum,
  checkNewtonSchulz,
  checkRouting,
  isMatrix,
  lookedAhead,
  type NewtonSchulzSettings,
  orthogonalized,
  type Routing,
} from "./orthogonalized.ts";
import type { Rule, UpdateContext, UpdateResult } from "./rule.ts";
import { runningAverage } from "./runningAverage.ts";
import { shrunk } from "./weightDecay.ts";

export interface MuonOptions extends NewtonSchulzSettings, Routing, Companion {
  /** Decay rate of the running average of gradients. Default 0.95. */
  momentum: number;
  /** Orthogonalize (1 - momentum) g + momentum m instead of m. Default true. */
  nesterov: boolean;
  /** p shrinks by lr · weightDecay. Default 0. */
  weightDecay: number;
  /** Decay rates of the companion AdamW. Default [0.9, 0.95]. */
  betas: readonly [number, number];
  /** Added to the companion's root. Default 1e-10. */
  eps: number;
}

export interface MuonTorchOptions extends Omit<MuonOptions, "betas"> {
  /** The Frobenius norm counts as at least this. Default 1e-7. */
  eps: number;
  /**
   * What a step is multiplied by: `original` √max(1, rows / columns), `match_rms_adamw` 0.2 √max(rows, columns), which
   * suits AdamW's rates. Default null, the same as `original`.
   */
  adjustLrFn: "original" | "match_rms_adamw" | null;
  /** Decay rates of the companion AdamW. Default [0.9, 0.999]. */
  adamBetas: readonly [number, number];
  /** Added to the companion's root. Default 1e-8. */
  adamEps: number;
}

type MuonState = "momentumBuffer" | "expAvg" | "expAvgSq";

/** Matrices, and batches of them; of four axes, filters. */
const atLeastTwo = (rank: number): boolean => rank >= 2;

function checkMuon(
  rule: string,
  options: Readonly<Omit<MuonOptions, "betas" | "eps">>,
  betas: readonly [number, number],
): void {
  const { momentum, nesterov, weightDecay, adamLrRatio } = options;
  checkMomentum(rule, momentum, adamLrRatio);
  checkBoolean(rule, "nesterov", nesterov);
  checkNonNegative(rule, "weightDecay", weightDecay);
  checkNewtonSchulz(rule, options);
  checkRouting(rule, options);
  checkBetas(rule, betas);
}

function initialState(
  parameter: Tensor,
  options: Readonly<Routing>,
  name: string,
): Readonly<Partial<Record<MuonState, Tensor>>> {
  if (isMatrix("muon", name, parameter, options, atLeastTwo)) return { momentumBuffer: zerosLike(parameter) };
  return { expAvg: zerosLike(parameter), expAvgSq: zerosLike(parameter) };
}

/** The rate of the companion: that of its group, where it is a group of its own. */
const companionRatio = ({ useMuon, adamLrRatio }: Readonly<Routing & Companion>): number =>
  useMuon === false ? 1 : adamLrRatio;

/** AdamW with the companion's rate: m̂ / (√v̂ + eps). */
function companion<Options extends Routing & Companion & { readonly weightDecay: number }>(
  { parameter, gradient: g, state, scalar }: UpdateContext<MuonState, Options>,
  betasOf: (options: Readonly<Options>) => readonly [number, number],
  epsOf: (options: Readonly<Options>) => number,
): UpdateResult<MuonState> {
  const beta = (i: 0 | 1) => (options: Readonly<Options>) => betasOf(options)[i];
  const expAvg = runningAverage({ scalar } as UpdateContext<MuonState, Options>, "beta1", beta(0), state.expAvg, g);
  const expAvgSq = runningAverage(
    { scalar } as UpdateContext<MuonState, Options>,
    "beta2",
    beta(1),
    state.expAvgSq,
    square(g),
  );
  const correct1 = scalar("1 - beta1^t", ({ step, options }) => 1 - beta(0)(options) ** step);
  const correct2 = scalar("1 - beta2^t", ({ step, options }) => 1 - beta(1)(options) ** step);
  const rate = scalar("companion lr", ({ lr, options }) => lr * companionRatio(options));
  const shrink = scalar(
    "companion shrink",
    ({ lr, options }) => 1 - lr * companionRatio(options) * options.weightDecay,
  );
  const eps = scalar("companion eps", ({ options }) => epsOf(options));
  const direction = div(div(expAvg, correct1), add(sqrt(div(expAvgSq, correct2)), eps));
  return { ...descended(mul(parameter, shrink), mul(rate, direction)), state: { expAvg, expAvgSq } };
}

/** The average of gradients, and what is orthogonalized. */
function averaged<Options extends Pick<MuonOptions, "momentum" | "nesterov">>(
  context: UpdateContext<MuonState, Options>,
): { momentumBuffer: Tensor; ahead: Tensor } {
  const { gradient: g, state, options, scalar } = context;
  const momentumBuffer = runningAverage(context, "momentum", ({ momentum }) => momentum, state.momentumBuffer, g);
  if (!options.nesterov) return { momentumBuffer, ahead: momentumBuffer };
  const keep = scalar("momentum", ({ options }) => options.momentum);
  const take = scalar("1 - momentum", ({ options }) => 1 - options.momentum);
  return { momentumBuffer, ahead: lookedAhead(g, momentumBuffer, keep, take) };
}

const routing: Routing = { useMuon: null, excludeEmbeddings: true };
const newtonSchulzDefaults = { nsSteps: 5, nsCoefficients: [3.4445, -4.775, 2.0315] } as const;

/**
 *     m ← momentum m + (1 - momentum) g
 *     u = (1 - momentum) g + momentum m with nesterov, else m
 *     o = newtonSchulz(u / (‖u‖ + 1e-7))
 *     p ← (1 - lr weightDecay) p - lr √max(1, rows / columns) o
 *
 * Rows and columns are the last two axes; with four axes, the last three are one for `newtonSchulz` alone. Vectors,
 * embeddings and whatever has `useMuon: false` are updated by AdamW with `betas` and `eps`.
 */
export const muonRule: Rule<MuonState, MuonOptions> = {
  name: "muon",
  convention: "original",
  lr: 0.02,
  defaults: {
    momentum: 0.95,
    nesterov: true,
    weightDecay: 0,
    ...newtonSchulzDefaults,
    ...routing,
    betas: [0.9, 0.95],
    eps: 1e-10,
    adamLrRatio: 0.015,
  },
  check(options) {
    checkMuon("muon", options, options.betas);
    checkNonNegative("muon", "eps", options.eps);
  },
  // As in the original, a group of the companion's has defaults of its own, and takes nothing from the matrices' options.
  groupOptions(shared, own) {
    if (own.useMuon !== false) return { ...shared, ...own };
    const { maximize } = shared;
    return { lr: 3e-4, weightDecay: 0, ...(maximize === undefined ? {} : { maximize }), ...own };
  },
  initialState,
  update(context) {
    const { name, parameter, options, scalar } = context;
    if (!isMatrix("muon", name, parameter, options, atLeastTwo)) {
      return companion(
        context,
        ({ betas }) => betas,
        ({ eps }) => eps,
      );
    }
    const { momentumBuffer, ahead } = averaged(context);
    const eps = scalar("norm eps", () => 1e-7);
    const direction = orthogonalized("muon", ahead, context, { floor: "added", eps });
    const [rows, columns] = parameter.shape.slice(-2) as [number, number];
    const factor = Math.sqrt(Math.max(1, rows / columns));
    const rate = scalar(`lr · ${factor}`, ({ lr }) => lr * factor);
    return { ...descended(shrunk(context), mul(rate, direction)), state: { momentumBuffer } };
  },
};

const adjustments: Readonly<Record<"original" | "match_rms_adamw", (rows: number, columns: number) => number>> = {
  original: (rows, columns) => Math.sqrt(Math.max(1, rows / columns)),
  match_rms_adamw: (rows, columns) => 0.2 * Math.sqrt(Math.max(rows, columns)),
};

/** `muonRule` with eps as the least the norm may be and a choice of factors. */
export const muonTorchRule: Rule<MuonState, MuonTorchOptions> = {
  name: "muon",
  convention: "torch",
  lr: 1e-3,
  defaults: {
    momentum: 0.95,
    nesterov: true,
    weightDecay: 0.1,
    ...newtonSchulzDefaults,
    eps: 1e-7,
    adjustLrFn: null,
    ...routing,
    adamBetas: [0.9, 0.999],
    adamEps: 1e-8,
    adamLrRatio: 1,
  },
  check(options) {
    const { adjustLrFn, eps, adamEps, adamBetas } = options;
    checkMuon("muon", options, adamBetas);
    checkNonNegative("muon", "eps", eps);
    checkNonNegative("muon", "adamEps", adamEps);
    if (adjustLrFn !== null && !Object.hasOwn(adjustments, adjustLrFn)) {
      throw new ArgumentError(
        "muon",
        `adjustLrFn must be null or one of ${Object.keys(adjustments).join(", ")}, got ${String(adjustLrFn)}`,
      );
    }
  },
  initialState,
  update(context) {
    const { name, parameter, options, scalar } = context;
    if (!isMatrix("muon", name, parameter, options, atLeastTwo)) {
      return companion(
        context,
        ({ adamBetas }) => adamBetas,
        ({ adamEps }) => adamEps,
      );
    }
    const { momentumBuffer, ahead } = averaged(context);
    const eps = scalar("eps", ({ options }) => options.eps);
    const direction = orthogonalized("muon", ahead, context, { floor: "least", eps });
    const [rows, columns] = parameter.shape.slice(-2) as [number, number];
    const factor = adjustments[options.adjustLrFn ?? "original"](rows, columns);
    const rate = scalar(`lr · ${factor}`, ({ lr }) => lr * factor);
    return { ...descended(shrunk(context), mul(rate, direction)), state: { momentumBuffer } };
  },
};

/**
 * Muon, after Jordan et al.: momentum whose matrix is made orthogonal, so that all directions of a weight matrix learn
 * at one pace; lr 0.02. For the weight matrices and filters of hidden layers. Vectors, scalars and embeddings are
 * updated by AdamW: those of a group with `useMuon: false` at the group's lr (default 3e-4), others at lr ·
 * adamLrRatio; give the output layer such a group, too. One state tensor per matrix, two per other parameter; 3 ·
 * nsSteps matrix products per matrix and step.
 *
 * Conventions: by default the authors' code; `torch` (torch.optim.Muon; lr 1e-3, weightDecay 0.1) bounds the norm by
 * eps instead of adding it and may scale to AdamW's RMS; `keras` (lr 1e-3, weightDecay 0.004) sums gradients up instead
 * of averaging them, scales to AdamW's RMS, and leaves all but tensors of two axes to Adam.
 */
export const muon = namedOptimizer<
  { original: MuonOptions; torch: MuonTorchOptions; keras: MuonKerasOptions },
  "original"
>({ original: muonRule, torch: muonTorchRule, keras: muonKerasRule }, "original");
