/** A loop kernel made ready to be written: the simplest space, live instructions only, slots that know their memory. */
import {
  type DType,
  type Instruction,
  type LoopKernel,
  liveValues,
  type Stage,
  type Value,
} from "@thalweg/core/backend";
import type { Pointer } from "../launch.ts";

export type Space = Pick<LoopKernel, "outer" | "inner" | "stages">;

/** Memory that a kernel names by slot. */
export interface SlotMemory {
  readonly dtype: DType;
  readonly pointer: Pointer;
  /** Slots of equal classes may lie in the same memory. */
  readonly aliases: number;
}

/** The space with what its stores depend on, and nothing else. `known`: values that need no operands. */
export function liveSpace(space: Space, known: ReadonlyMap<Value, unknown> = new Map()): Space {
  const live = liveValues(
    space.stages.map(({ body }) => body),
    known,
  );
  const stages = space.stages
    .map(({ over, body }): Stage => ({ over, body: body.filter(({ id }) => live.has(id)) }))
    .filter(({ body }) => body.length > 0);
  return { ...space, stages };
}

/** The slots that some store writes to, and those in the same memory. */
export function writtenSlots({ stages }: Pick<Space, "stages">, slots: readonly SlotMemory[]): boolean[] {
  const classes = new Set<number>();
  for (const { body } of stages) {
    for (const instruction of body) {
      if (instruction.op === "store") classes.add((slots[instruction.slot] as SlotMemory).aliases);
    }
  }
  return slots.map(({ aliases }) => classes.has(aliases));
}

/** Text that is equal for spaces and slots that give equal code. */
export function keyOf({ outer, inner, stages }: Space, slots: readonly SlotMemory[]): string {
  // JSON has no -0, NaN and infinities.
  const exact = (instruction: Instruction): unknown =>
    instruction.op === "constant" && !(Number.isFinite(instruction.value) && !Object.is(instruction.value, -0))
      ? { ...instruction, value: Object.is(instruction.value, -0) ? "-0" : `${instruction.value}` }
      : instruction;
  return JSON.stringify([
    outer,
    inner,
    stages.map(({ over, body }) => [over, body.map(exact)]),
    slots.map(({ dtype, aliases }) => [dtype, aliases]),
  ]);
}
