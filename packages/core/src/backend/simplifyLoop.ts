/** Loop spaces in their simplest equivalent form: no loops of one iteration, neighbours merged where every access allows. */
import type { Affine, Instruction, LoopKernel, Stage } from "./program.ts";

function affinesOf(instruction: Instruction): Affine[] {
  const found: Affine[] = [];
  if ("at" in instruction) found.push(instruction.at);
  if (instruction.op === "index") found.push(instruction.affine);
  if ("conditions" in instruction) for (const condition of instruction.conditions ?? []) found.push(condition.affine);
  return found;
}

/** The instruction with every affine function in it changed. */
export function mapAffines(instruction: Instruction, change: (affine: Affine) => Affine): Instruction {
  const conditions =
    "conditions" in instruction && instruction.conditions !== undefined
      ? { conditions: instruction.conditions.map((condition) => ({ ...condition, affine: change(condition.affine) })) }
      : {};
  if (instruction.op === "load" || instruction.op === "store") {
    return { ...instruction, ...conditions, at: change(instruction.at) } as Instruction;
  }
  if (instruction.op === "index") return { ...instruction, affine: change(instruction.affine) };
  return instruction.op === "inside" ? ({ ...instruction, ...conditions } as Instruction) : instruction;
}

interface Grouping {
  readonly sizes: number[];
  /** For each new variable, the old one whose stride it takes. */
  readonly kept: number[];
}

/** Old variables first … first + sizes.length - 1 merged. */
function group(sizes: readonly number[], first: number, affines: readonly Affine[]): Grouping {
  const result: Grouping = { sizes: [], kept: [] };
  sizes.forEach((size, position) => {
    const variable = first + position;
    if (size === 1) return;
    const previous = result.kept.at(-1);
    const merges =
      previous !== undefined &&
      affines.every(({ strides }) => strides[previous] === (strides[variable] as number) * size);
    if (merges) {
      result.sizes[result.sizes.length - 1] = (result.sizes.at(-1) as number) * size;
      result.kept[result.kept.length - 1] = variable;
    } else {
      result.sizes.push(size);
      result.kept.push(variable);
    }
  });
  return result;
}

/** A kernel that does the same in the same order, with the fewest loops. */
export function simplifyLoop(kernel: LoopKernel): Pick<LoopKernel, "outer" | "inner" | "stages"> {
  const affines = kernel.stages.flatMap((stage) => stage.body.flatMap(affinesOf));
  const outer = group(kernel.outer, 0, affines);
  const inner = group(kernel.inner, kernel.outer.length, affines);
  const kept = [...outer.kept, ...inner.kept];
  const change = (affine: Affine): Affine => ({
    ...affine,
    strides: kept.map((variable) => affine.strides[variable] as number),
  });
  const stages: Stage[] = kernel.stages.map((stage) => ({
    over: stage.over,
    body: stage.body.map((instruction) => mapAffines(instruction, change)),
  }));
  return { outer: outer.sizes, inner: inner.sizes, stages };
}
