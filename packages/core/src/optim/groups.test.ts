import { describe, expect, it } from "vitest";
import { ArgumentError, DTypeError } from "../graph/errors.ts";
import { zeros } from "../tensor/creation.ts";
import { Parameter } from "../tensor/parameter.ts";
import { adam, adamW, sgd } from "./index.ts";

const parameter = (name?: string) => new Parameter(zeros([2, 3]), name === undefined ? {} : { name });

describe("parameters and their names", () => {
  it("go by their own name, and by their position without one", () => {
    const [a, b, c] = [parameter("a"), parameter(), parameter()];
    expect(adam([a, b, c]).groups[0]?.entries.map((entry) => entry.name)).toEqual(["a", "parameter.1", "parameter.2"]);
  });

  it("go by the keys of a record", () => {
    const model = { "0.weight": parameter(), "0.bias": parameter("other") };
    const optimizer = adam(model);
    expect(optimizer.groups[0]?.entries.map((entry) => entry.name)).toEqual(["0.weight", "0.bias"]);
    expect(optimizer.parameters).toEqual([model["0.weight"], model["0.bias"]]);
  });

  it("must differ, across groups too", () => {
    expect(() => adam([parameter("w"), parameter("w")])).toThrow(
      "adam: two parameters are named w; names must differ, as state goes by them (give a record { name: parameter } to rename)",
    );
    expect(() => adam([{ parameters: [parameter("w")] }, { parameters: { w: parameter() } }])).toThrow(
      "two parameters are named w",
    );
    const shared = parameter("shared");
    expect(() => adam({ a: shared, b: shared })).toThrow("adam: the same parameter is given twice, as a and as b");
  });

  it("passes over what is not trainable and refuses what cannot be trained", () => {
    const frozen = new Parameter(zeros([2]), { name: "mean", trainable: false });
    expect(adam([frozen, parameter("w")]).parameters.map(({ name }) => name)).toEqual(["w"]);
    expect(() => adam([frozen])).toThrow("adam: there is no trainable parameter to update");
    expect(() => adam([new Parameter(zeros([2], { dtype: "int32" }), { name: "count" })])).toThrow(DTypeError);
  });
});

describe("options", () => {
  it("have PyTorch's defaults", () => {
    expect(sgd([parameter()], { lr: 0.1 }).groups[0]?.options).toEqual({
      momentum: 0,
      dampening: 0,
      weightDecay: 0,
      nesterov: false,
    });
    expect(adam([parameter()]).lr).toBe(1e-3);
    expect(adam([parameter()]).groups[0]?.options).toEqual({
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0,
      amsgrad: false,
    });
    expect(adamW([parameter()]).groups[0]?.options.weightDecay).toBe(0.01);
  });

  it("of a group go before the optimizer's", () => {
    const optimizer = adamW(
      [
        { parameters: [parameter("a")], weightDecay: 0, lr: 0.5, name: "head" },
        { parameters: [parameter("b")], maximize: true },
      ],
      { lr: 0.1, eps: 1e-6, weightDecay: 0.2 },
    );
    const [head, rest] = optimizer.groups;
    expect([head?.name, head?.lr, head?.maximize, head?.options.weightDecay, head?.options.eps]).toEqual([
      "head",
      0.5,
      false,
      0,
      1e-6,
    ]);
    expect([rest?.name, rest?.lr, rest?.maximize, rest?.options.weightDecay]).toEqual(["group.1", 0.1, true, 0.2]);
  });

  it("undefined means the default", () => {
    expect(adam([parameter()], { lr: undefined, eps: undefined }).groups[0]?.options.eps).toBe(1e-8);
  });

  it("are checked", () => {
    const make = (options: object) => () => adamW([parameter()], options);
    expect(make({ lr: -1 })).toThrow("adamW: lr must be a finite number ≥ 0, got -1");
    expect(make({ betas: [0.9, 1] })).toThrow("adamW: betas[1] must be in [0, 1), got 1");
    expect(make({ betas: [0.9] })).toThrow("adamW: betas must be a list of 2 numbers, got [0.9]");
    expect(make({ eps: -1e-8 })).toThrow("adamW: eps must be a finite number ≥ 0, got -1e-8");
    expect(make({ beta: 0.9 })).toThrow(
      "adamW: unknown option beta; expected one of lr, maximize, stateDtype, transforms, convention, betas, eps, weightDecay, amsgrad",
    );
    expect(make({ maximize: 1 })).toThrow("adamW: maximize must be true or false, got 1");
    expect(make({ transforms: [1] })).toThrow("adamW: transforms must be a list of functions");
    expect(() => sgd([parameter()])).toThrow("sgd: lr is required");
    expect(() => sgd([parameter()], { lr: 1, nesterov: true })).toThrow(
      "sgd: nesterov wants momentum > 0 and dampening 0, got momentum 0 and dampening 0",
    );
    expect(() => sgd([parameter()], { lr: 1, nesterov: true, momentum: 0.9, dampening: 0.1 })).toThrow(ArgumentError);
    expect(() =>
      adam([
        { parameters: [parameter("a")], name: "x" },
        { parameters: [parameter("b")], name: "x" },
      ]),
    ).toThrow("adam: two groups are named x");
  });
});

describe("learning rate", () => {
  it("is read and set, for all groups or one", () => {
    const optimizer = sgd([{ parameters: [parameter("a")] }, { parameters: [parameter("b")], lr: 0.3 }], { lr: 0.1 });
    expect(optimizer.groups.map((group) => group.lr)).toEqual([0.1, 0.3]);
    optimizer.lr = 0.5;
    expect(optimizer.groups.map((group) => group.lr)).toEqual([0.5, 0.5]);
    const [, second] = optimizer.groups;
    if (second) second.lr = (step) => 1 / (step + 2);
    expect(optimizer.groups.map((group) => group.lr)).toEqual([0.5, 0.5]);
    expect(typeof second?.learningRate).toBe("function");
    expect(() => {
      optimizer.lr = Number.NaN;
    }).toThrow("sgd: lr must be a finite number ≥ 0, got NaN");
  });

  it("of a schedule is checked when it is used", () => {
    const optimizer = sgd([parameter()], { lr: () => -1 });
    expect(() => optimizer.lr).toThrow("sgd: the schedule's lr at step 0 must be a finite number ≥ 0, got -1");
  });

  it("leaves the options object as it is, which compiled steps go by", () => {
    const [group] = sgd([parameter()], { lr: 0.1 }).groups;
    const before = group?.options;
    if (group) group.lr = 0.2;
    expect(group?.options).toBe(before);
    group?.configure({ momentum: 0.9 });
    expect(group?.options).not.toBe(before);
    expect(group?.options.momentum).toBe(0.9);
    expect(() => group?.configure({ momentum: -1 })).toThrow("sgd: momentum must be a finite number ≥ 0, got -1");
    expect(group?.options.momentum).toBe(0.9);
  });
});
