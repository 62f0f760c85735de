/**
 * Training that is broken off and goes on elsewhere, for every optimizer, wrapper and schedule there is: what resume.test.ts
 * runs here and continueTrials.ts in a process of its own.
 */
import {
  add,
  bernoulli,
  compile,
  grad,
  manualSeed,
  matmul,
  mseLoss,
  mul,
  Parameter,
  randn,
  type Tensor,
  useBackend,
  zeros,
} from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import {
  adamW,
  asynchronousOptimizers,
  type NamedSchedule,
  type Optimizer,
  optimizersByName,
  restoreTensor,
  type Schedule,
  type StoredTensor,
  schedules,
  sgd,
  storeTensor,
  type Wrapper,
  wrappers,
} from "@thalweg/core/optim";
import type { CheckpointModel, CheckpointOptimizer } from "../src/index.ts";
import { loadCheckpoint, saveCheckpoint } from "../src/node.ts";

type Parameters = Readonly<Record<string, Parameter>>;
type AnyOptimizer = CheckpointOptimizer & Partial<Pick<Optimizer, "eval">>;

/** Something to train with, made anew from nothing in each process. */
export interface Trial {
  readonly name: string;
  readonly steps: number;
  /** `step` is awaited; it makes one update. */
  make(parameters: Parameters, loss: () => Tensor): { optimizer: AnyOptimizer; step(index: number): unknown };
}

/** One update per run of a compiled step, as training does; and what goes beside the updates. */
function compiled(
  name: string,
  make: (parameters: Parameters) => Optimizer,
  beside?: (optimizer: Optimizer, parameters: Parameters, loss: () => Tensor, index: number) => void,
): Trial {
  return {
    name,
    steps: 50,
    make(parameters, loss) {
      const optimizer = make(parameters);
      const run = compile(() => optimizer.minimize(loss()));
      const step = (index: number): void => {
        run();
        beside?.(optimizer, parameters, loss, index);
      };
      return { optimizer, step };
    },
  };
}

/** sophiaG estimates the curvature at every tenth step, from other gradients. */
const observing = (optimizer: Optimizer, parameters: Parameters, loss: () => Tensor, index: number): void => {
  if (index % 10 === 0) optimizer.observe(grad(loss(), Object.values(parameters)));
};

const byOptimizer = Object.entries(optimizersByName).flatMap(([name, make]) =>
  Object.keys(make.rules).map((convention) =>
    compiled(
      convention === "torch" ? name : `${name} (${convention})`,
      // Where there is no default, one that suits all.
      (parameters) => {
        const rule = make.rules[convention as "torch"];
        const options: Record<string, unknown> = { convention, ...(rule?.lr === undefined ? { lr: 0.01 } : {}) };
        return make(parameters, options) as unknown as Optimizer;
      },
      name === "sophiaG" ? observing : undefined,
    ),
  ),
);

const byWrapper = Object.entries(wrappers as unknown as Record<string, Wrapper<object>>).map(([name, wrap]) =>
  compiled(`${name} around sgd`, (parameters) => wrap(sgd(parameters, { lr: 0.01, momentum: 0.9 }))),
);

const byStateDType = (["bfloat16", "blockwise8bit"] as const).map((stateDtype) => ({
  ...compiled(
    `adamW with state in ${stateDtype}`,
    (parameters) => adamW(parameters, { stateDtype }) as unknown as Optimizer,
  ),
  // Only large parameters are stored in 8 bits, and the interpreter takes its time over them.
  steps: stateDtype === "blockwise8bit" ? 6 : 50,
}));

/** Options for each, such that the rate changes before and after the break. */
const scheduleOptions: Readonly<Record<keyof typeof schedules, object>> = {
  constant: { baseLr: 0.01, factor: 0.5, totalIters: 60 },
  step: { baseLr: 0.01, stepSize: 20 },
  multiStep: { baseLr: 0.01, milestones: [30, 70] },
  piecewiseConstant: { baseLr: 0.01, boundaries: [30, 70], scales: [0.5, 0.5] },
  linear: { baseLr: 0.01, startFactor: 0.1, totalIters: 80 },
  polynomial: { baseLr: 0.01, totalIters: 90, power: 2 },
  exponential: { baseLr: 0.01, gamma: 0.98 },
  inverseTime: { baseLr: 0.01, decaySteps: 10, decayRate: 0.5 },
  cosine: { baseLr: 0.01, tMax: 90 },
  cosineWarmRestarts: { baseLr: 0.01, t0: 30 },
  oneCycle: { maxLr: 0.01, totalSteps: 100 },
  cyclic: { baseLr: 0.001, maxLr: 0.01, stepSizeUp: 15 },
  reduceOnPlateau: { baseLr: 0.01, patience: 2 },
  warmupCosine: { baseLr: 0.01, numWarmupSteps: 60, numTrainingSteps: 100 },
  warmupLinear: { baseLr: 0.01, numWarmupSteps: 60, numTrainingSteps: 100 },
  inverseSqrt: { baseLr: 0.01, numWarmupSteps: 60 },
  noam: { baseLr: 1, dModel: 64, warmupSteps: 60 },
  rex: { baseLr: 0.01, totalSteps: 100 },
  wsd: { baseLr: 0.01, numWarmupSteps: 20, numStableSteps: 40, numDecaySteps: 40 },
  chained: {
    schedulers: [
      { schedule: "reduceOnPlateau", options: { baseLr: 0.01, patience: 1 } },
      { schedule: "exponential", options: { baseLr: 0.01, gamma: 0.99 } },
    ],
  },
  sequential: {
    schedulers: [
      { schedule: "linear", options: { baseLr: 0.01, startFactor: 0.1, totalIters: 40 } },
      { schedule: "exponential", options: { baseLr: 0.01, gamma: 0.98 } },
    ],
    milestones: [40],
  },
  warmup: { schedule: { schedule: "cosine", options: { baseLr: 0.01, tMax: 90 } }, numWarmupSteps: 60 },
};

type Reporting = NamedSchedule & { report?(metric: number): void; members?: readonly Reporting[] };

const bySchedule = Object.entries(schedules).map(([name, make]) => {
  let plateaus: readonly Reporting[] = [];
  const start = (parameters: Parameters): Optimizer => {
    const lr = (make as (options: object) => Reporting)(scheduleOptions[name as keyof typeof schedules]);
    plateaus = [lr, ...(lr.members ?? [])].filter(({ report }) => report !== undefined);
    return sgd(parameters, { lr: lr as Schedule, momentum: lr.momentum ?? 0.9 }) as unknown as Optimizer;
  };
  // A metric that gets worse from the fifth report on.
  const report = (_: Optimizer, __: Parameters, ___: () => Tensor, index: number): void => {
    if (index % 4 === 0) for (const plateau of plateaus) plateau.report?.(Math.abs(index - 16));
  };
  return compiled(`sgd by ${name}`, start, report);
});

const byLoss = Object.entries(asynchronousOptimizers).map(
  ([name, make]): Trial => ({
    name,
    // It would be done long before fifty.
    steps: 2,
    make(parameters, loss) {
      const optimizer = make(parameters, { lr: 0.5 });
      return { optimizer, step: () => optimizer.minimize(loss) };
    },
  }),
);

export const trials: readonly Trial[] = [...byOptimizer, ...byWrapper, ...byStateDType, ...bySchedule, ...byLoss];

const modelOf = (parameters: Parameters): CheckpointModel => ({
  async stateDict() {
    const entries = Object.entries(parameters).map(async ([name, value]) => [name, await storeTensor(value)] as const);
    return Object.fromEntries(await Promise.all(entries));
  },
  async loadStateDict(state) {
    for (const [name, value] of Object.entries(parameters)) restoreTensor(value, state[name] as StoredTensor);
  },
});

/** A model of one layer under dropout, whose mask is part of what must go on; `wide` has matrices worth 8 bits. */
function start(trial: Trial) {
  useBackend(referenceBackend({ rounding: true }));
  manualSeed(5);
  const [inputs, outputs] = trial.name.includes("8bit") ? [64, 64] : [4, 3];
  const parameters = {
    weight: new Parameter(randn([inputs, outputs])),
    bias: new Parameter(zeros([outputs])),
  };
  const data = new Parameter(randn([5, inputs]), { trainable: false });
  const targets = new Parameter(randn([5, outputs]), { trainable: false });
  for (const value of [parameters.weight, parameters.bias, data, targets]) value.storage;
  const loss = (): Tensor => {
    const kept = mul(data, bernoulli(0.8, { shape: data.shape }));
    return mseLoss(add(matmul(kept, parameters.weight), parameters.bias), targets);
  };
  return { parameters, model: modelOf(parameters), ...trial.make(parameters, loss) };
}

async function bitsOf(parameters: Parameters, optimizer: AnyOptimizer): Promise<string> {
  const bits = async (value: Parameter): Promise<string> => {
    const { buffer, byteOffset, byteLength } = (await storeTensor(value)).data;
    return Buffer.from(buffer, byteOffset, byteLength).toString("hex");
  };
  const trained = await Promise.all(Object.values(parameters).map(bits));
  // Where the weights to evaluate with are others, they count too.
  optimizer.eval?.();
  return [...trained, ...(await Promise.all(Object.values(parameters).map(bits)))].join(" ");
}

/** `steps` updates, then a checkpoint at `path`, then as many again: the bits of what was trained. */
export async function runThrough(trial: Trial, path: string): Promise<string> {
  const { parameters, model, optimizer, step } = start(trial);
  for (let i = 0; i < trial.steps; i++) await step(i);
  await saveCheckpoint(path, { model, optimizer, extra: { steps: trial.steps } });
  for (let i = trial.steps; i < 2 * trial.steps; i++) await step(i);
  return bitsOf(parameters, optimizer);
}

/** The second half of `runThrough`, from its checkpoint. */
export async function goOn(trial: Trial, path: string): Promise<string> {
  const { parameters, model, optimizer, step } = start(trial);
  // Whatever was drawn before the checkpoint is loaded must not matter.
  manualSeed(99);
  const { steps } = (await loadCheckpoint(path, { model, optimizer })) as { steps: number };
  for (let i = steps; i < 2 * steps; i++) await step(i);
  return bitsOf(parameters, optimizer);
}
