/** What holds for all rules alike: schedules in place of numbers, 16-bit and odd shapes, one kernel per group. */
import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { cast, compile, explain, Parameter, type Shape, tensor, useBackend } from "../index.ts";
import { type AnyNamedOptimizer, type Convention, optimizersByName } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

type Options = Readonly<Record<string, unknown>>;

const elementWise: readonly (readonly [string, Options])[] = [
  ["adadelta", {}],
  ["adadelta", { weightDecay: 0.1 }],
  ["adadelta", { convention: "keras", weightDecay: 0.1 }],
  ["adadelta", { convention: "optax" }],
  ["adagrad", { lrDecay: 0.5, weightDecay: 0.1, initialAccumulatorValue: 0.25 }],
  ["adagrad", { convention: "keras", weightDecay: 0.1 }],
  ["adagrad", { convention: "optax" }],
  ["adamax", { weightDecay: 0.1 }],
  ["adamax", { convention: "keras", weightDecay: 0.1 }],
  ["asgd", { t0: 1, lambd: 0.1, weightDecay: 0.1 }],
  ["rmsprop", { centered: true, momentum: 0.5, weightDecay: 0.1 }],
  ["rmsprop", { convention: "keras", centered: true, momentum: 0.5, weightDecay: 0.1 }],
  ["rmsprop", { convention: "optax", momentum: 0.5, nesterov: true, biasCorrection: true, initialScale: 1 }],
  ["rprop", { etas: [0.25, 1.5] }],
  ["sgd", { momentum: 0.5, dampening: 0.25, weightDecay: 0.1 }],
  ["sgd", { convention: "keras", momentum: 0.5, nesterov: true, weightDecay: 0.1 }],
  ["sgd", { convention: "optax", momentum: 0.5, nesterov: true }],
  ["signSgd", { weightDecay: 0.1 }],
  ["signum", { weightDecay: 0.1, decoupledWeightDecay: true }],
  ["adam", { amsgrad: true, weightDecay: 0.1 }],
  ["adam", { convention: "keras", amsgrad: true, weightDecay: 0.1 }],
  ["adam", { convention: "optax", amsgrad: true, epsRoot: 0.1 }],
  ["adam", { convention: "optax", nesterov: true }],
  ["adamW", {}],
  ["adamW", { convention: "keras" }],
  ["adamW", { convention: "optax" }],
  ["nadam", { weightDecay: 0.1, momentumDecay: 0.1 }],
  ["nadam", { convention: "keras", weightDecay: 0.1 }],
  ["nadam", { convention: "optax" }],
  ["radam", { betas: [0.5, 0.9], weightDecay: 0.1 }],
  ["radam", { convention: "optax", betas: [0.5, 0.75], threshold: 4.5 }],
  ["adaBelief", { weightDecay: 0.1, eps: 1e-3 }],
  ["adaBelief", { rectify: false, amsgrad: true, eps: 1e-3 }],
  ["adaBelief", { convention: "optax", weightDecay: 0.1, eps: 1e-3 }],
  ["yogi", { weightDecay: 0.1 }],
  ["lion", { weightDecay: 0.1 }],
  ["adan", { weightDecay: 0.1 }],
  ["adEMAMix", { alphaWarmup: 2, beta3Warmup: 2, weightDecay: 0.1 }],
  ["grams", { weightDecay: 0.1 }],
  ["sophiaG", {}],
];

const tensorWise: readonly (readonly [string, Options])[] = [
  ["adafactor", { weightDecay: 0.1, eps: [1e-3, 1e-2] }],
  ["adafactor", {}],
  ["adafactor", { convention: "keras", weightDecay: 0.1, d: 0.5 }],
  ["adafactor", { convention: "optax", momentum: 0.5, weightDecayRate: 0.1, clippingThreshold: 0.5 }],
  ["lamb", { maxGradNorm: 0.5, caution: true }],
  ["lamb", { weightDecay: 0, alwaysAdapt: true, decoupledDecay: true, gradAveraging: false }],
  ["lamb", { convention: "keras", weightDecay: 0.1 }],
  ["lamb", { convention: "optax", weightDecay: 0.1, epsRoot: 1e-3 }],
  ["lars", { weightDecay: 0.1, momentum: 0.5, dampening: 0.25 }],
  ["lars", {}],
  ["lars", { convention: "optax", weightDecay: 0.1, nesterov: true }],
  ["sm3", {}],
  ["sm3", { beta: 0.5, momentum: 0.5 }],
  ["novoGrad", { weightDecay: 0.1, amsgrad: true }],
  ["adan", { maxGradNorm: 0.5 }],
  ["mars", { weightDecay: 0.1, amsgrad: true }],
  ["mars", { marsType: "mars-lion", optimize1d: true }],
  ["mars", { marsType: "mars-shampoo", weightDecay: 0.1 }],
  ["cautiousAdamW", { correctedWeightDecay: true, amsgrad: true }],
  ["cautiousLion", { weightDecay: 0.1 }],
  ["adamMini", { weightDecay: 0.1 }],
  ["prodigy", { weightDecay: 0.1, useBiasCorrection: true, d0: 0.01 }],
  ["prodigy", { sliceP: 2, decouple: false, weightDecay: 0.1, growthRate: 1.5, beta3: 0.5 }],
  ["dAdaptAdam", { weightDecay: 0.1, useBiasCorrection: true, growthRate: 1.5 }],
  ["dAdaptAdam", { weightDecay: 0.1, decouple: true, layerScale: 2, d0: 0.01 }],
];

const title = (name: string, options: Options): string => `${name} ${JSON.stringify(options)}`;
const make = (name: string): AnyNamedOptimizer => optimizersByName[name] as AnyNamedOptimizer;

/** Options that say how state is laid out or where it starts, once and for all. */
const structural: ReadonlySet<string> = new Set(["d0", "dim", "minDimSizeToFactor", "nHeads", "sliceP"]);

const shapes: readonly Shape[] = [[2, 3], [4], [], [2, 1, 3, 2], [1, 1]];

const parametersOf = (dtype: "float32" | "float64" | "bfloat16") =>
  shapes.map((shape, i) => {
    const values = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, j) => Math.sin(i + 2 * j + 1));
    return new Parameter(cast(tensor(values, { shape, dtype: "float64" }), dtype), { name: `p${i}` });
  });

const gradientsOf = (step: number) =>
  shapes.map((shape, i) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return tensor(
      Float64Array.from({ length: size }, (_, j) => Math.cos(3 * step + i - j)),
      { shape, dtype: "float64" },
    );
  });

/** All values after four updates, the second without a gradient for the first parameter. */
function trajectory(name: string, options: Options): number[] {
  const parameters = parametersOf("float64");
  const optimizer = make(name)(parameters, { lr: 0.125, ...options });
  for (let step = 0; step < 4; step++) {
    optimizer.update(gradientsOf(step).map((gradient, i) => (step === 1 && i === 0 ? null : gradient)));
  }
  return parameters.flatMap((parameter) => Array.from(parameter.dataSync()));
}

const scheduled = (value: unknown): unknown =>
  typeof value === "number" ? () => value : Array.isArray(value) ? value.map(scheduled) : value;

describe.each([...elementWise, ...tensorWise].map(([name, options]) => [title(name, options), name, options] as const))(
  "%s",
  (_, name, options) => {
    it("takes a schedule for every number", () => {
      const rule = make(name).rules[(options.convention ?? "torch") as Convention];
      const all: Options = { ...rule?.defaults, lr: 0.125, ...options };
      const schedules = Object.fromEntries(
        Object.entries(all).map(([key, value]) => [key, structural.has(key) ? value : scheduled(value)]),
      );
      const values = trajectory(name, schedules);
      for (const [i, expected] of trajectory(name, options).entries()) expect(values[i]).toBeCloseTo(expected, 12);
    });

    it("moves 16-bit parameters, and stays finite on zeros", () => {
      const parameters = parametersOf("bfloat16");
      const optimizer = make(name)(parameters, { lr: 0.125, ...options });
      optimizer.update(parameters.map((parameter) => tensor(0, { dtype: "float32" }).expand(parameter.shape)));
      optimizer.update(gradientsOf(0));
      for (const parameter of parameters) {
        expect(parameter.dtype).toBe("bfloat16");
        expect(parameter.dataSync().every(Number.isFinite)).toBe(true);
      }
    });
  },
);

it.each(elementWise.map(([name, options]) => [title(name, options), name, options] as const))(
  "%s is one kernel for all parameters of a group, and reads and writes nothing twice",
  (_, name, options) => {
    const parameters = parametersOf("float32");
    const optimizer = make(name)(parameters, { lr: 0.125, ...options });
    const gradients = parameters.map((parameter) =>
      tensor(new Float32Array(parameter.size), { shape: parameter.shape }),
    );
    const text = explain(
      compile((...inputs: typeof gradients) => {
        optimizer.update(inputs);
        return [];
      }),
      ...gradients,
    );
    expect(text).toContain("program: 1 kernel (1 loop)");
    const [, moved, least] = /moves (.*): reads .*; at least (.*) whatever/.exec(text) ?? [];
    expect(moved).toBe(least);
  },
);
