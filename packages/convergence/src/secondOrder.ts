/** What lbfgs does on the deterministic problems: its steps are asynchronous, and it takes few of them. */
import { crossEntropy, manualSeed, Parameter, tensor } from "@thalweg/core";
import { lbfgs } from "@thalweg/core/optim";
import { flatten, linear, sequential } from "@thalweg/nn";
import { accuracy, datasetSize, Loader } from "@thalweg/train";
import type { ImageData } from "./classification.ts";
import type { Outcome } from "./outcome.ts";
import { valley } from "./rosenbrock.ts";

const options = { lineSearchFn: "strong_wolfe" } as const;
const rule = "lbfgs";

/** Rosenbrock's valley, in one step of up to 50 iterations. */
export async function lbfgsOnRosenbrock(): Promise<Outcome> {
  const p = new Parameter(tensor([-1.2, 1], { dtype: "float64" }), { name: "p" });
  const optimizer = lbfgs([p], { ...options, maxIter: 50 });
  await optimizer.minimize(() => valley(p));
  const result = await valley(p).item();
  return {
    rule,
    rate: { lr: 1, ...options },
    problem: `Rosenbrock, ${optimizer.iterations} iterations`,
    result,
    target: "f ≤ 1e-8",
    pass: result <= 1e-8,
  };
}

/** Logistic regression on all images at once: iterations must see the same loss. */
export async function lbfgsOnImages(data: ImageData, target: number): Promise<Outcome> {
  manualSeed(0);
  const count = datasetSize(data.train);
  const model = sequential(flatten(), linear(data.train.height * data.train.width, data.train.classes));
  const optimizer = lbfgs(model.parameters(), { ...options, maxIter: 20 });
  for await (const { images, labels } of new Loader(data.train, { batchSize: count })) {
    await optimizer.minimize((x, y) => crossEntropy(model(x), y), images, labels);
  }
  const result = await accuracy(model, data.validation);
  return {
    rule,
    rate: { lr: 1, ...options },
    problem: `logistic regression on ${data.source}, ${count} images at once, ${optimizer.iterations} iterations`,
    result,
    target: `accuracy ≥ ${target}`,
    pass: result >= target,
  };
}
