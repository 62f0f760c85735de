import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { cast, compile, Generator, Parameter, randn, sum, type Tensor, tensor, useBackend } from "../index.ts";
import {
  adam,
  adaptiveClip,
  addNoise,
  applyTransforms,
  centralize,
  clipGradNorm,
  clipGradValue,
  freeze,
  type GradientTransform,
  l1Decay,
  l2Decay,
  mask,
  normalizeGradients,
  raiseOnNonFinite,
  sgd,
  transforms,
} from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const data = (values: number[] | number[][]) => tensor(values, { dtype: "float64" });
const parameter = (name: string, values: number[] | number[][]) => new Parameter(data(values), { name });

/** Gradients of parameters p, q, … after `transform`, direct; checks that a compiled function gives the same. */
function transformed(
  transform: GradientTransform,
  gradients: (number[] | number[][])[],
  values: (number[] | number[][])[] = gradients,
): unknown[] {
  const parameters = values.map((value, i) => parameter("pqrs"[i] as string, value));
  const run = (...inputs: Tensor[]) =>
    applyTransforms("test", [transform], inputs, parameters, { names: parameters.map(({ name }) => name) });
  const read = (results: readonly (Tensor | null)[]) => results.map((x) => x?.arraySync() ?? null);
  const inputs = gradients.map(data);
  const direct = read(run(...inputs));
  expect(read(compile(run)(...inputs))).toEqual(direct);
  return direct;
}

describe("clipGradNorm", () => {
  it("scales by min(1, maxNorm / (norm + 1e-6))", () => {
    const factor = 1 / (5 + 1e-6);
    expect(transformed(clipGradNorm(1), [[3], [4]])).toEqual([[3 * factor], [4 * factor]]);
    expect(transformed(clipGradNorm(6), [[3], [4]])).toEqual([[3], [4]]);
    expect(transformed(clipGradNorm(1), [[0], [0]])).toEqual([[0], [0]]);
  });

  it("scales by maxNorm / norm with the conventions of optax", () => {
    expect(transformed(clipGradNorm(2.5, { convention: "optax" }), [[3], [4]])).toEqual([[1.5], [2]]);
    expect(transformed(clipGradNorm(5.5, { convention: "optax" }), [[3], [4]])).toEqual([[3], [4]]);
  });

  it("takes other norms, of several dtypes too", () => {
    expect(transformed(clipGradNorm(1, { normType: 1 }), [[3], [-4]])).toEqual([
      [3 * (1 / (7 + 1e-6))],
      [-4 * (1 / (7 + 1e-6))],
    ]);
    expect(transformed(clipGradNorm(1, { normType: "inf" }), [[3], [-4]])).toEqual([
      [3 * (1 / (4 + 1e-6))],
      [-4 * (1 / (4 + 1e-6))],
    ]);
    const [cubes] = transformed(clipGradNorm(1, { normType: 3 }), [[3], [4], [5]]) as [number[]];
    expect(cubes[0]).toBeCloseTo(3 / (6 + 1e-6), 12);
    const [wide, narrow] = [parameter("wide", [0]), new Parameter(tensor([0]), { name: "narrow" })];
    sgd([wide, narrow], { lr: 1, transforms: [clipGradNorm(1)] }).update([data([3]), tensor([4])]);
    expect([wide.dtype, narrow.dtype]).toEqual(["float64", "float32"]);
    expect(wide.itemSync()).toBeCloseTo(-0.6, 6);
    expect(narrow.itemSync()).toBeCloseTo(-0.8, 6);
  });

  it("tells the norm before clipping, from a compiled step too", () => {
    const [p, q] = [parameter("p", [0]), parameter("q", [0])];
    const norms: Tensor[] = [];
    const onNorm = (norm: Tensor) => void norms.push(norm);
    const optimizer = sgd([p, q], { lr: 1, transforms: [clipGradNorm(1, { onNorm })] });
    optimizer.update([data([3]), data([4])]);
    expect(norms[0]?.itemSync()).toBe(5);
    optimizer.update([null, data([-4])]);
    expect(norms[1]?.itemSync()).toBe(4);
    const step = compile((g: Tensor) => {
      optimizer.update([g, g]);
      return norms.at(-1) as Tensor;
    });
    expect([step(data([1])).itemSync(), step(data([-7])).itemSync()]).toEqual([Math.SQRT2, Math.hypot(7, 7)]);
    expect(step.traces).toBe(1);
  });

  it("follows a schedule without being traced anew", () => {
    const p = parameter("p", [0]);
    const optimizer = sgd([p], { lr: 1, transforms: [clipGradNorm((step) => 2 ** -step, { convention: "optax" })] });
    const step = compile((g: Tensor) => optimizer.update([g]));
    const seen = [8, 8, 8].map((g) => {
      step(data([g]));
      return p.itemSync();
    });
    expect(seen).toEqual([-1, -1.5, -1.75]);
    expect(step.traces).toBe(1);
  });
});

it("clipGradValue limits every element", () => {
  expect(transformed(clipGradValue(2), [[1, -3, 5], [[-2]]])).toEqual([[1, -2, 2], [[-2]]]);
});

describe("adaptiveClip", () => {
  it("limits each unit relative to its weights", () => {
    // Rows of p: norms 5 and 0; of g: 10 and 1. limits: 0.5 · 5 and 0.5 · 0.1.
    const result = transformed(
      adaptiveClip({ clipFactor: 0.5, eps: 0.1 }),
      [
        [
          [6, 8],
          [0, 1],
        ],
        [0.3, 0.4],
      ],
      [
        [
          [3, 4],
          [0, 0],
        ],
        [3, -4],
      ],
    );
    expect(result).toEqual([
      [
        [1.5, 2],
        [0, 0.05],
      ],
      [0.3, 0.4],
    ]);
  });

  it("takes other norms", () => {
    expect(transformed(adaptiveClip({ clipFactor: 0.5, normType: 1 }), [[6, 8]], [[3, 4]])).toEqual([[1.5, 2]]);
  });
});

it("centralize takes the mean out of each row of what has rows", () => {
  expect(
    transformed(centralize(), [
      [
        [1, 3],
        [5, 9],
      ],
      [1, 3],
    ]),
  ).toEqual([
    [
      [-1, 1],
      [-2, 2],
    ],
    [1, 3],
  ]);
});

describe("addNoise", () => {
  it("adds eta / (1 + t)^gamma of variance from the generator, replays as building afresh", () => {
    const run = (compiled: boolean): number[] => {
      const [p, q] = [parameter("p", [0, 0]), parameter("q", [0])];
      const transform = addNoise({ eta: 0.25, gamma: 1, generator: new Generator(7) });
      const optimizer = sgd([p, q], { lr: 1, transforms: [transform] });
      const update = (g: Tensor, h: Tensor) => optimizer.update([g, h]);
      const step = compiled ? compile(update) : update;
      for (let t = 0; t < 3; t++) step(data([t, -t]), data([1]));
      return [...p.dataSync(), ...q.dataSync()];
    };
    const generator = new Generator(7);
    const expected = [0, 0, 0];
    for (let t = 0; t < 3; t++) {
      const noise = [2, 1].flatMap((n) => [...randn([n], { dtype: "float64", generator }).dataSync()]);
      [t, -t, 1].forEach((g, i) => {
        expected[i] = (expected[i] as number) - (g + (noise[i] as number) * Math.sqrt(0.25 / (1 + t)));
      });
    }
    for (const [i, value] of run(false).entries()) expect(value).toBeCloseTo(expected[i] as number, 12);
    for (const [i, value] of run(true).entries()) expect(value).toBeCloseTo(expected[i] as number, 12);
  });
});

describe("l2Decay and l1Decay", () => {
  it("add to the gradient, with exclusions by name", () => {
    expect(transformed(l2Decay(0.5), [[1, 2]], [[4, -6]])).toEqual([[3, -1]]);
    expect(transformed(l1Decay(0.5), [[1, 2, 3]], [[4, -6, 0]])).toEqual([[1.5, 1.5, 3]]);
    expect(transformed(l2Decay(1, { except: "q" }), [[1], [1], [1]], [[2], [2], [2]])).toEqual([[3], [1], [3]]);
    expect(transformed(l2Decay(1, { only: /[pq]/, except: "q" }), [[1], [1], [1]], [[2], [2], [2]])).toEqual([
      [3],
      [1],
      [1],
    ]);
  });

  it("go the same way when the gradient is gone up", () => {
    const p = parameter("p", [4]);
    sgd([p], { lr: 1, maximize: true, transforms: [l2Decay(0.25)] }).update([data([2])]);
    expect(p.itemSync()).toBe(4 + 2 - 1);
  });
});

describe("freeze", () => {
  it.each([false, true])("leaves value, state and step count alone; compiled: %s", (compiled) => {
    const [p, q] = [parameter("body.p", [1]), parameter("head.q", [1])];
    const norms: Tensor[] = [];
    const optimizer = adam([p, q], {
      lr: 0.5,
      transforms: [freeze("body.*"), clipGradNorm(1e9, { onNorm: (norm) => void norms.push(norm) })],
    });
    const update = (g: Tensor) => {
      optimizer.update([g, g]);
      return norms.at(-1) as Tensor;
    };
    const step = compiled ? compile(update) : update;
    expect(step(data([3])).itemSync()).toBe(3);
    step(data([3]));
    expect(p.itemSync()).toBe(1);
    expect(q.itemSync()).toBeCloseTo(0, 6);
    expect([...optimizer.state.keys()]).toEqual(["head.q"]);
    expect(optimizer.groups[0]?.entries.map((entry) => entry.updates)).toEqual([0, 2]);
    expect(optimizer.step).toBe(2);
  });

  it("of everything updates nothing", () => {
    const p = parameter("p", [1]);
    const optimizer = adam([p], { transforms: [freeze({ rank: 1 }), clipGradNorm(1), raiseOnNonFinite()] });
    expect(optimizer.minimize(sum(p)).itemSync()).toBe(1);
    expect([p.itemSync(), optimizer.step, optimizer.state.size]).toEqual([1, 1, 0]);
  });
});

describe("mask", () => {
  it("applies a transform to what matches alone", () => {
    expect(transformed(mask(["q", "r"], clipGradNorm(2.5, { convention: "optax" })), [[9], [3], [4]])).toEqual([
      [9],
      [1.5],
      [2],
    ]);
    expect(
      transformed(
        mask((_, name) => name !== "p", l2Decay(1)),
        [[1], [1]],
      ),
    ).toEqual([[1], [2]]);
    expect(transformed(mask("q", freeze("*")), [[1], [2]])).toEqual([[1], null]);
  });

  it("checks what the transform returns", () => {
    expect(() =>
      transformed(
        mask("p", () => []),
        [[1], [2]],
      ),
    ).toThrow("mask: a transform returned 0 gradients, expected 1");
  });
});

it("normalizeGradients divides by the norm of all, or of each", () => {
  expect(transformed(normalizeGradients({ eps: 0 }), [[3], [4]])).toEqual([[3 / 5], [4 / 5]]);
  expect(transformed(normalizeGradients({ eps: 5 }), [[3], [4]])).toEqual([[3 / 10], [4 / 10]]);
  expect(transformed(normalizeGradients({ eps: 0, per: "parameter" }), [[3, 4], [-4]])).toEqual([[3 / 5, 4 / 5], [-1]]);
  expect(transformed(normalizeGradients(), [[0]])).toEqual([[0]]);
});

it("16-bit parameters are transformed in float32", () => {
  const p = new Parameter(cast(tensor([1, 2]), "bfloat16"), { name: "p" });
  const all = [clipGradNorm(1), adaptiveClip(), l2Decay(0.1), addNoise(), normalizeGradients(), raiseOnNonFinite()];
  const optimizer = sgd([p], { lr: 0.5, transforms: all });
  optimizer.update([cast(tensor([1, 2]), "bfloat16")]);
  expect([...p.dataSync()].every(Number.isFinite)).toBe(true);
});

describe("options out of range", () => {
  it.each<[string, () => unknown]>([
    ["clipGradNorm: maxNorm must be a finite number ≥ 0, got -1", () => clipGradNorm(-1)],
    ["clipGradNorm: maxNorm at step 0 must be a finite number ≥ 0, got NaN", () => clipGradNorm(() => Number.NaN)],
    ['clipGradNorm: normType must be a number > 0 or "inf", got 0', () => clipGradNorm(1, { normType: 0 })],
    [
      "clipGradNorm: convention must be one of torch, optax, got keras",
      () => clipGradNorm(1, { convention: "keras" as "optax" }),
    ],
    ["clipGradValue: clipValue must be a finite number ≥ 0, got Infinity", () => clipGradValue(1 / 0)],
    ["adaptiveClip: clipFactor must be a finite number ≥ 0, got -0.5", () => adaptiveClip({ clipFactor: -0.5 })],
    ["addNoise: gamma must be a finite number ≥ 0, got NaN", () => addNoise({ gamma: Number.NaN })],
    ["l2Decay: weightDecay must be a finite number ≥ 0, got -1", () => l2Decay(-1)],
    ["l1Decay: a match must be a name pattern", () => l1Decay(1, { except: "" })],
    ["freeze: a match must be a name pattern", () => freeze([])],
    [
      "normalizeGradients: per must be all or parameter, got group",
      () => normalizeGradients({ per: "group" as "all" }),
    ],
    [
      "clipGradValue: unknown option value; expected one of convention, clipValue",
      () => transforms.clipGradValue?.make({ value: 1 }),
    ],
    [
      "adaptiveClip: convention must be one of torch, got optax",
      () => transforms.adaptiveClip?.make({ convention: "optax" }),
    ],
  ])("%s", (message, make) => {
    expect(make).toThrow(message);
  });

  it("of a schedule show at the step", () => {
    const p = parameter("p", [0]);
    const optimizer = sgd([p], { lr: 1, transforms: [clipGradValue((step) => 1 - step)] });
    for (let i = 0; i < 2; i++) optimizer.update([data([1])]);
    expect(() => optimizer.update([data([1])])).toThrow(
      "clipGradValue: clipValue at step 2 must be a finite number ≥ 0, got -1",
    );
  });
});

describe("the registry", () => {
  it("makes each by name and options", () => {
    const options: Record<string, Record<string, unknown>> = {
      clipGradNorm: { maxNorm: 2.5, convention: "optax" },
      clipGradValue: { clipValue: 2 },
      freeze: { match: "q" },
      l1Decay: { weightDecay: 1, only: "q" },
      l2Decay: { weightDecay: 1, except: "q" },
    };
    const results = Object.fromEntries(
      Object.entries(transforms)
        .filter(([name]) => name !== "addNoise" && name !== "adaptiveClip")
        .map(([name, { make }]) => [name, transformed(make(options[name] ?? {}), [[3], [4]])]),
    );
    expect(results).toEqual({
      centralize: [[3], [4]],
      clipGradNorm: [[1.5], [2]],
      clipGradValue: [[2], [2]],
      freeze: [[3], null],
      l1Decay: [[3], [5]],
      l2Decay: [[6], [4]],
      normalizeGradients: [[3 / (5 + 1e-6)], [4 / (5 + 1e-6)]],
      raiseOnNonFinite: [[3], [4]],
    });
  });
});
