/**
 * A matrix product apart from which of its two result axes is called what: the sums that a thread stores side by side lie
 * along `columns`. Every product can be seen both ways, cᵀ = bᵀ · aᵀ.
 */
import {
  bytesPerElement,
  type ComputeDType,
  type DType,
  type Epilogue,
  type MatmulKernel,
  type Operand,
  type Program,
  sizeOf,
} from "@thalweg/core/backend";

/** Where an operand lies, in elements. A line is a row of A or a column of B. */
export interface Side {
  readonly buffer: number;
  readonly dtype: DType;
  readonly offset: number;
  /** Strides over the batch variables. */
  readonly batch: readonly number[];
  readonly line: number;
  /** Along what is summed over. */
  readonly depth: number;
}

export interface Product {
  readonly dtype: ComputeDType;
  readonly batch: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly a: Side;
  readonly b: Side;
  readonly epilogue: Epilogue;
  /** Numbers of the epilogue's variables that walk over rows and columns. */
  readonly rowVariable: number;
  readonly columnVariable: number;
}

function sideOf(
  { buffer, offset, strides }: Operand,
  rank: number,
  line: number,
  depth: number,
  program: Program,
): Side {
  return {
    buffer,
    dtype: program.buffers[buffer]?.dtype as DType,
    offset,
    batch: strides.slice(0, rank),
    line: strides[line] as number,
    depth: strides[depth] as number,
  };
}

/** Bytes that the epilogue moves along the variable per element, all accesses together. */
function contiguousAlong({ body, buffers }: Epilogue, variable: number, program: Program): number {
  let total = 0;
  for (const instruction of body) {
    if (instruction.op !== "load" && instruction.op !== "store") continue;
    if (instruction.at.strides[variable] !== 1) continue;
    const dtype = program.buffers[buffers[instruction.slot] as number]?.dtype as DType;
    const bytes = bytesPerElement(dtype);
    // What is the same for all of the other axis comes from the cache.
    const others = instruction.at.strides.filter((_, position) => position !== variable);
    if (others.some((stride) => stride !== 0)) total += bytes;
  }
  return total;
}

export function productOf(kernel: MatmulKernel, program: Program): Product {
  const { dtype, batch, m, n, k, epilogue } = kernel;
  const rank = batch.length;
  const a = sideOf(kernel.a, rank, rank, rank + 1, program);
  const b = sideOf(kernel.b, rank, rank + 1, rank, program);
  const common = { dtype, batch, depth: k, epilogue };
  const swapped = contiguousAlong(epilogue, rank, program) > contiguousAlong(epilogue, rank + 1, program);
  return swapped
    ? { ...common, rows: n, columns: m, a: b, b: a, rowVariable: rank + 1, columnVariable: rank }
    : { ...common, rows: m, columns: n, a, b, rowVariable: rank, columnVariable: rank + 1 };
}

/** The same product with rows and columns exchanged. */
export const swapped = (product: Product): Product => ({
  ...product,
  rows: product.columns,
  columns: product.rows,
  a: product.b,
  b: product.a,
  rowVariable: product.columnVariable,
  columnVariable: product.rowVariable,
});

/** Number of elements of the batch. */
export const batchSize = ({ batch }: Pick<Product, "batch">): number => sizeOf(batch);

/** Multiply-adds. */
export const workOf = (product: Product): number => batchSize(product) * product.rows * product.columns * product.depth;
