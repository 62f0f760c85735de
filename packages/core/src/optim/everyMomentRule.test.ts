/** What holds for all rules built on running moments alike: schedules, 16-bit and odd shapes, one kernel per group. */
import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { cast, compile, explain, Parameter, type Shape, tensor, useBackend } from "../index.ts";
import { type AnyNamedOptimizer, type Convention, optimizersByName } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

type Options = Readonly<Record<string, unknown>>;

const make = (name: string): AnyNamedOptimizer => optimizersByName[name] as AnyNamedOptimizer;

const elementWise: readonly (readonly [string, Options])[] = [
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

/** Options that say how state is laid out or where it starts. */
const structural: ReadonlySet<string> = new Set(["d0", "sliceP", "dim", "nHeads"]);

const title = (name: string, options: Options): string => `${name} ${JSON.stringify(options)}`;

const shapes: readonly Shape[] = [[2, 3], [4], [], [2, 1, 3, 2], [1, 1]];
const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

const parametersOf = (dtype: "float32" | "float64" | "bfloat16") =>
  shapes.map((shape, i) => {
    const values = Float64Array.from({ length: sizeOf(shape) }, (_, j) => Math.sin(i + 2 * j + 1));
    return new Parameter(cast(tensor(values, { shape, dtype: "float64" }), dtype), { name: `p${i}` });
  });

const gradientsOf = (step: number) =>
  shapes.map((shape, i) =>
    tensor(
      Float64Array.from({ length: sizeOf(shape) }, (_, j) => Math.cos(3 * step + i - j)),
      { shape, dtype: "float64" },
    ),
  );

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
