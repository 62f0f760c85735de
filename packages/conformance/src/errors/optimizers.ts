/** Optimizers and modules: options out of range, gradients and state dicts that do not fit. Nothing changes on an error. */
import {
  ArgumentError,
  AutodiffError,
  DTypeError,
  grad,
  mul,
  ones,
  Parameter,
  ShapeError,
  sum,
  type Tensor,
  ThalwegError,
  tensor,
  zeros,
} from "@thalweg/core";
import {
  adam,
  adamW,
  type Optimizer,
  type OptimizerStateDict,
  optimizersByName,
  type SavedGroup,
  type SavedParameterState,
  sgd,
} from "@thalweg/core/optim";
import * as nn from "@thalweg/nn";
import type { Case } from "../case.ts";
import { type BadCall, badCall, expectError, expectSame, expectValues } from "./expectError.ts";

const errorCase = (name: string, run: Case["run"]): Case => ({ layer: "errors", name, run });
const one = (): Parameter => new Parameter(tensor([1, 2]), { name: "p" });

/** What every optimizer refuses. */
const common: readonly BadCall[] = Object.entries(optimizersByName).flatMap(([name, make]): BadCall[] => {
  const lr = `${name}: lr must be a finite number ≥ 0, got`;
  return [
    [`${name} with a negative lr`, ArgumentError, `${lr} -0.1`, () => make([one()], { lr: -0.1 })],
    [`${name} with lr NaN`, ArgumentError, `${lr} NaN`, () => make([one()], { lr: Number.NaN })],
    [
      `${name} with an infinite lr`,
      ArgumentError,
      `${lr} Infinity`,
      () => make([one()], { lr: Number.POSITIVE_INFINITY }),
    ],
    [
      `${name} with an option there is not`,
      ArgumentError,
      `${name}: unknown option beta9; expected one of`,
      () => make([one()], { lr: 0.1, beta9: 1 }),
    ],
    [
      `${name} of nothing`,
      ArgumentError,
      `${name}: there is no trainable parameter to update`,
      () => make([], { lr: 0.1 }),
    ],
    [
      `${name} of a parameter twice`,
      ArgumentError,
      `${name}: the same parameter is given twice, as a and as b`,
      () => {
        const parameter = one();
        return make({ a: parameter, b: parameter }, { lr: 0.1 });
      },
    ],
    [
      `${name} of two parameters of one name`,
      ArgumentError,
      `${name}: two parameters are named p`,
      () => make([one(), one()], { lr: 0.1 }),
    ],
    [
      `${name} of integers`,
      DTypeError,
      `${name}: parameter i is int32; only float parameters can be trained`,
      () => make({ i: new Parameter(zeros([2], { dtype: "int32" })) }, { lr: 0.1 }),
    ],
  ];
});

const options: readonly BadCall[] = [
  ["sgd without lr", ArgumentError, "sgd: lr is required", () => sgd([one()], {} as { lr: number })],
  [
    "sgd with a negative momentum",
    ArgumentError,
    "sgd: momentum must be a finite number ≥ 0, got -0.9",
    () => sgd([one()], { lr: 0.1, momentum: -0.9 }),
  ],
  [
    "sgd with weightDecay NaN",
    ArgumentError,
    "sgd: weightDecay must be a finite number ≥ 0, got NaN",
    () => sgd([one()], { lr: 0.1, weightDecay: Number.NaN }),
  ],
  [
    "sgd with nesterov and no momentum",
    ArgumentError,
    "sgd: nesterov wants momentum > 0 and dampening 0",
    () => sgd([one()], { lr: 0.1, nesterov: true }),
  ],
  [
    "adam with a beta of 1",
    ArgumentError,
    "adam: betas[1] must be in [0, 1), got 1",
    () => adam([one()], { betas: [0.9, 1] }),
  ],
  [
    "adam with a negative beta",
    ArgumentError,
    "adam: betas[0] must be in [0, 1), got -0.1",
    () => adam([one()], { betas: [-0.1, 0.9] }),
  ],
  [
    "adam with a beta NaN",
    ArgumentError,
    "adam: betas[0] must be in [0, 1), got NaN",
    () => adam([one()], { betas: [Number.NaN, 0.9] }),
  ],
  [
    "adam with one beta",
    ArgumentError,
    "adam: betas must be a list of 2 numbers, got [0.9]",
    () => adam([one()], { betas: [0.9] as unknown as [number, number] }),
  ],
  [
    "adamW with a negative eps",
    ArgumentError,
    "adamW: eps must be a finite number ≥ 0, got -1e-8",
    () => adamW([one()], { eps: -1e-8 }),
  ],
  [
    "adamW with a negative weightDecay",
    ArgumentError,
    "adamW: weightDecay must be a finite number ≥ 0, got -0.01",
    () => adamW([one()], { weightDecay: -0.01 }),
  ],
  [
    "adamW with transforms that are no functions",
    ArgumentError,
    "adamW: transforms must be a list of functions",
    () => adamW([one()], { transforms: [1] as never }),
  ],
];

/** An optimizer that has made one update, and what to compare it with. */
async function started() {
  const parameters = [one(), new Parameter(ones([3]), { name: "q" })] as const;
  const optimizer = adamW(parameters, { lr: 0.1 }) as Optimizer;
  optimizer.update([tensor([1, -1]), tensor([1, 2, 3])]);
  const saved = await optimizer.stateDict();
  const values = () =>
    [...parameters, ...[...optimizer.state.values()].flatMap((record) => Object.values(record))] as Parameter[];
  const before = await Promise.all(values().map((parameter) => parameter.data()));
  const unchanged = async (): Promise<void> => {
    expectSame("the step count", optimizer.step, 1);
    expectSame("the learning rate", optimizer.lr, 0.1);
    for (const [i, parameter] of values().entries()) {
      await expectValues(parameter.name, parameter, Array.from(before[i] ?? [], Number));
    }
  };
  return { optimizer, parameters, saved, unchanged };
}

type Started = Awaited<ReturnType<typeof started>>;
type BadUse = readonly [
  name: string,
  type: Parameters<typeof expectError>[0],
  message: string,
  use: (given: Started) => unknown,
];

const uses: readonly BadUse[] = [
  [
    "update with too few gradients",
    ArgumentError,
    "adamW: update got 1 gradients for 2 parameters",
    ({ optimizer }) => optimizer.update([ones([2])]),
  ],
  [
    "update with a gradient of another shape",
    ShapeError,
    "adamW: the gradient of q has shape [2], expected [3]",
    ({ optimizer }) => optimizer.update([ones([2]), ones([2])]),
  ],
  [
    "update with a gradient of a parameter it does not train",
    ArgumentError,
    "adamW: update got a gradient for other that it does not train",
    ({ optimizer }) => optimizer.update(new Map([[new Parameter(ones([2]), { name: "other" }), ones([2])]])),
  ],
  [
    "minimize of a loss that is no scalar",
    AutodiffError,
    "expected a scalar loss, got shape [2]",
    ({ optimizer, parameters }) => optimizer.minimize(mul(parameters[0], 2)),
  ],
  [
    "minimize of a loss of nothing it trains",
    AutodiffError,
    "adamW: the loss depends on no parameter of the optimizer",
    ({ optimizer }) => optimizer.minimize(sum(ones([2]))),
  ],
  [
    "minimize of a loss without one parameter, where that is not allowed",
    AutodiffError,
    "adamW: the loss does not depend on parameter q",
    ({ optimizer, parameters }) => optimizer.minimize(sum(parameters[0]), { allowUnused: false }),
  ],
  [
    "assign of another shape",
    ShapeError,
    "assign: expected shape [2], got [3]",
    ({ parameters }) => parameters[0].assign(ones([3])),
  ],
  [
    "assign of another dtype",
    DTypeError,
    "assign: expected float32, got int32",
    ({ parameters }) => parameters[0].assign(ones([2], { dtype: "int32" })),
  ],
  [
    "a negative lr set later",
    ArgumentError,
    "lr must be a finite number ≥ 0, got -1",
    ({ optimizer }) => {
      optimizer.lr = -1;
    },
  ],
];

const useCases = uses.map(([name, type, message, use]) =>
  errorCase(name, async () => {
    const given = await started();
    await expectError(type, message, () => use(given));
    await given.unchanged();
  }),
);

const transformCase = errorCase("a transform that loses a gradient", async () => {
  const parameters = [one(), new Parameter(ones([3]), { name: "q" })] as const;
  const optimizer = sgd(parameters, { lr: 0.1, transforms: [(gradients) => gradients.slice(1)] });
  await expectError(ThalwegError, "sgd: transforms[0] returned 1 gradients, expected 2, one per parameter", () =>
    optimizer.update([ones([2]), ones([3])]),
  );
  expectSame("the step count", optimizer.step, 0);
  await expectValues("the first parameter", parameters[0], [1, 2]);
});

const firstGroup = (saved: OptimizerStateDict): SavedGroup => saved.groups[0] as SavedGroup;
const stateOf = (saved: OptimizerStateDict, name: string): SavedParameterState =>
  saved.state[name] as SavedParameterState;
const withoutState = ({ step, values }: SavedParameterState, name: string): SavedParameterState => ({
  step,
  values: Object.fromEntries(Object.entries(values).filter(([key]) => key !== name)),
});

type BadState = readonly [
  name: string,
  type: Parameters<typeof expectError>[0],
  message: string,
  change: (saved: OptimizerStateDict) => OptimizerStateDict,
];

/** State of an optimizer that does not fit: always in the last parameter, where the first might have been loaded already. */
const badStates: readonly BadState[] = [
  [
    "of another optimizer",
    ArgumentError,
    "state of adam cannot be loaded into adamW",
    (saved) => ({ ...saved, optimizer: "adam" }),
  ],
  [
    "with a negative step",
    ArgumentError,
    "step must be a whole number ≥ 0, got -1",
    (saved) => ({ ...saved, step: -1 }),
  ],
  [
    "of other groups",
    ArgumentError,
    "the groups are",
    (saved) => ({ ...saved, groups: [...saved.groups, firstGroup(saved)] }),
  ],
  [
    "with an option there is not",
    ArgumentError,
    "has an unknown option warp",
    (saved) => ({ ...saved, groups: [{ ...firstGroup(saved), lr: 0.5, options: { warp: 9 } }] }),
  ],
  [
    "with a beta of 1",
    ArgumentError,
    "betas[0] must be in [0, 1), got 1",
    (saved) => ({ ...saved, groups: [{ ...firstGroup(saved), lr: 0.5, options: { betas: [1, 0.9] } }] }),
  ],
  [
    "of a parameter there is not",
    ArgumentError,
    "there is no parameter named r",
    (saved) => ({ ...saved, step: 7, state: { ...saved.state, r: stateOf(saved, "p") } }),
  ],
  [
    "without a moment",
    ArgumentError,
    "q has no expAvgSq",
    (saved) => ({
      ...saved,
      step: 7,
      state: { p: { ...stateOf(saved, "p"), step: 5 }, q: withoutState(stateOf(saved, "q"), "expAvgSq") },
    }),
  ],
  [
    "that is wrong in three ways",
    ArgumentError,
    "3 problems:\n- there is no parameter named r\n- p has no expAvg\n- q has no expAvgSq",
    (saved) => ({
      ...saved,
      step: 7,
      state: {
        p: withoutState(stateOf(saved, "p"), "expAvg"),
        q: withoutState(stateOf(saved, "q"), "expAvgSq"),
        r: stateOf(saved, "p"),
      },
    }),
  ],
  [
    "of another shape",
    ArgumentError,
    "2 problems:\n- q.expAvg has shape [3], got [2]\n- q.expAvgSq has shape [3], got [2]",
    (saved) => ({ ...saved, step: 7, state: { p: { ...stateOf(saved, "p"), step: 5 }, q: stateOf(saved, "p") } }),
  ],
];

const stateCases = badStates.map(([name, type, message, change]) =>
  errorCase(`optimizer state ${name}`, async () => {
    const { optimizer, saved, unchanged } = await started();
    await expectError(type, message, () => optimizer.loadStateDict(change(saved)));
    await unchanged();
  }),
);

const moduleCases: readonly Case[] = [
  errorCase("module state with names missing and unknown lists them all and changes nothing", async () => {
    const model = nn.sequential(nn.linear(2, 2), nn.linear(2, 1));
    const names = Object.keys(model.namedParameters());
    const [first, second, ...rest] = names as [string, string, ...string[]];
    const before = await model.stateDict();
    const values = Object.values(before)[0];
    if (!values) throw new Error("a model of two layers has no state");
    const kept = Object.fromEntries(rest.map((name) => [name, before[name] as typeof values]));
    const parameters = model.parameters();
    const data = await Promise.all(parameters.map((parameter) => parameter.data()));
    await expectError(ArgumentError, `missing ${first}, ${second}; unknown extra, more`, () =>
      model.loadStateDict({ ...kept, extra: values, more: values }),
    );
    for (const [i, parameter] of parameters.entries()) {
      await expectValues(parameter.name, parameter, Array.from(data[i] ?? [], Number));
    }
  }),
  errorCase("module state of another shape changes nothing", async () => {
    const model = nn.linear(2, 2);
    const before = await model.stateDict();
    const [weight, bias] = [before.weight, before.bias];
    if (!weight || !bias) throw new Error("a linear layer has no weight or no bias");
    await expectError(ShapeError, "bias has shape [2], got [2, 2]", () =>
      model.loadStateDict({ weight: { ...weight, data: Array.from(weight.data, () => 9) }, bias: weight }),
    );
    await expectValues("the weight", model.weight, Array.from(weight.data, Number));
  }),
];

const differentiation: readonly BadCall[] = [
  [
    "gradient of a loss that is no scalar",
    AutodiffError,
    "expected a scalar loss, got shape [2]",
    () => {
      const x = one();
      return grad(mul(x, 2), x);
    },
  ],
  [
    "gradient by what the loss does not depend on",
    AutodiffError,
    "the result does not depend on",
    () => grad(sum(one()), one()),
  ],
  [
    "gradient by integers",
    AutodiffError,
    "is not differentiable; expected a floating-point dtype",
    () => {
      const x = zeros([2], { dtype: "int32" });
      return grad(sum(mul(x, 1.5)), x);
    },
  ],
  [
    "gradient of a number",
    AutodiffError,
    "expected the loss as a tensor, got 3",
    () => grad(3 as unknown as Tensor, one()),
  ],
];

export const optimizerErrors: readonly Case[] = [
  ...[...common, ...options, ...differentiation].map(badCall),
  ...useCases,
  transformCase,
  ...stateCases,
  ...moduleCases,
];
