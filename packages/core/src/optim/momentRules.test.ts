/** The rules built on running moments: first steps by hand, blocks, masks and shared numbers, options out of range. */
import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { Parameter, type Shape, tensor, useBackend } from "../index.ts";
import {
  type AnyNamedOptimizer,
  adamW,
  adan,
  cautious,
  cautiousAdamW,
  cautiousLion,
  dAdaptAdam,
  lion,
  type Optimizer,
  optimizersByName,
  prodigy,
  sgd,
  sophiaG,
} from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

type Options = Readonly<Record<string, unknown>>;

const parameter = (values: readonly number[], shape: Shape = [values.length], name = "p") =>
  new Parameter(tensor(Float64Array.from(values), { shape, dtype: "float64" }), { name });
const gradient = (values: readonly number[], shape: Shape = [values.length]) =>
  tensor(Float64Array.from(values), { shape, dtype: "float64" });
const values = (x: Parameter | undefined): number[] => Array.from(x?.dataSync() ?? []);
const make = (name: string): AnyNamedOptimizer => optimizersByName[name] as AnyNamedOptimizer;

const half: Options = { betas: [0.5, 0.75], eps: 0 };
const tiny: Options = { ...half, eps: 1e-30 };

describe("first steps", () => {
  const cases: readonly (readonly [string, Options, number, number, number])[] = [
    // name, options, p, g, p after; with these betas m = g/2 and √v = |g|/2
    ["adam", { ...half, convention: "keras", lr: 1, eps: 1 }, 1, 2, 0.5],
    ["adam", { ...half, convention: "keras", lr: 0.5, weightDecay: 1 }, 1, 2, 0],
    ["adamW", { ...half, convention: "keras", lr: 0.5 }, 1, 2, 0.498],
    ["adam", { ...half, convention: "optax", lr: 1, eps: 1, epsRoot: 12 }, 1, 2, 0.6],
    ["adam", { ...half, convention: "optax", lr: 0.75, nesterov: true }, 1, 2, 0],
    ["adamW", { ...half, convention: "optax", lr: 0.5, weightDecay: 0.5 }, 1, 2, 0.25],
    ["nadam", { ...half, lr: 0.75, momentumDecay: 0 }, 1, 2, 0.15],
    ["nadam", { ...half, convention: "keras", lr: 1 }, 1, 2, -0.2696 / (1 - 0.26 * 0.2696) / 2],
    ["nadam", { ...half, convention: "optax", lr: 0.75 }, 1, 2, 0],
    ["radam", { ...half, lr: 0.25 }, 1, 2, 0.5],
    ["radam", { ...half, lr: 0.25, weightDecay: 1 }, 1, 2, 0.25],
    ["radam", { ...half, lr: 0.25, weightDecay: 1, decoupledWeightDecay: true }, 1, 2, 0.25],
    ["radam", { ...half, convention: "optax", lr: 1, threshold: 1 }, 1, 2, 1 - Math.sqrt(21 / 15)],
    ["radam", { ...half, convention: "optax", lr: 0.25, threshold: 1.5 }, 1, 2, 0.5],
    ["adaBelief", { ...half, lr: 0.25, rectify: false }, 1, 2, 0.5],
    ["adaBelief", { ...half, lr: 0.25, weightDecay: 0.5, fixedDecay: true }, 1, 2, 0],
    ["adaBelief", { ...half, lr: 0.25, degeneratedToSgd: false, weightDecay: 2 }, 1, 2, 0.5],
    ["adaBelief", { ...half, convention: "optax", lr: 0.25, epsRoot: 0.75, weightDecay: 2 }, 1, 2, 0.25],
    ["yogi", { ...half, lr: 0.25, initialAccumulator: 0 }, 1, 2, 0.75],
    ["yogi", { ...half, lr: 0.25, initialAccumulator: 1 }, 1, 2, 1 - 0.375 / Math.SQRT2],
    ["novoGrad", { ...half, lr: 0.25 }, 1, 2, 0.75],
    ["novoGrad", { ...half, lr: 0.25, weightDecay: 3, gradAveraging: true }, 1, 2, 0.5],
    ["lion", { lr: 0.25, weightDecay: 2 }, 1, 2, 0.25],
    ["adan", { lr: 0.5, eps: 0, weightDecay: 1 }, 2, 3, 1],
    ["adan", { lr: 0.5, eps: 0, weightDecay: 1, noProx: true }, 2, 3, 0.5],
    ["adan", { lr: 0.5, eps: 1, maxGradNorm: 1 }, 1, 3, 1 - 0.5 * (0.75 / 1.75)],
    ["adEMAMix", { betas: [0.5, 0.75, 0.5], eps: 0, lr: 0.25 }, 1, 2, 0.5],
    ["adEMAMix", { betas: [0, 0.75, 0.5], eps: 0, lr: 0.25, alphaWarmup: 4, weightDecay: 1 }, 1, 2, 0.4375],
    ["adEMAMix", { betas: [0.5, 0.75, 0.75], eps: 0, lr: 0.25, alpha: 1, beta3Warmup: 1 }, 1, 2, 0.6875],
    ["mars", { betas1d: [0.5, 0.75], eps: 0, lr: 0.5, lr1d: 0.25, weightDecay1d: 1 }, 1, 2, 0.5],
    ["mars", { ...half, lr: 0.5, optimize1d: true, weightDecay: 0.5 }, 1, 2, 0.25],
    ["mars", { ...half, lr: 0.5, optimize1d: true, marsType: "mars-lion" }, 1, -2, 1.5],
    ["grams", { ...half, lr: 0.25, weightDecay: 2 }, 1, 2, 0.25],
    ["grams", { ...half, lr: 0.25, correctBias: false }, 1, -2, 1.25],
    ["cautiousAdamW", { ...half, lr: 0.25, weightDecay: 2 }, 1, 2, 0.25],
    ["cautiousLion", { lr: 0.25, weightDecay: 2 }, 1, 2, 0.25],
    ["adamMini", { ...half, lr: 0.25, weightDecay: 2 }, 1, 2, 0.25],
    ["sophiaG", { betas: [0.5, 0.5], lr: 0.25, weightDecay: 2 }, 1, 2, 0.25],
    ["prodigy", { ...tiny, d0: 0.125 }, 1, 2, 0.875],
    ["prodigy", { ...tiny, d0: 0.125, weightDecay: 2 }, 1, 2, 0.625],
    ["prodigy", { ...tiny, d0: 0.125, lr: 0.5, useBiasCorrection: true }, 1, 2, 0.9375],
    ["dAdaptAdam", { ...tiny, d0: 0.125 }, 1, 2, 0.875],
    ["dAdaptAdam", { ...tiny, d0: 0.125, layerScale: 2, decouple: true, weightDecay: 2 }, 1, 2, 0.5],
  ];
  it.each(cases)("%s %o from %f along %f", (name, options, p, g, after) => {
    const x = parameter([p]);
    make(name)([x], options).update([gradient([g])]);
    expect(values(x)[0]).toBeCloseTo(after, 12);
  });

  it("mars divides the corrected gradient of a matrix by its norm where that exceeds 1", () => {
    const [large, small] = [parameter([0, 0], [1, 2], "large"), parameter([0, 0], [1, 2], "small")];
    const optimizer = make("mars")([large, small], { betas: [0.5, 0.75], gamma: 1, eps: 1, lr: 1 });
    optimizer.update([gradient([3, 4], [1, 2]), gradient([0.15, 0.2], [1, 2])]);
    // c = 2 g, so 0.6 and 0.8, and 0.3 and 0.4: c / (|c| + 1)
    expect(values(large)[0]).toBeCloseTo(-0.6 / 1.6, 12);
    expect(values(small)[1]).toBeCloseTo(-0.4 / 1.4, 12);
  });

  it("novoGrad has one second moment per tensor, and starts it again from 0", () => {
    const p = parameter([0, 0]);
    const optimizer = make("novoGrad")([p], { betas: [0, 0.75], eps: 1, lr: 1 });
    optimizer.update([gradient([0, 0])]);
    optimizer.update([gradient([3, 4])]);
    expect(values(p)).toEqual([-0.5, -4 / 6]);
    expect(optimizer.state.get("p")?.expAvgSq?.shape).toEqual([]);
  });
});

describe("adamMini", () => {
  it("has a second moment for each block that the name says", () => {
    const shapes: readonly (readonly [string, Shape, Shape])[] = [
      ["mlp.bias", [4], [4]],
      ["MLP.weight", [3, 4], [3]],
      ["attn.q_proj.weight", [4, 4], [2]],
      ["norm.weight", [5], [1]],
      ["scale", [], []],
      ["conv.linear", [2, 3, 2], [2]],
    ];
    const parameters = shapes.map(([name, shape]) => {
      return parameter(new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(1), shape, name);
    });
    const optimizer = make("adamMini")(parameters, { dim: 4, nHeads: 2, eps: 0, lr: 1, weightDecay: 0.5 });
    optimizer.update(
      parameters.map((p) =>
        gradient(p.size === 12 ? [3, 4, 3, 4, 0, 0, 0, 2, 1, 1, 1, 1] : new Array(p.size).fill(1), p.shape),
      ),
    );
    for (const [name, , blocks] of shapes) expect(optimizer.state.get(name)?.expAvgSq?.shape).toEqual(blocks);
    const rows = values(parameters[1]);
    expect(rows[0]).toBeCloseTo(0.5 - 3 / Math.sqrt(12.5), 12);
    expect(rows[7]).toBeCloseTo(0.5 - 2, 12);
    // No decay of biases and norms.
    expect(values(parameters[0])[0]).toBeCloseTo(0, 12);
    expect(values(parameters[3])[0]).toBeCloseTo(0, 12);
  });

  it("refuses queries and keys that do not divide into heads", () => {
    const p = parameter([1, 2, 3], [3], "key");
    expect(() => make("adamMini")([p], { dim: 4, nHeads: 2 }).update([gradient([1, 1, 1])])).toThrow(
      "adamMini: key of shape [3] cannot be divided into blocks of dim² / nHeads entries, with dim 4 and nHeads 2",
    );
  });
});

describe("cautious", () => {
  it("leaves out entries that go up the gradient and scales the others, of any rule", () => {
    const p = parameter([0, 0]);
    const optimizer = cautious(sgd([p], { lr: 1, momentum: 0.5 }));
    optimizer.update([gradient([1, 1])]);
    expect(values(p)).toEqual([-1, -1]);
    optimizer.update([gradient([1, -0.25])]);
    expect(values(p)).toEqual([-4, -1]);
    expect(optimizer.name).toBe("cautious(sgd)");
  });

  it("is what cautiousAdamW and cautiousLion are of adamW and lion", () => {
    const pairs: readonly (readonly [(p: Parameter) => Optimizer, (p: Parameter) => Optimizer])[] = [
      [
        (p) => cautious(adamW([p], { lr: 0.1, weightDecay: 0.5 })) as Optimizer,
        (p) => cautiousAdamW([p], { lr: 0.1, weightDecay: 0.5 }) as Optimizer,
      ],
      [
        (p) => cautious(lion([p], { lr: 0.1, weightDecay: 0.5 })) as Optimizer,
        (p) => cautiousLion([p], { lr: 0.1, weightDecay: 0.5 }) as Optimizer,
      ],
    ];
    for (const [wrapped, named] of pairs) {
      const [p, q] = [parameter([1, -2, 3]), parameter([1, -2, 3])];
      const [a, b] = [wrapped(p), named(q)];
      for (const g of [
        [1, 2, -3],
        [-0.5, 1, 1],
        [2, -8, 0],
      ]) {
        a.update([gradient(g)]);
        b.update([gradient(g)]);
      }
      expect(values(p)).toEqual(values(q));
    }
  });

  it("counts tiny entries whose product with the gradient is 0", () => {
    const p = parameter([0, 0]);
    cautiousLion([p], { lr: 1 }).update([gradient([1e-200, 1])]);
    expect(values(p)).toEqual([-1, -1]);
    const q = parameter([0, 0]);
    cautious(sgd([q], { lr: 1 })).update([gradient([1e-200, 1])]);
    expect(values(q)).toEqual([-1e-200, -1]);
  });

  it("corrects decay by how far lr has fallen since the start", () => {
    const p = parameter([1]);
    const optimizer = cautiousLion([p], { lr: 0.5, weightDecay: 1, correctedWeightDecay: true });
    optimizer.lr = 0.25;
    optimizer.update([gradient([0])]);
    expect(values(p)).toEqual([0.875]);
  });

  it("refuses a minimum that is not positive", () => {
    expect(() => cautious(lion([parameter([1])]), { minimum: 0 })).toThrow(
      "cautious: minimum must be a finite number > 0, got 0",
    );
  });
});

it("sophiaG learns its Hessian from observed gradients only", () => {
  const p = parameter([1]);
  const optimizer = sophiaG([p], { betas: [0.5, 0.5], rho: 0.5, bs: 2, lr: 0.5, weightDecay: 0 });
  optimizer.observe([gradient([2])]);
  optimizer.update([gradient([2])]);
  // m = 1, h = 2
  expect(values(p)[0]).toBeCloseTo(0.75, 12);
  expect(optimizer.step).toBe(1);
});

describe("adan", () => {
  it("counts steps for all parameters together, and keeps the gradient of one that has none", () => {
    const [p, q] = [parameter([0], [1], "p"), parameter([0], [1], "q")];
    const optimizer = adan([p, q], { betas: [0, 0, 0.5], eps: 0, lr: 1 });
    optimizer.update([null, gradient([1])]);
    optimizer.update([gradient([1]), gradient([1])]);
    // n = 1/2, over a correction of 1 - 1/4
    expect(values(p)[0]).toBeCloseTo(-Math.sqrt(1.5), 12);
  });

  it("clips by the norm over all groups", () => {
    const [p, q] = [parameter([0], [1], "p"), parameter([0], [1], "q")];
    const optimizer = adan([{ parameters: [p] }, { parameters: [q] }], { maxGradNorm: 1, eps: 1, lr: 1 });
    optimizer.update([gradient([3]), gradient([4])]);
    expect(values(p)[0]).toBeCloseTo(-0.5 / 1.5, 12);
    expect(values(q)[0]).toBeCloseTo(-(4 / 6) / (10 / 6), 12);
  });
});

describe("rules that find their learning rate", () => {
  const d = (optimizer: Optimizer): number | undefined => optimizer.sharedState.get("d")?.itemSync();

  it("prodigy raises d by the way gone along the gradient", () => {
    const p = parameter([1]);
    const optimizer = prodigy([p], { betas: [0.5, 0.75], eps: 1e-30, beta3: 0.5, d0: 0.125, dCoef: 3 }) as Optimizer;
    optimizer.update([gradient([1])]);
    expect(d(optimizer)).toBe(0.125);
    optimizer.update([gradient([1])]);
    // r = d² and s = 1.5 d, so that 3 r / s = 2 d
    expect(d(optimizer)).toBeCloseTo(0.25, 12);
  });

  it("prodigy keeps what float32 would lose of the way gone", () => {
    const p = new Parameter(tensor([1024]), { name: "p" });
    const optimizer = prodigy([p], { betas: [0.5, 0.75], eps: 1e-30, beta3: 0.5, d0: 2 ** -20, dCoef: 3 }) as Optimizer;
    optimizer.update([tensor([1])]);
    optimizer.update([tensor([1])]);
    expect(d(optimizer)).toBeCloseTo(2 ** -19, 9);
  });

  it("dAdaptAdam raises d likewise", () => {
    const p = parameter([1]);
    const optimizer = dAdaptAdam([p], { betas: [0, 0.25], eps: 1e-30, d0: 0.125 }) as Optimizer;
    optimizer.update([gradient([2])]);
    expect(d(optimizer)).toBe(0.125);
    // s = d/2 · 2, v = 3: a = d · 2 · s / √3; r = a/2; s ← s/2 + s; d̂ = r / (s/2)
    optimizer.update([gradient([2])]);
    const s = 0.125;
    expect(d(optimizer)).toBeCloseTo(Math.max(0.125, (0.125 * 2 * s) / Math.sqrt(3) / (1.5 * s)), 12);
  });

  it.each([prodigy, dAdaptAdam])("stand still while all gradients are 0, and while lr is", (make) => {
    const p = parameter([1, 2]);
    const optimizer = make([p], { weightDecay: 0.5, decouple: true, useBiasCorrection: true, d0: 0.5 }) as Optimizer;
    optimizer.update([gradient([0, 0])]);
    expect(values(p)).toEqual([1, 2]);
    expect(optimizer.sharedState.get("k")?.itemSync()).toBe(0);
    optimizer.update([gradient([1, -1])]);
    const before = values(p);
    expect(before).not.toEqual([1, 2]);
    optimizer.lr = 0;
    const state = () => Object.values(optimizer.state.get("p") ?? {}).map(values);
    const stateBefore = state();
    optimizer.update([gradient([1, 1])]);
    expect(values(p)).toEqual(before);
    expect(state()).toEqual(stateBefore);
    expect(optimizer.sharedState.get("k")?.itemSync()).toBe(1);
  });

  it("want a number where they start", () => {
    const p = parameter([1]);
    expect(() => prodigy([p], { d0: () => 1 }).update([gradient([1])])).toThrow(
      "prodigy: d0 must be a number, as d starts at it; got a schedule",
    );
    expect(() => prodigy([p], { sliceP: () => 1 }).update([gradient([1])])).toThrow(
      "prodigy: sliceP must be a number, as state is as large as it says; got a schedule",
    );
  });
});

describe("options out of range", () => {
  const cases: readonly (readonly [string, Options, string])[] = [
    ["adam", { convention: "keras", eps: -1 }, "adam: eps must be a finite number ≥ 0, got -1"],
    ["adam", { convention: "optax" }, "adam: lr is required"],
    ["adam", { convention: "optax", lr: 1, epsRoot: Number.NaN }, "adam: epsRoot must be a finite number ≥ 0, got NaN"],
    ["adam", { convention: "optax", lr: 1, nesterov: true, amsgrad: true }, "nesterov and amsgrad exclude each other"],
    [
      "adamW",
      { convention: "keras", weightDecay: -1 },
      "adamW: weightDecay must be null or a finite number ≥ 0, got -1",
    ],
    ["nadam", { momentumDecay: -1 }, "nadam: momentumDecay must be a finite number ≥ 0, got -1"],
    ["radam", { betas: [0.9, 1] }, "radam: betas[1] must be in [0, 1), got 1"],
    [
      "radam",
      { convention: "optax", lr: 1, threshold: Number.NaN },
      "radam: threshold must be a finite number, got NaN",
    ],
    ["adaBelief", { rectify: 1 }, "adaBelief: rectify must be true or false, got 1"],
    ["yogi", { initialAccumulator: -1 }, "yogi: initialAccumulator must be a finite number ≥ 0, got -1"],
    ["novoGrad", { gradAveraging: 1 }, "novoGrad: gradAveraging must be true or false, got 1"],
    ["lion", { betas: [0.9] }, "lion: betas must be a list of 2 numbers, got [0.9]"],
    ["lion", { lr: -1 }, "lion: lr must be a finite number ≥ 0, got -1"],
    ["adan", { betas: [0.9, 0.9] }, "adan: betas must be a list of 3 numbers, got [0.9, 0.9]"],
    ["adan", { maxGradNorm: -1 }, "adan: maxGradNorm must be a finite number ≥ 0, got -1"],
    ["adEMAMix", { beta3Warmup: -1 }, "adEMAMix: beta3Warmup must be null or a number of steps ≥ 0, got -1"],
    ["mars", { marsType: "adam" }, "mars: marsType must be one of mars-adamw, mars-lion, mars-shampoo, got adam"],
    ["mars", { betas1d: [0.9, 1] }, "mars: betas1d[1] must be in [0, 1), got 1"],
    ["grams", { correctBias: 0 }, "grams: correctBias must be true or false, got 0"],
    ["cautiousAdamW", { eps: -1 }, "cautiousAdamW: eps must be a finite number ≥ 0, got -1"],
    ["cautiousLion", { correctedWeightDecay: 1 }, "cautiousLion: correctedWeightDecay must be true or false, got 1"],
    ["adamMini", { dim: 3, nHeads: 2 }, "adamMini: nHeads must divide dim², got nHeads 2 and dim 3"],
    ["sophiaG", { rho: -1 }, "sophiaG: rho must be a finite number ≥ 0, got -1"],
    ["prodigy", { d0: 0 }, "prodigy: d0 must be a finite number > 0, got 0"],
    ["prodigy", { eps: 0 }, "prodigy: eps must be a finite number > 0, got 0"],
    ["prodigy", { growthRate: 0 }, "prodigy: growthRate must be null or a number > 0, got 0"],
    ["dAdaptAdam", { layerScale: -1 }, "dAdaptAdam: layerScale must be a finite number ≥ 0, got -1"],
  ];
  it.each(cases)("%s %o", (name, options, message) => {
    expect(() => make(name)([parameter([1])], options)).toThrow(message);
  });
});
