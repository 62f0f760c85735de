/** What the texts of all products have in common. */
import { type Instruction, mayOverlap, type Program } from "@thalweg/core/backend";
import type { Parameter } from "../kernel/kernelLaunch.ts";
import type { KernelContext } from "../kernel/launch.ts";
import { bodyNeeds, type IndexType, storageType } from "../source/index.ts";
import type { Product } from "./product.ts";

/** int where no offset, and no step of a loader past the end, leaves its range. */
export function indexTypeOf({ a, b, epilogue }: Product, program: Program): IndexType {
  const buffers = [a.buffer, b.buffer, ...epilogue.buffers];
  const small = buffers.every((buffer) => (program.buffers[buffer]?.size as number) < 2 ** 30);
  const near = [a, b].every(({ line, depth }) => Math.max(Math.abs(line), Math.abs(depth)) < 2 ** 24);
  return small && near ? "int" : "long long";
}

/**
 * Whether blocks may divide sums among them, the last to come having the whole. Not where some would stop at once since an
 * index was out of range, which the kernel's own epilogue may find while others have not begun: nobody would be the last.
 */
export const mayShareSums = (epilogue: readonly Instruction[], { guarded }: Pick<KernelContext, "guarded">): boolean =>
  !(guarded && bodyNeeds(epilogue).status);

/** Statements that give each batch variable a name, from the name of the element's number; the names. */
export function batchNames(product: Product, element: string, index: IndexType): { text: string; names: string[] } {
  const lines: string[] = [];
  const names = product.batch.map((_, axis) => `batch${axis}`);
  let rest = element;
  for (let axis = product.batch.length - 1; axis >= 0; axis--) {
    const value = axis === 0 ? rest : `${rest} % ${product.batch[axis]}`;
    lines.push(`const ${index} batch${axis} = ${value};`);
    if (axis > 0) rest = `${rest} / ${product.batch[axis]}`;
  }
  return { text: lines.join("\n"), names };
}

/** Pointers of the operands. */
export function operandParameters({ a, b, epilogue }: Product, program: Program): Parameter[] {
  const stored = epilogue.body.flatMap((instruction) =>
    instruction.op === "store" ? [epilogue.buffers[instruction.slot] as number] : [],
  );
  return [["left", a] as const, ["right", b] as const].map(([name, { buffer, dtype }]) => ({
    type: `const ${storageType(dtype)}*`,
    name,
    argument: { kind: "buffer", buffer },
    restrict: !stored.some((other) => mayOverlap(program, other, buffer)),
  }));
}
