import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import {
  add,
  cast,
  compile,
  mul,
  Parameter,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  tensor,
  useBackend,
} from "../index.ts";
import { adam, adamW, type GradientTransform, sgd } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const parameter = (name: string, values: number[]) => new Parameter(tensor(values, { dtype: "float64" }), { name });
const values = (x: Tensor): number[] => Array.from(x.dataSync());
const gradient = (...entries: number[]) => tensor(entries, { dtype: "float64" });

describe("minimize", () => {
  it("goes down the gradient and gives the loss before the update", () => {
    const p = parameter("p", [3, -1]);
    const optimizer = sgd([p], { lr: 0.25 });
    const loss = optimizer.minimize(sum(square(p)));
    expect(loss.itemSync()).toBe(10);
    expect(values(p)).toEqual([1.5, -0.5]);
    expect(optimizer.step).toBe(1);
  });

  it("goes up with maximize", () => {
    const p = parameter("p", [3, -1]);
    sgd([p], { lr: 0.25, maximize: true }).minimize(sum(square(p)));
    expect(values(p)).toEqual([4.5, -1.5]);
  });

  it("passes over parameters the loss does not depend on, unless told not to", () => {
    const [used, unused, stopped] = [parameter("used", [1]), parameter("unused", [2]), parameter("stopped", [3])];
    const optimizer = adam([used, unused, stopped], { lr: 0.5 });
    optimizer.minimize(sum(mul(used, stopGradient(stopped))));
    expect(values(used)[0]).toBeCloseTo(0.5, 7);
    expect(values(unused)).toEqual([2]);
    expect(values(stopped)).toEqual([3]);
    expect([...optimizer.state.keys()]).toEqual(["used"]);
    expect(() => optimizer.minimize(sum(used), { allowUnused: false })).toThrow(
      "adam: the loss does not depend on parameter unused",
    );
    expect(() => optimizer.minimize(tensor(1))).toThrow("adam: the loss depends on no parameter of the optimizer");
    expect(optimizer.step).toBe(1);
  });

  it("updates 16-bit parameters by float32 arithmetic", () => {
    const p = new Parameter(cast(tensor([1, 2]), "bfloat16"), { name: "p" });
    const optimizer = sgd([p], { lr: 0.5, momentum: 0.9 });
    optimizer.minimize(sum(square(cast(p, "float32"))));
    expect(p.dtype).toBe("bfloat16");
    expect(values(p)).toEqual([0, 0]);
    expect(optimizer.state.get("p")?.momentumBuffer?.dtype).toBe("bfloat16");
  });
});

describe("update", () => {
  it("takes a list in order or a map; null and absent gradients leave a parameter alone", () => {
    const [a, b] = [parameter("a", [1]), parameter("b", [1])];
    const optimizer = adamW([a, b], { lr: 0.1, weightDecay: 0.5 });
    optimizer.update([gradient(1), null]);
    expect(values(b)).toEqual([1]);
    optimizer.update(new Map([[b, gradient(1)]]));
    // Each at its own first step: shrunk by 1 - 0.1 · 0.5, then moved by lr.
    expect(values(a)[0]).toBeCloseTo(0.85, 7);
    expect(values(b)[0]).toBe(values(a)[0]);
    expect(optimizer.step).toBe(2);
    expect(optimizer.groups[0]?.entries.map((entry) => entry.updates)).toEqual([1, 1]);
  });

  it("checks what it is given", () => {
    const a = parameter("a", [1]);
    const optimizer = adam([a]);
    expect(() => optimizer.update([])).toThrow("adam: update got 0 gradients for 1 parameters");
    expect(() => optimizer.update([gradient(1, 2)])).toThrow("adam: the gradient of a has shape [2], expected [1]");
    expect(() => optimizer.update(new Map([[parameter("b", [1]), gradient(1)]]))).toThrow(
      "adam: update got a gradient for b that it does not train",
    );
    expect(optimizer.step).toBe(0);
  });
});

describe("state", () => {
  it("goes by parameter name and the rule's names", () => {
    const p = parameter("layers.0.weight", [1, 2]);
    const optimizer = adam([p], { amsgrad: true, betas: [0.5, 0.75] });
    expect(optimizer.state.size).toBe(0);
    optimizer.update([gradient(2, 4)]);
    const state = optimizer.state.get("layers.0.weight");
    expect(Object.keys(state ?? {})).toEqual(["expAvg", "expAvgSq", "maxExpAvgSq"]);
    expect(state?.expAvg?.name).toBe("layers.0.weight.expAvg");
    expect(state?.expAvg?.trainable).toBe(false);
    expect(values(state?.expAvg as Tensor)).toEqual([1, 2]);
    expect(values(state?.expAvgSq as Tensor)).toEqual([1, 4]);
  });

  it("of momentum starts as the first gradient, undampened", () => {
    const p = parameter("p", [0]);
    const optimizer = sgd([p], { lr: 1, momentum: 0.5, dampening: 0.75 });
    optimizer.update([gradient(8)]);
    expect(values(optimizer.state.get("p")?.momentumBuffer as Tensor)).toEqual([8]);
    optimizer.update([gradient(8)]);
    expect(values(optimizer.state.get("p")?.momentumBuffer as Tensor)).toEqual([6]);
    expect(values(p)).toEqual([-14]);
  });

  it("follows options that are changed on the way", () => {
    const p = parameter("p", [0]);
    const optimizer = adam([p]);
    optimizer.update([gradient(1)]);
    optimizer.groups[0]?.configure({ amsgrad: true });
    optimizer.update([gradient(1)]);
    expect(Object.keys(optimizer.state.get("p") ?? {})).toEqual(["expAvg", "expAvgSq", "maxExpAvgSq"]);
  });
});

describe("transforms", () => {
  const double: GradientTransform = (gradients) => gradients.map((g) => mul(g, 2));
  const increment: GradientTransform = (gradients) => gradients.map((g) => add(g, 1));

  it("are applied in order", () => {
    const p = parameter("p", [0]);
    sgd([p], { lr: 1, transforms: [double, increment] }).update([gradient(3)]);
    expect(values(p)).toEqual([-7]);
  });

  it("see the parameters and must keep number and shapes", () => {
    const p = parameter("p", [0, 0]);
    const decay: GradientTransform = (gradients, parameters) =>
      gradients.map((g, i) => sub(g, parameters[i] as Tensor));
    sgd([p], { lr: 1, transforms: [decay] }).update([gradient(1, 2)]);
    expect(values(p)).toEqual([-1, -2]);
    expect(() => sgd([p], { lr: 1, transforms: [() => []] }).update([gradient(1, 2)])).toThrow(
      "sgd: transforms[0] returned 0 gradients, expected 1, one per parameter",
    );
    expect(() =>
      sgd([p], { lr: 1, transforms: [double, (g) => g.map((x) => sum(x))] }).update([gradient(1, 2)]),
    ).toThrow("sgd: transforms[1] returned a gradient of shape [] for a parameter of shape [2]");
  });
});

describe("compiled", () => {
  const run = (compiled: boolean, steps: number): { values: number[]; losses: number[]; traces: number } => {
    const [p, q] = [parameter("p", [1, 2]), parameter("q", [-1, 0.5])];
    const optimizer = adamW([p, q], { lr: (step) => 0.1 / (step + 1), weightDecay: 0.1 });
    let traces = 0;
    const step = (x: Tensor): Tensor => {
      traces++;
      return optimizer.minimize(sum(square(sub(mul(p, x), q))));
    };
    const train = compiled ? compile(step) : step;
    const losses: number[] = [];
    for (let i = 0; i < steps; i++) losses.push(train(gradient(i, 1)).itemSync());
    expect(optimizer.step).toBe(steps);
    return { values: [...values(p), ...values(q)], losses, traces };
  };

  it("replays what building afresh gives, schedule and bias correction included, from one trace", () => {
    const [direct, compiled] = [run(false, 6), run(true, 6)];
    expect(compiled.traces).toBe(1);
    for (const [i, value] of direct.values.entries()) expect(compiled.values[i]).toBeCloseTo(value, 12);
    for (const [i, loss] of direct.losses.entries()) expect(compiled.losses[i]).toBeCloseTo(loss, 12);
  });

  it("is not traced again for a new rate, but for new options", () => {
    const p = parameter("p", [0]);
    const optimizer = sgd([p], { lr: 1 });
    let traces = 0;
    const step = compile((g: Tensor) => {
      traces++;
      optimizer.update([g]);
      return sum(g);
    });
    step(gradient(1));
    optimizer.lr = 0.5;
    step(gradient(1));
    expect(values(p)).toEqual([-1.5]);
    expect(traces).toBe(1);
    optimizer.groups[0]?.configure({ weightDecay: 1 });
    step(gradient(1));
    expect(values(p)).toEqual([-1.25]);
    expect(traces).toBe(2);
  });

  it("keeps each parameter's own step count when another step updates some of them", () => {
    const trajectory = (compiled: boolean): number[] => {
      const [p, q] = [parameter("p", [1]), parameter("q", [1])];
      const optimizer = adam([p, q], { lr: 0.1 });
      const both = (g: Tensor): Tensor => {
        optimizer.update([g, g]);
        return sum(g);
      };
      const step = compiled ? compile(both) : both;
      for (const g of [1, -2]) step(gradient(g));
      optimizer.update([null, gradient(3)]);
      for (const g of [4, -5]) step(gradient(g));
      return [...values(p), ...values(q)];
    };
    const [direct, compiled] = [trajectory(false), trajectory(true)];
    expect(direct[0]).not.toBe(direct[1]);
    expect(compiled[0]).toBeCloseTo(direct[0] as number, 13);
    expect(compiled[1]).toBeCloseTo(direct[1] as number, 13);
  });

  it("counts several updates in one function as they come", () => {
    const trajectory = (compiled: boolean): number[] => {
      const [p, q] = [parameter("p", [1]), parameter("q", [1])];
      const optimizer = adam([p, q], { lr: (step) => 0.1 / (step + 1) });
      const twice = (g: Tensor): Tensor => {
        optimizer.update([g, null]);
        optimizer.update([mul(g, g), g]);
        return sum(g);
      };
      const step = compiled ? compile(twice) : twice;
      for (const g of [1, -2, 3]) step(gradient(g));
      expect(optimizer.step).toBe(6);
      expect(optimizer.groups[0]?.entries.map((entry) => entry.updates)).toEqual([6, 3]);
      return [...values(p), ...values(q)];
    };
    const [direct, compiled] = [trajectory(false), trajectory(true)];
    expect(compiled[0]).toBeCloseTo(direct[0] as number, 13);
    expect(compiled[1]).toBeCloseTo(direct[1] as number, 13);
  });
});

it("evaluates with what it trains where a rule keeps no average", () => {
  const p = new Parameter(tensor([1, 2]), { name: "p" });
  const optimizer = adam([p], { lr: 0.1 });
  optimizer.update([tensor([1, -1])]);
  const trained = [...p.dataSync()];
  optimizer.eval();
  expect([...p.dataSync()]).toEqual(trained);
  // Nothing was exchanged, so there is nothing to go back from.
  optimizer.update([tensor([1, -1])]);
  expect(optimizer.step).toBe(2);
});
