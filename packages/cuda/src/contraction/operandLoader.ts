/** How an operand comes into shared memory: the `StridedLoader` of device/tile.cuh for it. */
import { bytesPerElement } from "@thalweg/core/backend";
import { type IndexType, indexLiteral, storageTag } from "../source/index.ts";
import type { Product, Side } from "./product.ts";

export interface OperandLoader {
  /** Whether neighbours that are fetched together lie along what is summed over. */
  readonly alongDepth: boolean;
  /** How many are. */
  readonly width: number;
}

/** `lines`: of the operand. */
export function operandLoader(side: Side, lines: number, { batch, depth }: Product): OperandLoader {
  const alongDepth =
    depth > 1 && (side.depth === 1 || (side.line !== 1 && Math.abs(side.depth) <= Math.abs(side.line)));
  const [near, far] = alongDepth ? [side.depth, side.line] : [side.line, side.depth];
  const [nearSize, farSize] = alongDepth ? [depth, lines] : [lines, depth];
  const steps = [
    side.offset,
    ...(farSize > 1 ? [far] : []),
    ...side.batch.filter((_, axis) => (batch[axis] as number) > 1),
  ];
  let width = near === 1 ? 16 / bytesPerElement(side.dtype) : 1;
  while (width > 1 && (nearSize % width !== 0 || steps.some((step) => step % width !== 0))) width /= 2;
  return { alongDepth, width };
}

/** The type of the loader; `tile`: `Core::TileA` or `Core::TileB`. */
export function loaderType(tile: string, side: Side, { alongDepth, width }: OperandLoader, index: IndexType): string {
  const strides = [side.line, side.depth].map((stride) => indexLiteral(stride, index));
  return `StridedLoader<${[tile, storageTag(side.dtype), alongDepth, width, "Core::THREADS", index, ...strides].join(", ")}>`;
}
