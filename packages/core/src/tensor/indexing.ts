/** Elements chosen by index, and order. Indices are int32 (uint32 is taken too); out of range they throw IndexError at the run. */
import { type DType, isInteger } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { makeNode } from "../graph/node.ts";
import { formatShape, normalizeAxis } from "../graph/shape.ts";
import { asTensor, broadcastTo, castTo, checkSameDType, reshapeTo, type TensorLike, wrap } from "./convert.ts";
import { equal, stopGradient, where } from "./elementwise.ts";
import type { Tensor } from "./tensor.ts";
import { iotaAlong, slice, unsqueeze } from "./views.ts";

/** An index as int32. Bare lists of numbers, which `tensor` makes float32, are read as int32. */
export function asIndex(subject: string, index: TensorLike): Tensor {
  const t = typeof index === "object" && "node" in index ? index : asTensor(index, "int32");
  if (!isInteger(t.dtype)) throw new DTypeError(subject, `expected int32 indices, got ${t.dtype}`);
  return castTo(t, "int32");
}

function checkIndexShape(subject: string, x: Tensor, index: Tensor, axis: number): void {
  if (x.rank !== index.rank || index.shape.some((n, i) => i !== axis && n > (x.shape[i] as number))) {
    throw new ShapeError(
      subject,
      `index ${formatShape(index.shape)} does not fit ${formatShape(x.shape)} off axis ${axis}`,
    );
  }
}

/**
 * torch.gather: out[i][j] = x[index[i][j]][j] for axis 0. x and index have one rank; off the axis index may be smaller
 * than x. Gives the shape of index.
 */
export function gather(x: TensorLike, index: TensorLike, { axis }: { axis: number }): Tensor {
  const [t, i] = [asTensor(x), asIndex("gather", index)];
  if (t.rank === 0) return reshapeTo(gather(reshapeTo(t, [1]), reshapeTo(i, [1]), { axis }), []);
  const at = normalizeAxis("gather", axis, t.rank);
  checkIndexShape("gather", t, i, at);
  return wrap(makeNode("gather", [t.node, i.node], { axis: at }, i.shape, t.dtype));
}

/**
 * torch.scatter_add: x with source[i][j] added at [index[i][j]][j], for axis 0, for every element of index. Repeated
 * indices add up. Source and x have one dtype; index may be smaller than source.
 */
export function scatterAdd(x: TensorLike, index: TensorLike, source: TensorLike, { axis }: { axis: number }): Tensor {
  const [t, i, s] = [asTensor(x), asIndex("scatterAdd", index), asTensor(source)];
  if (checkSameDType("scatterAdd", t, s) === "bool") throw new DTypeError("scatterAdd", "takes numbers, got bool");
  if (t.rank === 0) return reshapeTo(scatterAdd(reshapeTo(t, [1]), reshapeTo(i, [1]), reshapeTo(s, [1]), { axis }), []);
  const at = normalizeAxis("scatterAdd", axis, t.rank);
  checkIndexShape("scatterAdd", t, i, at);
  if (s.rank !== i.rank || i.shape.some((n, d) => n > (s.shape[d] as number))) {
    throw new ShapeError("scatterAdd", `index ${formatShape(i.shape)} is larger than source ${formatShape(s.shape)}`);
  }
  let used = s;
  for (let d = 0; d < i.rank; d++) used = slice(used, { axis: d, end: i.shape[d] as number });
  const node = t.node;
  return wrap(makeNode("scatterAdd", [node, i.node, used.node], { axis: at }, node.shape, node.dtype));
}

/** The slices of x at `index` (a vector, or one scalar) along an axis, whose size becomes the index's. */
export function indexSelect(x: TensorLike, index: TensorLike, { axis }: { axis: number }): Tensor {
  const [t, i] = [asTensor(x), asIndex("indexSelect", index)];
  if (i.rank > 1) throw new ShapeError("indexSelect", `expected a vector of indices, got ${formatShape(i.shape)}`);
  const at = normalizeAxis("indexSelect", axis, t.rank);
  const spread = reshapeTo(
    i,
    t.shape.map((_, d) => (d === at ? i.size : 1)),
  );
  return gather(
    t,
    broadcastTo(
      spread,
      t.shape.map((n, d) => (d === at ? i.size : n)),
    ),
    { axis: at },
  );
}

/** Elements at positions of the flattened x (torch.take). Gives the shape of index. */
export function take(x: TensorLike, index: TensorLike): Tensor {
  const [t, i] = [asTensor(x), asIndex("take", index)];
  return reshapeTo(gather(reshapeTo(t, [t.size]), reshapeTo(i, [i.size]), { axis: 0 }), i.shape);
}

/**
 * Rows of `weight` [count, width] at `indices` of any shape; gives [...indices, width]. The row at `paddingIndex` gets no
 * gradient.
 */
export function embedding(
  indices: TensorLike,
  weight: TensorLike,
  { paddingIndex }: { paddingIndex?: number | null | undefined } = {},
): Tensor {
  const [i, w] = [asIndex("embedding", indices), asTensor(weight)];
  if (w.rank !== 2) throw new ShapeError("embedding", `expected a weight [count, width], got ${formatShape(w.shape)}`);
  const rows = indexSelect(w, reshapeTo(i, [i.size]), { axis: 0 });
  const out = reshapeTo(rows, [...i.shape, w.shape[1] as number]);
  if (paddingIndex === undefined || paddingIndex === null) return out;
  const count = w.shape[0] as number;
  const row = paddingIndex < 0 ? paddingIndex + count : paddingIndex;
  if (!Number.isInteger(row) || row < 0 || row >= count) {
    throw new ArgumentError("embedding", `paddingIndex ${paddingIndex} is out of range for ${count} rows`);
  }
  return where(unsqueeze(equal(i, row), -1), stopGradient(out), out);
}

/**
 * int32 [...indices, numClasses]: 1 at each index, 0 elsewhere. An index outside [0, numClasses) gives a row of zeros
 * (PyTorch throws, which would need its value now).
 */
export function oneHot(
  indices: TensorLike,
  numClasses: number,
  { dtype = "int32" }: { dtype?: DType | undefined } = {},
): Tensor {
  const i = asIndex("oneHot", indices);
  if (!Number.isInteger(numClasses) || numClasses < 1)
    throw new ArgumentError("oneHot", `expected a positive numClasses, got ${numClasses}`);
  return castTo(equal(unsqueeze(i, -1), iotaAlong(numClasses, i.rank, i.rank + 1)), dtype);
}

export interface SortOptions {
  /** Default -1. */
  axis?: number | undefined;
  /** Default false. */
  descending?: boolean | undefined;
  /** Sorting is always stable: equal elements keep their order. */
  stable?: boolean | undefined;
}

export interface Sorted {
  readonly values: Tensor;
  /** int32 positions along the axis. */
  readonly indices: Tensor;
}

/** Stable order along an axis as int32 positions; NaN counts as the largest. */
export function argSort(x: TensorLike, { axis = -1, descending = false }: SortOptions = {}): Tensor {
  const t = asTensor(x);
  if (t.rank === 0) {
    normalizeAxis("argSort", axis, 1);
    return asTensor(0, "int32");
  }
  const sortable = t.dtype === "bool" ? castTo(t, "int32") : t;
  const at = normalizeAxis("argSort", axis, t.rank);
  return wrap(makeNode("argSort", [sortable.node], { axis: at, descending }, t.shape, "int32"));
}

/** Sorted along an axis, stably; NaN counts as the largest. */
export function sort(x: TensorLike, options: SortOptions = {}): Sorted {
  const t = asTensor(x);
  const indices = argSort(t, options);
  return { values: t.rank === 0 ? t : gather(t, indices, { axis: options.axis ?? -1 }), indices };
}

export interface TopKOptions {
  /** Default -1. */
  axis?: number | undefined;
  /** Default true. */
  largest?: boolean | undefined;
  /** Results are always sorted. */
  sorted?: boolean | undefined;
}

/** The k largest (or smallest) elements along an axis, in order; NaN counts as the largest. A scalar has one, itself. */
export function topK(x: TensorLike, k: number, { axis = -1, largest = true }: TopKOptions = {}): Sorted {
  const t = asTensor(x);
  if (t.rank === 0) {
    if (k !== 1) throw new ArgumentError("topK", `k = ${k} is out of range for a scalar`);
    return sort(t, { axis });
  }
  const at = normalizeAxis("topK", axis, t.rank);
  if (!Number.isInteger(k) || k < 0 || k > (t.shape[at] as number)) {
    throw new ArgumentError("topK", `k = ${k} is out of range for axis ${axis} of size ${t.shape[at]}`);
  }
  const indices = slice(argSort(t, { axis: at, descending: largest }), { axis: at, end: k });
  return { values: gather(t, indices, { axis: at }), indices };
}
