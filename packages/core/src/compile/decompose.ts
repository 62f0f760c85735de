/**
 * Contractions and indexed operations as loop kernels: what a backend that compiles nothing else runs, and what the
 * conformance suite measures the fast kernels against. Each rewrite is the operation's definition.
 */

import type { KernelKind } from "../backend/program.ts";
import { isFloat } from "../graph/dtype.ts";
import { type ConvGeometry, makeNode, type Node } from "../graph/node.ts";
import type { Shape } from "../graph/shape.ts";
import { binary, expand, iotaAlong, permute, place, reduce, reshape, splat, unary, where } from "./build.ts";

/** The node in terms of loop kernels when `kernels` lacks its kind; undefined when it stays as it is. */
export function decompose(node: Node, kernels: ReadonlySet<KernelKind>): Node | undefined {
  switch (node.op) {
    case "matmul":
      return kernels.has("matmul") ? undefined : matmul(node);
    case "conv2d":
      return kernels.has("conv2d") ? undefined : conv2d(node, node.attributes);
    case "conv2dInputGradient":
      return kernels.has("conv2dInputGradient") ? undefined : conv2dInputGradient(node, node.attributes);
    case "conv2dWeightGradient":
      return kernels.has("conv2dWeightGradient") ? undefined : conv2dWeightGradient(node, node.attributes);
    case "scatterAdd":
      return kernels.has("scatterAdd") ? undefined : scatterAdd(node, node.attributes.axis);
    case "cumSum":
      return kernels.has("cumSum") ? undefined : cumSum(node, node.attributes.axis);
    case "argSort":
      return kernels.has("argSort") ? undefined : argSort(node, node.attributes);
    default:
      return undefined;
  }
}

const input = (node: Node, i: number): Node => node.inputs[i] as Node;
const at = (shape: Shape, axis: number): number => shape[axis] as number;
const mul = (a: Node, b: Node): Node => binary("mul", a, b);

/** Σ_k a[…, i, k]·b[…, k, j], over axes […, i, j, k]. */
function matmul(node: Node): Node {
  const [a, b] = [input(node, 0), input(node, 1)];
  const rank = a.shape.length;
  const k = at(a.shape, rank - 1);
  const full = [...node.shape, k];
  const batch = Array.from({ length: rank - 2 }, (_, axis) => axis);
  const left = place(a, [...batch, rank - 2, rank], full);
  const swapped = permute(b, [...batch, rank - 1, rank - 2]);
  const right = place(swapped, [...batch, rank - 1, rank], full);
  return reduce("sum", mul(left, right), [rank]);
}

/**
 * x [n, c, h, w] as windows [n, c, oh, ow, kh, kw]: window (oh, ow) holds x at oh·stride + kh·dilation - padding, and so for
 * the width; 0 where that is outside. The caller cuts the channels into groups.
 */
function windows(
  x: Node,
  { stride, padding, dilation }: Omit<ConvGeometry, "groups">,
  out: readonly [number, number],
  kernel: readonly [number, number],
): Node {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const [oh, ow] = out;
  const [kh, kw] = kernel;
  const spread = expand(reshape(x, [n, c, h, w, 1, 1]), [n, c, h, w, kh, kw]);
  const rows = makeNode(
    "shear",
    [spread],
    { axis: 2, along: 4, stride: stride[0], dilation: dilation[0], offset: -padding[0] },
    [n, c, oh, w, kh, kw],
    x.dtype,
  );
  return makeNode(
    "shear",
    [rows],
    { axis: 3, along: 5, stride: stride[1], dilation: dilation[1], offset: -padding[1] },
    [n, c, oh, ow, kh, kw],
    x.dtype,
  );
}

function conv2d(node: Node, geometry: ConvGeometry): Node {
  const [x, weight] = [input(node, 0), input(node, 1)];
  const [n, o, oh, ow] = node.shape as [number, number, number, number];
  const [, cg, kh, kw] = weight.shape as [number, number, number, number];
  const { groups } = geometry;
  const og = o / groups;
  // [n, g, o/g, oh, ow, c/g, kh·kw]
  const full = [n, groups, og, oh, ow, cg, kh * kw];
  const patches = windows(x, geometry, [oh, ow], [kh, kw]);
  const left = expand(permute(reshape(patches, [n, groups, 1, cg, oh, ow, kh * kw]), [0, 1, 2, 4, 5, 3, 6]), full);
  const right = place(reshape(weight, [groups, og, cg, kh * kw]), [1, 2, 5, 6], full);
  return reshape(reduce("sum", mul(left, right), [5, 6]), node.shape);
}

/** Zeros between the elements of an axis: element i moves to i·stride; the result is `size` long. */
function dilate(x: Node, axis: number, stride: number, size: number): Node {
  if (stride === 1) return x;
  const length = at(x.shape, axis);
  const before = x.shape.map(() => 0);
  const split = [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)];
  const after = split.map((_, i) => (i === axis + 1 ? stride - 1 : 0));
  const padded = makeNode(
    "pad",
    [reshape(x, split)],
    { before: [...before, 0], after, value: 0 },
    split.map((s, i) => s + (after[i] as number)),
    x.dtype,
  );
  const merged = reshape(
    padded,
    x.shape.map((s, i) => (i === axis ? length * stride : s)),
  );
  return makeNode(
    "slice",
    [merged],
    { start: before, step: before.map(() => 1) },
    merged.shape.map((s, i) => (i === axis ? size : s)),
    x.dtype,
  );
}

function conv2dInputGradient(node: Node, { stride, padding, dilation, groups }: ConvGeometry): Node {
  const [dy, weight] = [input(node, 0), input(node, 1)];
  const [n, o, oh, ow] = dy.shape as [number, number, number, number];
  const [, cg, kh, kw] = weight.shape as [number, number, number, number];
  const [, , h, w] = node.shape as [number, number, number, number];
  const og = o / groups;
  const spread = dilate(dilate(dy, 2, stride[0], (oh - 1) * stride[0] + 1), 3, stride[1], (ow - 1) * stride[1] + 1);
  // dx[h] takes dy at h + padding - k·dilation.
  const backward = {
    stride: [1, 1],
    padding: [-padding[0], -padding[1]],
    dilation: [-dilation[0], -dilation[1]],
  } as const;
  const patches = windows(spread, backward, [h, w], [kh, kw]);
  // [n, g, c/g, h, w, o/g, kh·kw]
  const full = [n, groups, cg, h, w, og, kh * kw];
  const left = expand(permute(reshape(patches, [n, groups, 1, og, h, w, kh * kw]), [0, 1, 2, 4, 5, 3, 6]), full);
  const right = place(permute(reshape(weight, [groups, og, cg, kh * kw]), [0, 2, 1, 3]), [1, 2, 5, 6], full);
  return reshape(reduce("sum", mul(left, right), [5, 6]), node.shape);
}

function conv2dWeightGradient(node: Node, geometry: ConvGeometry): Node {
  const [x, dy] = [input(node, 0), input(node, 1)];
  const [n, o, oh, ow] = dy.shape as [number, number, number, number];
  const [, cg, kh, kw] = node.shape as [number, number, number, number];
  const { groups } = geometry;
  const og = o / groups;
  // [g, o/g, c/g, kh·kw, n, oh, ow]
  const full = [groups, og, cg, kh * kw, n, oh, ow];
  const patches = reshape(windows(x, geometry, [oh, ow], [kh, kw]), [n, groups, cg, oh, ow, kh * kw]);
  const left = place(permute(patches, [1, 2, 5, 0, 3, 4]), [0, 2, 3, 4, 5, 6], full);
  const right = place(permute(reshape(dy, [n, groups, og, oh, ow]), [1, 2, 0, 3, 4]), [0, 1, 4, 5, 6], full);
  return reshape(reduce("sum", mul(left, right), [4, 5, 6]), node.shape);
}

/** x[i] + Σ_j (index[j] == i ? source[j] : 0) along the axis; positions of x beyond the index's extent get nothing. */
function scatterAdd(node: Node, axis: number): Node {
  const [x, index, source] = [input(node, 0), input(node, 1), input(node, 2)];
  const rank = x.shape.length;
  const around = index.shape.map((n, i) => (i === axis ? at(x.shape, axis) : n));
  const full = [...around, at(index.shape, axis)];
  // Looked up among the positions there are, so that one out of range is an error here too.
  const positions = iotaAlong(
    axis,
    index.shape.map((n, i) => (i === axis ? at(x.shape, axis) : n)),
  );
  const checked = makeNode("gather", [positions, index], { axis }, index.shape, "int32");
  const hit = binary("equal", against(checked, axis, full), iotaAlong(axis, full), "bool");
  const spread = against(source, axis, full);
  let added = reduce("sum", where(hit, spread, splat(0, full, x.dtype)), [rank]);
  const after = x.shape.map((n, i) => n - at(around, i));
  if (after.some((n) => n > 0)) {
    added = makeNode("pad", [added], { before: after.map(() => 0), after, value: 0 }, x.shape, x.dtype);
  }
  return binary("add", x, added);
}

/** `x` along the leading axes of `full`, but for its `axis`, which becomes the last: elements of an axis against each other. */
function against(x: Node, axis: number, full: Shape): Node {
  const others = [...x.shape.keys()].filter((i) => i !== axis);
  return place(permute(x, [...others, axis]), [...others, x.shape.length], full);
}

/** Σ_{j ≤ i} x[j] along the axis. */
function cumSum(node: Node, axis: number): Node {
  const x = input(node, 0);
  const rank = x.shape.length;
  const full = [...x.shape, at(x.shape, axis)];
  const spread = against(x, axis, full);
  const later = binary("less", iotaAlong(axis, full), iotaAlong(rank, full), "bool");
  return reduce("sum", where(later, splat(0, full, x.dtype), spread), [rank]);
}

/** rank[i] = how many stand before i; then the i with rank r, for every r. Quadratic, but exact and stable. */
function argSort(node: Node, { axis, descending }: { axis: number; descending: boolean }): Node {
  const x = input(node, 0);
  const rank = x.shape.length;
  const n = at(x.shape, axis);
  const full = [...x.shape, n];
  const own = place(x, [...x.shape.keys()], full);
  const other = against(x, axis, full);
  const [small, large] = descending ? [own, other] : [other, own];
  const isNaN_ = (v: Node): Node => (isFloat(x.dtype) ? unary("isNaN", v, "bool") : splat(0, full, "bool"));
  const both = (a: Node, b: Node): Node => binary("and", a, b, "bool");
  const either = (a: Node, b: Node): Node => binary("or", a, b, "bool");
  const before = either(binary("less", small, large, "bool"), both(unary("not", isNaN_(small), "bool"), isNaN_(large)));
  const tie = either(binary("equal", own, other, "bool"), both(isNaN_(own), isNaN_(other)));
  const earlier = binary("less", iotaAlong(rank, full), iotaAlong(axis, full), "bool");
  const precedes = either(before, both(tie, earlier));
  const counts = makeNode("cast", [precedes], {}, full, "int32");
  const ranks = reduce("sum", counts, [rank]);
  const wanted = binary("equal", against(ranks, axis, full), iotaAlong(axis, full), "bool");
  return reduce("argMax", wanted, [rank], "int32");
}
