/** The state of L-BFGS, and how it is saved: in the form of all optimizers, vectors cut up by parameter. */
import { ArgumentError } from "../graph/errors.ts";
import { type Shape, sizeOf } from "../graph/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { GroupOptions, ParameterGroup } from "./groups.ts";
import { hasSchedules } from "./hyperparameters.ts";
import type { LbfgsOptions } from "./lbfgs.ts";
import type { LbfgsVectors, Pair } from "./lbfgsVectors.ts";
import type { Rule } from "./rule.ts";
import { type OptimizerStateDict, Problems, type SavedParameterState } from "./stateDict.ts";
import { checkStored, type StoredTensor } from "./storedTensor.ts";

/** What the next direction is made from. */
interface LastIteration {
  readonly direction: Tensor;
  readonly t: number;
  readonly gradient: Tensor;
  /** Oldest first. */
  readonly history: readonly Pair[];
  /** Of the initial inverse Hessian. */
  readonly scale: number;
}

export interface LbfgsState {
  readonly step: number;
  readonly iterations: number;
  readonly functionEvaluations: number;
  readonly last: LastIteration | undefined;
}

const numbers = (values: readonly number[]): StoredTensor => ({
  shape: [values.length],
  dtype: "float64",
  data: Float64Array.from(values),
});

type Group = ParameterGroup<LbfgsOptions>;

/** The part of each entry in vectors of the length of all. */
const spans = ({ entries }: Group): { name: string; shape: Shape; start: number; size: number }[] => {
  let start = 0;
  return entries.map(({ name, parameter: { shape } }) => {
    const span = { name, shape, start, size: sizeOf(shape) };
    start += span.size;
    return span;
  });
};

const floatArray = { float32: Float32Array, float64: Float64Array } as const;

export async function readLbfgsState(group: Group, { last, ...counts }: LbfgsState): Promise<OptimizerStateDict> {
  const state: Record<string, SavedParameterState> = {};
  const shared: Record<string, StoredTensor> = {
    iterations: numbers([counts.iterations]),
    functionEvaluations: numbers([counts.functionEvaluations]),
  };
  if (last) {
    const { direction, gradient, history } = last;
    const dtype = direction.dtype === "float64" ? "float64" : "float32";
    const read = (vectors: readonly Tensor[]): Promise<ArrayLike<number>[]> =>
      Promise.all(vectors.map((vector) => vector.data()));
    const [[directionData, gradientData], steps, changes] = await Promise.all([
      read([direction, gradient]),
      read(history.map(({ step }) => step)),
      read(history.map(({ change }) => change)),
    ]);
    for (const { name, shape, start, size } of spans(group)) {
      const cut = (vectors: readonly ArrayLike<number>[], lead: readonly number[]): StoredTensor => {
        const data = new floatArray[dtype](vectors.length * size);
        for (const [i, vector] of vectors.entries()) {
          data.set(Array.prototype.slice.call(vector, start, start + size) as number[], i * size);
        }
        return { shape: [...lead, ...shape], dtype, data };
      };
      state[name] = {
        step: counts.step,
        values: {
          direction: cut([directionData as ArrayLike<number>], []),
          gradient: cut([gradientData as ArrayLike<number>], []),
          steps: cut(steps, [steps.length]),
          changes: cut(changes, [changes.length]),
        },
      };
    }
    shared.t = numbers([last.t]);
    shared.scale = numbers([last.scale]);
    shared.rho = numbers(history.map(({ rho }) => rho));
  }
  const { options, learningRate } = group;
  return {
    optimizer: "lbfgs",
    step: counts.step,
    groups: [
      {
        name: group.name,
        lr: typeof learningRate === "number" ? learningRate : null,
        maximize: false,
        options: Object.fromEntries(Object.entries(options).filter(([, value]) => !hasSchedules([value]))),
      },
    ],
    state,
    shared,
  };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const countProblem = (value: unknown): boolean => !Number.isInteger(value) || (value as number) < 0;

/** Checks all of `saved` and gives what it says. */
export function checkLbfgsState(
  rule: Rule<never, LbfgsOptions>,
  group: Group,
  vectors: LbfgsVectors,
  saved: OptimizerStateDict,
): { changes: GroupOptions<LbfgsOptions>; state: LbfgsState } {
  const problems = new Problems();
  const given: unknown = isRecord(saved) && Array.isArray(saved.groups) ? saved.groups[0] : undefined;
  if (!isRecord(saved) || !isRecord(saved.state) || !isRecord(saved.shared) || !isRecord(given)) {
    throw new ArgumentError(
      "loadStateDict",
      "expected { optimizer, step, groups, state, shared } as stateDict gives it",
    );
  }
  if (saved.optimizer !== "lbfgs") problems.add(`state of ${saved.optimizer} cannot be loaded into lbfgs`);
  problems.report();

  // Options: those that a schedule gives here stay.
  const saveds = isRecord(given.options) ? given.options : {};
  for (const key of Object.keys(saveds)) {
    if (!Object.hasOwn(rule.defaults, key)) problems.add(`group ${group.name} has an unknown option ${key}`);
  }
  const scheduled = (key: string): boolean => hasSchedules([group.options[key as keyof LbfgsOptions]]);
  const taken = Object.fromEntries(Object.entries(saveds).filter(([key]) => !scheduled(key)));
  problems.of(() => rule.check({ ...group.currentOptions, ...taken }));
  const { lr } = given;
  if (lr !== null && !(typeof lr === "number" && lr >= 0 && lr < Number.POSITIVE_INFINITY)) {
    problems.add(`group ${group.name} has lr ${String(lr)}, expected a finite number ≥ 0`);
  }
  const rate = typeof group.learningRate === "number" && typeof lr === "number" ? { lr } : {};

  const shared = saved.shared as Readonly<Record<string, StoredTensor | undefined>>;
  const started = shared.rho !== undefined;
  const numbersOf = (key: string, count: number): number[] => {
    const stored = shared[key];
    if (!stored) problems.add(`the optimizer has no ${key}`);
    else problems.of(() => checkStored("loadStateDict", `the optimizer.${key}`, stored, [count], "float64"));
    return Array.from(stored?.data ?? []);
  };
  const [iterations = 0] = numbersOf("iterations", 1);
  const [functionEvaluations = 0] = numbersOf("functionEvaluations", 1);
  for (const [what, count] of Object.entries({ step: saved.step, iterations, functionEvaluations })) {
    if (countProblem(count)) problems.add(`${what} must be a whole number ≥ 0, got ${String(count)}`);
  }
  const known = new Set(["iterations", "functionEvaluations", ...(started ? ["t", "scale", "rho"] : [])]);
  for (const key of Object.keys(shared)) if (!known.has(key)) problems.add(`the optimizer has an unknown state ${key}`);
  const names = new Set(started ? group.entries.map(({ name }) => name) : []);
  for (const name of Object.keys(saved.state)) {
    if (!names.has(name)) problems.add(`there is no parameter named ${name}`);
  }
  const last = started ? lastIteration(group, vectors, saved.state, shared, numbersOf, problems) : undefined;
  problems.report();
  const state = { step: saved.step, iterations, functionEvaluations, last: last?.() };
  return { changes: { ...taken, ...rate } as GroupOptions<LbfgsOptions>, state };
}

/** The last iteration, to be made once all is known to fit. */
function lastIteration(
  group: Group,
  vectors: LbfgsVectors,
  saved: OptimizerStateDict["state"],
  shared: Readonly<Record<string, StoredTensor | undefined>>,
  numbersOf: (key: string, count: number) => number[],
  problems: Problems,
): () => LastIteration {
  const count = shared.rho?.data.length ?? 0;
  const [t = 0] = numbersOf("t", 1);
  const [scale = 0] = numbersOf("scale", 1);
  const rho = numbersOf("rho", count);
  const parts = spans(group);
  const leads = { direction: [], gradient: [], steps: [count], changes: [count] } as const;
  for (const { name, shape } of parts) {
    const values = saved[name]?.values;
    for (const [key, lead] of Object.entries(leads)) {
      const stored = values?.[key];
      if (!stored) problems.add(`${name} has no ${key}`);
      else {
        problems.of(() => checkStored("loadStateDict", `${name}.${key}`, stored, [...lead, ...shape], vectors.dtype));
      }
    }
    for (const key of Object.keys(values ?? {})) {
      if (!Object.hasOwn(leads, key)) problems.add(`${name} has an unknown state ${key}`);
    }
  }
  return () => {
    const vector = (key: string, i = 0): Tensor =>
      vectors.vector(
        parts.flatMap(
          ({ name, size }) =>
            Array.prototype.slice.call(saved[name]?.values[key]?.data, i * size, (i + 1) * size) as number[],
        ),
      );
    return {
      direction: vector("direction"),
      gradient: vector("gradient"),
      t,
      scale,
      history: rho.map((value, i) => ({ step: vector("steps", i), change: vector("changes", i), rho: value })),
    };
  };
}
