/** Tensors put together and taken apart along an axis. */
import { ArgumentError, ShapeError } from "../graph/errors.ts";
import { formatShape, normalizeAxis, sameShape } from "../graph/shape.ts";
import { asTensor, promote, type TensorLike } from "./convert.ts";
import { less, where } from "./elementwise.ts";
import type { Tensor } from "./tensor.ts";
import { iotaAlong, padAxes, slice, unsqueeze } from "./views.ts";

/**
 * Tensors joined along an axis; all other sizes must agree. Promotes. As in PyTorch, tensors of shape [0] are dropped.
 */
export function concat(tensors: readonly TensorLike[], { axis = 0 }: { axis?: number | undefined } = {}): Tensor {
  if (tensors.length === 0) throw new ArgumentError("concat", "expected at least one tensor");
  const all = promote("concat", tensors);
  const parts = all.length > 1 ? all.filter((t) => !(t.rank === 1 && t.size === 0)) : all;
  const first = parts[0] ?? (all[0] as Tensor);
  if (first.rank === 0) throw new ShapeError("concat", "scalars cannot be concatenated; use stack");
  const at = normalizeAxis("concat", axis, first.rank);
  for (const t of parts) {
    if (t.rank !== first.rank || t.shape.some((n, i) => i !== at && n !== first.shape[i])) {
      throw new ShapeError(
        "concat",
        `shapes differ off axis ${axis}: ${formatShape(first.shape)} and ${formatShape(t.shape)}`,
      );
    }
  }
  const filled = parts.filter((t) => t.shape[at] !== 0);
  return filled.length === 0 ? first : join(filled, at);
}

/** Both halves padded to the whole and chosen between by position: exact for -0 and NaN, which a sum would not be. */
function join(parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 1) return parts[0] as Tensor;
  const middle = parts.length >> 1;
  const [left, right] = [join(parts.slice(0, middle), axis), join(parts.slice(middle), axis)];
  const [n, m] = [left.shape[axis] as number, right.shape[axis] as number];
  const zeros = left.shape.map(() => 0);
  const widths = (width: number): number[] => zeros.map((zero, i) => (i === axis ? width : zero));
  const whole = [padAxes(left, zeros, widths(m)), padAxes(right, widths(n), zeros)] as const;
  return where(less(iotaAlong(n + m, axis, left.rank), n), ...whole);
}

/** Tensors of one shape joined along a new axis. */
export function stack(tensors: readonly TensorLike[], { axis = 0 }: { axis?: number | undefined } = {}): Tensor {
  const parts = tensors.map((x) => asTensor(x));
  const first = parts[0];
  if (first === undefined) throw new ArgumentError("stack", "expected at least one tensor");
  for (const t of parts) {
    if (!sameShape(t.shape, first.shape))
      throw new ShapeError("stack", `shapes differ: ${formatShape(first.shape)} and ${formatShape(t.shape)}`);
  }
  const at = normalizeAxis("stack", axis, first.rank + 1);
  return concat(
    promote("stack", parts).map((t) => unsqueeze(t, at)),
    { axis: at },
  );
}

/** Parts along an axis: of one size (the last may be smaller), or of the sizes listed, which must add up. */
export function split(
  x: TensorLike,
  sizes: number | readonly number[],
  { axis = 0 }: { axis?: number | undefined } = {},
): Tensor[] {
  const t = asTensor(x);
  const at = normalizeAxis("split", axis, t.rank);
  const n = t.shape[at] as number;
  let list: readonly number[];
  if (typeof sizes === "number") {
    if (!Number.isInteger(sizes) || sizes < 1)
      throw new ArgumentError("split", `expected a positive whole size, got ${sizes}`);
    list = Array.from({ length: Math.max(1, Math.ceil(n / sizes)) }, (_, i) => Math.min(sizes, n - i * sizes));
  } else {
    list = sizes;
    if (sizes.some((size) => !Number.isInteger(size) || size < 0) || sizes.reduce((a, b) => a + b, 0) !== n) {
      throw new ArgumentError("split", `sizes [${sizes.join(", ")}] do not add up to ${n}, the size of axis ${axis}`);
    }
  }
  let end = 0;
  return list.map((size) => {
    end += size;
    return slice(t, { axis: at, start: end - size, end });
  });
}

/** `chunks` parts along an axis, as equal as torch.chunk makes them. */
export function chunk(x: TensorLike, chunks: number, { axis = 0 }: { axis?: number | undefined } = {}): Tensor[] {
  const t = asTensor(x);
  if (!Number.isInteger(chunks) || chunks < 1)
    throw new ArgumentError("chunk", `expected a positive number of chunks, got ${chunks}`);
  const n = t.shape[normalizeAxis("chunk", axis, t.rank)] as number;
  return split(t, Math.max(1, Math.ceil(n / chunks)), { axis });
}
