/** Pooling over images [n, c, h, w] (or [c, h, w]). */
import { isFloat } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { formatShape, type Shape } from "../graph/shape.ts";
import { asTensor, broadcastTo, castTo, reshapeTo, type TensorLike } from "./convert.ts";
import { type Pair, pair } from "./convolution.ts";
import { add, ceil, div, less, maximum, mul, relu, sub, where, wholeQuotient } from "./elementwise.ts";
import { gather, indexSelect } from "./indexing.ts";
import { tensor } from "./literal.ts";
import { reduceNode } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { iotaAlong, padAxes, window } from "./views.ts";

export interface PoolOptions {
  kernelSize: Pair;
  /** Default: kernelSize, so that windows do not overlap. */
  stride?: Pair | null | undefined;
  /** On each side, at most half the kernel. Default 0. */
  padding?: Pair | undefined;
  /** Whether windows that reach past the end count too, as long as they start inside. Default false. */
  ceilMode?: boolean | undefined;
}

export interface MaxPoolOptions extends PoolOptions {
  /** Default 1. */
  dilation?: Pair | undefined;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Whether padding counts as elements of a window's mean. Default true. */
  countIncludePad?: boolean | undefined;
  /** Divides every window's sum instead of its count. */
  divisorOverride?: number | null | undefined;
}

/** The windows along one spatial axis. */
interface Windows {
  readonly n: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly count: number;
}

function image(subject: string, x: TensorLike): { planes: Tensor; restore: (y: Tensor) => Tensor } {
  const t = asTensor(x);
  if (!isFloat(t.dtype)) throw new DTypeError(subject, `takes floats, got ${t.dtype}`);
  if (t.rank !== 3 && t.rank !== 4)
    throw new ShapeError(subject, `expected input [n, c, h, w] or [c, h, w], got ${formatShape(t.shape)}`);
  if (t.rank === 4) return { planes: t, restore: (y) => y };
  return { planes: reshapeTo(t, [1, ...t.shape]), restore: (y) => reshapeTo(y, y.shape.slice(1)) };
}

function windows(subject: string, shape: Shape, options: MaxPoolOptions): [Windows, Windows] {
  const kernel = pair(subject, "kernelSize", options.kernelSize, 1);
  const stride = pair(subject, "stride", options.stride ?? kernel, 1);
  const padding = pair(subject, "padding", options.padding ?? 0, 0);
  const dilation = pair(subject, "dilation", options.dilation ?? 1, 1);
  return [0, 1].map((i) => {
    const [n, k, s, p, d] = [shape[i + 2], kernel[i], stride[i], padding[i], dilation[i]] as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (2 * p > k) throw new ArgumentError(subject, `padding ${p} is more than half of kernel size ${k}`);
    const room = n + 2 * p - d * (k - 1) - 1;
    let count = (options.ceilMode ? Math.ceil(room / s) : Math.floor(room / s)) + 1;
    // The last window must start inside the input or its leading padding.
    if (options.ceilMode && (count - 1) * s >= n + p) count--;
    if (count < 1)
      throw new ShapeError(
        subject,
        `kernel size ${k} (dilation ${d}) is larger than the padded input of ${formatShape(shape)}`,
      );
    return { n, kernel: k, stride: s, padding: p, dilation: d, count };
  }) as [Windows, Windows];
}

/** [n, c, h, w] → [n, c, oh, kh, ow, kw], `offset` being where the first window starts on each axis. */
function unfold(x: Tensor, rows: Windows, columns: Windows, offset: readonly [number, number]): Tensor {
  const along = (t: Tensor, axis: number, w: Windows, from: number): Tensor =>
    window(t, { axis, size: w.kernel, count: w.count, stride: w.stride, dilation: w.dilation, offset: from });
  return along(along(x, 2, rows, offset[0]), 4, columns, offset[1]);
}

/** Number (int32, size `count` on `axis`) of the first element of each window that is not padding. */
function firstInside({ count, stride, padding, dilation }: Windows, axis: number): Tensor {
  const outside = relu(sub(padding, mul(iotaAlong(count, axis, 4), stride)));
  return dilation === 1 ? outside : castTo(ceil(div(outside, dilation)), "int32");
}

/**
 * Largest element of each window; NaN if any is. The whole gradient goes to the first maximum of a window in row-major
 * order. Padding never wins. Gives [n, c, oh, ow].
 */
export function maxPool2d(x: TensorLike, options: MaxPoolOptions): Tensor {
  const { planes, restore } = image("maxPool2d", x);
  const [n, c, h, w] = planes.shape as [number, number, number, number];
  const [rows, columns] = windows("maxPool2d", planes.shape, options);
  const beyond = ({ n, kernel, stride, padding, dilation, count }: Windows): number =>
    Math.max(0, (count - 1) * stride + dilation * (kernel - 1) + 1 - n - padding);
  const padded = padAxes(
    planes,
    [0, 0, rows.padding, columns.padding],
    [0, 0, beyond(rows), beyond(columns)],
    Number.NEGATIVE_INFINITY,
  );
  const best = reduceNode("argMax", unfold(padded, rows, columns, [0, 0]), [3, 5], "int32");
  // Position in the window → row and column in the window → position in the plane.
  let ki = wholeQuotient(best, asTensor(columns.kernel, "int32"));
  let kj = sub(best, mul(ki, columns.kernel));
  // Where a window holds nothing above -Infinity, its padding came first: take its first real element instead.
  if (rows.padding > 0) ki = maximum(ki, firstInside(rows, 2));
  if (columns.padding > 0) kj = maximum(kj, firstInside(columns, 3));
  const coordinate = (k: Tensor, axis: number, { count, stride, padding, dilation }: Windows): Tensor =>
    add(mul(k, dilation), sub(mul(iotaAlong(count, axis, 4), stride), padding));
  const position = add(mul(coordinate(ki, 2, rows), w), coordinate(kj, 3, columns));
  const outputs = rows.count * columns.count;
  const chosen = gather(reshapeTo(planes, [n, c, h * w]), reshapeTo(position, [n, c, outputs]), { axis: 2 });
  return restore(reshapeTo(chosen, [n, c, rows.count, columns.count]));
}

/** Elements that count in each window's mean along one axis. */
function counts({ n, kernel, stride, padding, count }: Windows, includePadding: boolean): number[] {
  return Array.from({ length: count }, (_, i) => {
    const start = i * stride - padding;
    const end = Math.min(start + kernel, n + padding);
    return includePadding ? end - start : Math.min(end, n) - Math.max(start, 0);
  });
}

/** Mean of each window. Gives [n, c, oh, ow]. */
export function avgPool2d(x: TensorLike, options: AvgPoolOptions): Tensor {
  const { planes, restore } = image("avgPool2d", x);
  const { kernelSize, stride, padding, ceilMode, countIncludePad = true, divisorOverride } = options;
  if (divisorOverride === 0) throw new ArgumentError("avgPool2d", "expected a divisorOverride other than 0");
  const [rows, columns] = windows("avgPool2d", planes.shape, { kernelSize, stride, padding, ceilMode });
  const total = reduceNode("sum", unfold(planes, rows, columns, [-rows.padding, -columns.padding]), [3, 5]);
  if (divisorOverride !== undefined && divisorOverride !== null) return restore(div(total, divisorOverride));
  const [byRow, byColumn] = [counts(rows, countIncludePad), counts(columns, countIncludePad)];
  const same = (list: readonly number[]): boolean => list.every((n) => n === list[0]);
  if (same(byRow) && same(byColumn)) return restore(div(total, (byRow[0] as number) * (byColumn[0] as number)));
  const divisor = tensor(
    byRow.map((r) => byColumn.map((q) => r * q)),
    { dtype: total.dtype },
  );
  return restore(div(total, divisor));
}

/** Means along one axis over [⌊i·n/count⌋, ⌈(i+1)·n/count⌉), whose lengths may differ by one. */
function adaptiveMeans(x: Tensor, axis: number, count: number): Tensor {
  const n = x.shape[axis] as number;
  if (n % count === 0) {
    return div(
      reduceNode("sum", window(x, { axis, size: n / count, count, stride: n / count }), [axis + 1]),
      n / count,
    );
  }
  const spans = Array.from({ length: count }, (_, i) => {
    const start = Math.floor((i * n) / count);
    return { start, length: Math.ceil(((i + 1) * n) / count) - start };
  });
  const longest = Math.max(...spans.map(({ length }) => length));
  const index = spans.flatMap(({ start }) => Array.from({ length: longest }, (_, k) => Math.min(start + k, n - 1)));
  const picked = indexSelect(x, tensor(index, { dtype: "int32" }), { axis });
  const parts = reshapeTo(picked, [...x.shape.slice(0, axis), count, longest, ...x.shape.slice(axis + 1)]);
  const lengths = tensor(
    spans.map(({ length }) => length),
    { dtype: "int32" },
  );
  const shaped = (rank: number): Tensor =>
    reshapeTo(
      lengths,
      Array.from({ length: rank }, (_, i) => (i === axis ? count : 1)),
    );
  const inside = less(iotaAlong(longest, axis + 1, parts.rank), shaped(parts.rank));
  const total = reduceNode("sum", where(inside, parts, 0), [axis + 1]);
  return div(total, broadcastTo(castTo(shaped(total.rank), total.dtype), total.shape));
}

/**
 * Means over as many regions as `outputSize` says ([height, width]; null keeps an axis), of sizes as equal as can be.
 */
export function adaptiveAvgPool2d(
  x: TensorLike,
  { outputSize }: { outputSize: number | readonly (number | null)[] },
): Tensor {
  const { planes, restore } = image("adaptiveAvgPool2d", x);
  const wanted =
    typeof outputSize === "number"
      ? [outputSize, outputSize]
      : outputSize.map((n, i) => n ?? (planes.shape[i + 2] as number));
  const [oh, ow] = pair("adaptiveAvgPool2d", "outputSize", wanted, 1);
  return restore(adaptiveMeans(adaptiveMeans(planes, 2, oh), 3, ow));
}
