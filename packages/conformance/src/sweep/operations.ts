/** What the steps of a recipe do: every operation the sweep draws from, with the code that would be written for it. */
import * as t from "@thalweg/core";
import { type DType, isFloat, type Tensor } from "@thalweg/core";

/** Functions are called by name. */
const library = { ...t };

/** A tensor and the name it has in the printed code. */
export interface Value {
  readonly tensor: Tensor;
  readonly name: string;
}

/** A constant of the graph. */
export type MakeLeaf = (values: readonly number[], shape: readonly number[], dtype: DType) => Value;

/** Results larger than this are not made. */
export const maxElements = 400;

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, n) => size * n, 1);

/** `undefined` gives up on the step: no tensor fits. */
type Operation = (draw: Draw) => Value | readonly Value[] | undefined;

/** Draws operands and attributes from a step's numbers, and calls. */
export class Draw {
  readonly #numbers: readonly number[];
  readonly #pool: readonly Value[];
  readonly #names: () => string;
  readonly #emit: (line: string) => void;
  readonly #leaf: MakeLeaf;
  #next = 0;

  constructor(options: {
    readonly numbers: readonly number[];
    readonly pool: readonly Value[];
    readonly names: () => string;
    readonly emit: (line: string) => void;
    readonly leaf: MakeLeaf;
  }) {
    this.#numbers = options.numbers;
    this.#pool = options.pool;
    this.#names = options.names;
    this.#emit = options.emit;
    this.#leaf = options.leaf;
  }

  number(): number {
    return this.#numbers[this.#next++] ?? 0;
  }
  /** low … high. */
  integer(low: number, high: number): number {
    return low + (this.number() % (high - low + 1));
  }
  flag(): boolean {
    return this.number() % 2 === 1;
  }
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.number() % Math.max(1, list.length)];
  }
  /** One of the tensors so far that `fits`, the latest as often as all others together. */
  operand(fits: (x: Tensor) => boolean): Value | undefined {
    const fitting = this.#pool.filter(({ tensor }) => fits(tensor)).reverse();
    const number = this.number();
    return fitting[number < 32 ? 0 : number % Math.max(1, fitting.length)];
  }
  float(fits: (x: Tensor) => boolean = () => true): Value | undefined {
    return this.operand((x) => isFloat(x.dtype) && fits(x));
  }
  axis(x: Tensor): number {
    return this.integer(0, x.rank - 1);
  }
  /** Some of the axes, in order; perhaps none, perhaps all. */
  axes(x: Tensor): number[] {
    const bits = this.number();
    return Array.from({ length: x.rank }, (_, axis) => axis).filter((axis) => (bits >> axis) & 1);
  }
  /** Whole numbers in [0, below) as a constant of the graph. */
  index(shape: readonly number[], below: number): Value {
    const seed = this.number();
    const values = Array.from({ length: sizeOf(shape) }, (_, i) => (i * 7 + seed * 3 + (i >> 2)) % Math.max(1, below));
    return this.#leaf(values, shape, "int32");
  }
  /** Float constants of the graph, of the dtype `like` has. */
  weights(shape: readonly number[], like: Value): Value {
    const seed = this.number();
    const values = Array.from({ length: sizeOf(shape) }, (_, i) => (((i + 1) * 0.6180339887498949 + seed) % 1) * 2 - 1);
    return this.#leaf(values.map(Math.fround), shape, like.tensor.dtype);
  }

  /** Calls a function of @thalweg/core; Values among the arguments are given as tensors. */
  call(fn: keyof typeof t, ...args: readonly unknown[]): Value {
    const name = this.#names();
    const unwrap = (arg: unknown): unknown =>
      isValue(arg) ? arg.tensor : Array.isArray(arg) ? arg.map(unwrap) : isPlain(arg) ? mapEntries(arg, unwrap) : arg;
    const call = library[fn] as unknown as (...args: unknown[]) => Tensor;
    this.#emit(`const ${name} = ${fn}(${args.map(print).join(", ")});`);
    return { tensor: call(...args.map(unwrap)), name };
  }
  /** As `call`, for functions with several results, named as the function names them. */
  calls(fn: keyof typeof t, results: readonly string[], ...args: readonly unknown[]): Value[] {
    const whole = this.call(fn, ...args);
    const record = whole.tensor as unknown as Readonly<Record<string, Tensor>>;
    return results.map((key) => {
      const part = /^\d+$/.test(key) ? `[${key}]` : `.${key}`;
      return { tensor: record[key] as Tensor, name: `${whole.name}${part}` };
    });
  }
}

const isValue = (arg: unknown): arg is Value =>
  typeof arg === "object" && arg !== null && (arg as Partial<Value>).tensor instanceof t.Tensor;
const isPlain = (arg: unknown): arg is Record<string, unknown> =>
  typeof arg === "object" && arg !== null && Object.getPrototypeOf(arg) === Object.prototype;
const mapEntries = (record: Record<string, unknown>, map: (value: unknown) => unknown) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));

function print(arg: unknown): string {
  if (isValue(arg)) return arg.name;
  if (arg === undefined) return "undefined";
  if (Array.isArray(arg)) return `[${arg.map(print).join(", ")}]`;
  if (isPlain(arg))
    return `{ ${Object.entries(arg)
      .map(([key, value]) => `${key}: ${print(value)}`)
      .join(", ")} }`;
  return Object.is(arg, -0) ? "-0" : typeof arg === "number" ? String(arg) : JSON.stringify(arg);
}

const unary =
  (fn: keyof typeof t): Operation =>
  (draw) => {
    const x = draw.float();
    return x && draw.call(fn, x);
  };

const broadcasts = (a: readonly number[], b: readonly number[]): boolean => {
  for (let i = 1; i <= Math.min(a.length, b.length); i++) {
    const [x, y] = [a[a.length - i], b[b.length - i]];
    if (x !== y && x !== 1 && y !== 1) return false;
  }
  return true;
};

const fitsTogether = (a: Tensor, b: Tensor): boolean => {
  if (!broadcasts(a.shape, b.shape)) return false;
  const rank = Math.max(a.rank, b.rank);
  let size = 1;
  for (let i = 1; i <= rank; i++) {
    const [x, y] = [a.shape[a.rank - i] ?? 1, b.shape[b.rank - i] ?? 1];
    size *= x === 1 ? y : x;
  }
  return size <= maxElements;
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

/** x brought to rank 4 with spatial sizes worth sliding over. */
function image(draw: Draw): Value | undefined {
  const x = draw.float(({ size }) => size > 0);
  if (!x) return undefined;
  if (x.tensor.rank === 4 && draw.flag()) return x;
  const { size } = x.tensor;
  const channels = [4, 2, 3, 1].find((c) => size % c === 0) as number;
  const columns = [4, 3, 5, 2, 1].find((n) => (size / channels) % n === 0) as number;
  return draw.call("reshape", x, [1, channels, size / channels / columns, columns]);
}

const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);

function convolution(draw: Draw): Value | undefined {
  const x = image(draw);
  if (!x) return undefined;
  const [n, c, h, w] = x.tensor.shape as [number, number, number, number];
  const groups = draw.pick(divisors(c)) as number;
  const out = groups * draw.integer(1, 2);
  const kernel = [draw.integer(1, 3), draw.integer(1, 3)] as const;
  const geometry = {
    stride: [draw.integer(1, 3), draw.integer(1, 2)],
    padding: [draw.integer(0, 2), draw.integer(0, 1)],
    dilation: [draw.integer(1, 2), draw.integer(1, 3)],
    groups,
  };
  const span = (axis: 0 | 1, size: number): number =>
    size + 2 * (geometry.padding[axis] as number) - (geometry.dilation[axis] as number) * (kernel[axis] - 1);
  if (span(0, h) < 1 || span(1, w) < 1 || n * out * span(0, h) * span(1, w) > 4 * maxElements) return undefined;
  const weight = draw.weights([out, c / groups, ...kernel], x);
  return draw.flag()
    ? draw.call("conv2d", x, weight, draw.weights([out], x), geometry)
    : draw.call("conv2d", x, weight, undefined, geometry);
}

function transposedConvolution(draw: Draw): Value | undefined {
  const x = image(draw);
  if (!x) return undefined;
  const [n, c, h, w] = x.tensor.shape as [number, number, number, number];
  const groups = draw.pick(divisors(c)) as number;
  const stride = [draw.integer(1, 2), draw.integer(1, 3)] as const;
  const kernel = [draw.integer(1, 3), draw.integer(1, 2)] as const;
  if (n * groups * h * w * stride[0] * stride[1] > maxElements) return undefined;
  return draw.call("convTranspose2d", x, draw.weights([c, 1, ...kernel], x), undefined, {
    stride: [...stride],
    groups,
  });
}

const pool =
  (fn: "maxPool2d" | "avgPool2d"): Operation =>
  (draw) => {
    const x = image(draw);
    if (!x) return undefined;
    const [h, w] = x.tensor.shape.slice(2) as [number, number];
    const kernelSize = [draw.integer(1, Math.min(3, h)), draw.integer(1, Math.min(3, w))];
    const stride = [draw.integer(1, 3), draw.integer(1, 2)];
    const padding = kernelSize.map((k) => Math.min(draw.integer(0, 1), Math.floor(k / 2)));
    return draw.call(fn, x, { kernelSize, stride, padding, ceilMode: draw.flag() });
  };

/** Sizes whose product is `size`: a random way to cut the elements up. */
function factors(draw: Draw, size: number): number[] {
  if (size === 0) return [0, draw.integer(1, 3)];
  const shape: number[] = [];
  let rest = size;
  for (let i = 0; i < 4 && (rest > 1 || i === 0); i++) {
    const d = draw.pick(divisors(rest)) as number;
    shape.push(d);
    rest /= d;
  }
  return rest > 1 ? [...shape, rest] : shape;
}

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

  permute: (draw) => {
    const x = draw.operand(({ rank }) => rank > 1);
    if (!x) return undefined;
    const axes = [...x.tensor.shape.keys()];
    for (let i = axes.length - 1; i > 0; i--) {
      const j = draw.integer(0, i);
      [axes[i], axes[j]] = [axes[j] as number, axes[i] as number];
    }
    return draw.call("permute", x, axes);
  },
  reshape: (draw) => {
    const x = draw.operand(() => true);
    return x && draw.call("reshape", x, factors(draw, x.tensor.size));
  },
  woven: (draw) => {
    const a = draw.float(({ rank, size }) => rank > 1 && size > 1);
    const b = a && draw.float(({ rank, size }) => rank > 1 && size === a.tensor.size);
    if (!a || !b) return undefined;
    const turned = (x: Value) => (draw.flag() ? x : draw.call("transpose", x));
    const shape = factors(draw, a.tensor.size);
    return draw.call("sub", draw.call("reshape", turned(a), shape), draw.call("reshape", turned(b), shape));
  },
  flatten: (draw) => {
    const x = draw.operand(() => true);
    return x && draw.call("flatten", x);
  },
  slice: (draw) => {
    const x = draw.operand(({ rank }) => rank > 0);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const size = x.tensor.shape[axis] as number;
    return draw.call("slice", x, {
      axis,
      start: draw.integer(0, size),
      end: draw.integer(0, size),
      step: draw.integer(1, 3),
    });
  },
  tail: (draw) => {
    const x = draw.operand(({ rank, size }) => rank > 0 && size > 1);
    return (
      x && draw.call("slice", x, { axis: draw.axis(x.tensor), start: draw.integer(0, 1), step: draw.integer(1, 2) })
    );
  },
  pad: (draw) => {
    const x = draw.float(({ rank }) => rank > 0);
    if (!x || x.tensor.size > maxElements / 4) return undefined;
    const amounts = x.tensor.shape.slice(-2).flatMap(() => [draw.integer(0, 2), draw.integer(0, 1)]);
    return draw.call("pad", x, amounts, { value: draw.integer(0, 2) });
  },
  flip: (draw) => {
    const x = draw.operand(({ rank }) => rank > 0);
    return x && draw.call("flip", x, draw.axes(x.tensor));
  },
  repeat: (draw) => {
    const x = draw.operand(({ rank, size }) => rank < 5 && size <= maxElements / 4);
    if (!x) return undefined;
    const axis = draw.integer(0, x.tensor.rank);
    const single = draw.call("unsqueeze", x, axis);
    return draw.call("expand", single, single.tensor.shape.toSpliced(axis, 1, draw.integer(1, 4)));
  },
  window: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && rank < 5 && size <= maxElements / 4);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const length = x.tensor.shape[axis] as number;
    const size = draw.integer(1, 3);
    const count = draw.integer(1, length + 1);
    const options = {
      axis,
      size,
      count,
      stride: draw.integer(1, 2),
      dilation: draw.integer(1, 2),
      offset: -draw.integer(0, 2),
    };
    return draw.call("window", x, options);
  },
  diagonal: (draw) => {
    const x = draw.float(({ rank }) => rank > 1);
    return x && draw.call("diagonal", x, { offset: draw.integer(0, 2) - 1 });
  },
  tril: (draw) => {
    const x = draw.float(({ rank }) => rank > 1);
    return x && draw.call(draw.flag() ? "tril" : "triu", x, { diagonal: draw.integer(0, 2) - 1 });
  },
  concat: (draw) => {
    const a = draw.float(({ rank }) => rank > 0);
    if (!a) return undefined;
    const axis = draw.axis(a.tensor);
    const { shape, rank, dtype, size } = a.tensor;
    const b = draw.operand(
      (x) =>
        x.rank === rank &&
        x.dtype === dtype &&
        x.size + size <= maxElements &&
        x.shape.every((n, i) => i === axis || n === shape[i]),
    );
    return b && draw.call("concat", [a, b], { axis });
  },
  stack: (draw) => {
    const a = draw.float(({ rank, size }) => rank < 5 && size <= maxElements / 3);
    const b = a && draw.operand((x) => x.dtype === a.tensor.dtype && x.shape.join() === a.tensor.shape.join());
    return a && b && draw.call("stack", [a, b, a], { axis: draw.integer(0, a.tensor.rank) });
  },
  split: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 1);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const size = x.tensor.shape[axis] as number;
    const first = draw.integer(0, size);
    return draw.calls("split", ["0", "1"], x, [first, size - first], { axis });
  },

  matmul: (draw) => {
    const a = draw.float(({ rank }) => rank >= 1 && rank <= 4);
    if (!a) return undefined;
    const k = a.tensor.shape[a.tensor.rank - 1] as number;
    const b = draw.operand(
      (x) =>
        x.dtype === a.tensor.dtype &&
        x.rank >= 2 &&
        x.shape[x.rank - 2] === k &&
        broadcasts(a.tensor.shape.slice(0, -2), x.shape.slice(0, -2)) &&
        a.tensor.size * x.size <= 16 * maxElements,
    );
    return draw.call("matmul", a, b ?? draw.weights([k, draw.integer(1, 4)], a));
  },
  transposedProduct: (draw) => {
    const a = draw.float(({ rank, size }) => rank >= 2 && rank <= 4 && size <= 100);
    if (!a) return undefined;
    const product = draw.call("matmul", a, draw.weights([a.tensor.shape[a.tensor.rank - 1] as number, 3], a));
    return draw.call("transpose", product);
  },
  mirrored: (draw) => {
    const x = draw.float(({ rank }) => rank > 0);
    return x && draw.call("add", x, draw.call("flip", x, [draw.axis(x.tensor)]));
  },
  gram: (draw) => {
    const a = draw.float(({ rank, size }) => rank >= 2 && size <= 100);
    return a && draw.call("matmul", a, draw.call("transpose", a));
  },
  linear: (draw) => {
    const x = draw.float(({ rank, size }) => rank >= 1 && size <= 100);
    if (!x) return undefined;
    const out = draw.integer(1, 4);
    const k = x.tensor.shape[x.tensor.rank - 1] as number;
    return draw.call("linear", x, draw.weights([out, k], x), draw.flag() ? draw.weights([out], x) : undefined);
  },
  conv2d: convolution,
  convTranspose2d: transposedConvolution,
  maxPool2d: pool("maxPool2d"),
  avgPool2d: pool("avgPool2d"),

  gather: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 0);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const shape = x.tensor.shape.map((n, i) => (i === axis ? draw.integer(1, 4) : Math.max(0, n - draw.integer(0, 1))));
    return draw.call("gather", x, draw.index(shape, x.tensor.shape[axis] as number), { axis });
  },
  indexSelect: (draw) => {
    const x = draw.operand(({ rank, size }) => rank > 0 && size > 0);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    return draw.call("indexSelect", x, draw.index([draw.integer(1, 5)], x.tensor.shape[axis] as number), { axis });
  },
  scatterAdd: (draw) => {
    const x = draw.float(({ rank, size }) => rank > 0 && size > 0);
    if (!x) return undefined;
    const axis = draw.axis(x.tensor);
    const shape = x.tensor.shape.map((n, i) => (i === axis ? draw.integer(1, 4) : n));
    const index = draw.index(shape, x.tensor.shape[axis] as number);
    const source = draw.float(
      ({ rank, shape: s }) => rank === shape.length && s.every((n, i) => n >= (shape[i] as number)),
    );
    const values = source && source.tensor.dtype === x.tensor.dtype ? source : draw.weights(shape, x);
    return draw.call("scatterAdd", x, index, values, { axis });
  },
  embedding: (draw) => {
    const weight = draw.float(({ rank, size }) => rank === 2 && size > 0);
    if (!weight) return undefined;
    return draw.call("embedding", draw.index([2, draw.integer(1, 3)], weight.tensor.shape[0] as number), weight);
  },
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

export const operations: Readonly<Record<string, Operation>> = { ...continuous, ...discontinuous };
export const continuousOperations: readonly string[] = Object.keys(continuous);
export const allOperations: readonly string[] = Object.keys(operations);
