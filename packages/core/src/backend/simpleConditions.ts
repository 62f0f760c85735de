/**
 * Conditions on fewer variables. Where neighbours along one axis were put together (a concatenation read through a reshape),
 * 256 ≤ 32·i + j < 384 with j below 32 is 8 ≤ i < 12: a test outside of the loop over j instead of one per element.
 */
import type { Condition, Instruction, LoopKernel, Stage } from "./program.ts";

type Space = Pick<LoopKernel, "outer" | "inner" | "stages">;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** `sizes`: of all variables. */
export function withoutRests({ affine, lo, hi }: Condition, sizes: readonly number[]): Condition {
  const unchanged = { affine, lo, hi };
  if (affine.dynamic && affine.dynamic.length > 0) return unchanged;
  const { offset, strides } = affine;
  const variables = [...strides.keys()].filter((variable) => strides[variable] !== 0);
  variables.sort((a, b) => Math.abs(strides[a] as number) - Math.abs(strides[b] as number));
  // The most variables first: those of the smallest strides, whose sum never reaches from one multiple of the others' to the next.
  for (let count = variables.length - 1; count > 0; count--) {
    const step = variables.slice(count).reduce((all, variable) => gcd(all, Math.abs(strides[variable] as number)), 0);
    let [min, max] = [0, 0];
    for (const variable of variables.slice(0, count)) {
      const reach = (strides[variable] as number) * ((sizes[variable] as number) - 1);
      if (reach > 0) max += reach;
      else min += reach;
    }
    /** The least multiple of `step` for which the function reaches `bound`, whatever the rest is. */
    const multiple = (bound: number): number | undefined => {
      const [least, most] = [Math.ceil((bound - offset - max) / step), Math.ceil((bound - offset - min) / step)];
      return least === most ? least * step : undefined;
    };
    const [from, to] = [multiple(lo), multiple(hi)];
    if (from === undefined || to === undefined) continue;
    const kept = new Set(variables.slice(count));
    return {
      affine: { offset: 0, strides: strides.map((stride, variable) => (kept.has(variable) ? stride : 0)) },
      lo: from,
      hi: to,
    };
  }
  return unchanged;
}

/** The space with every condition on as few variables as it takes. */
export function withSimpleConditions({ outer, inner, stages }: Space): Space {
  const sizes = [...outer, ...inner];
  const simple = (instruction: Instruction): Instruction => {
    if (instruction.op === "inside") {
      return { ...instruction, conditions: instruction.conditions.map((condition) => withoutRests(condition, sizes)) };
    }
    if (instruction.op !== "load" || !instruction.conditions) return instruction;
    return { ...instruction, conditions: instruction.conditions.map((condition) => withoutRests(condition, sizes)) };
  };
  return { outer, inner, stages: stages.map(({ over, body }): Stage => ({ over, body: body.map(simple) })) };
}
