/**
 * Golden optimizer trajectories: parameters, gradients and learning rates step by step, on whatever backend is current.
 */
import { compile, Parameter, sum, Tensor, tensor } from "@thalweg/core";
import {
  type Optimizer,
  type OptimizerParameters,
  optimizersByName,
  SparseGradient,
  wrappers,
} from "@thalweg/core/optim";
import { isAsynchronous, runAsynchronousCase } from "./asynchronousOptimizerCases.ts";
import { type GoldenObjective, makeObjective } from "./objectives.ts";
import type { FloatDType } from "./schema.ts";

type Options = Readonly<Record<string, unknown>>;
type Values = readonly number[];

/** A row-sparse gradient: some rows, and what is in them. */
interface GoldenRows {
  readonly indices: Values;
  readonly values: Values;
}

export interface GoldenOptimizerCase {
  readonly name: string;
  readonly options: Options;
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly values: Values;
    /** Those of a group of its own. */
    readonly options?: Options;
  }[];
  /** Rate in force at each step. */
  readonly lrSchedule?: Values;
  /** One per step and parameter; null where there is none. */
  readonly gradients?: readonly (readonly (Values | GoldenRows | null)[])[];
  /** Instead of gradients: what is minimised, in a closed loop. */
  readonly objective?: GoldenObjective;
  /** Observed before each step: one per parameter, or null. */
  readonly hessianGradients?: readonly (readonly (Values | null)[] | null)[];
  readonly expected: readonly GoldenExpectation[];
}

interface GoldenExpectation {
  readonly step: number;
  readonly parameters: readonly Values[];
  /** What the model is evaluated with. */
  readonly averaged?: readonly Values[];
  readonly eval?: readonly Values[];
  /** Shared state of that name. */
  readonly d?: number;
  /** At the parameters before the step, and where the gradient was taken. */
  readonly loss?: number;
  readonly perturbedLoss?: number;
  /** So far, of optimizers that look at the loss as often as they need. */
  readonly functionEvaluations?: number;
  readonly iterations?: number;
}

export interface GoldenOptimizerFile {
  readonly schema: "thalweg/golden-optimizer/1";
  readonly optimizer: string;
  /** Of variants of a rule under other libraries' conventions. */
  readonly convention?: string;
  readonly cases: readonly GoldenOptimizerCase[];
}

export interface OptimizerRun {
  readonly floats: FloatDType;
  /**
   * How updates run: each on its own, or replayed from compiled steps, one per set of parameters that have a gradient.
   */
  readonly mode: "direct" | "compiled";
}

/** One array after one step. */
export interface OptimizerResult {
  readonly step: number;
  readonly what: string;
  readonly actual: Float64Array;
  readonly expected: Float64Array;
}

/** Whether there is an optimizer, or something that goes round one, of this name and convention. */
export function isKnownOptimizer(name: string, convention = "torch"): boolean {
  if (convention === "torch" && Object.hasOwn(wrappers, name)) return true;
  if (isAsynchronous(name, convention)) return true;
  return Object.hasOwn(optimizersByName, name) && Object.hasOwn(optimizersByName[name]?.rules ?? {}, convention);
}

// The option names of the golden files are the library's; which function takes which is known at run time only.
function makeOptimizer(name: string, parameters: OptimizerParameters<object>, options: Options): Optimizer {
  if (Object.hasOwn(wrappers, name)) {
    const { base, ...own } = options as { base: { optimizer: string; options: Options } };
    const wrap = (wrappers as unknown as Readonly<Record<string, (base: Optimizer, options: Options) => Optimizer>>)[
      name
    ];
    return (wrap as NonNullable<typeof wrap>)(makeOptimizer(base.optimizer, parameters, base.options), own);
  }
  const make = optimizersByName[name];
  if (!make) throw new Error(`the optimizer ${name} is not known`);
  return make(parameters, options);
}

function groupsOf(golden: GoldenOptimizerCase, parameters: readonly Parameter[]): OptimizerParameters<object> {
  const shared = parameters.filter((_, i) => !golden.parameters[i]?.options);
  const own = parameters.flatMap((parameter, i) => {
    const options = golden.parameters[i]?.options;
    return options ? [{ parameters: [parameter], ...options }] : [];
  });
  return [{ parameters: shared }, ...own];
}

/** Plain data, so that a compiled function takes it. */
type Gradient = Tensor | { readonly indices: Tensor; readonly values: Tensor };
type Step = (gradients: ReadonlyMap<Parameter, Gradient>) => void;

const asUpdate = (gradient: Gradient): Tensor | SparseGradient =>
  gradient instanceof Tensor ? gradient : new SparseGradient(gradient);

/** The function that applies one step: as it is, or compiled once for each set of parameters that have a gradient. */
function makeStep(optimizer: Optimizer, mode: OptimizerRun["mode"]): Step {
  const update = (parameters: readonly Parameter[], gradients: readonly Gradient[]): void =>
    optimizer.update(new Map(parameters.map((parameter, i) => [parameter, asUpdate(gradients[i] as Gradient)])));
  if (mode === "direct") return (gradients) => update([...gradients.keys()], [...gradients.values()]);
  const steps = new Map<string, (...gradients: Gradient[]) => Tensor>();
  return (gradients) => {
    const parameters = [...gradients.keys()];
    const key = parameters.map((parameter) => parameter.name).join();
    const step =
      steps.get(key) ??
      compile((...inputs: Gradient[]): Tensor => {
        update(parameters, inputs);
        const [first = tensor(0)] = inputs;
        return sum(first instanceof Tensor ? first : first.values);
      });
    steps.set(key, step);
    step(...gradients.values());
  };
}

/** One closed-loop step: the loss, and the loss where the gradient was taken. */
function makeClosedStep(
  optimizer: Optimizer,
  loss: () => Tensor,
  mode: OptimizerRun["mode"],
): () => { loss: Tensor; perturbedLoss: Tensor | undefined } {
  const build = () => {
    let perturbedLoss: Tensor | undefined;
    const before = optimizer.minimize(loss(), {
      onPerturbed: (at) => {
        perturbedLoss = at;
      },
    });
    return { loss: before, perturbedLoss };
  };
  return mode === "compiled" ? compile(build) : build;
}

/** Runs a case and gives everything after every step for which the file has values. */
export async function runOptimizerCase(
  name: string,
  convention: string | undefined,
  golden: GoldenOptimizerCase,
  { floats, mode }: OptimizerRun,
): Promise<OptimizerResult[]> {
  if (isAsynchronous(name, convention)) return runAsynchronousCase(name, golden, floats);
  const parameters = golden.parameters.map(
    ({ name, shape, values }) => new Parameter(tensor(Float64Array.from(values), { shape, dtype: floats }), { name }),
  );
  const options = convention === undefined ? golden.options : { ...golden.options, convention };
  const optimizer = makeOptimizer(name, groupsOf(golden, parameters), options);
  const gradientOf = (given: Values | GoldenRows, { shape }: Parameter): Gradient => {
    if (!("indices" in given)) return tensor(Float64Array.from(given), { shape, dtype: floats });
    const { indices, values } = given;
    const rows = indices.length;
    return {
      indices: tensor(Int32Array.from(indices), { shape: [rows] }),
      values: tensor(Float64Array.from(values), { shape: [rows, ...shape.slice(1)], dtype: floats }),
    };
  };
  const gradientsOf = (values: readonly (Values | GoldenRows | null)[]): Map<Parameter, Gradient> =>
    new Map(
      parameters.flatMap((parameter, i) => {
        const given = values[i];
        if (!given) return [];
        return [[parameter, gradientOf(given, parameter)] as const];
      }),
    );
  const objective = golden.objective && makeObjective(golden.objective, floats);
  const named = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const closedStep = objective && makeClosedStep(optimizer, () => objective(named), mode);
  const step = makeStep(optimizer, mode);

  const results: OptimizerResult[] = [];
  const steps = golden.gradients?.length ?? Math.max(...golden.expected.map((entry) => entry.step));
  for (let t = 0; t < steps; t++) {
    const expected = golden.expected.find((entry) => entry.step === t + 1);
    const note = (what: string, actual: ArrayLike<number>, values: ArrayLike<number>): void => {
      results.push({ step: t + 1, what, actual: Float64Array.from(actual), expected: Float64Array.from(values) });
    };
    const rate = golden.lrSchedule?.[t];
    if (rate !== undefined) optimizer.lr = rate;
    const observed = golden.hessianGradients?.[t];
    if (observed) optimizer.observe(new Map([...gradientsOf(observed)].map(([at, given]) => [at, asUpdate(given)])));
    if (closedStep) {
      const { loss, perturbedLoss } = closedStep();
      if (expected?.loss !== undefined) note("loss", [await loss.item()], [expected.loss]);
      if (expected?.perturbedLoss !== undefined) {
        note("perturbed loss", [perturbedLoss ? await perturbedLoss.item() : Number.NaN], [expected.perturbedLoss]);
      }
    } else {
      step(gradientsOf(golden.gradients?.[t] ?? []));
    }
    if (!expected) continue;
    const noteParameters = async (kind: string, values: readonly Values[]): Promise<void> => {
      for (const [i, parameter] of parameters.entries()) {
        note(`${kind}${parameter.name}`, await parameter.data(), values[i] ?? []);
      }
    };
    await noteParameters("", expected.parameters);
    // The files give the average as state, 0 before a parameter's first update; the model is evaluated with its value then.
    const averaged = expected.averaged?.map((values, i) =>
      optimizer.state.has(parameters[i]?.name ?? "") ? values : (expected.parameters[i] ?? []),
    );
    const evaluated = averaged ?? expected.eval;
    if (evaluated) {
      optimizer.eval();
      await noteParameters("evaluation value of ", evaluated);
      optimizer.train();
      await noteParameters("", expected.parameters);
    }
    if (expected.d !== undefined) note("d", (await optimizer.sharedState.get("d")?.data()) ?? [], [expected.d]);
  }
  return results;
}

/** Largest difference relative to the largest expected entry of its array; NaN counts as infinite. */
export function largestError(results: readonly OptimizerResult[]): number {
  let largest = 0;
  for (const { actual, expected } of results) {
    const scale = Math.max(...expected.map(Math.abs), Number.MIN_VALUE);
    for (const [i, value] of expected.entries()) {
      const error = Math.abs((actual[i] ?? Number.NaN) - value) / scale;
      largest = Math.max(largest, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
    }
  }
  return largest;
}
