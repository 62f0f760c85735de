/** Reductions, scans and order: axes in every position, lengths around blocks of four and eight, special values. */
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

interface Axes {
  readonly axis?: number | readonly number[] | null;
  readonly keepDim?: boolean;
}
type Reduce = (x: Tensor, axes: Axes) => Outputs;

interface ReductionOptions {
  readonly from?: number;
  readonly to?: number;
  /** Whether reducing nothing has a result. Default true. */
  readonly empty?: boolean;
  /** Also of whole numbers. */
  readonly integers?: boolean;
  readonly booleans?: boolean;
  /** Values with many ties, in place of distinct ones. */
  readonly ties?: boolean;
  /** Whether NaN and infinities are tried. Default true. */
  readonly special?: boolean;
  readonly more?: readonly Variant[];
}

function reduction(op: string, fn: Reduce, options: ReductionOptions = {}): Operation {
  const { from = -2, to = 2, empty = true, special = true, ties = false, more = [] } = options;
  const make = (shape: readonly number[], seed = 0, layout: Input["layout"] = "contiguous"): Input =>
    ties ? quarters(shape, seed, layout) : floats(shape, { from, to, seed, layout });
  const over =
    (axes: Axes) =>
    (x: Tensor): Outputs =>
      fn(x, axes);
  return {
    op,
    signedZeros: false,
    variants: [
      variant("1037 elements", over({}), make([1037])),
      variant("rows of 64 by 65", over({ axis: 1 }), make([64, 65], 1)),
      variant("columns of 64 by 65", over({ axis: 0, keepDim: true }), make([64, 65], 2)),
      variant("rows of a transposed 65 by 19", over({ axis: 1 }), make([65, 19], 3, "permuted")),
      variant("5-d, outer and inner axes", over({ axis: [0, 2, 4], keepDim: true }), make([2, 3, 3, 2, 5], 4)),
      variant("5-d, axes between, sliced", over({ axis: [1, -2] }), make([2, 3, 2, 2, 5], 5, "sliced")),
      together("backwards, repeated", 1, over({ axis: -1 }), make([3, 7], 6, "reversed"), make([5, 3], 7, "expanded")),
      together("rows of 1, 2, 3, 5, 8, 9", 1, over({ axis: 1 }), ...[1, 2, 3, 5, 8, 9].map((n) => make([3, n], n))),
      variant("a scalar", over({}), make([])),
      together("no rows, rows of nothing", 1, over({ axis: 1 }), make([0, 3]), ...(empty ? [make([3, 0])] : [])),
      ...(special
        ? [
            together(
              "special values, alone and among others",
              1,
              over({ axis: 1 }),
              floatsOf(specialFloats, [specialFloats.length, 1]),
              floatsOf(
                specialFloats.flatMap((x) => [0.5, x, -1, 2]),
                [specialFloats.length, 4],
              ),
            ),
          ]
        : []),
      ...(options.integers
        ? [
            together(
              "integers that wrap, rows of them",
              1,
              over({ axis: -1 }),
              integersOf(extremeIntegers),
              integers([5, 37], -9, 9, { layout: "permuted" }),
            ),
          ]
        : []),
      ...(options.booleans ? [variant("booleans", over({ axis: 0 }), booleans([3, 37]))] : []),
      ...more,
    ],
  };
}

const unsignedReduction = (fn: Reduce): Variant =>
  variant("unsigned integers", (x) => fn(x, { axis: 0 }), unsigned(unsignedIntegers, [5, 2]));

const spans = { from: -1.5, to: 2.5 };
const norms = [1, 2, 3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];

const reductions: readonly Operation[] = [
  reduction("sum", t.sum, { integers: true, booleans: true, more: [unsignedReduction(t.sum)] }),
  reduction("mean", t.mean, { integers: true, booleans: true }),
  reduction("prod", t.prod, { from: 0.85, to: 1.16, integers: true, booleans: true }),
  reduction("max", t.max, { empty: false, integers: true, booleans: true, more: [unsignedReduction(t.max)] }),
  reduction("min", t.min, { empty: false, integers: true, booleans: true, more: [unsignedReduction(t.min)] }),
  reduction("argMax", t.argMax, { empty: false, integers: true, booleans: true, ties: true }),
  reduction("argMin", t.argMin, { empty: false, integers: true, booleans: true, ties: true }),
  reduction("any", t.any, { integers: true, booleans: true, ties: true }),
  reduction("all", t.all, { integers: true, booleans: true, ties: true }),
  reduction("variance", t.variance, { ...spans, special: false }),
  reduction("std", (x, axes) => t.std(x, { ...axes, correction: 0 }), { ...spans, special: false }),
  reduction("logSumExp", t.logSumExp, { from: -3, to: 3 }),
  reduction("norm", (x, axes) => norms.filter((p) => p > 0).map((p) => t.norm(x, { ...axes, p })), {
    empty: false,
    special: false,
    more: [
      variant("every order", (x) => norms.map((p) => t.norm(x, { p, axis: 1 })), floats([7, 9])),
      variant("zeros", (x) => norms.map((p) => t.norm(x, { p, axis: 1 })), floatsOf([0, 0, 0, 0, 3, -4], [3, 2])),
    ],
  }),
];

type AlongAxis = (x: Tensor, options: { axis: number }) => Outputs;

function alongAxis(op: string, fn: AlongAxis, ties = false, more: readonly Variant[] = []): Operation {
  const make = (shape: readonly number[], seed = 0, layout: Input["layout"] = "contiguous"): Input =>
    ties ? quarters(shape, seed, layout) : floats(shape, { seed, layout });
  const along =
    (axis: number) =>
    (x: Tensor): Outputs =>
      fn(x, { axis });
  return {
    op,
    signedZeros: false,
    variants: [
      variant("333 elements", along(0), make([333])),
      variant("rows of 33 by 65", along(1), make([33, 65], 1)),
      variant("columns of 33 by 65", along(0), make([33, 65], 2)),
      variant("the middle axis, permuted", along(1), make([3, 7, 4], 3, "permuted")),
      together(
        "5-d backwards, sliced, one element, nothing",
        1,
        along(-1),
        make([2, 1, 3, 5, 2], 4, "reversed"),
        make([4, 9], 5, "sliced"),
        make([1], 6),
        make([0, 3]),
      ),
      ...more,
    ],
  };
}

const specialRows = floatsOf(
  specialFloats.flatMap((x, i) => [0.5, x, -1, specialFloats[(i + 5) % specialFloats.length] as number]),
  [specialFloats.length, 4],
);
const sorted = (x: Tensor, options: { axis: number; descending?: boolean }): Outputs => {
  const { values, indices } = t.sort(x, options);
  return [values, indices];
};
const topK =
  (k: number, largest: boolean) =>
  (x: Tensor): Outputs => {
    const { values, indices } = t.topK(x, k, { axis: 1, largest });
    return [values, indices];
  };

const orders: readonly Operation[] = [
  alongAxis("cumSum", t.cumSum, false, [
    variant("integers that wrap", (x) => t.cumSum(x, { axis: 0 }), integersOf(extremeIntegers)),
    variant("booleans", (x) => t.cumSum(x, { axis: 1 }), booleans([3, 19])),
    variant("special values", (x) => t.cumSum(x, { axis: 1 }), specialRows),
  ]),
  alongAxis("softmax", t.softmax, false, [
    variant("logits far apart", (x) => t.softmax(x), floats([5, 9], { from: -1000, to: 1000 })),
    variant("special values", (x) => t.softmax(x), specialRows),
  ]),
  alongAxis("logSoftmax", t.logSoftmax, false, [
    variant("logits far apart", (x) => t.logSoftmax(x), floats([5, 9], { from: -1000, to: 1000 })),
    variant("special values", (x) => t.logSoftmax(x), specialRows),
  ]),
  alongAxis("argSort", t.argSort, true, [
    variant("descending", (x) => t.argSort(x, { axis: 0, descending: true }), quarters([37, 3])),
    variant("integers", (x) => t.argSort(x), integersOf(extremeIntegers)),
    variant(
      "unsigned integers",
      (x) => t.argSort(x, { descending: true }),
      unsigned([...unsignedIntegers, 2 ** 31, 7]),
    ),
    variant("booleans", (x) => t.argSort(x), booleans([41])),
    variant("special values", (x) => t.argSort(x), specialRows),
  ]),
  alongAxis("sort", sorted, true, [
    variant("descending", (x) => sorted(x, { axis: 1, descending: true }), quarters([5, 41])),
    variant("integers", (x) => sorted(x, { axis: 0 }), integersOf(extremeIntegers)),
    variant("special values", (x) => sorted(x, { axis: 1 }), specialRows),
  ]),
  {
    op: "topK",
    signedZeros: false,
    variants: [
      variant("5 largest of 65", topK(5, true), floats([9, 65])),
      variant("3 smallest, permuted", topK(3, false), quarters([7, 12], 1, "permuted")),
      variant("all, with ties", topK(9, true), quarters([4, 9], 2)),
      variant("special values", topK(2, false), specialRows),
      variant("integers", topK(2, true), integers([5, 6], -4, 4)),
    ],
  },
];

/** Every operation that combines or orders elements along axes. */
export const reductionOperations: readonly Operation[] = [...reductions, ...orders];
