/** Matrix products. */
import { contractionAsLoop, type MatmulKernel } from "@thalweg/core/backend";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { compileLoop } from "../loop/index.ts";
import { elementOf } from "./element.ts";
import { batchSize, productOf } from "./product.ts";
import { simplifyMatmul } from "./simplify.ts";
import { compileTiled } from "./tiled.ts";
import { chooseTiling } from "./tiling.ts";

export function compileMatmul(kernel: MatmulKernel, context: KernelContext): CompiledKernel {
  const simplest = simplifyMatmul(kernel);
  const product = productOf(simplest, context.program);
  if (batchSize(product) * product.rows * product.columns === 0)
    return { launches: [], scratchBytes: 0, counterBytes: 0 };
  if (product.depth === 0) return compileLoop(contractionAsLoop(simplest), context);
  const element = elementOf(product, context.target);
  const tiling = chooseTiling({ ...product, batch: batchSize(product) }, element, context.target);
  return compileTiled(product, tiling, element, context);
}
