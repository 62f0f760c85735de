/** Matrix products of float32 with SIMD. */
import type { MatmulKernel, Program } from "@thalweg/core/backend";
import type { Features } from "../features.ts";
import type { CompiledKernel } from "../launch.ts";
import { blockedKernel } from "./blocked.ts";
import { dotKernel } from "./dot.ts";
import { planOf } from "./plan.ts";

/** Undefined for other dtypes, and where the engine has no SIMD. */
export function compileMatmul(kernel: MatmulKernel, program: Program, features: Features): CompiledKernel | undefined {
  const operands = [kernel.a.buffer, kernel.b.buffer];
  const float32 =
    kernel.dtype === "float32" && operands.every((buffer) => program.buffers[buffer]?.dtype === "float32");
  if (!features.simd || !float32) return undefined;
  if ([...kernel.batch, kernel.m, kernel.n].includes(0)) return { launches: [], scratchBytes: 0 };
  const plan = planOf(kernel);
  const { swapped } = plan.kind === "dot" ? plan.product : plan.blocking.product;
  const [a, b] = swapped ? [kernel.b.buffer, kernel.a.buffer] : [kernel.a.buffer, kernel.b.buffer];
  return plan.kind === "dot"
    ? dotKernel(plan.product, { a, b }, kernel.epilogue, program)
    : blockedKernel(plan.blocking, { a, b }, kernel.epilogue, program);
}
