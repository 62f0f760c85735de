/** Operations that move elements: views of views, joins, indices, tensors of a rule. */
import type { Tensor } from "@thalweg/core";
import * as t from "@thalweg/core";
import { booleans, floats, floatsOf, type Input, integers, integersOf, specialFloats } from "./inputs.ts";
import { type Operation, type Outputs, rounding, type Variant, variant } from "./operation.ts";

type View = (x: Tensor) => Outputs;

/** Inputs every view is tried on, beside its own: shapes with at least two axes of the sizes given. */
const views = (op: string, ...variants: readonly (readonly [name: string, fn: View, input: Input])[]): Operation => ({
  op,
  variants: variants.map(([name, fn, input]) => variant(name, fn, input)),
});

/** A view, and a kernel that reads it: alone it may be a copy. */
const used =
  (fn: (x: Tensor) => Tensor): View =>
  (x) => [fn(x), t.add(fn(x), fn(t.mul(x, 2)))];

const matrix = floats([33, 29]);
const permuted = floats([5, 3, 4], { layout: "permuted" });
const sliced = floats([4, 3, 5], { layout: "sliced" });
const reversed = floats([6, 7], { layout: "reversed" });
const five = floats([2, 3, 2, 4, 3]);
const whole = integers([6, 8], -100, 100, { layout: "permuted" });
const flags = booleans([5, 9], 0, "sliced");
const empty = floats([0, 4]);

const viewOperations: readonly Operation[] = [
  views(
    "reshape",
    ["a transposed matrix", used((x) => t.reshape(x, [3, -1])), permuted],
    ["split axes of a slice", used((x) => t.reshape(x, [2, 2, 15])), sliced],
    ["merged axes, backwards", used((x) => t.reshape(x, [42])), reversed],
    ["integers", (x) => t.reshape(x, [4, 12]), whole],
    ["nothing", (x) => t.reshape(x, [2, 0]), empty],
    ["a scalar", (x) => t.reshape(x, [1, 1, 1]), floats([])],
  ),
  views(
    "permute",
    ["5-d", used((x) => t.permute(x, [3, 0, 4, 2, 1])), five],
    ["a permuted one", used((x) => t.permute(x, [1, 2, 0])), permuted],
    ["booleans", (x) => t.permute(x, [1, 0]), flags],
  ),
  views(
    "transpose",
    ["33 by 29", used((x) => t.transpose(x)), matrix],
    ["outer axes of a slice", used((x) => t.transpose(x, 0, 2)), sliced],
    ["integers", (x) => t.transpose(x), whole],
  ),
  views(
    "expand",
    ["leading and inner axes", used((x) => t.expand(x, [3, 4, -1, 5])), floats([4, 1, 5])],
    ["a scalar", used((x) => t.expand(x, [3, 7])), floats([])],
    ["a transposed column", used((x) => t.expand(t.transpose(x), [9, 11])), floats([11, 1])],
    ["to nothing", (x) => t.expand(x, [0, 4]), floats([1, 4])],
    ["integers", (x) => t.expand(x, [3, 5]), integersOf([1, 2, 3], [3, 1])],
  ),
  views(
    "broadcastTo",
    ["a row", used((x) => t.broadcastTo(x, [6, 2, 9])), floats([9])],
    ["booleans", (x) => t.broadcastTo(x, [4, 5, 9]), flags],
  ),
  views(
    "flatten",
    ["all of a permuted one", used((x) => t.flatten(x)), permuted],
    ["inner axes", used((x) => t.flatten(x, { startAxis: 1, endAxis: 3 })), five],
  ),
  views(
    "squeeze",
    ["all", used((x) => t.squeeze(x)), floats([1, 3, 1, 7, 1])],
    ["one axis", used((x) => t.squeeze(x, 2)), floats([1, 3, 1, 7], { layout: "permuted" })],
  ),
  views(
    "unsqueeze",
    ["in the middle", used((x) => t.unsqueeze(x, 1)), permuted],
    ["at the end", used((x) => t.unsqueeze(x, -1)), whole],
  ),
  views(
    "slice",
    ["every third row", used((x) => t.slice(x, { axis: 0, start: 2, step: 3 })), matrix],
    ["from the end", used((x) => t.slice(x, { axis: 1, start: -5, end: -1 })), matrix],
    ["a slice of a slice", used((x) => t.slice(t.slice(x, { axis: 2, start: 1 }), { axis: 2, step: 2 })), sliced],
    ["of a reversed one", used((x) => t.slice(x, { axis: 1, start: 1, step: 2 })), reversed],
    ["nothing of it", (x) => t.slice(x, { axis: 0, start: 4, end: 4 }), matrix],
    ["booleans", (x) => t.slice(x, { axis: 1, start: 3 }), flags],
  ),
  views(
    "select",
    ["a row", used((x) => t.select(x, { axis: 0, index: -2 })), matrix],
    ["a column of a permuted one", used((x) => t.select(x, { axis: 1, index: 1 })), permuted],
  ),
  views(
    "pad",
    ["around", used((x) => t.pad(x, [1, 2, 3, 0])), matrix],
    ["with a value, cropping", used((x) => t.pad(x, [-1, 2, 0, -2, 1, 1], { value: -3.5 })), permuted],
    ["minus infinity", used((x) => t.pad(x, [2, 1], { value: Number.NEGATIVE_INFINITY })), reversed],
    ["nothing", used((x) => t.pad(x, [0, 0, 2, 1], { value: 1.5 })), empty],
    ["integers", (x) => t.pad(x, [1, 1], { value: 7 }), whole],
    ["a pad of a pad", used((x) => t.pad(t.pad(x, [1, 1]), [2, 0, 0, 2], { value: 9 })), reversed],
  ),
  views(
    "flip",
    ["both axes", used((x) => t.flip(x, [0, 1])), matrix],
    ["one axis of a permuted one", used((x) => t.flip(x, 1)), permuted],
    ["of a slice", used((x) => t.flip(x, [-1])), sliced],
  ),
  views(
    "tril",
    ["33 by 29", used((x) => t.tril(x)), matrix],
    ["a batch, above the diagonal", used((x) => t.tril(x, { diagonal: 1 })), permuted],
    ["integers, below", (x) => t.tril(x, { diagonal: -2 }), whole],
  ),
  views(
    "triu",
    ["33 by 29", used((x) => t.triu(x)), matrix],
    ["a batch, below the diagonal", used((x) => t.triu(x, { diagonal: -1 })), permuted],
    ["booleans, above", (x) => t.triu(x, { diagonal: 2 }), flags],
  ),
  views(
    "window",
    ["overlapping", used((x) => t.window(x, { axis: 1, size: 4, count: 13, stride: 2 })), matrix],
    [
      "dilated, from outside to outside",
      used((x) => t.window(x, { axis: 0, size: 3, count: 7, dilation: 2, offset: -2 })),
      reversed,
    ],
    ["apart", used((x) => t.window(x, { axis: 2, size: 2, count: 2, stride: 3 })), sliced],
  ),
  views(
    "diagonal",
    ["33 by 29", used((x) => t.diagonal(x)), matrix],
    ["above", used((x) => t.diagonal(x, { offset: 2 })), reversed],
    ["below, of outer axes", used((x) => t.diagonal(x, { offset: -1, axis0: 0, axis1: 2 })), permuted],
    ["none", (x) => t.diagonal(x, { offset: 9 }), reversed],
  ),
  views("trace", ["33 by 29", (x) => t.trace(x), matrix], ["a batch", (x) => t.trace(x), permuted]),
];

const join = (op: string, ...variants: readonly Variant[]): Operation => ({ op, variants });

const joins: readonly Operation[] = [
  join(
    "concat",
    variant(
      "rows",
      (...x) => t.concat(x),
      floats([5, 29]),
      floats([1, 29], { seed: 1 }),
      floats([33, 29], { seed: 2 }),
    ),
    variant(
      "columns of views",
      (...x) => t.concat(x, { axis: 1 }),
      floats([6, 7], { layout: "permuted" }),
      floats([6, 3], { layout: "sliced" }),
      reversed,
    ),
    variant("with nothing", (...x) => t.concat(x, { axis: 0 }), empty, floats([3, 4]), empty),
    rounding(
      "logSumExp",
      variant(
        "what was computed",
        (a, b) => t.sum(t.concat([t.mul(a, 2), t.exp(b), a], { axis: -1 }), { axis: -1 }),
        floats([9, 5]),
        floats([9, 2]),
      ),
    ),
    variant("integers", (...x) => t.concat(x, { axis: 1 }), whole, integers([6, 1], 0, 9)),
  ),
  join(
    "stack",
    variant("in front", (...x) => t.stack(x), matrix, floats([33, 29], { seed: 1 })),
    variant(
      "in the middle, views",
      (...x) => t.stack(x, { axis: 1 }),
      reversed,
      floats([6, 7], { layout: "permuted" }),
      floats([6, 7], { layout: "expanded" }),
    ),
    variant("scalars", (...x) => t.stack(x), floats([]), floats([], { seed: 1 })),
  ),
  join(
    "split",
    variant("unequal columns", (x) => t.split(x, [1, 20, 8], { axis: 1 }), matrix),
    variant("equal rows of a permuted one", (x) => t.split(x, 2, { axis: 0 }).map((part) => t.mul(part, 3)), permuted),
  ),
  join(
    "chunk",
    variant("with a rest", (x) => t.chunk(x, 4, { axis: 1 }), matrix),
    variant("of a slice", (x) => t.chunk(x, 2, { axis: 2 }).map((part) => t.neg(part)), sliced),
  ),
];

const along0 = { axis: 0 };
const along1 = { axis: 1 };

const indexing: readonly Operation[] = [
  join(
    "gather",
    variant("along rows", (x, index) => t.gather(x, index, along1), matrix, integers([33, 40], 0, 29)),
    variant("along columns, fewer of them", (x, index) => t.gather(x, index, along0), matrix, integers([7, 20], 0, 33)),
    variant(
      "views",
      (x, index) => t.gather(x, index, along1),
      reversed,
      integers([6, 5], 0, 7, { layout: "permuted" }),
    ),
    rounding(
      "exp",
      variant(
        "of what was computed",
        (x, index) => t.gather(t.exp(x), index, { axis: 2 }),
        permuted,
        integers([5, 3, 2], 0, 4),
      ),
    ),
    variant("integers", (x, index) => t.gather(x, index, along0), whole, integers([9, 8], 0, 6)),
  ),
  join(
    "indexSelect",
    variant("rows, repeated", (x, index) => t.indexSelect(x, index, along0), matrix, integers([50], 0, 33)),
    variant(
      "columns of a permuted one",
      (x, index) => t.indexSelect(x, index, along1),
      permuted,
      integersOf([2, 0, 2, 1]),
    ),
    variant("nothing", (x, index) => t.indexSelect(x, index, along1), matrix, integersOf([])),
    variant("booleans", (x, index) => t.indexSelect(x, index, along1), flags, integersOf([8, 0, 3])),
  ),
  join(
    "take",
    variant("of a matrix", t.take, matrix, integers([4, 9], 0, 957)),
    variant("of a permuted one", t.take, permuted, integers([33], 0, 60)),
  ),
  join(
    "embedding",
    variant(
      "a batch of sequences",
      (indices, weight) => t.embedding(indices, weight),
      integers([3, 17], 0, 33),
      matrix,
    ),
    variant(
      "a transposed weight",
      (indices, weight) => t.embedding(indices, weight),
      integers([5], 0, 6),
      floats([6, 7], { layout: "permuted" }),
    ),
    variant(
      "with padding",
      (indices, weight) => t.embedding(indices, weight, { paddingIndex: 2 }),
      integers([4, 4], 0, 5),
      floats([5, 3]),
    ),
  ),
  join(
    "scatterAdd",
    variant(
      "many to few",
      (x, index, source) => t.scatterAdd(x, index, source, along0),
      floats([4, 29]),
      integers([33, 29], 0, 4),
      matrix,
    ),
    variant(
      "along rows, part of source",
      (x, index, source) => t.scatterAdd(x, index, source, along1),
      reversed,
      integers([5, 3], 0, 7),
      floats([6, 4], { layout: "permuted" }),
    ),
    variant(
      "views everywhere",
      (x, index, source) => t.scatterAdd(x, index, source, along0),
      floats([5, 6], { layout: "permuted" }),
      integers([9, 6], 0, 5, { layout: "expanded" }),
      floats([9, 6], { layout: "sliced" }),
    ),
    variant(
      "nothing",
      (x, index, source) => t.scatterAdd(x, index, source, along0),
      reversed,
      integers([0, 7], 0, 6),
      floats([0, 7]),
    ),
    variant(
      "1037 into one",
      (x, index, source) => t.scatterAdd(x, index, source, along0),
      floats([1]),
      integers([1037], 0, 1),
      floats([1037]),
    ),
    variant(
      "integers",
      (x, index, source) => t.scatterAdd(x, index, source, along1),
      whole,
      integers([6, 20], 0, 8),
      integers([6, 20], -9, 9),
    ),
  ),
  join(
    "oneHot",
    variant("a matrix of indices", (indices) => t.oneHot(indices, 5), integers([7, 9], 0, 5)),
    variant(
      "as floats, permuted",
      (indices) => t.oneHot(indices, 6, { dtype: "float32" }),
      integers([4, 5], 0, 6, { layout: "permuted" }),
    ),
    variant("indices outside", (indices) => t.oneHot(indices, 3), integersOf([-1, 0, 3, 2])),
  ),
];

/** A tensor of a rule, and a kernel that uses it. */
const rule = (op: string, ...variants: readonly (readonly [name: string, fn: () => Outputs])[]): Operation => ({
  op,
  variants: variants.map(([name, fn]) => variant(name, fn)),
});

const creation: readonly Operation[] = [
  rule(
    "arange",
    ["integers", () => t.arange(1037)],
    ["a step", () => t.arange(-7, 90, 3)],
    ["down", () => t.arange(9, -9, -2)],
    ["fractions", () => t.arange(0, 3, 0.25)],
    ["nothing", () => t.arange(0)],
    ["used", () => t.mul(t.arange(0, 33), t.reshape(t.arange(0, 5), [5, 1]))],
  ),
  rule("linspace", ["quarters", () => t.linspace(-2, 2, 17)], ["one", () => t.linspace(3, 4, 1)]),
  rule(
    "eye",
    ["9 by 9", () => t.eye(9)],
    ["wide", () => t.eye(5, 8, { dtype: "int32" })],
    ["used", () => t.add(t.eye(33), 1)],
  ),
  rule(
    "full",
    ["floats", () => t.full([7, 9], -2.5)],
    ["booleans", () => t.full([5], true)],
    ["a scalar", () => t.full([], 7, { dtype: "int32" })],
  ),
  rule("zeros", ["33 by 9", () => t.zeros([33, 9])], ["nothing", () => t.zeros([0, 9])]),
  rule("ones", ["33 by 9", () => t.ones([33, 9])], ["integers", () => t.ones([5], { dtype: "int32" })]),
  join(
    "fullLike",
    variant("floats", (x) => t.fullLike(x, 1.5), reversed),
    variant("integers", (x) => t.fullLike(x, -3), whole),
  ),
  join(
    "zerosLike",
    variant("floats", (x) => t.zerosLike(x), reversed),
  ),
  join(
    "onesLike",
    variant("booleans", (x) => t.onesLike(x), flags),
  ),
  join(
    "tensor",
    variant("special values", (x) => t.reshape(x, [-1, 1]), floatsOf(specialFloats)),
  ),
];

/** Every operation that only moves elements or makes them of a rule. */
export const movementOperations: readonly Operation[] = [...viewOperations, ...joins, ...indexing, ...creation];
