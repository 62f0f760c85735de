/** Axes of a result that an epilogue can take as one. */
import type { Affine, Condition, Epilogue, Instruction } from "@thalweg/core/backend";

/**
 * The epilogue over one variable less, in which variables `axis` and `axis` + 1 are numbered through; undefined where one
 * of its addresses does not allow that. `sizes`: of all its variables.
 */
export function mergeAxes(epilogue: Epilogue, sizes: readonly number[], axis: number): Epilogue | undefined {
  const [outer, inner] = [sizes[axis] as number, sizes[axis + 1] as number];
  let possible = true;
  const affine = (of: Affine): Affine => {
    const [high, low] = [of.strides[axis] as number, of.strides[axis + 1] as number];
    if (outer > 1 && inner > 1 && high !== inner * low) possible = false;
    // An axis of size 1 may have any stride.
    const merged = inner > 1 ? low : high;
    return { ...of, strides: [...of.strides.slice(0, axis), merged, ...of.strides.slice(axis + 2)] };
  };
  const conditions = (of: readonly Condition[]): Condition[] => of.map((c) => ({ ...c, affine: affine(c.affine) }));
  const body = epilogue.body.map((instruction): Instruction => {
    switch (instruction.op) {
      case "index":
        return { ...instruction, affine: affine(instruction.affine) };
      case "inside":
        return { ...instruction, conditions: conditions(instruction.conditions) };
      case "load":
        return {
          ...instruction,
          at: affine(instruction.at),
          ...(instruction.conditions && { conditions: conditions(instruction.conditions) }),
        };
      case "store":
        return { ...instruction, at: affine(instruction.at) };
      default:
        return instruction;
    }
  });
  return possible ? { body, buffers: epilogue.buffers } : undefined;
}
