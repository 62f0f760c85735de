/** What instructions cost, roughly: in simple operations on one element. */
import { type Affine, type Instruction, isExpensive } from "@thalweg/core/backend";

const more: Readonly<Record<string, number>> = {
  div: 3,
  sqrt: 4,
  rsqrt: 7,
  reciprocal: 3,
  mod: 12,
  pow: 30,
  philox: 40,
};

export function workOf(instruction: Instruction): number {
  switch (instruction.op) {
    case "constant":
    case "uniform":
      return 0;
    case "roundTo":
      return instruction.to === "float32" || instruction.to === "float64" ? 0 : 4;
    default:
      return more[instruction.op] ?? (isExpensive(instruction) ? 12 : 1);
  }
}

export const workOfBody = (body: readonly Instruction[]): number =>
  body.reduce((sum, instruction) => sum + workOf(instruction), 0);

/** An access whose neighbours in the lanes lie `stride` elements apart, for a whole vector. */
const accessCost = (stride: number): number => {
  const step = Math.abs(stride);
  return step === 0 ? 0.5 : step === 1 ? 1 : step === 2 ? 2.5 : 5;
};

/** What a body costs per vector when lanes lie along `variable`; -1: along none. */
export function vectorCost(body: readonly Instruction[], variable: number): number {
  const along = ({ strides }: Affine): number => (variable < 0 ? 0 : (strides[variable] as number));
  let cost = 0;
  for (const instruction of body) {
    if (instruction.op !== "load" && instruction.op !== "store") {
      cost += workOf(instruction);
      continue;
    }
    const gathers = (instruction.at.dynamic?.length ?? 0) > 0;
    cost += accessCost(along(instruction.at)) + (gathers && variable >= 0 ? 3 : 0);
    if (instruction.op === "load") {
      for (const { affine } of instruction.conditions ?? []) cost += along(affine) === 0 ? 0.5 : 3;
    }
  }
  return cost;
}
