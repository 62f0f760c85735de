/**
 * The golden operations and derivatives in float64 against the direct evaluator of graphs: whether shapes, formulas and
 * derivative rules are right, apart from any compiler or backend. THALWEG_GOLDEN: a folder to run instead of the one that
 * comes with the project.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  avgPool2d,
  conv2d,
  gelu,
  layerNorm,
  matmul,
  mean,
  mul,
  softmax,
  softplus,
  square,
  sum,
  type Tensor,
  transpose,
} from "@thalweg/core";
import { evaluateNodes } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { autodiffFamilies, buildAutodiffCase, type GoldenAutodiffFile } from "./autodiffCases.ts";
import { buildOpCase, type GoldenOpFile, goldenOps } from "./opCases.ts";
import { decodeNumbers, dtypeOf, makeInput } from "./schema.ts";

const directory = process.env.THALWEG_GOLDEN ?? fileURLToPath(new URL("../../golden", import.meta.url));

function readFiles<F>(kind: string): F[] {
  const folder = join(directory, kind);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as F);
}

const tolerance = 1e-10;

/** `signedZeros`: 0 and -0 differ. */
function expectClose(what: string, actual: Float64Array, expected: Float64Array, signedZeros = false): void {
  expect(actual.length, `${what}: number of elements`).toBe(expected.length);
  expected.forEach((e, i) => {
    const a = actual[i] as number;
    const close = a === e || Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e));
    const same = Object.is(a, e) || (close && !(signedZeros && a === 0 && e === 0));
    if (!same) expect.fail(`${what}, element ${i}: got ${a}, expected ${e}`);
  });
}

const evaluate = (tensors: readonly Tensor[]) => evaluateNodes(tensors.map(({ node }) => node));

describe("golden operations", () => {
  const files = readFiles<GoldenOpFile>("ops");
  it("all have a call", () => {
    expect(files.map(({ op }) => op).filter((op) => !goldenOps[op])).toEqual([]);
  });
  for (const { op, cases } of files) {
    it.each(cases.map((golden) => [golden.name, golden] as const))(`${op} %s`, (_name, golden) => {
      const { outputs, gradients } = buildOpCase(op, golden, "float64");
      const values = evaluate([...outputs, ...gradients].map(({ actual }) => actual));
      outputs.forEach(({ actual, expected }, i) => {
        expect(actual.shape).toEqual(expected.shape);
        expect(actual.dtype).toBe(dtypeOf(expected.dtype, "float64"));
        const signedZeros = !golden.note?.includes("sign of a zero") && !op.endsWith("Loss");
        expectClose(`output ${i}`, values[i]?.values as Float64Array, decodeNumbers(expected.values), signedZeros);
      });
      gradients.forEach(({ input, expected }, i) => {
        expectClose(`gradient by ${input}`, values[outputs.length + i]?.values as Float64Array, expected);
      });
    });
  }
});

describe("golden derivatives", () => {
  const files = readFiles<GoldenAutodiffFile>("autodiff");
  it("all have a function", () => {
    expect(files.map(({ family }) => family).filter((family) => !autodiffFamilies[family])).toEqual([]);
  });
  for (const { family, cases } of files) {
    it.each(cases.map((golden) => [golden.name, golden] as const))(`${family} %s`, (_name, golden) => {
      const { value, gradients, hessianVectorProducts } = buildAutodiffCase(family, golden, "float64");
      const derivatives = [...gradients, ...hessianVectorProducts];
      const [loss, ...rest] = evaluate([value.actual, ...derivatives.map(({ actual }) => actual)]);
      expectClose("value", loss?.values as Float64Array, Float64Array.of(value.expected));
      derivatives.forEach(({ input, expected }, i) => {
        const kind = i < gradients.length ? "gradient" : "Hessian-vector product";
        expectClose(`${kind} by ${input}`, rest[i]?.values as Float64Array, expected);
      });
    });
  }
});

describe("buildOpCase", () => {
  it("calls the operation by name and gives its gradients", () => {
    const { outputs, gradients } = buildOpCase(
      "mul",
      {
        name: "permuted-by-row",
        attributes: {},
        inputs: [
          { name: "a", shape: [2, 3], dtype: "float64", storagePermutation: [1, 0], values: [1, 2, 3, 4, 5, 6] },
          { name: "b", shape: [3], dtype: "float64", values: [1, -1, "Infinity"] },
        ],
        output: { shape: [2, 3], dtype: "float64", values: [1, -2, "Infinity", 4, -5, "Infinity"] },
        outputGradient: [1, 1, 1, 1, 1, 2],
        inputGradients: [
          [1, -1, "Infinity", 1, -1, "Infinity"],
          [5, 7, 15],
        ],
      },
      "float64",
    );
    expect(gradients.map(({ input }) => input)).toEqual(["a", "b"]);
    const values = evaluate([outputs[0]?.actual as Tensor, ...gradients.map(({ actual }) => actual)]).map((e) => [
      ...e.values,
    ]);
    expect(values).toEqual([
      [1, -2, Infinity, 4, -5, Infinity],
      [1, -1, Infinity, 1, -1, Infinity],
      [5, 7, 15],
    ]);
  });

  it("reads the numbers of a family's function from its expression", () => {
    const { value, gradients, hessianVectorProducts } = buildAutodiffCase(
      "rosenbrock",
      {
        name: "2-dimensions",
        expression: "sum(10*(x[1:] - x[:-1]^2)^2 + (1 - x[:-1])^2)",
        inputs: [{ name: "x", shape: [2], dtype: "float64", values: [2, 3] }],
        value: 11,
        gradients: [[82, -20]],
        vectors: [[1, 1]],
        hessianVectorProducts: [[282, -60]],
      },
      "float64",
    );
    const results = [value, ...gradients, ...hessianVectorProducts].map(({ actual }) => actual);
    expect(evaluate(results).map((e) => [...e.values])).toEqual([[11], [82, -20], [282, -60]]);
  });

  it.each([
    [
      "convolution",
      "mean(avgPool2d(softplus(conv2d(x, w, b, stride 2, padding 1, groups 2)), kernelSize 2, stride 1)^2)",
      { x: [1, 4, 5, 5], w: [2, 2, 2, 2], b: [2] },
      (x: Tensor, w: Tensor, b: Tensor) =>
        mean(
          square(
            avgPool2d(softplus(conv2d(x, w, b, { stride: 2, padding: 1, groups: 2 })), { kernelSize: 2, stride: 1 }),
          ),
        ),
    ],
    [
      "attention",
      "q = x Wq; k = x Wk; v = x Wv; sum((softmax(q transpose(k) / sqrt(3), last axis) v)^2)",
      { x: [2, 3, 4], Wq: [4, 3], Wk: [4, 3], Wv: [4, 2] },
      (x: Tensor, Wq: Tensor, Wk: Tensor, Wv: Tensor) =>
        sum(
          square(
            matmul(
              softmax(mul(matmul(matmul(x, Wq), transpose(matmul(x, Wk))), 1 / Math.sqrt(3)), { axis: -1 }),
              matmul(x, Wv),
            ),
          ),
        ),
    ],
    [
      "layerNormGelu",
      "sum(gelu(layerNorm(x, [2, 3], gamma, beta, eps 1e-3), approximate tanh)^2 * c)",
      { x: [2, 2, 3], gamma: [2, 3], beta: [2, 3], c: [2, 2, 3] },
      (x: Tensor, weight: Tensor, bias: Tensor, c: Tensor) => {
        const normalized = layerNorm(x, { normalizedShape: [2, 3], weight, bias, eps: 1e-3 });
        return sum(mul(square(gelu(normalized, { approximate: "tanh" })), c));
      },
    ],
  ])("writes other cases of %s", (family, expression, shapes, direct) => {
    const inputs = Object.entries(shapes).map(([name, shape], place) => {
      const size = shape.reduce((product: number, n: number) => product * n, 1);
      const values = Array.from({ length: size }, (_, i) => Math.sin(3 * i + place + 1));
      return { name, shape, dtype: "float64", values } as const;
    });
    const none = inputs.map(() => null);
    const golden = {
      name: "",
      expression,
      inputs,
      value: 0,
      gradients: none,
      vectors: none,
      hessianVectorProducts: none,
    };
    const { value } = buildAutodiffCase(family, golden, "float64");
    const tensors = inputs.map((input) => makeInput(input, "float64"));
    const expected = (direct as (...tensors: Tensor[]) => Tensor)(...tensors);
    const [actual, wanted] = evaluate([value.actual, expected]).map(({ values }) => values[0] as number);
    expect(actual).toBeCloseTo(wanted as number, 12);
  });
});
