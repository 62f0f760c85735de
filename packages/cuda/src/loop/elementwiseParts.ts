/** What of a body is the same for all elements, what is loaded before anything is stored, and the rest. */
import { type Affine, type Instruction, operandsOf, type Value } from "@thalweg/core/backend";
import { isLoad, isStore } from "./elementwiseSpace.ts";

export interface Parts {
  /** The same at every iteration: computed once per thread. */
  readonly invariant: readonly Instruction[];
  /**
   * Loads that no store of the kernel precedes, and what their addresses depend on. A thread with several vectors issues
   * these for all of them before it computes anything, so that it waits for memory once.
   */
  readonly loads: readonly Instruction[];
  /** In the body's order. */
  readonly rest: readonly Instruction[];
}

const isFixed = ({ strides }: Affine): boolean => strides.every((stride) => stride === 0);

/** Whether the instruction has the same value at every iteration if its operands have. */
function isUniform(instruction: Instruction, isWritten: (slot: number) => boolean): boolean {
  switch (instruction.op) {
    case "store":
    case "reduce":
    case "accumulator":
      return false;
    case "index":
      return isFixed(instruction.affine);
    case "inside":
      return instruction.conditions.every(({ affine }) => isFixed(affine));
    case "load":
      return (
        isFixed(instruction.at) &&
        (instruction.conditions ?? []).every(({ affine }) => isFixed(affine)) &&
        !isWritten(instruction.slot)
      );
    default:
      return true;
  }
}

/** `mayAlias(a, b)`: the slots may lie in the same memory. */
export function partsOf(body: readonly Instruction[], mayAlias: (a: number, b: number) => boolean): Parts {
  const stored = new Set(body.filter(isStore).map(({ slot }) => slot));
  const isWritten = (slot: number): boolean => [...stored].some((other) => mayAlias(slot, other));
  const invariant = new Set<Value>();
  const early = new Set<Value>();
  const storedBefore = new Set<number>();
  for (const instruction of body) {
    const operands = operandsOf(instruction);
    if (operands.every((value) => invariant.has(value)) && isUniform(instruction, isWritten)) {
      invariant.add(instruction.id);
      continue;
    }
    if (isStore(instruction)) storedBefore.add(instruction.slot);
    else if (operands.every((value) => invariant.has(value) || early.has(value))) {
      const overtakes = isLoad(instruction) && [...storedBefore].some((slot) => mayAlias(slot, instruction.slot));
      if (!overtakes) early.add(instruction.id);
    }
  }
  const needed = new Set<Value>();
  for (const instruction of [...body].reverse()) {
    if (!early.has(instruction.id) || !(isLoad(instruction) || needed.has(instruction.id))) continue;
    needed.add(instruction.id);
    for (const value of operandsOf(instruction)) needed.add(value);
  }
  const isEarly = ({ id }: Instruction): boolean => needed.has(id) && early.has(id);
  return {
    invariant: body.filter(({ id }) => invariant.has(id)),
    loads: body.filter(isEarly),
    rest: body.filter((instruction) => !invariant.has(instruction.id) && !isEarly(instruction)),
  };
}
