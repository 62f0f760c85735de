/// <reference types="node" />
/**
 * Forward values of every golden operation against the direct evaluator, in float64. Runs only when THALWEG_GOLDEN names
 * the folder that holds them; the conformance package runs them on backends, with gradients.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { DType } from "../graph/dtype.ts";
import { evaluateNode } from "../graph/evaluate.ts";
import * as ops from "./index.ts";
import type { Tensor } from "./tensor.ts";

type GoldenNumber = number | string;
interface GoldenTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly values: readonly GoldenNumber[];
}
type Attribute = number | string | boolean | readonly number[] | null;
interface GoldenCase {
  readonly name: string;
  readonly note?: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly inputs: readonly GoldenTensor[];
  readonly output?: GoldenTensor;
  readonly outputs?: readonly GoldenTensor[];
}
interface GoldenFile {
  readonly op: string;
  readonly cases: readonly GoldenCase[];
}

const functions: Readonly<Record<string, unknown>> = { ...ops };

type Named = Readonly<Record<string, Tensor>>;
type Options = Record<string, never>;
type Call = (fn: (...args: unknown[]) => unknown, inputs: Named, attributes: Options, all: Tensor[]) => unknown;

const plain: Call = (fn, _inputs, attributes, all) =>
  fn(...all, ...(Object.keys(attributes).length === 0 ? [] : [attributes]));
const positional =
  (...names: string[]): Call =>
  (fn, _inputs, attributes, all) => {
    const rest = Object.entries(attributes).filter(([name]) => !names.includes(name));
    return fn(...all, ...names.map((name) => attributes[name]), Object.fromEntries(rest));
  };
/** Inputs named here are arguments; the others are options. */
const withOptions =
  (...names: string[]): Call =>
  (fn, inputs, attributes) => {
    const rest = Object.entries(inputs).filter(([name]) => !names.includes(name));
    return fn(...names.map((name) => inputs[name]), { ...Object.fromEntries(rest), ...attributes });
  };
const withBias: Call = (fn, inputs, attributes) => fn(inputs.x, inputs.weight, inputs.bias, attributes);
const list: Call = (fn, _inputs, attributes, all) => fn(all, attributes);

const calls: Readonly<Record<string, Call>> = {
  einsum: (fn, _inputs, attributes, all) => fn(attributes.equation, ...all),
  reshape: positional("shape"),
  permute: positional("axes"),
  expand: positional("shape"),
  pad: positional("padding"),
  flip: positional("axes"),
  split: positional("sizes"),
  oneHot: positional("numClasses"),
  topK: positional("k"),
  concat: list,
  stack: list,
  conv1d: withBias,
  conv2d: withBias,
  convTranspose2d: withBias,
  layerNorm: withOptions("x"),
  rmsNorm: withOptions("x"),
  groupNorm: withOptions("x"),
  batchNorm: withOptions("x"),
  crossEntropy: withOptions("input", "target"),
  nllLoss: withOptions("input", "target"),
  bceWithLogits: withOptions("input", "target"),
  scaledDotProductAttention: withOptions("query", "key", "value"),
  lstmCell: (fn, { x, h, c, ...weights }) => fn(x, [h, c], weights),
  gruCell: (fn, { x, h, ...weights }) => fn(x, h, weights),
};

function outputsOf(result: unknown): Tensor[] {
  if (result instanceof ops.Tensor) return [result];
  const several = Array.isArray(result) ? result : Object.values(result as object);
  return several as Tensor[];
}

const folder = process.env.THALWEG_GOLDEN === undefined ? undefined : join(process.env.THALWEG_GOLDEN, "ops");

describe("golden operations", () => {
  if (folder === undefined) {
    it.skip("need THALWEG_GOLDEN to name the folder of golden data", () => undefined);
    return;
  }
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

  it("are all there", () => expect(files).toHaveLength(100));

  for (const file of files) {
    const { op, cases } = JSON.parse(readFileSync(join(folder, file), "utf8")) as GoldenFile;
    it.each(cases.map((golden) => [golden.name, golden] as const))(`${op}: %s`, (_name, golden) => {
      const all = golden.inputs.map(({ values, shape, dtype }) => ops.tensor(values.map(Number), { shape, dtype }));
      const inputs = Object.fromEntries(golden.inputs.map(({ name }, i) => [name, all[i] as Tensor]));
      const fn = functions[op] as (...args: unknown[]) => unknown;
      const attributes = Object.fromEntries(
        Object.entries(golden.attributes).map(([name, value]) => [name, value === "Infinity" ? Number(value) : value]),
      );
      const results = outputsOf((calls[op] ?? plain)(fn, inputs, attributes as Options, all));
      const expected = golden.outputs ?? [golden.output as GoldenTensor];
      for (const [i, want] of expected.entries()) {
        const got = evaluateNode((results[i] as Tensor).node);
        expect(got.shape).toEqual(want.shape);
        expect(got.dtype).toBe(want.dtype);
        for (const [j, text] of want.values.entries()) {
          const [value, reference] = [got.values[j] as number, Number(text)];
          const place = `element ${j}: ${value}, expected ${reference}`;
          if (Number.isFinite(reference))
            expect(Math.abs(value - reference), place).toBeLessThanOrEqual(1e-10 * Math.abs(reference) + 1e-15);
          else expect(value, place).toBe(reference);
          const signMatters = !/sign of a zero/.test(golden.note ?? "") && !/Loss|klDiv|crossEntropy/.test(op);
          if (value === 0 && reference === 0 && signMatters) expect(Object.is(value, reference), place).toBe(true);
        }
      }
    });
  }
});
