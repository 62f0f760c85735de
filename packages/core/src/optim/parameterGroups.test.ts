import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { ones, Parameter, type Shape, useBackend } from "../index.ts";
import {
  adamW,
  layerwiseDecay,
  type NamedParameters,
  noDecay,
  type ParameterMatch,
  parameterGroups,
  sgd,
  warmupCosine,
} from "./index.ts";

beforeAll(() => useBackend(referenceBackend()));

const parameter = (name: string, shape: Shape = [2]) => new Parameter(ones(shape), { name });

const model = (): Parameter[] => [
  parameter("embedding.weight", [8, 4]),
  parameter("blocks.0.linear.weight", [4, 4]),
  parameter("blocks.0.linear.bias", [4]),
  parameter("blocks.0.norm.weight", [4]),
  parameter("blocks.1.linear.weight", [4, 4]),
  parameter("blocks.1.linear.bias", [4]),
  parameter("blocks.10.linear.weight", [4, 4]),
  parameter("norm.weight", [4]),
  parameter("head.weight", [3, 4]),
];

const summary = (groups: readonly { name: string; parameters: NamedParameters }[]) =>
  Object.fromEntries(groups.map(({ name, parameters }) => [name, Object.keys(parameters)]));

describe("parameterGroups", () => {
  const taken = (match: ParameterMatch) =>
    Object.keys(parameterGroups(model(), [{ match, name: "taken" }]).at(-1)?.parameters ?? {});

  it("matches by name pattern, RegExp, rank, shape, predicate or any of several", () => {
    expect(taken("blocks.1.*")).toEqual(["blocks.1.linear.weight", "blocks.1.linear.bias"]);
    expect(taken("blocks.?.*.weight")).toEqual([
      "blocks.0.linear.weight",
      "blocks.0.norm.weight",
      "blocks.1.linear.weight",
    ]);
    expect(taken("norm.weight")).toEqual(["norm.weight"]);
    expect(taken(/^blocks\.\d\d/)).toEqual(["blocks.10.linear.weight"]);
    expect(taken(/norm/g)).toEqual(["blocks.0.norm.weight", "norm.weight"]);
    expect(taken({ shape: [3, 4] })).toEqual(["head.weight"]);
    expect(taken({ rank: 1 }).length).toBe(4);
    expect(taken((p, name) => p.size === 32 || name.startsWith("head"))).toEqual(["embedding.weight", "head.weight"]);
    expect(taken(["head.*", { shape: [8, 4] }])).toEqual(["embedding.weight", "head.weight"]);
  });

  it("gives a parameter to the first match, the others to a group of their own, with options that optimizers take", () => {
    const groups = parameterGroups(model(), [
      { match: "*.bias", weightDecay: 0 },
      { match: "blocks.0.*", lr: 0.5, betas: [0.5, 0.75], name: "first" },
    ]);
    expect(summary(groups)).toEqual({
      others: ["embedding.weight", "blocks.1.linear.weight", "blocks.10.linear.weight", "norm.weight", "head.weight"],
      "*.bias": ["blocks.0.linear.bias", "blocks.1.linear.bias"],
      first: ["blocks.0.linear.weight", "blocks.0.norm.weight"],
    });
    const optimizer = adamW(groups, { lr: 0.25, weightDecay: 0.125 });
    expect(optimizer.groups.map(({ name, lr, options }) => [name, lr, options.weightDecay, options.betas])).toEqual([
      ["others", 0.25, 0.125, [0.9, 0.999]],
      ["*.bias", 0.25, 0, [0.9, 0.999]],
      ["first", 0.5, 0.125, [0.5, 0.75]],
    ]);
    expect(optimizer.lr).toBe(0.25);
  });

  it("takes records, and names what has no name as an optimizer does", () => {
    const [a, b] = [parameter(""), parameter("", [1])];
    expect(summary(parameterGroups([a, b], [{ match: { shape: [1] } }]))).toEqual({
      others: ["parameter.0"],
      "group.0": ["parameter.1"],
    });
    expect(summary(parameterGroups({ a, b }, [{ match: "b" }]))).toEqual({ others: ["a"], b: ["b"] });
    expect(summary(parameterGroups({ a, b }, [{ match: "*" }]))).toEqual({ "*": ["a", "b"] });
  });

  it("says what is wrong", () => {
    expect(() => parameterGroups(model(), [{ match: "*.bais" }])).toThrow(
      'parameterGroups: group 0, "*.bais", takes no trainable parameter',
    );
    expect(() => parameterGroups(model(), [{ match: "*" }, { match: { rank: 2 } }])).toThrow(
      "parameterGroups: group 1, rank 2, takes no trainable parameter",
    );
    expect(() => parameterGroups(model(), [{ match: { size: 3 } as unknown as string }])).toThrow(
      'parameterGroups: a match must be a name pattern, a RegExp, { rank }, { shape }, a predicate or a list of these, got {"size":3}',
    );
    expect(() => parameterGroups([parameter("a"), parameter("a")], [])).toThrow(
      "parameterGroups: two parameters are named a; names must differ",
    );
    expect(() => parameterGroups([3 as unknown as Parameter], [])).toThrow(
      "parameterGroups: expected a Parameter at 0, got 3",
    );
    expect(() => adamW(parameterGroups(model(), [{ match: "*.bias", weigthDecay: 0 }]))).toThrow(
      "adamW: unknown option weigthDecay",
    );
  });
});

describe("noDecay", () => {
  it("keeps biases and norms, and what else is asked, from decaying", () => {
    const groups = noDecay(model(), "embedding.*");
    expect(summary(groups)).toEqual({
      decay: ["blocks.0.linear.weight", "blocks.1.linear.weight", "blocks.10.linear.weight", "head.weight"],
      noDecay: [
        "embedding.weight",
        "blocks.0.linear.bias",
        "blocks.0.norm.weight",
        "blocks.1.linear.bias",
        "norm.weight",
      ],
    });
    expect(adamW(groups, { weightDecay: 0.5 }).groups.map(({ options }) => options.weightDecay)).toEqual([0.5, 0]);
    expect(summary(noDecay([parameter("w", [2, 2])]))).toEqual({ decay: ["w"] });
    expect(summary(noDecay({ "conv.bias": parameter("b", [1, 2]) }))).toEqual({ noDecay: ["conv.bias"] });
  });
});

describe("layerwiseDecay", () => {
  it("makes a group of each layer, last first, at falling rates", () => {
    const groups = layerwiseDecay(model(), { decay: 0.5, lr: 1 });
    expect(groups.map(({ name, lr, parameters }) => [name, lr, Object.keys(parameters).length])).toEqual([
      ["depth.4", 1, 2],
      ["depth.3", 0.5, 1],
      ["depth.2", 0.25, 2],
      ["depth.1", 0.125, 3],
      ["depth.0", 0.0625, 1],
    ]);
    const optimizer = sgd(groups);
    expect(optimizer.lr).toBe(1);
  });

  it("tells blocks of several stacks apart, wherever their parameters stand", () => {
    const names = ["encoder.0.w", "encoder.1.w", "bridge", "decoder.0.w", "encoder.0.v", "decoder.1.w", "a", "b"];
    const groups = layerwiseDecay(Object.fromEntries(names.map((name) => [name, parameter(name)])), {
      decay: 0.5,
      lr: 1,
    });
    expect(summary(groups)).toEqual({
      "depth.5": ["a", "b"],
      "depth.4": ["decoder.1.w"],
      "depth.3": ["decoder.0.w"],
      "depth.2": ["bridge"],
      "depth.1": ["encoder.1.w"],
      "depth.0": ["encoder.0.w", "encoder.0.v"],
    });
  });

  it("scales a schedule for each group", () => {
    const lr = warmupCosine({ baseLr: 0.5, numWarmupSteps: 2, numTrainingSteps: 10 });
    const optimizer = sgd(layerwiseDecay(model(), { decay: 0.5, lr }));
    expect(optimizer.groups[0]?.learningRate).toBe(lr);
    for (const t of [0, 1, 5]) {
      const rates = optimizer.groups.map(({ learningRate }) => (learningRate as (step: number) => number)(t));
      expect(rates).toEqual([1, 0.5, 0.25, 0.125, 0.0625].map((factor) => factor * lr(t)));
    }
  });

  it("takes a depth from a function", () => {
    const groups = layerwiseDecay(model(), { decay: 0.5, lr: 1, depth: (name) => (name.startsWith("head") ? 3 : 1) });
    expect(groups.map(({ name, lr }) => [name, lr])).toEqual([
      ["depth.3", 1],
      ["depth.1", 0.25],
    ]);
    expect(() => layerwiseDecay(model(), { decay: 0.5, lr: 1, depth: () => -1 })).toThrow(
      "layerwiseDecay: depth must give a whole number ≥ 0, got -1 for embedding.weight",
    );
  });

  it("says what is wrong", () => {
    expect(() => layerwiseDecay(model(), { decay: 0, lr: 1 })).toThrow(
      "layerwiseDecay: decay must be in (0, 1], got 0",
    );
    expect(() => layerwiseDecay(model(), { decay: 1, lr: undefined as unknown as number })).toThrow(
      "layerwiseDecay: lr must be a number or a schedule, got undefined",
    );
    expect(() => sgd(layerwiseDecay(model(), { decay: 1, lr: -1 }))).toThrow(
      "sgd: lr must be a finite number ≥ 0, got -1",
    );
  });
});
