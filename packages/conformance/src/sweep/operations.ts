/** What the steps of a recipe do: every operation the sweep draws from. */
import type * as t from "@thalweg/core";
import { isFloat, type Tensor } from "@thalweg/core";
import { contractionOperations } from "./contractionOperations.ts";
import { type Draw, fitsTogether, type Operation, sizeOf } from "./draw.ts";
import { viewOperations } from "./viewOperations.ts";

const unary =
  (fn: keyof typeof t): Operation =>
  (draw) => {
    const x = draw.float();
    return x && draw.call(fn, x);
  };

const binary =
  (fn: keyof typeof t, category: "float" | "any" = "float"): Operation =>
  (draw) => {
    const kind = (x: Tensor) => category === "any" || isFloat(x.dtype);
    const a = draw.operand(kind);
    const b = a && draw.operand((x) => kind(x) && fitsTogether(a.tensor, x));
    return a && b && draw.call(fn, a, b);
  };

const integerBinary =
  (fn: keyof typeof t): Operation =>
  (draw) => {
    const a = draw.operand((x) => x.dtype === "int32");
    const b = a && draw.operand((x) => x.dtype === "int32" && fitsTogether(a.tensor, x));
    return a && b && draw.call(fn, a, b);
  };

const reduction =
  (fn: keyof typeof t, empty = true): Operation =>
  (draw) => {
    const x = draw.float((x) => empty || sizeOf(x.shape) > 0);
    return x && draw.call(fn, x, { axis: draw.axes(x.tensor), keepDim: draw.flag() });
  };

const alongAxis =
  (fn: keyof typeof t, more: (draw: Draw) => object = () => ({})): Operation =>
  (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 0);
    return x && draw.call(fn, x, { axis: draw.axis(x.tensor), ...more(draw) });
  };

const norm =
  (fn: "layerNorm" | "rmsNorm"): Operation =>
  (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 0);
    if (!x) return undefined;
    const normalizedShape = x.tensor.shape.slice(draw.axis(x.tensor));
    return draw.flag()
      ? draw.call(fn, x, { normalizedShape, weight: draw.weights(normalizedShape, x) })
      : draw.call(fn, x, { normalizedShape });
  };

/** Operations whose result is a continuous function of floats: rounding inside moves it little. */
const continuous: Readonly<Record<string, Operation>> = {
  neg: unary("neg"),
  abs: unary("abs"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  erf: unary("erf"),
  sin: unary("sin"),
  cos: unary("cos"),
  relu: unary("relu"),
  gelu: unary("gelu"),
  square: unary("square"),
  softplus: unary("softplus"),
  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  maximum: binary("maximum"),
  minimum: binary("minimum"),
  scale: (draw) => {
    const x = draw.float();
    return x && draw.call("mul", x, draw.integer(0, 7) / 2 - 2);
  },
  clamp: (draw) => {
    const x = draw.float();
    return x && draw.call("clamp", x, { min: -1, max: draw.integer(0, 2) });
  },

  sum: reduction("sum"),
  mean: reduction("mean"),
  max: reduction("max", false),
  min: reduction("min", false),
  logSumExp: reduction("logSumExp", false),
  variance: reduction("variance", false),
  softmax: alongAxis("softmax"),
  logSoftmax: alongAxis("logSoftmax"),
  layerNorm: norm("layerNorm"),
  rmsNorm: norm("rmsNorm"),
  cumSum: alongAxis("cumSum"),

  crossEntropy: (draw) => {
    const x = draw.float(({ rank, size }) => rank === 2 && size > 0);
    if (!x) return undefined;
    const [rows, classes] = x.tensor.shape as [number, number];
    const options = { reduction: draw.pick(["mean", "none", "sum"]), labelSmoothing: draw.integer(0, 1) / 4 };
    return draw.call("crossEntropy", x, draw.index([rows], classes), options);
  },
  barrier: unary("barrier"),
  stopGradient: unary("stopGradient"),
  castFloat: (draw) => {
    const x = draw.operand((x) => !isFloat(x.dtype));
    return x && draw.call("cast", x, "float64");
  },

  ...viewOperations,
  ...contractionOperations,
};

/** Operations that jump: exact arithmetic gives exactly the same result, rounded arithmetic may not. */
const discontinuous: Readonly<Record<string, Operation>> = {
  exp: unary("exp"),
  log: unary("log"),
  sqrt: unary("sqrt"),
  rsqrt: unary("rsqrt"),
  reciprocal: unary("reciprocal"),
  floor: unary("floor"),
  round: unary("round"),
  sign: unary("sign"),
  isNaN: unary("isNaN"),
  div: binary("div"),
  pow: binary("pow"),
  remainder: binary("remainder"),
  equal: binary("equal", "any"),
  less: binary("less", "any"),
  logicalAnd: binary("logicalAnd", "any"),
  addAny: binary("add", "any"),
  mulAny: binary("mul", "any"),
  integerAdd: integerBinary("add"),
  bitwiseXor: integerBinary("bitwiseXor"),
  floorDivide: integerBinary("floorDivide"),
  prod: reduction("prod"),
  sumAny: (draw) => {
    const x = draw.operand(() => true);
    return x && draw.call("sum", x, { axis: draw.axes(x.tensor), keepDim: draw.flag() });
  },
  norm: (draw) => {
    const x = draw.float(({ size }) => size > 0);
    return x && draw.call("norm", x, { p: draw.integer(1, 3), axis: draw.axes(x.tensor), keepDim: draw.flag() });
  },
  argMax: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 0);
    return x && draw.call(draw.flag() ? "argMax" : "argMin", x, { axis: draw.axis(x.tensor), keepDim: draw.flag() });
  },
  sort: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 0);
    return x && draw.calls("sort", ["values", "indices"], x, { axis: draw.axis(x.tensor), descending: draw.flag() });
  },
  topK: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 0);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const k = draw.integer(1, x.tensor.shape[axis] as number);
    return draw.calls("topK", ["values", "indices"], x, k, { axis, largest: draw.flag() });
  },
  where: (draw) => {
    const condition = draw.operand((x) => x.dtype === "bool");
    const a = condition && draw.float((x) => fitsTogether(condition.tensor, x));
    const b = a && draw.float((x) => fitsTogether(a.tensor, x) && fitsTogether(condition.tensor, x));
    if (!condition || !a || !b) return undefined;
    return [condition, a, b].every((x) => x.tensor.size <= 40) ? draw.call("where", condition, a, b) : undefined;
  },
  castInteger: (draw) => {
    const x = draw.operand(() => true);
    return x && draw.call("cast", x, draw.pick(["int32", "bool", "float64"]));
  },
  oneHot: (draw) => draw.call("oneHot", draw.index([draw.integer(1, 4)], 3), 3),
  arange: (draw) => draw.call("arange", 0, draw.integer(1, 6), 1, { dtype: "float64" }),
  rand: (draw) =>
    draw.call(draw.flag() ? "rand" : "randn", [draw.integer(1, 4), draw.integer(1, 3)], { dtype: "float64" }),
  bernoulli: (draw) => {
    const x = draw.float(({ size }) => size > 0);
    return x && draw.call("mul", x, draw.call("bernoulli", 0.5, { shape: x.tensor.shape }));
  },
};

/** Continuous functions whose derivatives jump. */
const kinked: ReadonlySet<string> = new Set(["abs", "relu", "maximum", "minimum", "clamp", "max", "min", "maxPool2d"]);

/** Reductions to fewer axes that are continuous. */
export const reductions: readonly string[] = ["sum", "mean", "max", "min", "logSumExp", "variance"];

export const operations: Readonly<Record<string, Operation>> = { ...continuous, ...discontinuous };
export const continuousOperations: readonly string[] = Object.keys(continuous);
export const smoothOperations: readonly string[] = continuousOperations.filter((op) => !kinked.has(op));
export const allOperations: readonly string[] = Object.keys(operations);
