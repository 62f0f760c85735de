/** Matrix products: by tiles of our own, by cuBLASLt, or as loops, whichever costs least by sizes alone. */
import { contractionAsLoop, type MatmulKernel } from "@thalweg/core/backend";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { compileLoop } from "../loop/index.ts";
import { elementOf } from "./element.ts";
import { compileFewRows, planFewRows } from "./fewRows.ts";
import { planLibrary } from "./libraryPlan.ts";
import { batchSize, type Product, productOf } from "./product.ts";
import { mayShareSums } from "./productText.ts";
import { simplifyMatmul } from "./simplify.ts";
import { compileTiled } from "./tiled.ts";
import { chooseTiling } from "./tiling.ts";

/** Sums that the smallest tile has; how many of them matrices must have at least, and up to which depth the rule holds. */
const smallestTile = 32 * 32;
const leastFilled = 1 / 8;
const mostLoopDepth = 256;

/** Tiles would be mostly empty, and their sums are short: a thread for each does as well. */
const isTiny = ({ rows, columns, depth }: Product): boolean =>
  depth <= mostLoopDepth && rows * columns < smallestTile * leastFilled;

export function compileMatmul(kernel: MatmulKernel, context: KernelContext): CompiledKernel {
  const simplest = simplifyMatmul(kernel);
  const product = productOf(simplest, context.program);
  const { rows, columns, depth } = product;
  const size = batchSize(product);
  if (size * rows * columns === 0) return { launches: [], scratchBytes: 0, counterBytes: 0 };
  if (depth === 0 || isTiny(product)) return compileLoop(contractionAsLoop(simplest), context);
  const mayShare = mayShareSums(product.epilogue.body, context);
  const fewRows = planFewRows(product, context.target, mayShare);
  if (fewRows !== undefined) return compileFewRows(fewRows, context);
  const element = elementOf(product, context.target);
  const tiling = chooseTiling({ batch: size, rows, columns, depth }, element, context.target, mayShare);
  const library = planLibrary(simplest, product, element, context);
  if (library !== undefined && library.cycles < tiling.cycles) return library.compile();
  return compileTiled(product, tiling, element, context);
}
