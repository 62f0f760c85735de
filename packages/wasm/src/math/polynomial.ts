import type { FloatLanes, Part } from "../lanes/index.ts";

/** c₀ + c₁x + c₂x² + …, by Horner's rule. `x` is used several times: a local. */
export function polynomial(ops: FloatLanes, x: Part, coefficients: readonly number[]): Part {
  const [highest, ...rest] = [...coefficients].reverse() as [number, ...number[]];
  return rest.reduce((sum, c) => ops.madd(sum, x, ops.constant(c)), ops.constant(highest));
}
