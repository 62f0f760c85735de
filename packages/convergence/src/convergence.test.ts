import { useBackend } from "@thalweg/core";
import { optimizers, wrappers } from "@thalweg/core/optim";
import { cpu } from "@thalweg/cpu-js";
import { beforeAll, describe, expect, it } from "vitest";
import { adagradBeatsSgd, momentumBeatsSgd } from "./claims.ts";
import { generateImages, logistic } from "./classification.ts";
import { type Entrant, entrants } from "./entrants.ts";
import { outcomeOf } from "./outcome.ts";
import { generateQuadraticDeep, lossAtCentre, quadraticDeep, testLosses } from "./quadraticDeep.ts";
import { rosenbrock } from "./rosenbrock.ts";
import { lbfgsOnRosenbrock } from "./secondOrder.ts";
import { generateSparse } from "./sparseFeatures.ts";

beforeAll(async () => {
  useBackend(await cpu());
});

const named = (name: string): Entrant => entrants().find((entrant) => entrant.name === name) as Entrant;

it("has a line of rates for every optimizer and wrapper", () => {
  expect(entrants().map(({ name }) => name)).toEqual([
    ...Object.keys(optimizers),
    ...Object.keys(wrappers).map((name) => `${name}(sgd)`),
  ]);
});

it("every rule finds the minimum of Rosenbrock's valley", async () => {
  const problem = rosenbrock(10_000);
  const missed: string[] = [];
  for (const entrant of entrants()) {
    const { rule, result, pass } = await outcomeOf(problem, entrant);
    if (!pass) missed.push(`${rule}: ${result}`);
  }
  expect(missed).toEqual([]);
});

it("lbfgs finds it in tens of iterations", async () => {
  expect(await lbfgsOnRosenbrock()).toMatchObject({ rule: "lbfgs", pass: true });
});

describe("quadratic_deep", () => {
  it("is generated as it is defined", async () => {
    const { hessian, train, test } = await generateQuadraticDeep(5);
    let trace = 0;
    let asymmetry = 0;
    for (let i = 0; i < 100; i++) {
      trace += hessian[101 * i] as number;
      for (let j = 0; j < i; j++) {
        asymmetry = Math.max(asymmetry, Math.abs((hessian[100 * i + j] as number) - (hessian[100 * j + i] as number)));
      }
    }
    // The sum of the eigenvalues: 90 of mean 0.5 and 10 of mean 45.
    expect(trace).toBeGreaterThan(440);
    expect(trace).toBeLessThan(550);
    expect(asymmetry).toBeLessThan(1e-9);
    const deviation = (values: Float32Array): number =>
      Math.sqrt(values.reduce((total, value) => total + value ** 2, 0) / values.length);
    expect(deviation(train)).toBeCloseTo(0.6, 2);
    expect(deviation(test)).toBeCloseTo(0.6, 2);
  });

  it("SGD comes to what noise alone leaves, and starts where the definition says", async () => {
    const data = await generateQuadraticDeep(0);
    const floor = lossAtCentre(data);
    // Half the trace times the variance, in expectation.
    const trace = Array.from({ length: 100 }, (_, i) => data.hessian[101 * i] as number).reduce((a, b) => a + b, 0);
    expect(floor / (0.5 * 0.36 * trace)).toBeCloseTo(1, 1);
    const losses = await testLosses(data, named("sgd").make({ lr: 0.0158, constant: true }), 8, 1);
    expect(losses.length).toBe(9);
    expect(losses[0]).toBeGreaterThan(2.5 * floor);
    expect(losses[1]).toBeLessThan(1.4 * floor);
    const problem = quadraticDeep(data, "generated", 20);
    expect(await outcomeOf(problem, named("adam"))).toMatchObject({
      pass: true,
    });
  });
});

it("logistic regression on digits: some rules of every family", async () => {
  const problem = logistic(generateImages(1000, 250), 2, 0.75);
  for (const name of ["sgd", "adamW", "lion", "adafactor", "muon", "lookahead(sgd)"]) {
    expect(await outcomeOf(problem, named(name))).toMatchObject({ rule: name, pass: true });
  }
});

describe("the textbook's claims", () => {
  it("momentum beats plain SGD on an ill-conditioned quadratic", async () => {
    expect(await momentumBeatsSgd()).toMatchObject({ holds: true });
  });
  it("Adagrad beats SGD on sparse features", async () => {
    expect(await adagradBeatsSgd(await generateSparse(1000, 200))).toMatchObject({ holds: true });
  });
});
