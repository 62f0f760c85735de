import { describe, expect, it } from "vitest";
import { evaluateNode, evaluateNodes } from "../graph/evaluate.ts";
import type { Uniform } from "../graph/node.ts";
import { type Trace, withTrace } from "../runtime/context.ts";
import {
  bernoulli,
  defaultGenerator,
  Generator,
  manualSeed,
  permutation,
  rand,
  randint,
  randn,
  type Tensor,
} from "./index.ts";

const values = (x: Tensor): number[] => [...evaluateNode(x.node).values];
const average = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

describe("random numbers", () => {
  it("are those of Philox 4x32-10 with a zero key and counter (Random123's known answers)", () => {
    // Block 0, key 0: 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
    const words = values(new Generator(0).words(5));
    expect(words.slice(0, 4)).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    expect(values(rand([1], { generator: new Generator(0) }))).toEqual([(0x6627e8d5 >>> 8) / 2 ** 24]);
    const [w0, w1] = words as [number, number];
    expect(values(rand([1], { dtype: "float64", generator: new Generator(0) }))).toEqual([
      ((w0 >>> 5) * 2 ** 26 + (w1 >>> 6)) / 2 ** 53,
    ]);
  });

  it("depend on seed and position alone", () => {
    manualSeed(7);
    const [a, b] = [values(rand([5])), values(rand([5]))];
    expect(a).not.toEqual(b);
    manualSeed(7);
    expect([values(rand([5])), values(rand([5]))]).toEqual([a, b]);
    expect(values(rand([5], { generator: new Generator(7, 1) }))).toEqual(b);
    expect(values(rand([5], { generator: new Generator(7 + 2 ** 32) }))).not.toEqual(a);
    expect(defaultGenerator.state()).toEqual({ seed: 7, position: 2 });
  });

  it("keep the numbers they were built with, whenever they are evaluated", () => {
    const generator = new Generator(1);
    const x = rand([3], { generator });
    const before = values(x);
    generator.manualSeed(2);
    expect(values(x)).toEqual(before);
  });

  it("take fresh streams at every run of a trace, as building afresh would", () => {
    const generator = new Generator(3);
    const trace: Trace = { schedule: [], guards: [], assigned: new Map() };
    const [x, y] = withTrace(trace, () => [rand([4], { generator }), randint(0, 100, [4], { generator })]);
    expect(generator.position).toBe(0);
    const eager = new Generator(3);
    for (let run = 0; run < 3; run++) {
      // Like a replay: each uniform once, in order.
      const bound = new Map<Uniform, number>();
      for (const entry of trace.schedule) if (typeof entry !== "function") bound.set(entry, entry.value());
      const frozen = evaluateNodes([x.node, y.node], { nodes: uniformValues([x, y], bound) });
      expect([...(frozen[0]?.values ?? [])]).toEqual(values(rand([4], { generator: eager })));
      expect([...(frozen[1]?.values ?? [])]).toEqual(values(randint(0, 100, [4], { generator: eager })));
    }
    expect(generator.state()).toEqual(eager.state());
  });

  it("have the distributions they claim", () => {
    manualSeed(11);
    const uniform = values(rand([4000]));
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    expect(average(uniform)).toBeCloseTo(0.5, 1);
    const normal = values(randn([4000]));
    expect(average(normal)).toBeCloseTo(0, 1);
    expect(average(normal.map((x) => x * x))).toBeCloseTo(1, 1);
    expect(normal.every(Number.isFinite)).toBe(true);
    const whole = values(randint(-3, 3, [600]));
    expect([...new Set(whole)].sort((a, b) => a - b)).toEqual([-3, -2, -1, 0, 1, 2]);
    expect(average(values(bernoulli(0.25, { shape: [4000] })))).toBeCloseTo(0.25, 1);
    expect(values(bernoulli(1, { shape: [50] }))).toEqual(new Array(50).fill(1));
    expect(values(bernoulli(0, { shape: [50] }))).toEqual(new Array(50).fill(0));
    expect(values(permutation(10)).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const dtype of ["bfloat16", "float16"] as const) {
      expect(Math.max(...values(rand([3000], { dtype })))).toBeLessThan(1);
    }
  });

  it("say what is wrong", () => {
    expect(() => manualSeed(-1)).toThrow("manualSeed: expected seed to be a whole number from 0 to 2^53 - 1, got -1");
    expect(() => manualSeed(2 ** 53)).toThrow("manualSeed");
    expect(() => randint(3, 3, [1])).toThrow("randint: expected whole bounds low < high in int32");
    expect(() => bernoulli(1.5)).toThrow("bernoulli: expected a probability in [0, 1], got 1.5");
    expect(() => rand([2], { dtype: "int32" })).toThrow("rand: expected a float dtype, got int32");
    expect(() => rand([-1])).toThrow("rand: sizes must be whole");
  });
});

function uniformValues(roots: readonly Tensor[], bound: ReadonlyMap<Uniform, number>) {
  const out = new Map();
  const visit = ({ node }: { node: Tensor["node"] }): void => {
    if (node.op === "uniform") out.set(node, [bound.get(node.attributes.uniform) as number]);
    for (const input of node.inputs) visit({ node: input });
  };
  for (const root of roots) visit(root);
  return out;
}
