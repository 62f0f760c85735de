/** What state in fewer bits costs in accuracy, measured against float32 on a problem of some size. */
import {
  compile,
  manualSeed,
  matmul,
  mseLoss,
  Parameter,
  randn,
  type Tensor,
  tanh,
  useBackend,
  zeros,
} from "@thalweg/core";
import { type Backend, referenceBackend } from "@thalweg/core/backend";
import {
  adaBelief,
  adam,
  adamW,
  lion,
  type Optimizer,
  optimizersByName,
  type StateDType,
  yogi,
} from "@thalweg/core/optim";
import { describe, expect, it } from "vitest";
import { cpu } from "./index.ts";

const values = (x: Tensor): number[] => Array.from(x.dataSync());
const [width, batch, steps] = [64, 64, 150];

type Make = (parameters: Record<string, Parameter>, stateDtype?: StateDType) => Optimizer<never>;

/** A student that learns what a teacher of its own shape does, on one batch; from the same start every time. */
async function train(make: Make, stateDtype?: StateDType) {
  useBackend(await cpu());
  manualSeed(3);
  const weight = (deviation: number) => randn([width, width]).mul(deviation / Math.sqrt(width));
  const inputs = new Parameter(randn([batch, width]), { trainable: false });
  const targets = new Parameter(matmul(tanh(matmul(inputs, weight(1))), weight(1)), { trainable: false });
  const first = new Parameter(weight(0.5));
  const second = new Parameter(weight(0.5));
  const bias = new Parameter(zeros([width]));
  for (const value of [inputs, targets, first, second, bias]) value.storage;
  const start = values(first);
  const made = make({ first, second, bias }, stateDtype);
  const step = compile(() => made.minimize(mseLoss(matmul(tanh(matmul(inputs, first)), second).add(bias), targets)));
  const losses = Array.from({ length: steps }, () => step().itemSync());
  return { losses, start, weights: values(first) };
}

/** Euclidean distance of two places over the length of the way to the second. */
function offCourse(a: readonly number[], b: readonly number[], start: readonly number[]): number {
  const norm = (x: readonly number[], y: readonly number[]) =>
    Math.sqrt(x.reduce((sum, value, i) => sum + (value - (y[i] as number)) ** 2, 0));
  return norm(a, b) / norm(b, start);
}

const makers: Record<string, Make> = {
  adamW: (parameters, stateDtype) => adamW(parameters, { lr: 0.003, stateDtype }) as never,
  "adam with amsgrad": (parameters, stateDtype) => adam(parameters, { lr: 0.003, amsgrad: true, stateDtype }) as never,
  adaBelief: (parameters, stateDtype) => adaBelief(parameters, { lr: 0.003, stateDtype }) as never,
  yogi: (parameters, stateDtype) => yogi(parameters, { lr: 0.003, stateDtype }) as never,
  lion: (parameters, stateDtype) => lion(parameters, { lr: 0.0005, stateDtype }) as never,
};

describe.each(Object.keys(makers))("%s", (name) => {
  const make = makers[name] as Make;

  it.each([
    ["bfloat16", 0.005, 0.02],
    ["blockwise8bit", 0.06, 0.2],
  ] as const)("with moments in %s learns what it learns with float32", async (stateDtype, lossBound, wayBound) => {
    const exact = await train(make);
    const low = await train(make, stateDtype);
    const last = exact.losses.at(-1) as number;
    const difference = (low.losses.at(-1) as number) / last - 1;
    const off = offCourse(low.weights, exact.weights, exact.start);
    expect(last).toBeLessThan((exact.losses[0] as number) / 4);
    expect(Math.abs(difference)).toBeLessThan(lossBound);
    // Not by having stayed exact.
    expect(off).toBeGreaterThan(0);
    expect(off).toBeLessThan(wayBound);
  });
});

describe.each(["bfloat16", "blockwise8bit"] as const)("moments in %s", (stateDtype) => {
  // Those of roots of matrices take too long over one of this size.
  const names = Object.keys(optimizersByName).filter((name) => name !== "shampoo" && name !== "soap");
  it.each(names)("stay finite with %s", async (name) => {
    useBackend(await cpu());
    manualSeed(4);
    const p = new Parameter(randn([64, 65]));
    const target = randn([64, 65]);
    const lr = optimizersByName[name]?.rules.torch?.lr === undefined ? { lr: 0.01 } : {};
    const made = optimizersByName[name]?.({ p }, { ...lr, stateDtype }) as Optimizer;
    const step = compile(() => made.minimize(mseLoss(p, target)));
    const losses = Array.from({ length: 12 }, () => step().itemSync());
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)).toBeLessThan(1.05 * (losses[0] as number));
  });
});

it("rounds as the reference does, several parameters in one kernel", async () => {
  const run = (backend: Backend) => {
    useBackend(backend);
    manualSeed(6);
    const parameters = [[7, 9], [130], [1]].map((shape) => new Parameter(randn(shape)));
    const gradients = parameters.map(({ shape }) => new Parameter(randn(shape)));
    for (const value of [...parameters, ...gradients]) value.storage;
    const made = adamW(parameters, { stateDtype: "bfloat16" });
    const step = compile(() => made.update(gradients));
    for (let i = 0; i < 5; i++) step();
    const { kernels } = step.program();
    expect(kernels.map((kernel) => (kernel.kind === "loop" ? kernel.segments.length : 0))).toEqual([3]);
    return [...made.state.values()].flatMap(({ expAvg, expAvgSq }) =>
      [expAvg, expAvgSq].flatMap((x) => values(x as Tensor)),
    );
  };
  const [expected, got] = [run(referenceBackend({ rounding: true })), run(await cpu())];
  // Arithmetic may differ in the last bit of float32, which turns one rounding in tens of thousands.
  const differing = got.filter((value, i) => value !== expected[i]).length;
  expect(differing).toBeLessThanOrEqual(2);
});
