/** The parameters that the bodies of a kernel need: a pointer for each buffer they name, uniforms, status. */
import { type DType, type Instruction, mayOverlap, type Program } from "@thalweg/core/backend";
import { type Parameter, statusName } from "../kernel/kernelLaunch.ts";
import { bodyNeeds } from "./body.ts";
import type { SlotSource } from "./place.ts";
import { storageType } from "./types.ts";

interface Use {
  readonly buffer: number;
  readonly name: string;
  written: boolean;
}

/**
 * `buffers`: the buffer of each slot. Slots of one buffer share a parameter; it is `__restrict__` where no other that is
 * written may reach its memory.
 */
export function bodyParameters(
  bodies: readonly (readonly Instruction[])[],
  buffers: readonly number[],
  program: Program,
): { parameters: Parameter[]; slots: SlotSource[] } {
  const uses = new Map<number, Use>();
  let [uniforms, status] = [false, false];
  for (const body of bodies) {
    const needs = bodyNeeds(body);
    uniforms ||= needs.uniforms;
    status ||= needs.status;
    for (const instruction of body) {
      if (instruction.op !== "load" && instruction.op !== "store") continue;
      const buffer = buffers[instruction.slot] as number;
      let use = uses.get(buffer);
      if (use === undefined) {
        use = { buffer, name: `p${uses.size}`, written: false };
        uses.set(buffer, use);
      }
      if (instruction.op === "store") use.written = true;
    }
  }
  const all = [...uses.values()];
  const written = all.filter((use) => use.written);
  const dtypeOf = (buffer: number): DType => program.buffers[buffer]?.dtype as DType;
  const isAlone = ({ buffer, written: writes }: Use): boolean =>
    (writes ? all : written).every((other) => other.buffer === buffer || !mayOverlap(program, buffer, other.buffer));
  const alone = new Map(all.map((use) => [use.buffer, isAlone(use)]));
  const parameters: Parameter[] = all.map(({ buffer, name, written: writes }) => ({
    type: `${writes ? "" : "const "}${storageType(dtypeOf(buffer))}*`,
    name,
    argument: { kind: "buffer", buffer },
    restrict: alone.get(buffer) as boolean,
  }));
  if (uniforms) {
    parameters.push({ type: "const unsigned char*", name: "uniforms", argument: { kind: "uniforms" }, restrict: true });
  }
  if (status) parameters.push({ type: "Status*", name: statusName, argument: { kind: "status" } });
  const slots = buffers.map((buffer): SlotSource => {
    const use = uses.get(buffer);
    // A slot that no body names needs no pointer.
    if (use === undefined) return { pointer: "nullptr", dtype: dtypeOf(buffer), readOnly: false };
    return { pointer: use.name, dtype: dtypeOf(buffer), readOnly: !use.written && (alone.get(buffer) as boolean) };
  });
  return { parameters, slots };
}
