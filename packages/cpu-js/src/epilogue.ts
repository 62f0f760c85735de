/** The element-wise continuation of a contraction as JavaScript, for the contraction's own loops to contain. */
import { type ContractionKernel, type DType, epilogueSizes, liveValues, type Program } from "@thalweg/core/backend";
import { emitInstruction, type Slot } from "./instructions.ts";
import type { EpilogueEmitter } from "./kernelSource.ts";
import { Place, type Variable } from "./place.ts";
import { Names, Scope } from "./scope.ts";

export function epilogueEmitter(kernel: ContractionKernel, program: Program): EpilogueEmitter {
  const { body, buffers } = kernel.epilogue;
  const sizes = epilogueSizes(kernel);
  const live = liveValues([body]);
  const written = new Set(
    body.flatMap((instruction) => (instruction.op === "store" ? [buffers[instruction.slot]] : [])),
  );
  return ({ variables, accumulator, slots: texts, suffix = "" }) => {
    const names = new Names(`e${suffix}`);
    const scopes = [new Scope(names)];
    for (const _ of variables) scopes.push((scopes.at(-1) as Scope).child());
    const all: Variable[] = variables.map((text, index) => ({
      text,
      add: 0,
      depth: index + 1,
      size: sizes[index] as number,
    }));
    const place = new Place(scopes, all, new Map(), names, kernel.label);
    const slots: Slot[] = buffers.map((buffer, slot) => ({
      text: texts[slot] as string,
      dtype: program.buffers[buffer]?.dtype as DType,
      written: written.has(buffer),
    }));
    for (const instruction of body) {
      if (!live.has(instruction.id) || instruction.op === "reduce") continue;
      const value = emitInstruction(instruction, slots, place, accumulator);
      if (value !== undefined) place.values.set(instruction.id, value);
    }
    const levels = scopes.map((scope) => scope.lines);
    return { levels, usesUniforms: levels.flat().some((line) => line.includes("uniforms[")) };
  };
}
