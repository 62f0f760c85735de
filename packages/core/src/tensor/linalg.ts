/** Matrix products. */
import { DTypeError, ShapeError } from "../graph/errors.ts";
import { makeNode } from "../graph/node.ts";
import { broadcastShapes, formatShape, sizeOf } from "../graph/shape.ts";
import { productOperand } from "./autocast.ts";
import { asTensor, broadcastTo, checkSameDType, constant, reshapeTo, type TensorLike, wrap } from "./convert.ts";
import { add, mul } from "./elementwise.ts";
import { reduceNode, sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { diagonal, transpose } from "./views.ts";

/** The matmul primitive: [batch…, m, k] × [batch…, k, n] of equal batch axes and one dtype. */
export function matmulNode(a: Tensor, b: Tensor): Tensor {
  const [m, k] = a.shape.slice(-2) as [number, number];
  const shape = [...a.shape.slice(0, -2), m, b.shape[b.rank - 1] as number];
  if (k === 0) return broadcastTo(constant(0, a.dtype), shape);
  return wrap(makeNode("matmul", [a.node, b.node], {}, shape, a.dtype));
}

/**
 * Matrix product with torch.matmul's rules: two vectors give their inner product; a vector on the left is a row and on the
 * right a column, which the result lacks; leading axes are batches and broadcast. Operands must have one dtype (numbers,
 * not bool). Throws ShapeError when the inner sizes differ.
 */
export function matmul(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = [productOperand(a), productOperand(b)];
  const dtype = checkSameDType("matmul", x, y);
  if (dtype === "bool") throw new DTypeError("matmul", "takes numbers, got bool; cast first");
  if (x.rank === 0 || y.rank === 0) {
    throw new ShapeError(
      "matmul",
      `expected vectors, matrices or batches, got ${formatShape(x.shape)} × ${formatShape(y.shape)}`,
    );
  }
  const inner = y.rank === 1 ? y.shape[0] : y.shape[y.rank - 2];
  if (x.shape[x.rank - 1] !== inner) {
    throw new ShapeError("matmul", `inner sizes differ: ${formatShape(x.shape)} × ${formatShape(y.shape)}`);
  }
  const k = inner as number;
  if (x.rank === 1 && y.rank === 1) return sum(mul(x, y));
  if (x.rank === 1) {
    const out = matmul(reshapeTo(x, [1, k]), y);
    return reshapeTo(out, [...out.shape.slice(0, -2), out.shape[out.rank - 1] as number]);
  }
  if (y.rank === 1) {
    const out = matmul(x, reshapeTo(y, [k, 1]));
    return reshapeTo(out, out.shape.slice(0, -1));
  }
  const n = y.shape[y.rank - 1] as number;
  if (y.rank === 2) {
    // One matrix for the whole batch: the batch is only more rows.
    const rows = x.shape.slice(0, -1);
    return reshapeTo(matmulNode(reshapeTo(x, [sizeOf(rows), k]), y), [...rows, n]);
  }
  const batch = broadcastShapes("matmul", x.shape.slice(0, -2), y.shape.slice(0, -2));
  return matmulNode(broadcastTo(x, [...batch, x.shape[x.rank - 2] as number, k]), broadcastTo(y, [...batch, k, n]));
}

/** x·weightᵀ + bias. x [..., in], weight [out, in], bias [out]; gives [..., out]. A weight of rank 1 gives [...]. */
export function linear(x: TensorLike, weight: TensorLike, bias?: TensorLike | null): Tensor {
  const [input, w] = [asTensor(x), asTensor(weight)];
  if (w.rank !== 1 && w.rank !== 2)
    throw new ShapeError("linear", `expected a weight [out, in], got ${formatShape(w.shape)}`);
  if (input.rank === 0 || input.shape[input.rank - 1] !== w.shape[w.rank - 1]) {
    throw new ShapeError(
      "linear",
      `input ${formatShape(input.shape)} does not end in the weight's ${w.shape[w.rank - 1]} inputs (weight ${formatShape(w.shape)})`,
    );
  }
  const out = matmul(input, w.rank === 2 ? transpose(w) : w);
  if (bias === undefined || bias === null) return out;
  const b = productOperand(bias);
  if (w.rank === 2 && (b.rank > 1 || (b.rank === 1 && b.size !== w.shape[0] && b.size !== 1))) {
    throw new ShapeError("linear", `expected a bias [${w.shape[0]}], got ${formatShape(b.shape)}`);
  }
  return add(out, b);
}

/** Sum of the main diagonal of the last two axes. */
export function trace(x: TensorLike): Tensor {
  const d = diagonal(x);
  return reduceNode("sum", d, [d.rank - 1]);
}

/** Outer product of two vectors. */
export function outer(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = [asTensor(a), asTensor(b)];
  if (x.rank !== 1 || y.rank !== 1)
    throw new ShapeError("outer", `expected two vectors, got ${formatShape(x.shape)} and ${formatShape(y.shape)}`);
  return mul(reshapeTo(x, [x.size, 1]), reshapeTo(y, [1, y.size]));
}
