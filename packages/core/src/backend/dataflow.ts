/** What the instructions of a body need of one another, and what they cost. */
import type { Instruction, Value } from "./program.ts";

const slow: ReadonlySet<string> = new Set([
  "exp",
  "log",
  "log1p",
  "expm1",
  "sin",
  "cos",
  "tan",
  "tanh",
  "sigmoid",
  "softplus",
  "erf",
  "philox",
  "pow",
]);

/** Whether computing the instruction again costs more than keeping its value in memory. */
export const isExpensive = (instruction: Instruction): boolean => slow.has(instruction.op);

/** The values an instruction uses, those in its addresses and conditions included. */
export function operandsOf(instruction: Instruction): Value[] {
  const found: Value[] = [];
  const affine = (at: { readonly dynamic?: readonly { readonly value: Value }[] }) => {
    for (const { value } of at.dynamic ?? []) found.push(value);
  };
  if ("args" in instruction) found.push(...instruction.args);
  if ("at" in instruction) affine(instruction.at);
  if (instruction.op === "index") affine(instruction.affine);
  if ("conditions" in instruction) for (const condition of instruction.conditions ?? []) affine(condition.affine);
  if (instruction.op === "store" || instruction.op === "reduce") found.push(instruction.value);
  return found;
}

/** The values of `bodies` that a store depends on, the stores included. `known`: values that need no operands. */
export function liveValues(
  bodies: readonly (readonly Instruction[])[],
  known: ReadonlyMap<Value, unknown> = new Map(),
): Set<Value> {
  const live = new Set<Value>();
  for (const body of [...bodies].reverse()) {
    for (const instruction of [...body].reverse()) {
      if (instruction.op === "store") live.add(instruction.id);
      if (live.has(instruction.id) && !known.has(instruction.id))
        for (const value of operandsOf(instruction)) live.add(value);
    }
  }
  return live;
}
