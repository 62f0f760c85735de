/** Element-wise operations: sizes, layouts, broadcasting, special values, integers. */

import type { Tensor } from "@thalweg/core";
import * as t from "@thalweg/core";
import {
  booleans,
  extremeIntegers,
  floats,
  floatsOf,
  type Input,
  integers,
  integersOf,
  quarters,
  specialFloats,
  unsigned,
  unsignedIntegers,
} from "./inputs.ts";
import { type Operation, type Outputs, together, type Variant, variant } from "./operation.ts";

type Unary = (x: Tensor) => Outputs;
type Binary = (a: Tensor, b: Tensor) => Tensor;

interface UnaryOptions {
  readonly from?: number;
  readonly to?: number;
  /** Special values it is tried on. Default all. */
  readonly special?: readonly number[];
  readonly signedZeros?: boolean;
  readonly more?: readonly Variant[];
}

function unary(op: string, fn: Unary, options: UnaryOptions = {}): Operation {
  const { from = -3, to = 3, special = specialFloats, signedZeros = true, more = [] } = options;
  return {
    op,
    signedZeros,
    variants: [
      variant("1037 elements", fn, floats([1037], { from, to })),
      together(
        "5-d permuted, sliced, a scalar, nothing",
        1,
        fn,
        floats([2, 3, 1, 2, 5], { from, to, seed: 1, layout: "permuted" }),
        floats([3, 9], { from, to, seed: 2, layout: "sliced" }),
        floats([], { from, to, seed: 3 }),
        floats([0, 3]),
      ),
      variant("special values", fn, floatsOf(special)),
      ...more,
    ],
  };
}

const onIntegers = (fn: Unary): Variant[] => [
  together("integers", 1, fn, integersOf(extremeIntegers), integers([4, 9], -50, 50, { layout: "permuted" })),
];

/** No infinities and nothing whose reduction by π would need more digits than float32 has. */
const moderate = [Number.NaN, 0, -0, 1, -1, 0.5, -2.5, 3, 2 ** -100];

const unaries: readonly Operation[] = [
  unary("neg", t.neg, { more: onIntegers(t.neg) }),
  unary("abs", t.abs, { more: onIntegers(t.abs) }),
  unary("sign", t.sign, { more: onIntegers(t.sign), signedZeros: false }),
  unary("exp", t.exp),
  unary("expm1", t.expm1),
  unary("log", t.log, { from: 0.01, to: 9 }),
  unary("log1p", t.log1p, { from: -0.9, to: 9 }),
  unary("log2", t.log2, { from: 0.01, to: 9 }),
  unary("log10", t.log10, { from: 0.01, to: 9 }),
  unary("sqrt", t.sqrt, { from: 0, to: 9, more: [variant("integers", t.sqrt, integersOf([0, 1, 2, 4, 99, 65536]))] }),
  unary("rsqrt", t.rsqrt, { from: 0.01, to: 9 }),
  unary("reciprocal", t.reciprocal, { from: 0.1, to: 9 }),
  unary("square", t.square, { more: [...onIntegers(t.square), variant("booleans", t.square, booleans([9]))] }),
  unary("sin", t.sin, { special: moderate }),
  unary("cos", t.cos, { special: moderate }),
  unary("tan", t.tan, { from: -1.3, to: 1.3, special: moderate }),
  unary("tanh", t.tanh),
  unary("sigmoid", t.sigmoid),
  unary("erf", t.erf),
  unary("log1pExp", t.log1pExp),
  unary("relu", t.relu, { more: onIntegers(t.relu), signedZeros: false }),
  unary("relu6", t.relu6, { from: -3, to: 9, signedZeros: false }),
  unary("leakyRelu", (x) => t.leakyRelu(x, { negativeSlope: 0.25 })),
  unary("elu", (x) => t.elu(x, { alpha: 0.5 })),
  unary("celu", (x) => t.celu(x, { alpha: 2 }), { more: [variant("alpha 1", (x) => t.celu(x), floats([33]))] }),
  unary("selu", t.selu),
  unary("gelu", (x) => [t.gelu(x), t.gelu(x, { approximate: "tanh" })], { special: moderate }),
  unary("silu", t.silu, { special: moderate }),
  unary("mish", t.mish, { special: moderate }),
  unary("softplus", (x) => t.softplus(x, { beta: 2, threshold: 3 })),
  unary("hardSwish", t.hardSwish, { from: -5, to: 5, special: moderate }),
  unary("hardTanh", (x) => t.hardTanh(x, { min: -0.5, max: 2 }), { signedZeros: false }),
  unary("hardSigmoid", t.hardSigmoid, { from: -5, to: 5 }),
  unary("logSigmoid", t.logSigmoid, { signedZeros: false }),
  unary("softsign", t.softsign, { special: moderate }),
  unary("floor", t.floor, {
    more: [variant("halves", t.floor, quarters([99])), variant("integers", t.floor, integers([9], -5, 5))],
  }),
  unary("ceil", t.ceil, { more: [variant("halves", t.ceil, quarters([99]))] }),
  unary("round", t.round, { more: [variant("halves", t.round, quarters([99]))] }),
  unary("trunc", t.trunc, { more: [variant("halves", t.trunc, quarters([99]))] }),
  unary("isNaN", t.isNaN, { more: onIntegers(t.isNaN) }),
  unary("isInf", t.isInf, { more: onIntegers(t.isInf) }),
  unary("isFinite", t.isFinite, { more: onIntegers(t.isFinite) }),
  unary("logicalNot", t.logicalNot, {
    more: [...onIntegers(t.logicalNot), variant("booleans", t.logicalNot, booleans([77]))],
  }),
  unary("barrier", (x) => t.mul(t.barrier(t.add(x, 1)), 2)),
  unary("clamp", (x) => t.clamp(x, { min: -1, max: 0.75 }), {
    signedZeros: false,
    more: [
      variant("one bound", (x) => t.clamp(x, { max: 0.5 }), floats([35], { layout: "reversed" })),
      variant(
        "bounds that are tensors",
        (x, min, max) => t.clamp(x, { min, max }),
        floats([5, 7]),
        floats([7], { from: -2, to: -0.5 }),
        floats([5, 1], { from: 0.5, to: 2 }),
      ),
      variant("integers", (x) => t.clamp(x, { min: -3, max: 40000 }), integersOf(extremeIntegers)),
    ],
  }),
];

/** Every pair of the values, as two operands that broadcast. */
const grid = (
  values: readonly number[],
  make: (values: readonly number[], shape: readonly number[]) => Input,
): [Input, Input] => [make(values, [values.length, 1]), make(values, [values.length])];

interface BinaryOptions {
  readonly a?: { readonly from?: number; readonly to?: number };
  readonly b?: { readonly from?: number; readonly to?: number };
  readonly signedZeros?: boolean;
  /** Without operands of floats. */
  readonly integersOnly?: boolean;
  /** Whole numbers it takes, if any, in all pairs. */
  readonly integers?: readonly number[];
  readonly booleans?: boolean;
  readonly needs?: Variant["needs"];
  /** Special values it is tried on, in all pairs. Default all. */
  readonly special?: readonly number[];
}

/** `quarters`: floats whose results jump are taken where rounding cannot move them across. */
function binary(op: string, fn: Binary, options: BinaryOptions = {}, exact = false): Operation {
  const { a = {}, b = {}, signedZeros = true, special = specialFloats, needs } = options;
  const left = (shape: readonly number[], layout: Input["layout"] = "contiguous"): Input =>
    exact ? quarters(shape, 0, layout) : floats(shape, { ...a, layout });
  const right = (shape: readonly number[], layout: Input["layout"] = "contiguous"): Input =>
    exact ? quarters(shape, 1, layout) : floats(shape, { ...b, seed: 1, layout });
  const onFloats = [
    variant("1037 elements", fn, left([1037]), right([1037])),
    variant("a column and a row of 64 by 65", fn, left([64, 1]), right([65])),
    together(
      "5-d, views, a scalar, nothing",
      2,
      fn,
      ...[left([2, 1, 3, 1, 2]), right([4, 1, 3, 1])],
      ...[left([7, 5], "permuted"), right([7, 5], "sliced")],
      ...[left([6, 5], "reversed"), right([6, 5], "expanded")],
      ...[left([]), right([3, 11])],
      ...[left([0, 3]), right([3])],
    ),
    variant("special values", fn, ...grid(special, floatsOf)),
  ];
  const onIntegers = options.integers
    ? [{ ...variant("integers", fn, ...grid(options.integers, integersOf)), ...(needs ? { needs } : {}) }]
    : [];
  const onBooleans = options.booleans ? [variant("booleans", fn, booleans([16, 1]), booleans([17], 1))] : [];
  return {
    op,
    signedZeros,
    variants: [...(options.integersOnly ? [] : onFloats), ...onIntegers, ...onBooleans],
  };
}

const unsignedGrid = (name: string, fn: Binary, values = unsignedIntegers): Variant =>
  variant(name, fn, ...grid(values, unsigned));

const withUnsigned = (operation: Operation, fn: Binary): Operation => ({
  ...operation,
  variants: [...operation.variants, unsignedGrid("unsigned integers", fn)],
});

const divisors = [-7, -3, -1, 1, 2, 5, 46341, 2 ** 31 - 1];
const shifts = [0, 1, 5, 16, 31];

const shift = (op: string, fn: Binary): Operation => ({
  op,
  variants: [
    variant("integers", fn, integersOf(extremeIntegers, [extremeIntegers.length, 1]), integersOf(shifts)),
    variant("unsigned integers", fn, unsigned(unsignedIntegers, [unsignedIntegers.length, 1]), unsigned(shifts)),
  ],
});

const extreme = { integers: extremeIntegers };
const compared = { ...extreme, booleans: true };

const binaries: readonly Operation[] = [
  withUnsigned(binary("add", t.add, compared), t.add),
  withUnsigned(binary("sub", t.sub, extreme), t.sub),
  withUnsigned(binary("mul", t.mul, compared), t.mul),
  binary("div", t.div, { ...extreme, b: { from: 0.5, to: 3 } }),
  binary("pow", t.pow, { a: { from: 0.2, to: 3 }, integers: [0, 1, 2, 3, 7, 13] }),
  binary("maximum", t.maximum, { ...compared, signedZeros: false }),
  binary("minimum", t.minimum, { ...compared, signedZeros: false }),
  binary("remainder", t.remainder, { integers: divisors, signedZeros: false }, true),
  binary("fmod", t.fmod, { integers: divisors, signedZeros: false }, true),
  binary(
    "floorDivide",
    t.floorDivide,
    // Where a quotient underflows, its sign is gone before it is rounded down.
    { integers: divisors, needs: ["float64"], signedZeros: false, special: specialFloats.slice(0, -1) },
    true,
  ),
  withUnsigned(binary("equal", t.equal, compared, true), t.equal),
  binary("notEqual", t.notEqual, compared, true),
  withUnsigned(binary("less", t.less, compared, true), t.less),
  withUnsigned(binary("lessEqual", t.lessEqual, compared, true), t.lessEqual),
  binary("greater", t.greater, compared, true),
  binary("greaterEqual", t.greaterEqual, compared, true),
  binary("logicalAnd", t.logicalAnd, compared, true),
  binary("logicalOr", t.logicalOr, compared, true),
  binary("logicalXor", t.logicalXor, compared, true),
  withUnsigned(binary("bitwiseAnd", t.bitwiseAnd, { ...compared, integersOnly: true }), t.bitwiseAnd),
  withUnsigned(binary("bitwiseOr", t.bitwiseOr, { ...compared, integersOnly: true }), t.bitwiseOr),
  withUnsigned(binary("bitwiseXor", t.bitwiseXor, { ...compared, integersOnly: true }), t.bitwiseXor),
  {
    op: "bitwiseNot",
    variants: [
      ...onIntegers((x) => t.bitwiseNot(x)),
      variant("unsigned integers", (x) => t.bitwiseNot(x), unsigned(unsignedIntegers)),
      variant("booleans", (x) => t.bitwiseNot(x), booleans([33])),
    ],
  },
  shift("shiftLeft", t.shiftLeft),
  shift("shiftRight", t.shiftRight),
  { op: "mulHigh", variants: [unsignedGrid("unsigned integers", t.mulHigh)] },
];

const where = t.where;
const maskedFill: Variant["call"] = (x, mask) => t.maskedFill(x, mask, -7);

const selections: readonly Operation[] = [
  {
    op: "where",
    variants: [
      variant("all broadcast", where, booleans([1, 9, 1]), floats([4, 1, 1]), floats([5], { seed: 1 })),
      variant(
        "views",
        where,
        booleans([6, 7], 0, "permuted"),
        floats([6, 7], { layout: "sliced" }),
        floats([6, 7], { layout: "reversed", seed: 1 }),
      ),
      variant("the branch not taken is NaN", (x) => t.where(t.greater(x, 0), t.sqrt(x), x), floats([1037])),
      variant("integers", where, booleans([11]), integersOf(extremeIntegers), integersOf([3])),
      variant("nothing", where, booleans([0]), floats([0]), floats([1])),
    ],
  },
  {
    op: "maskedFill",
    variants: [
      variant("a mask of rows", maskedFill, floats([9, 5]), booleans([9, 1])),
      variant("1037 elements", maskedFill, floats([1037]), booleans([1037])),
      variant("integers", maskedFill, integersOf(extremeIntegers), booleans([11])),
    ],
  },
  {
    op: "prelu",
    variants: [
      variant("one slope", (x, weight) => t.prelu(x, weight), floats([1037]), floatsOf([0.25])),
      variant(
        "a slope per channel",
        (x, weight) => t.prelu(x, weight),
        floats([3, 4, 7]),
        floats([4], { from: 0, to: 1 }),
      ),
    ],
  },
  {
    op: "glu",
    variants: [
      variant("the last axis", (x) => t.glu(x), floats([9, 26])),
      variant("the first axis, permuted", (x) => t.glu(x, { axis: 0 }), floats([6, 5], { layout: "permuted" })),
    ],
  },
  {
    op: "stopGradient",
    variants: [variant("a value", (x) => t.mul(t.stopGradient(x), x), floats([5, 7], { layout: "sliced" }))],
  },
];

const castDTypes = ["float32", "int32", "bool"] as const;
const edges = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  0.5,
  -0.5,
  1.75,
  -1.75,
  2 ** 31,
  -(2 ** 33),
  2 ** 40,
  300.5,
];
const halves = ["bfloat16", "float16"] as const;
/** Ties between neighbours, overflow and subnormals of 16-bit floats among them. */
const roundings = [
  ...edges,
  1 + 2 ** -8,
  1 + 3 * 2 ** -8,
  1 + 2 ** -11,
  1 + 3 * 2 ** -11,
  65504,
  65519,
  65520,
  1e30,
  2 ** -24,
  2 ** -25,
  3 * 2 ** -26,
  1e-5,
  3.14159274,
];

const casts: readonly Operation[] = [
  {
    op: "cast",
    variants: [
      ...castDTypes.flatMap((dtype) => [
        variant(`floats to ${dtype}`, (x) => t.cast(x, dtype), floatsOf(edges)),
        variant(`integers to ${dtype}`, (x) => t.cast(x, dtype), integersOf(extremeIntegers)),
        variant(`booleans to ${dtype}`, (x) => t.cast(x, dtype), booleans([65], 0, "permuted")),
      ]),
      ...(["float32", "int32", "bool"] as const).map((dtype) =>
        variant(`unsigned integers to ${dtype}`, (x) => t.cast(x, dtype), unsigned(unsignedIntegers)),
      ),
      ...(["floats", "integers"] as const).map(
        (kind): Variant => ({
          ...variant(
            `${kind} to uint32`,
            (x) => t.cast(x, "uint32"),
            kind === "floats" ? floatsOf(edges) : integersOf(extremeIntegers),
          ),
          needs: ["uint32"],
        }),
      ),
      ...halves.flatMap((dtype): Variant[] => [
        { ...variant(`floats to ${dtype}`, (x) => t.cast(x, dtype), floatsOf(roundings)), needs: [dtype] },
        {
          ...variant(
            `${dtype} arithmetic`,
            (x) => t.cast(t.add(t.mul(t.cast(t.cast(x, dtype), "float32"), 3), 1), dtype),
            floats([5, 13], { layout: "sliced" }),
          ),
          needs: [dtype],
        },
      ]),
    ],
  },
];

/** Every element-wise operation. */
export const elementwiseOperations: readonly Operation[] = [...unaries, ...binaries, ...selections, ...casts];
