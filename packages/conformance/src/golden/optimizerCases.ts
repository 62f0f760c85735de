/**
 * Golden optimizer trajectories: parameters, gradients and learning rates step by step, on whatever backend is current.
 */
import { compile, Parameter, sum, type Tensor, tensor } from "@thalweg/core";
import { type Optimizer, optimizers } from "@thalweg/core/optim";
import type { FloatDType } from "./schema.ts";

export interface GoldenOptimizerCase {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly values: readonly number[];
    /** Those of a group of its own. */
    readonly options?: Readonly<Record<string, unknown>>;
  }[];
  /** Rate in force at each step. */
  readonly lrSchedule?: readonly number[];
  /** One per step and parameter; null where there is none. */
  readonly gradients: readonly (readonly (readonly number[] | null)[])[];
  readonly expected: readonly { readonly step: number; readonly parameters: readonly (readonly number[])[] }[];
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

/** One parameter after one step. */
export interface OptimizerResult {
  readonly step: number;
  readonly parameter: string;
  readonly actual: Float64Array;
  readonly expected: Float64Array;
}

type Make = (
  groups: readonly Readonly<Record<string, unknown>>[],
  options: Readonly<Record<string, unknown>>,
) => Optimizer;

function makeOptimizer(name: string, golden: GoldenOptimizerCase, parameters: readonly Parameter[]): Optimizer {
  // The option names of the golden files are the library's; which optimizer takes which is known at run time only.
  const make = (optimizers as unknown as Readonly<Record<string, Make>>)[name];
  if (!make) throw new Error(`there is no optimizer named ${name}`);
  const shared = parameters.filter((_, i) => !golden.parameters[i]?.options);
  const own = parameters.flatMap((parameter, i) => {
    const options = golden.parameters[i]?.options;
    return options ? [{ parameters: [parameter], ...options }] : [];
  });
  return make([{ parameters: shared }, ...own], golden.options);
}

/** The function that applies one step: as it is, or compiled once for each set of parameters that have a gradient. */
function makeStep(optimizer: Optimizer, mode: OptimizerRun["mode"]) {
  const apply = (parameters: readonly Parameter[], gradients: readonly Tensor[]): void =>
    optimizer.update(new Map(parameters.map((parameter, i) => [parameter, gradients[i] as Tensor])));
  if (mode === "direct") return apply;
  const steps = new Map<string, (...gradients: Tensor[]) => Tensor>();
  return (parameters: readonly Parameter[], gradients: readonly Tensor[]): void => {
    const key = parameters.map((parameter) => parameter.name).join();
    const known = steps.get(key);
    const step =
      known ??
      compile((...inputs: Tensor[]): Tensor => {
        apply(parameters, inputs);
        return sum(inputs[0] as Tensor);
      });
    steps.set(key, step);
    step(...gradients);
  };
}

/** Runs a case and gives every parameter after every step for which the file has values. */
export async function runOptimizerCase(
  name: string,
  golden: GoldenOptimizerCase,
  { floats, mode }: OptimizerRun,
): Promise<OptimizerResult[]> {
  const parameters = golden.parameters.map(
    ({ name, shape, values }) => new Parameter(tensor(Float64Array.from(values), { shape, dtype: floats }), { name }),
  );
  const optimizer = makeOptimizer(name, golden, parameters);
  const step = makeStep(optimizer, mode);
  const results: OptimizerResult[] = [];
  for (const [t, gradients] of golden.gradients.entries()) {
    const rate = golden.lrSchedule?.[t];
    if (rate !== undefined) optimizer.lr = rate;
    const present = parameters.flatMap((parameter, i) => {
      const values = gradients[i];
      return values ? [{ parameter, values }] : [];
    });
    step(
      present.map(({ parameter }) => parameter),
      present.map(({ parameter, values }) =>
        tensor(Float64Array.from(values), { shape: parameter.shape, dtype: floats }),
      ),
    );
    const expected = golden.expected.find((entry) => entry.step === t + 1);
    for (const [i, parameter] of expected ? parameters.entries() : []) {
      results.push({
        step: t + 1,
        parameter: parameter.name,
        actual: Float64Array.from(await parameter.data()),
        expected: Float64Array.from(expected?.parameters[i] ?? []),
      });
    }
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
