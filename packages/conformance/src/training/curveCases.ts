/** Loss curves: small models trained for some tens of steps lose what PyTorch says they lose. */
import { compile, type Tensor } from "@thalweg/core";
import type { Case } from "../case.ts";
import type { FloatDType } from "../golden/schema.ts";
import { needDTypes } from "../needs.ts";
import { trainingTolerance } from "../tolerances.ts";
import type { TrainingCurve, TrainingCurves } from "./curves.ts";
import { models, startModel, valuesOf } from "./models.ts";
import { makeOptimizer } from "./optimizers.ts";

/** Seed of the batch of a step, as in generate.py. */
const seedOf = (step: number, batches: number): number => 1000 + 10 * (step % batches);

async function checkCurve(curve: TrainingCurve, batches: number, dtype: FloatDType): Promise<void> {
  const { learningRates, options } = curve;
  const model = await startModel(models[curve.model], dtype);
  const optimizer = makeOptimizer(curve.optimizer, model.net.namedParameters(), {
    ...options,
    lr: (step: number) => learningRates[step] as number,
  });
  const step = compile((...batch: Tensor[]) => optimizer.minimize(model.loss(...batch)));
  const allowed = trainingTolerance[dtype];
  const check = (what: string, actual: number, expected: number): void => {
    const error = Math.abs(actual - expected) / Math.max(1, Math.abs(expected));
    if (error <= allowed) return;
    throw new Error(`${what}: got ${actual}, expected ${expected}: off by ${error.toPrecision(3)}, allowed ${allowed}`);
  };
  for (const [t, expected] of curve.losses.entries()) {
    check(`loss of step ${t}`, await step(...model.batch(seedOf(t, batches))).item(), expected);
  }
  const values = valuesOf(model.net);
  for (const { name, element, value } of curve.final) {
    const parameter = values[name];
    if (!parameter) throw new Error(`the model has no ${name}, but ${Object.keys(values).join(", ")}`);
    check(`${name}[${element}] after the last step`, (await parameter.data())[element] as number, value);
  }
}

export const curveCases = ({ curves, batches }: TrainingCurves): Case[] =>
  curves.flatMap((curve) =>
    (["float64", "float32"] as const).map((dtype) => ({
      layer: "training" as const,
      name: `loss curve of ${curve.name} (${dtype})`,
      file: "training/curves.json",
      async run({ backend }) {
        needDTypes(backend, dtype);
        await checkCurve(curve, batches, dtype);
      },
    })),
  );
