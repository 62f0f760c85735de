/** When two runners' results count as the same: a fast wrong answer is not measured. */
import type { WorkloadSpec } from "./spec.ts";

/**
 * How far apart results may lie, relative to the largest of the values compared.
 *
 * Elementary: sums of up to some thousand float32 products in another order differ by about 1e-6 of the result; libraries
 * that approximate exp and tanh, by 1e-5.
 *
 * Training: a loss after a few steps carries the rounding of all their gradients, about 1e-5 where seen; a step left out,
 * or one with another rule, moves it by more than 1e-3 at these learning rates in all but the first steps.
 *
 * Optimizer: parameters of about 1 that moved by 1e-3 a step. Their own rounding is 1e-7; a wrong rule shows at 1e-4.
 *
 * bfloat16: a result has 8 bits, so two that are rounded to it from sums in another order are up to 2⁻⁸ of it apart.
 */
const tolerances = { elementary: 1e-4, training: 1e-3, optimizer: 1e-5, bfloat16: 1e-2 } as const;

function tolerance(spec: WorkloadSpec): number {
  const { kind } = spec;
  if ((kind === "matmul" && spec.dtype) || (kind === "gpt" && spec.compute)) return tolerances.bfloat16;
  switch (kind) {
    case "mlp":
    case "cnn":
    case "gpt":
      return tolerances.training;
    case "optimizer":
      return tolerances.optimizer;
    default:
      return tolerances.elementary;
  }
}

/** Why the results cannot be taken as the same; undefined when they can. */
export function disagreement(
  spec: WorkloadSpec,
  found: readonly number[],
  expected: { readonly runner: string; readonly values: readonly number[] },
): string | undefined {
  const list = (values: readonly number[]) => values.map((value) => value.toPrecision(7)).join(", ");
  if (found.length === 0 || !found.every(Number.isFinite)) return `its result is not finite: ${list(found)}`;
  const scale = Math.max(...expected.values.map(Math.abs));
  const apart = tolerance(spec) * scale;
  const agree =
    found.length === expected.values.length &&
    found.every((value, i) => Math.abs(value - (expected.values[i] as number)) <= apart);
  if (agree) return undefined;
  return `its result is not that of ${expected.runner}: ${list(found)}; expected ${list(expected.values)} within ${tolerance(spec)} of the largest`;
}
