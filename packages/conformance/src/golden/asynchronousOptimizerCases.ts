/** Golden trajectories of optimizers whose steps wait for values of the loss: closed loops on whatever backend is current. */
import { Parameter, type Tensor, tensor } from "@thalweg/core";
import { asynchronousOptimizers } from "@thalweg/core/optim";
import { makeObjective } from "./objectives.ts";
import type { GoldenOptimizerCase, OptimizerResult } from "./optimizerCases.ts";
import type { FloatDType } from "./schema.ts";

interface AsynchronousOptimizer {
  readonly functionEvaluations: number;
  readonly iterations: number;
  minimize(loss: () => Tensor): Promise<Tensor>;
}

type Make = (parameters: readonly Parameter[], options: object) => AsynchronousOptimizer;

export const isAsynchronous = (name: string, convention = "torch"): boolean =>
  convention === "torch" && Object.hasOwn(asynchronousOptimizers, name);

/** Runs a case and gives everything after every step for which the file has values. */
export async function runAsynchronousCase(
  name: string,
  golden: GoldenOptimizerCase,
  floats: FloatDType,
): Promise<OptimizerResult[]> {
  const parameters = golden.parameters.map(
    ({ name, shape, values }) => new Parameter(tensor(Float64Array.from(values), { shape, dtype: floats }), { name }),
  );
  if (!golden.objective) throw new Error(`${name} needs an objective to minimise`);
  const objective = makeObjective(golden.objective, floats);
  const named = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const loss = () => objective(named);
  // The option names of the golden files are the library's.
  const make = (asynchronousOptimizers as unknown as Readonly<Record<string, Make>>)[name] as Make;
  const optimizer = make(parameters, golden.options);

  const results: OptimizerResult[] = [];
  const curve = { actual: [] as number[], expected: [] as number[] };
  const steps = Math.max(...golden.expected.map(({ step }) => step));
  for (let step = 1; step <= steps; step++) {
    const before = await optimizer.minimize(loss);
    const expected = golden.expected.find((entry) => entry.step === step);
    if (!expected) continue;
    const note = (what: string, actual: ArrayLike<number>, values: ArrayLike<number>): void => {
      results.push({ step, what, actual: Float64Array.from(actual), expected: Float64Array.from(values) });
    };
    if (expected.loss !== undefined) {
      curve.actual.push(await before.item());
      curve.expected.push(expected.loss);
    }
    if (floats === "float32") {
      // Rounding decides the last comparisons, and where in a valley a search ends: what counts is the loss there.
      const at = golden.parameters.map(
        ({ name, shape }, i) =>
          [name, tensor(Float64Array.from(expected.parameters[i] ?? []), { shape, dtype: floats })] as const,
      );
      curve.actual.push(await loss().item());
      curve.expected.push(await objective(new Map(at)).item());
      continue;
    }
    for (const [i, parameter] of parameters.entries()) {
      note(parameter.name, await parameter.data(), expected.parameters[i] ?? []);
    }
    for (const count of ["functionEvaluations", "iterations"] as const) {
      if (expected[count] !== undefined) note(count, [optimizer[count]], [expected[count]]);
    }
  }
  // One array, as near the minimum a loss is measured against what it was.
  const [actual, expected] = [Float64Array.from(curve.actual), Float64Array.from(curve.expected)];
  return [...results, { step: steps, what: "loss", actual, expected }];
}
