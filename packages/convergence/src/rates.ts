/**
 * Learning rates with which each rule reaches the targets: found by trying rates a factor of about three apart. They fall to 0
 * along half a cosine, unless `constant`. One line per rule.
 */
import type { ProblemKind } from "./problem.ts";

/** A learning rate, perhaps with options of the rule. */
export type Rate =
  | number
  | {
      readonly lr: number;
      /** Does not fall: for rules that find their own rate, or average. Default false. */
      readonly constant?: boolean;
      /** Of the wrapper. */
      readonly settings?: object;
      readonly [option: string]: unknown;
    };

const all = (
  rosenbrock: Rate,
  quadraticDeep: Rate,
  logistic: Rate,
  mlp: Rate,
): Readonly<Record<ProblemKind, Rate>> => ({
  rosenbrock,
  quadraticDeep,
  logistic,
  mlp,
});

/** By optimizer, or wrapper round plain gradient descent. */
export const rates: Readonly<Record<string, Readonly<Record<ProblemKind, Rate>>>> = {
  adaBelief: all({ lr: 0.01, eps: 1e-8, rectify: false }, { lr: 0.3, rectify: false }, 0.03, 0.003),
  adadelta: all(1, 10, 1, 0.3),
  adafactor: all(0.1, 0.3, 0.1, 0.1),
  adagrad: all(1, 1, 0.03, 0.03),
  adam: all(0.03, 0.3, 0.01, 0.003),
  adamax: all(0.1, 1, 0.01, 0.003),
  adamMini: all(0.03, 0.3, 0.01, 0.003),
  adamW: all(0.03, 0.3, 0.01, 0.003),
  adan: all(0.01, 0.3, 0.01, 0.003),
  adEMAMix: all(0.03, 0.3, 0.01, 0.003),
  asgd: all(0.002, 0.02, 0.1, 0.1),
  cautiousAdamW: all(0.03, 0.3, 0.01, 0.003),
  cautiousLion: all(0.01, 0.1, 0.003, 0.001),
  dAdaptAdam: all(1, 1, 1, 0.3),
  grams: all(0.03, 1, 0.01, 0.003),
  lamb: all(0.03, 0.1, 0.1, 0.03),
  lars: all(0.002, 0.02, 0.1, 0.3),
  lion: all(0.01, 0.1, 0.003, 3e-4),
  mars: all(0.01, { lr: 0.3, lr1d: 0.3 }, 0.01, 0.003),
  muon: all(0.3, 3, 0.1, 0.03),
  nadam: all(0.03, 0.3, 0.01, 0.003),
  novoGrad: all(0.01, 1, 0.1, 0.03),
  prodigy: all(1, 1, 1, 1),
  radam: all(0.006, { lr: 0.03, constant: true }, 0.03, 0.01),
  rmsprop: all(0.003, 0.1, 0.003, 0.001),
  rprop: all(0.01, { lr: 0.1, etas: [0.95, 1.05] }, { lr: 0.001, etas: [0.9, 1.1] }, { lr: 1e-4, etas: [0.95, 1.05] }),
  scheduleFreeAdamW: all(
    { lr: 0.03, constant: true },
    { lr: 0.3, constant: true },
    { lr: 0.01, constant: true },
    { lr: 0.003, constant: true },
  ),
  scheduleFreeSgd: all(0.003, { lr: 0.1, constant: true }, { lr: 0.1, constant: true }, { lr: 0.3, constant: true }),
  sgd: all(0.002, 0.02, 0.1, 0.1),
  shampoo: all(1, 1, 0.1, 0.3),
  signSgd: all(0.003, 0.1, 0.003, 0.001),
  signum: all(0.01, 0.1, 0.003, 0.001),
  sm3: all(1, 1, 0.03, 0.03),
  soap: all(0.03, 0.3, 0.01, 0.003),
  sophiaG: all(0.01, 0.1, 0.003, 0.001),
  sparseAdam: all(0.03, 0.3, 0.01, 0.003),
  yogi: all(0.1, 0.3, 0.01, 0.003),
  "accumulate(sgd)": all(0.003, 0.03, 0.1, 0.2),
  "asam(sgd)": all({ lr: 0.002, settings: { rho: 0.001 } }, 0.02, 0.1, 0.1),
  "cautious(sgd)": all(0.002, 0.02, 0.1, 0.1),
  "ema(sgd)": all(
    0.003,
    { lr: 0.02, settings: { decay: 0.9 } },
    { lr: 0.1, settings: { decay: 0.9 } },
    { lr: 0.1, settings: { decay: 0.9 } },
  ),
  "lookahead(sgd)": all(0.003, 0.03, 0.3, 0.3),
  "lossScaling(sgd)": all(0.002, 0.02, 0.1, 0.1),
  "sam(sgd)": all({ lr: 0.002, settings: { rho: 0.001 } }, 0.02, 0.1, 0.1),
  "scheduleFree(sgd)": all(
    0.003,
    { lr: 0.1, constant: true },
    { lr: 0.1, constant: true },
    { lr: 0.3, constant: true },
  ),
  "skipNonFinite(sgd)": all(0.002, 0.02, 0.1, 0.1),
  "swa(sgd)": all(
    { lr: 0.003, settings: { start: 8000 } },
    { lr: 0.03, settings: { start: 100 } },
    { lr: 0.1, settings: { start: 20 } },
    { lr: 0.3, settings: { start: 100 } },
  ),
};
