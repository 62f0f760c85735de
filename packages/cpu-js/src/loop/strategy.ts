/** How a loop kernel is to be written: what is unrolled, which outer variable is handled several values at a time. */
import { type Instruction, isExpensive, type LoopKernel } from "@thalweg/core/backend";
import { findsPosition } from "./reductions.ts";

export interface Strategy {
  /** The inner loops are written out, every iteration. */
  readonly unrollInner: boolean;
  /** How many of the last outer loops, very short ones, are written out too. */
  readonly unrollOuter: number;
  /** An outer variable that is stepped over `lanes` values at once, with a copy of the body for each. */
  readonly jam: { readonly variable: number; readonly lanes: number } | undefined;
}

type Space = Pick<LoopKernel, "outer" | "inner" | "stages">;

const innerUnrollLimit = 16;
const outerUnrollLimit = 4;
/** Statements in one loop body beyond which V8 does not gain from more copies. */
const statementLimit = 160;

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Accesses of the innermost loop that jump over memory, but would be neighbours if `variable` were the innermost. */
function jumps(space: Space, variable: number, unrolled: boolean): number {
  const rank = space.outer.length;
  let count = 0;
  for (const stage of space.stages) {
    const inner = stage.over === "inner" && space.inner.length > 0 && !unrolled;
    // With inner loops elsewhere, what an outer stage does once per row hardly matters.
    if (!inner && space.inner.length > 0 && !unrolled) continue;
    const innermost = inner ? rank + space.inner.length - 1 : rank - 1;
    if (innermost === variable) return 0;
    for (const instruction of stage.body) {
      if (instruction.op !== "load" && instruction.op !== "store") continue;
      const { strides } = instruction.at;
      const along = Math.abs(strides[innermost] as number);
      if (along > 1 && Math.abs(strides[variable] as number) === 1) count++;
    }
  }
  return count;
}

/** Whether some condition changes along `variable`. */
const conditional = (space: Space, variable: number): boolean =>
  space.stages.some(({ body }) =>
    body.some(
      (instruction) =>
        "conditions" in instruction && instruction.conditions?.some(({ affine }) => affine.strides[variable] !== 0),
    ),
  );

/** How many of the last loops have so few iterations together that the loop would cost as much as its body. */
function shortTail(sizes: readonly number[], statements: number): number {
  let count = 0;
  let iterations = 1;
  while (count + 1 < sizes.length) {
    iterations *= sizes[sizes.length - 1 - count] as number;
    if (iterations > outerUnrollLimit || iterations * statements > statementLimit) break;
    count++;
  }
  return count;
}

/** `statements`: live instructions of one copy of all bodies. */
export function chooseStrategy(space: Space, statements: number): Strategy {
  const points = product(space.inner);
  const unrollInner = space.inner.length > 0 && points <= innerUnrollLimit && points * statements <= statementLimit;
  const loopsInside = space.inner.length > 0 && !unrollInner;
  const unrollOuter = loopsInside ? 0 : shortTail(space.outer, statements * (unrollInner ? points : 1));
  if (unrollOuter > 0) return { unrollInner, unrollOuter, jam: undefined };
  let jam: Strategy["jam"];
  let most = 0;
  space.outer.forEach((size, variable) => {
    const count = jumps(space, variable, unrollInner);
    if (count <= most || size < 2) return;
    const copies = unrollInner ? points : 1;
    const room = Math.floor(statementLimit / (statements * copies));
    const lanes = size <= 10 ? Math.min(size, room) : room >= 8 ? 8 : room >= 4 ? 4 : 1;
    if (lanes < 2) return;
    most = count;
    jam = { variable, lanes };
  });
  const last = space.outer.length - 1;
  const cheap = statements <= 8 && !space.stages.some(({ body }) => body.some(isExpensive));
  const long = (space.outer[last] ?? 0) >= 16;
  if (jam === undefined && space.inner.length === 0 && cheap && long && !conditional(space, last)) {
    jam = { variable: last, lanes: 4 };
  }
  return { unrollInner, unrollOuter, jam };
}

/** Copies of an inner loop's body with an accumulator each, so that additions need not wait for one another. */
export function innerCopies(body: readonly Instruction[], innermost: number, size: number): number {
  let reductions = 0;
  for (const instruction of body) {
    if (isExpensive(instruction)) return 1;
    if (instruction.op === "reduce") {
      if (findsPosition(instruction)) return 1;
      reductions++;
    }
    const conditions = "conditions" in instruction ? (instruction.conditions ?? []) : [];
    if (conditions.some(({ affine }) => affine.strides[innermost] !== 0)) return 1;
  }
  return reductions > 0 && body.length <= 24 && size >= 16 ? 4 : 1;
}
