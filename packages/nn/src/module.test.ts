import { add, Parameter, type Tensor, tensor, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { beforeAll, describe, expect, it } from "vitest";
import { batchNorm, dropout, linear, module, relu, residual, sequential } from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const block = (width: number) => {
  const layers = [linear(width, 2 * width), linear(2 * width, width)];
  return module({ layers }, (x: Tensor) => layers.reduce((value, layer) => layer(value), x), "block");
};

describe("names", () => {
  it("nest by key and position", () => {
    const model = sequential(linear(4, 3), relu(), residual(block(3)), linear(3, 2, { bias: false }));
    expect(Object.keys(model.namedParameters())).toEqual([
      "0.weight",
      "0.bias",
      "2.body.layers.0.weight",
      "2.body.layers.0.bias",
      "2.body.layers.1.weight",
      "2.body.layers.1.bias",
      "3.weight",
    ]);
    expect(model.parameters().map(({ name }) => name)).toEqual(Object.keys(model.namedParameters()));
    expect([...model.modules()].map(([name, { type }]) => `${name}:${type}`)).toEqual([
      ":sequential",
      "0:linear",
      "1:relu",
      "2:residual",
      "2.body:block",
      "2.body.layers.0:linear",
      "2.body.layers.1:linear",
      "3:linear",
    ]);
  });

  it("follow the place in the whole model, and parts are properties", () => {
    const encoder = block(2);
    const model = module({ encoder, scale: new Parameter(tensor([1])) }, (x: Tensor) => encoder(x));
    expect(model.encoder.layers[1]?.weight.name).toBe("encoder.layers.1.weight");
    expect(model.scale.name).toBe("scale");
    expect(Object.keys(model.children)).toEqual(["encoder"]);
  });

  it("name a shared parameter once", () => {
    const first = linear(3, 3);
    const model = sequential(first, relu(), first);
    expect(Object.keys(model.namedParameters())).toEqual(["0.weight", "0.bias"]);
    expect(model.parameters()).toHaveLength(2);
  });

  it("that cannot be are refused", () => {
    const layer = linear(1, 1);
    const forward = (x: Tensor): Tensor => x;
    expect(() => module({ "a.b": layer }, forward)).toThrow(
      "module: a part cannot be named a.b: dots separate nested names",
    );
    expect(() => module({ parameters: layer }, forward)).toThrow(
      "module: a part cannot be named parameters: every module has a property of that name",
    );
    expect(() => module({ x: 1 } as unknown as Record<string, Parameter>, forward, "mine")).toThrow(
      "mine: part x is neither a Parameter, a module nor a list of modules",
    );
    expect(() => sequential(layer, 3 as unknown as typeof layer)).toThrow(
      "sequential: layer 1 is neither a module nor a function: 3",
    );
  });
});

describe("training mode", () => {
  it("starts on and is switched for all below", () => {
    const inner = dropout();
    const model = sequential(residual(sequential(inner)), relu());
    expect([model.training, inner.training]).toEqual([true, true]);
    model.eval();
    expect([model.training, inner.training]).toEqual([false, false]);
    model.train();
    expect([model.training, inner.training]).toEqual([true, true]);
  });
});

describe("calling", () => {
  it("runs plain functions among modules", () => {
    const model = sequential(
      (x) => add(x, 1),
      relu(),
      (x) => add(x, 10),
    );
    expect(model(tensor([-3, 2])).arraySync()).toEqual([10, 13]);
  });

  it("residual adds the input or its shortcut", () => {
    const double = module({}, (x: Tensor) => add(x, x));
    const negate = module({}, (x: Tensor) => x.neg());
    expect(residual(double)(tensor([1, 2])).arraySync()).toEqual([3, 6]);
    expect(residual(double, negate)(tensor([1, 2])).arraySync()).toEqual([1, 2]);
  });
});

describe("state dict", () => {
  it("holds parameters and buffers and goes from one model to another", async () => {
    const make = () => sequential(linear(2, 3), batchNorm(3));
    const [a, b] = [make(), make()];
    const state = await a.stateDict();
    expect(Object.keys(state)).toEqual(["0.weight", "0.bias", "1.weight", "1.bias", "1.runningMean", "1.runningVar"]);
    expect(Object.keys(b.buffers())).toEqual(["1.runningMean", "1.runningVar"]);
    const weight = b.namedParameters()["0.weight"] as Parameter;
    await b.loadStateDict(state);
    expect(Array.from(weight.dataSync())).toEqual(Array.from(state["0.weight"]?.data ?? []));
    expect(b.namedParameters()["0.weight"]).toBe(weight);
  });

  it("is checked before anything is changed", async () => {
    const [a, b] = [sequential(linear(2, 3)), sequential(linear(2, 3))];
    const state = await a.stateDict();
    const before = await b.stateDict();
    const { "0.weight": weight, ...rest } = state;
    await expect(b.loadStateDict({ ...rest, more: state["0.bias"] as NonNullable<typeof weight> })).rejects.toThrow(
      "loadStateDict: missing 0.weight; unknown more",
    );
    const [bias] = [state["0.bias"] as NonNullable<typeof weight>];
    await expect(b.loadStateDict({ ...state, "0.bias": { ...bias, shape: [1, 3] } })).rejects.toThrow(
      "loadStateDict: 0.bias has shape [3], got [1, 3]",
    );
    await expect(b.loadStateDict({ ...state, "0.bias": { ...bias, dtype: "float64" } })).rejects.toThrow(
      "loadStateDict: 0.bias is float32, got float64",
    );
    expect(await b.stateDict()).toEqual(before);
    await b.loadStateDict(rest, { strict: false });
    expect((await b.stateDict())["0.bias"]).toEqual(bias);
    expect((await b.stateDict())["0.weight"]).toEqual(before["0.weight"]);
  });
});
