/** Row-sparse gradients: those of tables of which a step looks up some rows, as embeddings do. */
import { constantOf } from "../autodiff/build.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import type { Node } from "../graph/node.ts";
import { formatShape, type Shape, sameShape } from "../graph/shape.ts";
import { ones, zeros } from "../tensor/creation.ts";
import { greater, logicalOr } from "../tensor/elementwise.ts";
import { scatterAdd } from "../tensor/indexing.ts";
import { Tensor } from "../tensor/tensor.ts";
import { broadcastTo, reshape } from "../tensor/views.ts";

/** `vector` along the first of `rank` axes, the others of size 1. */
const column = (vector: Tensor, rank: number): Tensor =>
  reshape(vector, [vector.size, ...new Array<number>(rank - 1).fill(1)]);

/** The mask [rows, 1, …] of the rows that come in `indices`. */
function maskOf(indices: Tensor, { length: rank, 0: rows = 0 }: Shape): Tensor {
  const times = scatterAdd(zeros([rows]), indices, ones([indices.size]), { axis: 0 });
  return column(greater(times, 0), rank);
}

/** The gradient of a table: values for the rows it lists, zeros elsewhere. Rows that come several times add up. */
export class SparseGradient {
  /** int32 [n]: which rows. */
  readonly indices: Tensor;
  /** [n, …]: their values, in the parameter's dtype. */
  readonly values: Tensor;

  /**
   * @throws ArgumentError for what are no tensors, DTypeError for indices other than int32; ShapeError unless indices are a
   * vector and there are values for each.
   */
  constructor({ indices, values }: { readonly indices: Tensor; readonly values: Tensor }) {
    if (!(indices instanceof Tensor && values instanceof Tensor)) {
      throw new ArgumentError("SparseGradient", "indices and values must be tensors");
    }
    if (indices.dtype !== "int32") {
      throw new DTypeError("SparseGradient", `indices must be int32, got ${indices.dtype}`);
    }
    if (indices.rank !== 1 || values.shape[0] !== indices.size) {
      throw new ShapeError(
        "SparseGradient",
        `expected indices [n] and values [n, …], got ${formatShape(indices.shape)} and ${formatShape(values.shape)}`,
      );
    }
    this.indices = indices;
    this.values = values;
  }

  /**
   * The whole gradient of a parameter of that shape.
   *
   * @throws ShapeError when its rows are of another shape.
   */
  dense(shape: Shape): Tensor {
    const { indices, values } = this;
    if (shape.length === 0 || !sameShape(shape.slice(1), values.shape.slice(1))) {
      throw new ShapeError(
        "SparseGradient",
        `values ${formatShape(values.shape)} are no rows of a parameter ${formatShape(shape)}`,
      );
    }
    const along = broadcastTo(column(indices, shape.length), values.shape);
    return scatterAdd(zeros(shape, { dtype: values.dtype }), along, values, { axis: 0 });
  }

  /** Which rows of a parameter of that shape are listed: a bool mask that broadcasts to it. */
  rows(shape: Shape): Tensor {
    return maskOf(this.indices, shape);
  }
}

/**
 * The rows a gradient lists, found in how it is computed: derivatives of looking rows up (`embedding`, `indexSelect` along
 * axis 0) and sums of such. Undefined for any other, which lists all.
 */
export function listedRows({ node }: Tensor): Tensor | undefined {
  const { op, shape } = node;
  if (op === "barrier") return listedRows(new Tensor(node.inputs[0] as Node));
  if (op === "add") {
    const [left, right] = node.inputs.map((input) => listedRows(new Tensor(input)));
    return left && right && logicalOr(left, right);
  }
  if (op !== "scatterAdd" || node.attributes.axis !== 0) return undefined;
  const [base, index] = node.inputs as readonly [Node, Node];
  // One index per row, and not one per element: a column, repeated along the other axes where they are longer than 1.
  const rows = index.op === "expand" ? (index.inputs[0] as Node) : index;
  const isColumn = rows.shape[0] === index.shape[0] && rows.shape.slice(1).every((n) => n === 1);
  return constantOf(base) === 0 && isColumn ? maskOf(reshape(new Tensor(rows), [-1]), shape) : undefined;
}
