/**
 * Golden derivatives: each family's function written with tensor operations. What varies between the cases of a family
 * (sizes, strides, scale, number of steps …) is read from the case's expression and its inputs.
 */

import type { Tensor } from "@thalweg/core";
import * as t from "@thalweg/core";
import {
  decodeNumber,
  decodeNumbers,
  type FloatDType,
  type GoldenInput,
  type GoldenNumber,
  makeInput,
} from "./schema.ts";

export interface GoldenAutodiffCase {
  readonly name: string;
  readonly expression: string;
  readonly inputs: readonly GoldenInput[];
  readonly value: GoldenNumber;
  readonly gradients: readonly (readonly GoldenNumber[] | null)[];
  readonly vectors: readonly (readonly GoldenNumber[] | null)[];
  readonly hessianVectorProducts: readonly (readonly GoldenNumber[] | null)[];
}

export interface GoldenAutodiffFile {
  readonly schema: "thalweg/golden-autodiff/1";
  readonly family: string;
  readonly cases: readonly GoldenAutodiffCase[];
}

/** A formula as text, with the numbers in it. */
class Expression {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  has(pattern: RegExp): boolean {
    return pattern.test(this.#text);
  }
  count(pattern: RegExp): number {
    return this.#text.match(new RegExp(pattern, "g"))?.length ?? 0;
  }
  /** The number `pattern` captures; `otherwise` where the formula does not mention it. */
  number(pattern: RegExp, otherwise?: number): number {
    const found = pattern.exec(this.#text)?.[1] ?? otherwise;
    if (found === undefined) throw new Error(`no number for ${pattern} in the expression ${this.#text}`);
    return Number(found);
  }
  word(pattern: RegExp, otherwise: string): string {
    return pattern.exec(this.#text)?.[1] ?? otherwise;
  }
  /** The list of numbers, or the one number for both axes, after `word`. */
  pair(word: string, otherwise: number): [number, number] {
    const found = new RegExp(`${word}\\s*[=:]?\\s*(?:[[(]([^\\])]*)[\\])]|(\\d+))`).exec(this.#text);
    const numbers = (found?.[1] ?? found?.[2] ?? String(otherwise)).split(/[,x ]+/).map(Number);
    return [numbers[0] as number, numbers[1] ?? (numbers[0] as number)];
  }
  /** The first call of `name`, with what stands between its parentheses. */
  call(name: string): Expression {
    const start = this.#text.indexOf(`${name}(`);
    if (start < 0) throw new Error(`no call of ${name} in the expression ${this.#text}`);
    let depth = 0;
    for (let i = start + name.length; i < this.#text.length; i++) {
      if (this.#text[i] === "(") depth++;
      if (this.#text[i] === ")" && --depth === 0) return new Expression(this.#text.slice(start, i + 1));
    }
    throw new Error(`parentheses do not match in the expression ${this.#text}`);
  }
  /** What follows the first call of `name`. */
  after(name: string): Expression {
    const inside = this.call(name).#text;
    return new Expression(this.#text.slice(this.#text.indexOf(inside) + inside.length));
  }
}

const decimal = "(-?\\d+(?:\\.\\d+)?(?:[eE][-+]?\\d+)?)";
const exponent = (e: Expression): number => e.number(new RegExp(`\\^${decimal}`));

type Inputs = (name: string) => Tensor;

/** Every family's loss. */
export const autodiffFamilies: Readonly<Record<string, (input: Inputs, e: Expression, name: string) => Tensor>> = {
  attention: (input, e, name) => {
    const x = input("x");
    const [q, k, v] = ["Wq", "Wk", "Wv"].map((weight) => t.matmul(x, input(weight))) as [Tensor, Tensor, Tensor];
    const causal =
      /causal-(true|false)/.exec(name)?.[1] ?? String(e.has(/causal/) && !e.has(/causal\s*[=:]?\s*false|not causal/));
    const scale = 1 / Math.sqrt(e.number(new RegExp(`sqrt\\(${decimal}\\)`)));
    const attended = t.scaledDotProductAttention(q, k, v, { causal: causal === "true", scale });
    return t.sum(t.pow(attended, exponent(e)));
  },

  broadcastBias: (input, e) => t.mean(t.pow(t.mul(t.sigmoid(t.add(input("x"), input("b"))), input("s")), exponent(e))),

  convolution: (input, e) => {
    const conv = e.call("conv2d");
    const bias = conv.has(/\bb\b/) ? input("b") : undefined;
    const image = t.conv2d(input("x"), input("w"), bias, {
      stride: conv.pair("stride", 1),
      padding: conv.pair("padding", 0),
      dilation: conv.pair("dilation", 1),
      groups: conv.number(/groups\s*[=:]?\s*(\d+)/, 1),
    });
    const pool = e.after("softplus");
    const kernelSize = pool.pair("kernelSize", 1);
    const pooled = t.avgPool2d(t.softplus(image), {
      kernelSize,
      stride: pool.has(/stride/) ? pool.pair("stride", 1) : kernelSize,
      padding: pool.pair("padding", 0),
    });
    return t.mean(t.pow(pooled, exponent(e)));
  },

  layerNormGelu: (input, e) => {
    const normalized = t.layerNorm(input("x"), {
      normalizedShape: input("gamma").shape,
      weight: input("gamma"),
      bias: input("beta"),
      eps: e.number(new RegExp(`eps\\s*[=:]?\\s*${decimal}`)),
    });
    const approximate = e.word(/approximate\s*[=:]?\s*"?(\w+)/, "none") === "tanh" ? "tanh" : "none";
    return t.sum(t.mul(t.pow(t.gelu(normalized, { approximate }), exponent(e)), input("c")));
  },

  logSumExp: (input, e) => {
    const axis = e.has(/axis/) ? e.number(/axis\s*[=:]?\s*(-?\d+)/) : null;
    return t.sum(t.mul(input("c"), t.logSumExp(input("x"), { axis })));
  },

  mlpCrossEntropy: (input, e) => {
    const hidden = t.tanh(t.linear(input("x"), input("W1"), input("b1")));
    const reduction = e.word(/reduction\s*[=:]?\s*"?(\w+)/, "mean") === "sum" ? "sum" : "mean";
    return t.crossEntropy(t.linear(hidden, input("W2"), input("b2")), input("target"), {
      reduction,
      labelSmoothing: e.number(new RegExp(`labelSmoothing\\s*[=:]?\\s*${decimal}`), 0),
    });
  },

  recurrent: (input, e) => {
    const steps = e.number(/in 0\.\.(\d+)/) + 1;
    let h = input("h");
    for (let step = 0; step < steps; step++) {
      const x = t.select(input("x"), { axis: 0, index: step });
      h = t.tanh(t.add(t.add(t.matmul(x, input("U")), t.matmul(h, input("W"))), input("b")));
    }
    return t.mean(t.pow(t.sub(h, input("y")), exponent(e)));
  },

  rosenbrock: (input, e) => {
    const x = input("x");
    const [head, tail] = [t.slice(x, { axis: 0, end: -1 }), t.slice(x, { axis: 0, start: 1 })];
    const steepness = e.number(new RegExp(`${decimal}\\s*\\*`));
    return t.sum(t.add(t.mul(steepness, t.square(t.sub(tail, t.square(head)))), t.square(t.sub(1, head))));
  },

  sharedParameter: (input, e) => {
    const W = input("W");
    let h = input("x");
    for (let layer = e.count(/tanh\(/); layer > 0; layer--) h = t.tanh(t.matmul(h, W));
    const cross = t.mul(e.number(new RegExp(`${decimal}\\s*\\*\\s*sum`)), t.sum(t.mul(W, t.transpose(W))));
    return t.add(t.add(t.sum(t.pow(h, exponent(e))), cross), t.trace(t.matmul(W, W)));
  },

  tanhSquare: (input, e) => t.sum(t.pow(t.tanh(t.matmul(input("x"), input("W"))), exponent(e))),
};

/** A case as lazy tensors beside the values expected of them. */
export interface AutodiffResults {
  readonly value: { readonly actual: Tensor; readonly expected: number };
  /** One per float input. */
  readonly gradients: readonly AutodiffResult[];
  readonly hessianVectorProducts: readonly AutodiffResult[];
}

export interface AutodiffResult {
  readonly input: string;
  readonly actual: Tensor;
  readonly expected: Float64Array;
}

/** Builds a case with float inputs in `floats`. Nothing is evaluated yet. */
export function buildAutodiffCase(family: string, golden: GoldenAutodiffCase, floats: FloatDType): AutodiffResults {
  const build = autodiffFamilies[family];
  if (!build) throw new Error(`no function is known for the golden family ${family}`);
  const inputs = new Map(golden.inputs.map((input) => [input.name, makeInput(input, floats)]));
  const input: Inputs = (name) => {
    const found = inputs.get(name);
    if (!found) throw new Error(`${family}: the case has no input ${name}`);
    return found;
  };
  const loss = build(input, new Expression(golden.expression), golden.name);
  const variables = golden.inputs.flatMap(({ name }, i) => {
    const [gradient, vector, product] = [golden.gradients[i], golden.vectors[i], golden.hessianVectorProducts[i]];
    return gradient && vector && product ? [{ name, x: input(name), gradient, vector, product }] : [];
  });
  const tensors = variables.map(({ x }) => x);
  const vectors = variables.map(({ x, vector }) => t.tensor(decodeNumbers(vector), { shape: x.shape, dtype: x.dtype }));
  const gradients = t.grad(loss, tensors);
  const products = t.hvp(loss, tensors, vectors);
  const results = (actual: readonly Tensor[], expected: "gradient" | "product") =>
    variables.map((variable, i) => ({
      input: variable.name,
      actual: actual[i] as Tensor,
      expected: decodeNumbers(variable[expected]),
    }));
  return {
    value: { actual: loss, expected: decodeNumber(golden.value) },
    gradients: results(gradients, "gradient"),
    hessianVectorProducts: results(products, "product"),
  };
}
