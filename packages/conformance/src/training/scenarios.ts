/**
 * Training as people do it, written once over a `wrap` that compiles a step or leaves it as it is: what a replayed step
 * gives must not depend on which.
 */
import { add, grad, mul, Parameter, type Tensor, zerosLike } from "@thalweg/core";
import type { Optimizer } from "@thalweg/core/optim";
import { type ModelName, models, type SmallModel, startModel, valuesOf } from "./models.ts";
import { makeOptimizer, type OptimizerSettings, optimizerVariants } from "./optimizers.ts";
import { expectSameBits, type Recording, record } from "./recording.ts";

/** `compile`, or something that computes the same without it. */
export type Wrap = <Args extends unknown[], Result>(fn: (...args: Args) => Result) => (...args: Args) => Result;

export interface Scenario {
  readonly name: string;
  /** Times that its functions are traced in all. Undefined: not counted. */
  readonly traces?: number;
  /** Without compiling, a step is several Programs and not one. */
  readonly severalPrograms?: boolean;
  /** Rounding decides between results that are equally right: other backends' values say nothing. */
  readonly undetermined?: boolean;
  run(wrap: Wrap): Promise<Recording>;
}

/** Falls from step to step: a rate that is not brought up to date shows. */
const falling = (step: number): number => 0.05 * 0.8 ** step;

const start = (name: ModelName, offset = 0): Promise<SmallModel> => startModel(models[name], "float32", offset);

/** Everything training changes: the model, and the optimizer's state. */
async function recordAll(losses: readonly Tensor[], model: SmallModel, ...optimizers: Optimizer<object>[]) {
  const state = optimizers.flatMap((optimizer) =>
    [...optimizer.state].flatMap(([name, states]) =>
      Object.entries(states).map(([key, value]) => [`${optimizer.name} ${name}.${key}`, value] as const),
    ),
  );
  const named = losses.map((loss, t) => [`loss of step ${t}`, loss] as const);
  return record({ ...Object.fromEntries(named), ...valuesOf(model.net), ...Object.fromEntries(state) });
}

/** A step that trains `model` on a batch and gives the loss. */
const stepOf = (wrap: Wrap, model: SmallModel, optimizer: Optimizer<object>) =>
  wrap((...batch: Tensor[]) => optimizer.minimize(model.loss(...batch)));

const plainTraining = (
  name: string,
  model: ModelName,
  optimizerName: string,
  options: OptimizerSettings,
  others: Pick<Scenario, "severalPrograms" | "traces" | "undetermined"> = {},
): Scenario => ({
  name,
  traces: 1,
  ...others,
  async run(wrap) {
    const trained = await start(model);
    const optimizer = makeOptimizer(optimizerName, trained.net.namedParameters(), { lr: falling, ...options });
    const step = stepOf(wrap, trained, optimizer);
    // No loss is read before the last step has run.
    const losses = [0, 1, 2, 3].map((t) => step(...trained.batch(10 * t)));
    return recordAll(losses, trained, optimizer);
  },
});

const eachModel: Scenario[] = (Object.keys(models) as ModelName[]).map((model) =>
  // The running statistics are Programs of their own.
  plainTraining(
    `of ${model}`,
    model,
    "adamW",
    { weightDecay: 0.1 },
    model === "batchNorm" ? { severalPrograms: true } : {},
  ),
);

const eachOptimizer: Scenario[] = optimizerVariants.map(([name, variant, options]) =>
  plainTraining(
    `with ${name} (${variant})`,
    "mlp",
    name,
    options,
    // Its first update is another Program than those after; where eigenvalues are equal, any basis is right.
    name === "soap" ? { traces: 2, undetermined: true } : {},
  ),
);

const ratesSet: Scenario = {
  name: "with a rate that is set between steps",
  traces: 1,
  async run(wrap) {
    const model = await start("mlp");
    const optimizer = makeOptimizer("adam", model.net.namedParameters(), { lr: 0.01 });
    const step = stepOf(wrap, model, optimizer);
    const losses: Tensor[] = [];
    for (const [t, lr] of [0.01, 0.05, 0, 0.02, falling].entries()) {
      optimizer.lr = lr as number;
      losses.push(step(...model.batch(t)));
    }
    return recordAll(losses, model, optimizer);
  },
};

const batchSizes: Scenario = {
  name: "with batches of several sizes",
  traces: 3,
  async run(wrap) {
    const model = await start("mlp");
    const optimizer = makeOptimizer("adam", model.net.namedParameters(), { lr: falling });
    const step = stepOf(wrap, model, optimizer);
    const losses = [4, 7, 4, 1, 7].map((size, t) => step(...model.batch(t, size)));
    return recordAll(losses, model, optimizer);
  },
};

const groups: Scenario = {
  name: "with groups of different options",
  traces: 1,
  async run(wrap) {
    const model = await start("mlp");
    const named = Object.entries(model.net.namedParameters());
    const pick = (from: number, to: number) => Object.fromEntries(named.slice(from, to));
    const optimizer = makeOptimizer(
      "adamW",
      [
        { name: "first", parameters: pick(0, 2), lr: falling },
        { name: "second", parameters: pick(2, 4), lr: 0.03, weightDecay: 0.3 },
        { name: "up", parameters: pick(4, 6), maximize: true },
      ],
      { lr: 0.01 },
    );
    const step = stepOf(wrap, model, optimizer);
    const losses: Tensor[] = [];
    for (let t = 0; t < 4; t++) {
      if (t === 2) (optimizer.groups[1] as { lr: number }).lr = 0.002;
      losses.push(step(...model.batch(t)));
    }
    return recordAll(losses, model, optimizer);
  },
};

const missingGradients: Scenario = {
  name: "with gradients that are missing at times",
  async run(wrap) {
    const model = await start("mlp");
    const parameters = Object.values(model.net.namedParameters());
    const optimizer = makeOptimizer("adam", model.net.namedParameters(), { lr: falling });
    const step = wrap((some: readonly number[], ...batch: Tensor[]) => {
      const loss = model.loss(...batch);
      const gradients = grad(
        loss,
        some.map((i) => parameters[i] as Parameter),
      );
      optimizer.update(new Map(some.map((i, at) => [parameters[i] as Parameter, gradients[at] as Tensor])));
    });
    for (const [t, some] of [
      [0, 1, 2],
      [0, 4],
      [0, 1, 2],
      [3, 4, 5],
      [0, 1, 2, 3, 4, 5],
    ].entries()) {
      step(some, ...model.batch(t));
    }
    return recordAll([], model, optimizer);
  },
};

const savedMidway: Scenario = {
  name: "saved midway and continued in another model and optimizer",
  async run(wrap) {
    const [first, second] = [await start("mlp"), await start("mlp", 50)];
    const optimizerOf = (model: SmallModel, beta: number) =>
      makeOptimizer("adamW", model.net.namedParameters(), { lr: falling, betas: [beta, 0.99], amsgrad: true });
    const [one, two] = [optimizerOf(first, 0.8), optimizerOf(second, 0.6)];
    const steps = [stepOf(wrap, first, one), stepOf(wrap, second, two)] as const;
    const losses = [0, 1, 2].map((t) => steps[0](...first.batch(t)));
    // The second has been trained, too, and has state and a step of its own.
    for (const t of [7, 8]) steps[1](...second.batch(t));
    await second.net.loadStateDict(await first.net.stateDict());
    await two.loadStateDict(await one.stateDict());
    const continued: Tensor[] = [];
    for (const t of [3, 4, 5]) {
      losses.push(steps[0](...first.batch(t)));
      continued.push(steps[1](...second.batch(t)));
    }
    const kept = await recordAll(losses.slice(3), first, one);
    expectSameBits(await recordAll(continued, second, two), kept, ["in what was restored", "in what was saved"]);
    return kept;
  },
};

const evaluatedBetween = (model: "batchNorm" | "dropout"): Scenario => ({
  name: `of ${model}, evaluated between steps`,
  severalPrograms: model === "batchNorm",
  async run(wrap) {
    const trained = await start(model);
    const optimizer = makeOptimizer("sgd", trained.net.namedParameters(), { lr: falling, momentum: 0.9 });
    const step = stepOf(wrap, trained, optimizer);
    const predict = wrap((x: Tensor) => trained.predict(x));
    const results: Tensor[] = [];
    for (let t = 0; t < 3; t++) {
      results.push(step(...trained.batch(t)));
      trained.net.eval();
      const prediction = predict(trained.batch(50)[0] as Tensor);
      // Read before the parameters change, as it must be where nothing is compiled.
      await prediction.data();
      results.push(prediction);
      trained.net.train();
    }
    return recordAll(results, trained, optimizer);
  },
});

const accumulated: Scenario = {
  name: "with gradients added up over three batches",
  traces: 2,
  severalPrograms: true,
  async run(wrap) {
    const model = await start("mlp");
    const parameters = Object.values(model.net.namedParameters());
    const sums = parameters.map((p) => new Parameter(zerosLike(p), { name: `${p.name}.sum`, trainable: false }));
    const optimizer = makeOptimizer("adam", model.net.namedParameters(), { lr: falling });
    const accumulate = wrap((...batch: Tensor[]) => {
      const gradients = grad(model.loss(...batch), parameters);
      for (const [i, sum] of sums.entries()) sum.assign(add(sum, gradients[i] as Tensor));
    });
    const apply = wrap(() => {
      optimizer.update(sums.map((sum) => mul(sum, 1 / 3)));
      for (const sum of sums) sum.assign(zerosLike(sum));
    });
    for (let t = 0; t < 6; t++) {
      accumulate(...model.batch(t));
      if (t % 3 === 2) apply();
    }
    return recordAll([], model, optimizer);
  },
};

const twiceInOne: Scenario = {
  name: "with two updates in one step, by two optimizers",
  traces: 1,
  severalPrograms: true,
  async run(wrap) {
    const model = await start("mlp");
    const [first, ...rest] = Object.entries(model.net.namedParameters());
    const one = makeOptimizer("sgd", Object.fromEntries([first as [string, Parameter]]), {
      lr: falling,
      momentum: 0.5,
    });
    const two = makeOptimizer("adam", Object.fromEntries(rest), { lr: falling });
    const step = wrap((x: Tensor, y: Tensor) => {
      const before = one.minimize(model.loss(x, y));
      // Its loss is that of the parameters the first has left.
      return [before, two.minimize(model.loss(x, y))];
    });
    const losses = [0, 1, 2].flatMap((t) => step(...(model.batch(t) as [Tensor, Tensor])));
    return recordAll(losses, model, one, two);
  },
};

const readAlong: Scenario = {
  name: "with everything read after every step",
  traces: 1,
  async run(wrap) {
    const model = await start("mlp");
    const optimizer = makeOptimizer("adam", model.net.namedParameters(), { lr: falling });
    const step = stepOf(wrap, model, optimizer);
    const recordings: Recording[] = [];
    for (let t = 0; t < 3; t++) recordings.push(await recordAll([step(...model.batch(t))], model, optimizer));
    return recordings.flatMap((recording, t) =>
      recording.map(({ name, values }) => ({ name: `${name} after update ${t + 1}`, values })),
    );
  },
};

const transformed: Scenario = {
  name: "with gradients that are transformed",
  traces: 1,
  async run(wrap) {
    const model = await start("mlp");
    const optimizer = makeOptimizer("sgd", model.net.namedParameters(), {
      lr: falling,
      transforms: [(gradients: readonly Tensor[]) => gradients.map((gradient, i) => mul(gradient, 1 / (i + 1)))],
    });
    const step = stepOf(wrap, model, optimizer);
    const losses = [0, 1, 2].map((t) => step(...model.batch(t)));
    return recordAll(losses, model, optimizer);
  },
};

const reconfigured: Scenario = {
  name: "with options that are changed between steps",
  traces: 2,
  async run(wrap) {
    const model = await start("mlp");
    const optimizer = makeOptimizer("adam", model.net.namedParameters(), { lr: 0.01 });
    const step = stepOf(wrap, model, optimizer);
    const losses: Tensor[] = [];
    for (let t = 0; t < 4; t++) {
      if (t === 2) optimizer.groups[0]?.configure({ betas: [0.5, 0.9], weightDecay: 0.1 } as object);
      losses.push(step(...model.batch(t)));
    }
    return recordAll(losses, model, optimizer);
  },
};

export const scenarios: readonly Scenario[] = [
  ...eachModel,
  ...eachOptimizer,
  ratesSet,
  batchSizes,
  groups,
  missingGradients,
  savedMidway,
  evaluatedBetween("batchNorm"),
  evaluatedBetween("dropout"),
  accumulated,
  twiceInOne,
  readAlong,
  transformed,
  reconfigured,
];
