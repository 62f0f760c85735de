/** Matrix products: by tiles of our own, by cuBLASLt, or as loops, whichever costs least by sizes alone. */
import { contractionAsLoop, type MatmulKernel } from "@thalweg/core/backend";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { compileLoop } from "../loop/index.ts";
import { elementOf } from "./element.ts";
import { compileFewRows, planFewRows } from "./fewRows.ts";
import { planLibrary } from "./libraryPlan.ts";
import { batchSize, productOf } from "./product.ts";
import { simplifyMatmul } from "./simplify.ts";
import { compileTiled } from "./tiled.ts";
import { chooseTiling } from "./tiling.ts";

/** With fewer rows or columns, and as few steps, tiles are mostly empty. */
const leastRows = 4;
const leastDepth = 4;

export function compileMatmul(kernel: MatmulKernel, context: KernelContext): CompiledKernel {
  const simplest = simplifyMatmul(kernel);
  const product = productOf(simplest, context.program);
  const { rows, columns, depth } = product;
  const size = batchSize(product);
  if (size * rows * columns === 0) return { launches: [], scratchBytes: 0, counterBytes: 0 };
  if (depth === 0 || (Math.min(rows, columns) < leastRows && depth < leastDepth))
    return compileLoop(contractionAsLoop(simplest), context);
  const fewRows = planFewRows(product, context.target);
  if (fewRows !== undefined) return compileFewRows(fewRows, context);
  const element = elementOf(product, context.target);
  const tiling = chooseTiling({ batch: size, rows, columns, depth }, element, context.target);
  const library = planLibrary(simplest, product, element, context);
  if (library !== undefined && library.cycles < tiling.cycles) return library.compile();
  return compileTiled(product, tiling, element, context);
}
