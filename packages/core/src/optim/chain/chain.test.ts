import { beforeAll, describe, expect, it } from "vitest";
import { programStatistics, referenceBackend } from "../../backend/index.ts";
import { compile, Parameter, sum, type Tensor, tensor, useBackend } from "../../index.ts";
import {
  accumulate,
  adam,
  adamW,
  addDecayedWeights,
  cautious,
  cautiousMask,
  chain,
  clipGradNorm,
  emaOfGradients,
  freeze,
  type GradientTransform,
  lookahead,
  noDecay,
  type Optimizer,
  scale,
  scaleByAdam,
  scaleByLearningRate,
  scaleByRms,
  scaleBySchedule,
  scaleBySign,
  scaleByTrustRatio,
  sgd,
  trace,
} from "../index.ts";

beforeAll(() => useBackend(referenceBackend()));

const data = (values: readonly number[]) => tensor([...values], { dtype: "float64" });
const parameter = (name: string, ...values: number[]) => new Parameter(data(values), { name });

const gradients = [
  [1, -2],
  [0.5, 0.25],
  [-3, 1e-3],
  [0, 4],
];

/** The trajectory of one parameter under an optimizer. */
function trajectory(
  make: (parameters: Parameter[]) => Optimizer,
  { compiled = false, start = [2, -3] as readonly number[] } = {},
): number[] {
  const p = parameter("p", ...start);
  const optimizer = make([p]);
  const update = (g: Tensor): Tensor => {
    optimizer.update([g]);
    return sum(g);
  };
  const step = compiled ? compile(update) : update;
  return gradients.flatMap((g) => {
    step(data(g));
    return [...p.dataSync()];
  });
}

const both = [false, true];

describe.each(both)("chain, compiled: %s", (compiled) => {
  const run = (make: (parameters: Parameter[]) => Optimizer) => trajectory(make, { compiled });

  const expectSame = (actual: number[], expected: number[]) => {
    for (const [i, value] of expected.entries()) {
      expect(Math.abs((actual[i] as number) - value)).toBeLessThanOrEqual(1e-14 * Math.abs(value));
    }
  };

  // Bias corrections divide the averages here and the step size there: the same number, rounded once or twice more.
  it("of scaleByAdam is adam", () => {
    const mine = chain(scaleByAdam(), scaleByLearningRate());
    expectSame(
      run((p) => mine(p, { lr: 0.1 })),
      run((p) => adam(p, { lr: 0.1 })),
    );
    const given = chain(scaleByAdam({ betas: [0.5, 0.75], eps: 0.1 }), scaleByLearningRate(0.1));
    expectSame(
      run((p) => given(p)),
      run((p) => adam(p, { lr: 0.1, betas: [0.5, 0.75], eps: 0.1 })),
    );
  });

  it("with decay after the scaling is adamW", () => {
    const mine = chain(scaleByAdam(), addDecayedWeights(0.5), scaleByLearningRate());
    const lr = (step: number) => 0.1 / (step + 1);
    expectSame(
      run((p) => mine(p, { lr })),
      run((p) => adamW(p, { lr, weightDecay: 0.5 })),
    );
    expectSame(
      run((p) => mine(p, { lr: 0.2, weightDecay: 0.25 })),
      run((p) => adamW(p, { lr: 0.2, weightDecay: 0.25 })),
    );
  });

  it("is what optax makes its own adamW of", () => {
    const { scaling, weightDecay, lr } = {
      scaling: { betas: [0.8, 0.9], epsRoot: 0.25 } as const,
      weightDecay: 0.5,
      lr: 0.1,
    };
    for (const nesterov of [false, true]) {
      const mine = chain(
        scaleByAdam({ ...scaling, nesterov }),
        addDecayedWeights(weightDecay),
        scaleByLearningRate(lr),
      );
      expectSame(
        run((p) => mine(p)),
        run((p) => adamW(p, { convention: "optax", ...scaling, nesterov, weightDecay, lr })),
      );
    }
  });

  it("with decay before the scaling is adam with L2", () => {
    const mine = chain(addDecayedWeights(0.5), scaleByAdam(), scaleByLearningRate(0.1));
    expectSame(
      run((p) => mine(p)),
      run((p) => adam(p, { lr: 0.1, weightDecay: 0.5 })),
    );
  });

  it("of trace is sgd with momentum, to the bit", () => {
    const plain = chain(trace({ decay: 0.75 }), scaleByLearningRate(0.25));
    expect(run((p) => plain(p))).toEqual(run((p) => sgd(p, { lr: 0.25, momentum: 0.75 })));
    const nesterov = chain(trace({ decay: 0.75, nesterov: true }), scaleByLearningRate(0.25));
    expect(run((p) => nesterov(p))).toEqual(run((p) => sgd(p, { lr: 0.25, momentum: 0.75, nesterov: true })));
  });

  it("takes gradient transforms anywhere, on all parameters together", () => {
    const first = chain(clipGradNorm(0.5), scaleByAdam({ eps: 1 }), scaleByLearningRate(0.1));
    expectSame(
      run((p) => first(p)),
      run((p) => adam(p, { lr: 0.1, eps: 1, transforms: [clipGradNorm(0.5)] })),
    );
    const [p, q] = [parameter("p", 0), parameter("q", 0)];
    const middle = chain(scale(2), clipGradNorm(5, { convention: "optax" }), scaleByLearningRate(1));
    // 2 · (3, 4) has length 10.
    middle([p, q]).update([data([3]), data([4])]);
    expect([p.itemSync(), q.itemSync()]).toEqual([-3, -4]);
  });

  it("follows schedules among the options of its pieces", () => {
    const schedule = (step: number): number => [0.5, 0.25, 0, 0.75][step] as number;
    const mine = chain(trace({ decay: schedule }), scaleByLearningRate(0.25));
    expect(run((p) => mine(p))).toEqual(run((p) => sgd(p, { lr: 0.25, momentum: schedule })));
    const scaled = chain(scaleBySchedule((step) => -schedule(step)));
    expect(run((p) => scaled(p))).toEqual(run((p) => sgd(p, { lr: schedule })));
  });
});

describe("pieces", () => {
  const after = (make: (parameters: Parameter[]) => Optimizer, ...steps: number[][]): number[] => {
    const p = parameter("p", 3, -4);
    const optimizer = make([p]);
    for (const g of steps) optimizer.update([data(g)]);
    return [...p.dataSync()];
  };
  const close = (actual: number[], ...expected: number[]) => {
    for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 12);
  };

  it("scaleByRms, by hand", () => {
    // v = 0.25 · 16 = 4, then 0.75 · 4 + 4 = 7.
    close(
      after(chain(scaleByRms({ decay: 0.75, eps: 0 }), scale(-1)), [4, -4], [4, -4]),
      1 - 4 / Math.sqrt(7),
      -2 + 4 / Math.sqrt(7),
    );
    close(after(chain(scaleByRms({ decay: 0.75, eps: 5 }), scale(-1)), [4, -4]), 3 - 4 / 3, -4 + 4 / 3);
    close(after(chain(scaleByRms({ decay: 0.75, eps: 2, epsInSqrt: false }), scale(-1)), [4, -4]), 2, -3);
    close(after(chain(scaleByRms({ decay: 0.75, eps: 0, biasCorrection: true }), scale(-1)), [4, -4]), 2, -3);
    // v = 0.75 · 12 + 0.25 · 28 = 16
    const g = Math.sqrt(28);
    close(
      after(chain(scaleByRms({ decay: 0.75, eps: 0, initialScale: 12 }), scale(-1)), [g, g]),
      3 - g / 4,
      -4 - g / 4,
    );
  });

  it("emaOfGradients, by hand", () => {
    close(
      after(chain(emaOfGradients({ decay: 0.5 }), scale(-1)), [2, 4], [8, 0]),
      3 - 2 - 4.5 / 0.75,
      -4 - 4 - 1 / 0.75,
    );
    close(after(chain(emaOfGradients({ decay: 0.5, debias: false }), scale(-1)), [2, 4]), 2, -6);
  });

  it("scaleBySign and scaleByTrustRatio, by hand", () => {
    close(after(chain(scaleBySign(), scale(-0.5)), [1e-9, -7]), 2.5, -3.5);
    // ‖p‖ = 5, ‖g‖ = 10
    close(after(chain(scaleByTrustRatio(), scale(-1)), [6, 8]), 0, -8);
    close(after(chain(scaleByTrustRatio({ trustCoefficient: 0.5, eps: 10 }), scale(-1)), [6, 8]), 3 - 0.75, -5);
    close(after(chain(scaleByTrustRatio(), scale(-1)), [0, 0]), 3, -4);
    close(after(chain(scaleByTrustRatio({ minNorm: 20 }), scale(-1)), [6, 8]), -3, -12);
  });

  it("cautiousMask, by hand and as the wrapper", () => {
    // The trace after two steps is (0, 4) + (1, -1) = (1, 3): the second entry goes up the gradient.
    const mine = chain(trace({ decay: 1 - 2 ** -40 }), cautiousMask(), scale(-1));
    close(after(mine, [0, 4], [1, -1]), 3 - 2, -4 - 8);
    const steps = [
      [1, 2],
      [-3, 1],
      [2, -0.5],
    ];
    close(
      after(chain(trace(), cautiousMask(), scaleByLearningRate(0.1)), ...steps),
      ...after((p) => cautious(chain(trace(), scaleByLearningRate(0.1))(p)), ...steps),
    );
  });

  it("scaleByAdam with epsRoot and nesterov, by hand", () => {
    // m = 0.5 · 2, v = 0.5 · 4: corrected 2 and 4.
    close(
      after(chain(scaleByAdam({ betas: [0.5, 0.5], eps: 0, epsRoot: 5 }), scale(-1)), [2, 2]),
      3 - 2 / 3,
      -4 - 2 / 3,
    );
    const nesterov = (0.5 * 1) / 0.75 + (0.5 * 2) / 0.5;
    close(
      after(chain(scaleByAdam({ betas: [0.5, 0.5], eps: 0, nesterov: true }), scale(-1)), [2, 2]),
      3 - nesterov / 2,
    );
  });

  it("addDecayedWeights leaves out what is excepted", () => {
    const [w, b] = [parameter("w", 8), parameter("b", 8)];
    chain(addDecayedWeights(0.5, { except: "b" }), scale(-1))([w, b]).update([data([1]), data([1])]);
    expect([w.itemSync(), b.itemSync()]).toEqual([3, 7]);
  });
});

describe("an optimizer of a chain", () => {
  it("has groups, state by piece, and a state dict", async () => {
    const mine = chain(
      scaleByAdam(),
      addDecayedWeights(0.1),
      addDecayedWeights(0, { only: "w" }),
      scaleByLearningRate(0.5),
    );
    const make = (values: number[]) => {
      const [w, b] = [new Parameter(tensor([values], { dtype: "float64" }), { name: "w" }), parameter("b", ...values)];
      return { w, b, optimizer: mine(noDecay([w, b])) };
    };
    const { w, b, optimizer } = make([1, 2]);
    expect(mine.rule.defaults).toEqual({
      betas: [0.9, 0.999],
      eps: 1e-8,
      epsRoot: 0,
      nesterov: false,
      weightDecay: 0.1,
      "addDecayedWeights2.weightDecay": 0,
    });
    const step = (o: Optimizer<never>) => o.update([tensor([[1, -1]], { dtype: "float64" }), data([1, -1])]);
    step(optimizer as Optimizer<never>);
    expect(Object.keys(optimizer.state.get("w") ?? {})).toEqual(["scaleByAdam.expAvg", "scaleByAdam.expAvgSq"]);
    expect(w.dataSync()[0]).toBeCloseTo(1 - 0.5 * 1.1, 7);
    expect(b.dataSync()[0]).toBeCloseTo(0.5, 7);
    const saved = JSON.parse(JSON.stringify(await optimizer.stateDict()));
    expect(saved.optimizer).toBe("chain(scaleByAdam, addDecayedWeights, addDecayedWeights2, scaleByLearningRate)");
    const copy = make([0, 0]);
    copy.w.assign(w);
    copy.b.assign(b);
    await copy.optimizer.loadStateDict(await optimizer.stateDict());
    for (const o of [optimizer, copy.optimizer]) step(o as Optimizer<never>);
    expect([...copy.w.dataSync(), ...copy.b.dataSync()]).toEqual([...w.dataSync(), ...b.dataSync()]);
  });

  it("is one kernel where its pieces are element-wise, and one more trip for the norm of a clip", () => {
    const kernels = (optimizer: Optimizer, p: Parameter) => {
      const step = compile((g: Tensor) => optimizer.update([g]));
      return programStatistics(step.program(tensor(new Float64Array(p.size), { dtype: "float64" }))).kernels;
    };
    const p = parameter("p", 1, 2, 3);
    const adamChain = chain(scaleByAdam(), addDecayedWeights(0.1), scaleByLearningRate(0.1));
    expect(kernels(adamChain([p]), p)).toBe(1);
    expect(kernels(adamChain([p]), p)).toBe(kernels(adamW([p]), p));
    const clipped = chain(clipGradNorm(1), scaleByAdam(), scaleByLearningRate(0.1));
    expect(kernels(clipped([p]), p)).toBe(kernels(adam([p], { transforms: [clipGradNorm(1)] }), p));
  });

  it("keeps its state in less memory when asked", () => {
    const start = Array.from({ length: 4096 }, (_, i) => Math.sin(i));
    const mine = chain(scaleByAdam(), scaleByLearningRate(0.1));
    const run = (stateDtype: "blockwise8bit" | undefined) => {
      const p = parameter("p", ...start);
      const optimizer = mine([p], { stateDtype });
      for (const g of [1, -0.5]) optimizer.update([data(start.map((x) => g * x))]);
      return { values: [...p.dataSync()], state: Object.keys(optimizer.state.get("p") ?? {}) };
    };
    const [small, exact] = [run("blockwise8bit"), run(undefined)];
    expect(small.state).toEqual(
      ["expAvg", "expAvgSq"].flatMap((name) => [`scaleByAdam.${name}.codes`, `scaleByAdam.${name}.absmax`]),
    );
    const error = exact.values.reduce((total, value, i) => total + Math.abs(value - (small.values[i] as number)), 0);
    expect(error / start.length).toBeLessThan(2e-3);
  });

  it("can be wrapped, with transforms of all gradients in it too", () => {
    const clipped = chain(clipGradNorm(1, { convention: "optax" }), trace({ decay: 0.5 }), scaleByLearningRate(0.25));
    const [p, q] = [parameter("p", 0), parameter("q", 0)];
    const optimizer = accumulate(clipped([p, q]), { k: 2 });
    optimizer.update([data([6]), data([0])]);
    expect([p.itemSync(), q.itemSync()]).toEqual([0, 0]);
    optimizer.update([data([0]), data([8])]);
    expect([p.itemSync(), q.itemSync()]).toEqual([-0.25 * 0.6, -0.25 * 0.8]);
    const mine = chain(trace({ decay: 0.5 }), scaleByLearningRate(0.25));
    expect(trajectory((p) => lookahead(mine(p), { k: 2 }))).toEqual(
      trajectory((p) => lookahead(sgd(p, { lr: 0.25, momentum: 0.5 }), { k: 2 })),
    );
  });
});

describe("errors", () => {
  it("name chain and piece", () => {
    const p = parameter("p", 1);
    expect(() => chain()).toThrow("chain: expected at least one piece");
    expect(() => chain(3 as unknown as GradientTransform)).toThrow(
      "chain: piece 0 is neither a piece nor a gradient transform: 3",
    );
    expect(() => chain(scaleByAdam({ betas: [1, 0.5] }))).toThrow("scaleByAdam: betas[0] must be in [0, 1), got 1");
    expect(() => chain(scale(Number.NaN))).toThrow("scale: factor must be a finite number, got NaN");
    expect(() => chain(trace({ decay: 2 }))).toThrow("trace: decay must be in [0, 1), got 2");
    expect(() => chain(trace(), scaleByLearningRate())([p])).toThrow(
      "chain(trace, scaleByLearningRate): lr is required: a number or a schedule (step) => number",
    );
    expect(() => chain(trace(), scaleByLearningRate(1))([p], { weightDecay: 1 } as object)).toThrow(
      "chain(trace, scaleByLearningRate): unknown option weightDecay; expected one of lr, maximize",
    );
    expect(() => chain(freeze("p"), scale(1))([p]).update([data([1])])).toThrow(
      "chain(freeze, scale): freeze left p out, which a piece cannot; put it among the optimizer's transforms",
    );
  });
});
