/** First steps worked out by hand, and options out of range. Whole trajectories are golden files of the conformance suite. */
import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { Parameter, type Shape, type Tensor, tensor, useBackend } from "../index.ts";
import {
  type AnyNamedOptimizer,
  adadelta,
  adafactor,
  adagrad,
  adamax,
  asgd,
  type Convention,
  lamb,
  lars,
  optimizersByName,
  rmsprop,
  rprop,
  sgd,
  signSgd,
  signum,
  sm3,
} from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const parameter = (values: number[], shape: Shape = [values.length]) =>
  new Parameter(tensor(values, { shape, dtype: "float64" }), { name: "p" });
const values = (x: Tensor | undefined): number[] => Array.from(x?.dataSync() ?? []);

/** Values after each of `gradients`. */
function after(
  make: (p: Parameter) => { update(gradients: readonly Tensor[]): void },
  p: Parameter,
  gradients: number[][],
) {
  const optimizer = make(p);
  return gradients.map((gradient) => {
    optimizer.update([tensor(gradient, { shape: p.shape, dtype: "float64" })]);
    return values(p);
  });
}

const expectClose = (actual: number[], expected: number[]): void => {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 12);
};

describe("sgd", () => {
  it("of keras keeps steps that lr is in already", () => {
    const p = parameter([1]);
    const optimizer = sgd([p], { convention: "keras", lr: 0.5, momentum: 0.5 });
    optimizer.update([tensor([1], { dtype: "float64" })]);
    expect(values(p)).toEqual([0.5]);
    optimizer.lr = 0.25;
    optimizer.update([tensor([1], { dtype: "float64" })]);
    // v = 0.5 · -0.5 - 0.25
    expect(values(p)).toEqual([0]);
  });

  it("of keras with nesterov and decay", () => {
    const options = { convention: "keras", lr: 0.5, momentum: 0.5, nesterov: true, weightDecay: 0.5 } as const;
    // 0.75 · 4, then v = -0.5 and p - 0.25 - 0.5
    expect(after((p) => sgd([p], options), parameter([4]), [[1]])).toEqual([[2.25]]);
  });

  it("of optax multiplies the whole trace by lr", () => {
    const options = { convention: "optax", lr: 0.5, momentum: 0.5 } as const;
    expect(after((p) => sgd([p], options), parameter([1]), [[1], [1]])).toEqual([[0.5], [-0.25]]);
    expect(after((p) => sgd([p], { ...options, nesterov: true }), parameter([1]), [[1]])).toEqual([[0.25]]);
    expect(after((p) => sgd([p], { ...options, momentum: null }), parameter([1]), [[1], [1]])).toEqual([[0.5], [0]]);
  });
});

describe("asgd", () => {
  it("lets the rate fall and averages from t0 on", () => {
    const p = parameter([2]);
    const optimizer = asgd([p], { lr: 0.5, lambd: 1, alpha: 1, t0: 0 });
    const update = () => optimizer.update([tensor([1], { dtype: "float64" })]);
    update();
    // η = 0.5: 0.5 · 2 - 0.5
    expect(values(p)).toEqual([0.5]);
    update();
    // η = 0.5 / 1.5, μ = 1
    expectClose(values(p), [(2 / 3) * 0.5 - 1 / 3]);
    update();
    // η = 0.5 / 2, μ = 1/2: the mean of the second and the third value
    expectClose(values(p), [-0.25]);
    optimizer.eval();
    expectClose(values(p), [-0.125]);
    optimizer.train();
    expectClose(values(p), [-0.25]);
  });

  it("evaluates a parameter that never had a gradient as it is", () => {
    const p = parameter([2]);
    const optimizer = asgd([p]);
    optimizer.eval();
    expect(values(p)).toEqual([2]);
  });
});

describe("rprop", () => {
  it("grows steps of one sign, and waits where the sign turns", () => {
    const steps = after((p) => rprop([p], { lr: 1, etas: [0.5, 2] }), parameter([0]), [[3], [1], [-1], [-7], [0]]);
    // 1, 2, then 1 without a move and with the gradient forgotten, so that the fourth step is again 1
    expect(steps).toEqual([[-1], [-3], [-3], [-2], [-2]]);
  });

  it("takes the signs of tiny gradients as they are", () => {
    const p = new Parameter(tensor([0, 0]), { name: "p" });
    const optimizer = rprop([p], { lr: 1, etas: [0.5, 2] });
    for (let step = 0; step < 2; step++) optimizer.update([tensor([1e-30, -1e-30])]);
    expect(values(p)).toEqual([-3, 3]);
  });
});

describe("adagrad", () => {
  it("puts eps beside the root in PyTorch, under it elsewhere", () => {
    expect(after((p) => adagrad([p], { lr: 1, eps: 1, lrDecay: 1 }), parameter([1]), [[3], [4]])).toEqual([
      [1 - 3 / 4],
      [1 - 3 / 4 - (0.5 * 4) / 6],
    ]);
    const options = { lr: 1, eps: 7, initialAccumulatorValue: 9 } as const;
    const decayed = after((p) => adagrad([p], { ...options, convention: "keras", weightDecay: 0.5 }), parameter([2]), [
      [3],
    ]);
    expectClose(decayed.flat(), [1 - 3 / 5]);
    expectClose(after((p) => adagrad([p], { ...options, convention: "optax" }), parameter([2]), [[3]]).flat(), [
      2 - 3 / 5,
    ]);
  });

  it("of optax does not move where there was never a gradient", () => {
    const options = { convention: "optax", lr: 1, eps: 0, initialAccumulatorValue: 0 } as const;
    expect(after((p) => adagrad([p], options), parameter([2, 2]), [[0, 4]])).toEqual([[2, 1]]);
  });
});

it("adadelta moves in units of past steps", () => {
  // v = 0.25 · 16, d = √1 / √(4 + 1) · 4
  expectClose(after((p) => adadelta([p], { rho: 0.75, eps: 1, lr: 0.5 }), parameter([1]), [[4]]).flat(), [
    1 - (0.5 * 4) / Math.sqrt(5),
  ]);
});

describe("rmsprop", () => {
  const g = [[2]];
  it("puts eps beside the root in PyTorch, under it elsewhere", () => {
    expect(after((p) => rmsprop([p], { lr: 1, alpha: 0.75, eps: 1 }), parameter([1]), g)).toEqual([[0]]);
    const options = { lr: 1, alpha: 0.75, eps: 3 } as const;
    expect(after((p) => rmsprop([p], { ...options, convention: "keras" }), parameter([1]), g)).toEqual([[0]]);
    expect(after((p) => rmsprop([p], { ...options, convention: "optax" }), parameter([1]), g)).toEqual([[0]]);
    const outside = { ...options, eps: 1, epsInSqrt: false, convention: "optax" } as const;
    expect(after((p) => rmsprop([p], outside), parameter([1]), g)).toEqual([[0]]);
    // v̂ = 4
    const corrected = { ...outside, eps: 0, biasCorrection: true } as const;
    expect(after((p) => rmsprop([p], corrected), parameter([1]), g)).toEqual([[0]]);
  });

  it("centred divides by the standard deviation", () => {
    // v = 2, a = 1
    expect(after((p) => rmsprop([p], { lr: 1, alpha: 0.5, eps: 1, centered: true }), parameter([1]), g)).toEqual([[0]]);
  });
});

it("adamax puts eps inside the maximum in PyTorch, beside it in keras", () => {
  const options = { lr: 1, betas: [0.5, 0.5], eps: 1 } as const;
  expect(after((p) => adamax([p], options), parameter([1]), [[3], [0]])).toEqual([
    [1 - 3 / 4],
    // m = 0.75 over 1 - 0.25, u = 2
    [1 - 3 / 4 - 1 / 2],
  ]);
  expectClose(after((p) => adamax([p], { ...options, convention: "keras" }), parameter([1]), [[3], [0]]).flat(), [
    1 - 3 / 4,
    1 - 3 / 4 - 1 / 2.5,
  ]);
});

it("signSgd and signum move by lr or not at all", () => {
  expect(after((p) => signSgd([p], { lr: 0.5 }), parameter([1, 1, 1]), [[1e-300, -7, 0]])).toEqual([[0.5, 1.5, 1]]);
  const decoupled = { lr: 0.5, weightDecay: 1, decoupledWeightDecay: true } as const;
  expect(after((p) => signSgd([p], decoupled), parameter([4]), [[1]])).toEqual([[1.5]]);
  expect(after((p) => signSgd([p], { lr: 0.5, weightDecay: 1 }), parameter([4]), [[-3]])).toEqual([[3.5]]);
  expect(after((p) => signum([p], { lr: 0.5, momentum: 0.5 }), parameter([1]), [[4], [-1], [-1]])).toEqual([
    [0.5],
    [0],
    [0.5],
  ]);
});

describe("sm3", () => {
  it("keeps one vector per axis, the greatest of each slice", () => {
    const p = parameter([0, 0, 0, 0], [2, 2]);
    const optimizer = sm3([p], { lr: 1 });
    optimizer.update([tensor([3, 0, 0, 4], { shape: [2, 2], dtype: "float64" })]);
    expectClose(values(p), [-1, 0, 0, -1]);
    const state = optimizer.state.get("p");
    expect(Object.keys(state ?? {})).toEqual(["accumulator0", "accumulator1"]);
    expect(values(state?.accumulator0)).toEqual([9, 16]);
    optimizer.update([tensor([4, 3, 0, 0], { shape: [2, 2], dtype: "float64" })]);
    // ν = [min(9, 9) + 16, min(9, 16) + 9]
    expectClose(values(p), [-1.8, -3 / Math.sqrt(18), 0, -1]);
    expect(values(state?.accumulator1)).toEqual([25, 18].map((x, i) => (i === 0 ? x : Math.max(x, 16))));
  });

  it("takes scalars", () => {
    expectClose(after((p) => sm3([p], { lr: 1 }), parameter([1], []), [[3], [4]]).flat(), [0, -0.8]);
  });
});

describe("adafactor", () => {
  it("factors the last two axes, and clips", () => {
    const options = { lr: 0.5, eps: [1e-30, 1e-3] as const };
    // g² is [[1, 4], [4, 16]], of rank one: u = sign(g), as long as its limit; a = 0.5 · rms(p) = 0.5
    const p = () => parameter([1, 1, 1, 1], [2, 2]);
    const gradient = [[1, -2, 2, 4]];
    for (const convention of ["torch", "keras"] as const) {
      const [first] = after((p) => adafactor([p], { ...options, convention }), p(), gradient);
      expectClose(first as number[], [0.5, 1.5, 0.5, 0.5]);
    }
    const optax = { convention: "optax", lr: 0.5, minDimSizeToFactor: 2, clippingThreshold: 0.5 } as const;
    expectClose(after((p) => adafactor([p], optax), p(), gradient).flat(), [0.75, 1.25, 0.75, 0.75]);
  });

  it("keeps a row and a column per matrix, the whole of vectors", () => {
    const shapes: Shape[] = [[4, 2, 3], [5], []];
    const parameters = shapes.map((shape, i) => new Parameter(tensor(1).expand(shape), { name: `p${i}` }));
    const gradients = shapes.map((shape) => tensor(1).expand(shape));
    const shapesOf = (convention: "torch" | "optax", options = {}) => {
      const optimizer = adafactor(parameters, { convention, ...options });
      optimizer.update(gradients);
      return [...optimizer.state.values()].map((state) =>
        Object.fromEntries(Object.entries(state).map(([name, { shape }]) => [name, shape])),
      );
    };
    const rest = [{ variance: [5] }, { variance: [] }];
    expect(shapesOf("torch")).toEqual([{ rowVar: [4, 2, 1], colVar: [4, 1, 3] }, ...rest]);
    expect(shapesOf("optax")).toEqual([{ variance: [4, 2, 3] }, ...rest]);
    expect(shapesOf("optax", { minDimSizeToFactor: 3 })).toEqual([{ rowVar: [1, 2, 3], colVar: [4, 2, 1] }, ...rest]);
  });
});

describe("lars", () => {
  it("moves in proportion to the norm of the parameter", () => {
    // |p| = 5, |g| = 10: the ratio is 0.5 · 5 / 10
    const options = { lr: 1, trustCoeff: 0.5, eps: 0, alwaysAdapt: true };
    expectClose(after((p) => lars([p], options), parameter([3, 4]), [[6, 8]]).flat(), [1.5, 2]);
    const optax = { convention: "optax", lr: 1, trustCoeff: 0.5 } as const;
    expectClose(after((p) => lars([p], optax), parameter([3, 4]), [[6, 8]]).flat(), [1.5, 2]);
  });

  it("is SGD on zeros, and without weight decay", () => {
    const optax = { convention: "optax", lr: 0.5 } as const;
    for (const make of [
      (p: Parameter) => lars([p], { lr: 0.5, weightDecay: 0.1 }),
      (p: Parameter) => lars([p], { lr: 0.5 }),
      (p: Parameter) => lars([p], optax),
    ]) {
      expect(after(make, parameter([0, 0]), [[2, 4]])).toEqual([[-1, -2]]);
    }
  });
});

describe("lamb", () => {
  const options = { lr: 0.5, betas: [0.5, 0.5], eps: 0, weightDecay: 0 } as const;
  it("moves by lr times the norm of the parameter", () => {
    // Adam's first step is the sign, of norm √2; |p| = 5
    const expected = [3 - 2.5 / Math.SQRT2, 4 + 2.5 / Math.SQRT2];
    const all = [
      (p: Parameter) => lamb([p], { ...options, alwaysAdapt: true }),
      (p: Parameter) => lamb([p], { ...options, convention: "keras" }),
      (p: Parameter) => lamb([p], { ...options, convention: "optax" }),
    ];
    for (const make of all) expectClose(after(make, parameter([3, 4]), [[7, -2]]).flat(), expected);
    // Where there is no norm to follow, the step is Adam's.
    for (const make of all) expectClose(after(make, parameter([0, 0]), [[7, -2]]).flat(), [-0.5, 0.5]);
  });

  it("clips the gradients of all parameters together", () => {
    const [a, b] = [parameter([0]), new Parameter(tensor([0], { dtype: "float64" }), { name: "q" })];
    const optimizer = lamb([a, b], { lr: 1, maxGradNorm: 1, biasCorrection: false });
    optimizer.update([3, 4].map((x) => tensor([x], { dtype: "float64" })));
    expectClose(values(optimizer.state.get("p")?.expAvg), [0.1 * 0.6]);
    expectClose(values(optimizer.state.get("q")?.expAvg), [0.1 * 0.8]);
  });
});

it.each<[string, { readonly [option: string]: unknown; readonly convention?: Convention }, string]>([
  ["adadelta", { rho: 1 }, "adadelta: rho must be in [0, 1), got 1"],
  ["adadelta", { eps: -1 }, "adadelta: eps must be a finite number ≥ 0, got -1"],
  [
    "adadelta",
    { convention: "keras", weightDecay: -1 },
    "adadelta: weightDecay must be null or a finite number ≥ 0, got -1",
  ],
  ["adafactor", { d: 0.5 }, "adafactor: d must be a finite number ≥ 1, got 0.5"],
  ["adafactor", { beta2Decay: 0.5 }, "adafactor: beta2Decay must be a finite number ≤ 0, got 0.5"],
  ["adafactor", { eps: 1 }, "adafactor: eps must be a list of 2 numbers, got 1"],
  ["adafactor", { eps: [-1, 0] }, "adafactor: eps[0] must be null or a finite number ≥ 0, got -1"],
  ["adafactor", { convention: "keras", d: 0 }, "adafactor: d must be a finite number > 0, got 0"],
  [
    "adafactor",
    { convention: "optax", minDimSizeToFactor: 0 },
    "adafactor: minDimSizeToFactor must be a whole number ≥ 1, got 0",
  ],
  ["adagrad", { lrDecay: Number.NaN }, "adagrad: lrDecay must be a finite number ≥ 0, got NaN"],
  ["adagrad", { initialAccumulatorValue: -1 }, "adagrad: initialAccumulatorValue must be a finite number ≥ 0, got -1"],
  ["adamax", { betas: [0.9, 1] }, "adamax: betas[1] must be in [0, 1), got 1"],
  ["asgd", { t0: -1 }, "asgd: t0 must be a finite number ≥ 0, got -1"],
  ["asgd", { lr: -1 }, "asgd: lr must be a finite number ≥ 0, got -1"],
  ["asgd", { convention: "keras" }, "asgd: convention must be one of torch, got keras"],
  ["lamb", { maxGradNorm: 0 }, "lamb: maxGradNorm must be null or a finite number > 0, got 0"],
  ["lamb", { caution: 1 }, "lamb: caution must be true or false, got 1"],
  ["lars", { nesterov: true }, "lars: nesterov wants momentum > 0 and dampening 0, got momentum 0 and dampening 0"],
  ["lars", { convention: "optax", lr: 1, momentum: -1 }, "lars: momentum must be null or a finite number ≥ 0, got -1"],
  ["lars", { convention: "optax" }, "lars: lr is required"],
  ["rmsprop", { alpha: -0.1 }, "rmsprop: alpha must be in [0, 1), got -0.1"],
  ["rmsprop", { centered: "yes" }, "rmsprop: centered must be true or false, got yes"],
  ["rprop", { etas: [0.5, 1] }, "rprop: etas must be [below, above] with 0 < below < 1 < above, got [0.5,1]"],
  [
    "rprop",
    { stepSizes: [2, 1] },
    "rprop: stepSizes must be [least, most] with 0 ≤ least ≤ most, both finite, got [2,1]",
  ],
  ["sgd", { convention: "optax" }, "sgd: lr is required"],
  ["signum", { momentum: 1 }, "signum: momentum must be in [0, 1), got 1"],
  ["signSgd", { weightDecay: -1 }, "signSgd: weightDecay must be a finite number ≥ 0, got -1"],
  ["sm3", { beta: 1 }, "sm3: beta must be in [0, 1), got 1"],
])("%s refuses %j", (name, options, message) => {
  expect(() => (optimizersByName[name] as AnyNamedOptimizer)([parameter([1])], options)).toThrow(message);
});
