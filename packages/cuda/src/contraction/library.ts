/** Products by cuBLASLt: which of them it can describe, and their launches. */
import { bytesPerElement, type DType, type Program } from "@thalweg/core/backend";
import type { Argument, ProductLaunch } from "../kernel/launch.ts";
import type { ProductDescription, ProductMatrix } from "../native/addon.ts";
import type { Target } from "../target.ts";
import { isAligned, type LibraryEpilogue, productAlignment } from "./libraryEpilogue.ts";
import { batchSize, type Product, type Side } from "./product.ts";

/** cudaDataType_t. */
const dataTypes: Partial<Record<DType, number>> = { float32: 0, float64: 1, float16: 2, bfloat16: 14 };
const dataType = (dtype: DType): number => dataTypes[dtype] as number;
/** cublasComputeType_t. */
const computeTypes = { float32: 68, tf32: 77, float64: 70 };
/** cublasLtEpilogue_t: the sum of what it does. */
const epilogues = { none: 1, bias: 4 };

/** What cuBLAS's documentation recommends: more for the kernels of Hopper and later. */
export const workspaceBytes = ({ architecture }: Target): number => (architecture >= 90 ? 32 : 4) * 2 ** 20;

/** The distance of neighbours of a batch, where there is but one; 0 without batch. */
function batchStride(batch: readonly number[], strides: readonly number[]): number | undefined {
  let flat: { readonly stride: number; readonly span: number } | undefined;
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const [size, stride] = [batch[axis] as number, strides[axis] as number];
    if (size === 1) continue;
    if (flat !== undefined && stride !== flat.span) return undefined;
    flat = { stride: flat?.stride ?? stride, span: stride * size };
  }
  return flat?.stride ?? 0;
}

/** `side` as a column-major matrix of lines × depth; `flipped`: of depth × lines. */
function matrixOf(side: Side, lines: number, { batch, depth }: Product, flipped: boolean): ProductMatrix | undefined {
  const stride = batchStride(batch, side.batch);
  if (stride === undefined || stride < 0 || !isAligned(side.dtype, side.offset, stride)) return undefined;
  const matrix = (leading: number, transposed: boolean): ProductMatrix => ({
    type: dataType(side.dtype),
    transposed,
    leading,
    batchStride: stride,
  });
  if (side.line === 1 && side.depth >= lines) return matrix(side.depth, flipped);
  if (side.depth === 1 && side.line >= depth) return matrix(side.line, !flipped);
  return undefined;
}

/** Where the result goes: rows side by side, `leading` elements from one to the next. */
export interface LibraryResult {
  readonly dtype: DType;
  readonly leading: number;
  readonly batchStride: number;
}

/** Where a store of the epilogue puts the result. */
export function storedResult(
  product: Product,
  { store }: LibraryEpilogue,
  program: Program,
): LibraryResult | undefined {
  const { batch, rowVariable, rows, columns, epilogue } = product;
  const { strides } = store.at;
  const dtype = program.buffers[epilogue.buffers[store.slot] as number]?.dtype as DType;
  const stride = batchStride(batch, strides.slice(0, batch.length));
  if (stride === undefined || !isAligned(dtype, stride)) return undefined;
  if (batchSize(product) > 1 && stride <= 0) return undefined;
  return { dtype, leading: rows === 1 ? columns : (strides[rowVariable] as number), batchStride: stride };
}

/** Whether cuBLASLt multiplies these operands giving that dtype. */
function isSupported({ a, b }: Product, result: DType): boolean {
  if (a.dtype !== b.dtype || dataTypes[a.dtype] === undefined) return false;
  return result === a.dtype || (result === "float32" && (a.dtype === "bfloat16" || a.dtype === "float16"));
}

/** Undefined where it cannot be described. cuBLASLt's matrices are column-major: its rows are our columns. */
export function describeProduct(
  product: Product,
  result: LibraryResult,
  epilogue: Pick<LibraryEpilogue, "scale" | "residual" | "bias">,
  target: Target,
): ProductDescription | undefined {
  const { rows, columns, depth } = product;
  if (!isSupported(product, result.dtype)) return undefined;
  const a = matrixOf(product.b, columns, product, false);
  const b = matrixOf(product.a, rows, product, true);
  if (a === undefined || b === undefined) return undefined;
  const double = product.dtype === "float64";
  const tf32 = product.a.dtype === "float32" && target.precision === "tf32";
  return {
    m: columns,
    n: rows,
    k: depth,
    batch: batchSize(product),
    computeType: double ? computeTypes.float64 : tf32 ? computeTypes.tf32 : computeTypes.float32,
    scaleType: dataType(product.dtype),
    alpha: epilogue.scale,
    beta: epilogue.residual ? 1 : 0,
    a,
    b,
    d: {
      type: dataType(result.dtype),
      transposed: false,
      leading: result.leading,
      batchStride: result.batchStride,
    },
    epilogue: epilogue.bias ? epilogues.bias : epilogues.none,
    biasType: dataType(result.dtype),
    workspaceBytes: workspaceBytes(target),
    choice: 0,
    // As far as offsets and strides are checked.
    alignment: productAlignment,
  };
}

const sideArgument = ({ buffer, offset, dtype }: Side): Argument => ({
  kind: "buffer",
  buffer,
  offset: offset * bytesPerElement(dtype),
});

/** `workspace`: byte of the scratch memory. */
export function productLaunch(
  description: ProductDescription,
  product: Product,
  to: { readonly d: Argument; readonly c?: Argument; readonly bias?: Argument },
  workspace: number,
): ProductLaunch {
  return {
    kind: "product",
    description,
    a: sideArgument(product.b),
    b: sideArgument(product.a),
    ...to,
    workspace: { kind: "scratch", offset: workspace },
  };
}
