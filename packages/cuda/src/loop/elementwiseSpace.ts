/** A loop kernel without inner loops made ready to be written: live instructions, in loops that follow its stores. */
import {
  type Affine,
  type Instruction,
  type LoopKernel,
  liveValues,
  mapAffines,
  simplifyLoop,
  withSimpleConditions,
} from "@thalweg/core/backend";

export interface ElementwiseSpace {
  /** Sizes of the variables, the last of which the stores step along in the smallest steps. */
  readonly sizes: readonly number[];
  /** All stages, one after the other. */
  readonly body: readonly Instruction[];
}

export type Store = Extract<Instruction, { op: "store" }>;
export type Load = Extract<Instruction, { op: "load" }>;

export const isStore = (instruction: Instruction): instruction is Store => instruction.op === "store";
export const isLoad = (instruction: Instruction): instruction is Load => instruction.op === "load";

/** Whether the kernel has nothing to do per inner iteration, so that its stages are one body over the outer space. */
export const isElementwise = ({ stages }: LoopKernel): boolean =>
  stages.every(({ over, body }) => over === "outer" || body.length === 0);

export function elementwiseSpace({ outer, stages }: LoopKernel): ElementwiseSpace {
  const live = liveValues(stages.map(({ body }) => body));
  const body = stages.flatMap((stage) => stage.body).filter(({ id }) => live.has(id));
  const order = storeOrder(body, outer);
  // Outer stages do not step along inner variables, so those fall away here.
  const along = (affine: Affine): Affine => ({
    ...affine,
    strides: order.map((axis) => affine.strides[axis] as number),
  });
  const simple = withSimpleConditions(
    simplifyLoop({
      kind: "loop",
      label: "",
      outer: order.map((axis) => outer[axis] as number),
      inner: [],
      stages: [{ over: "outer", body: body.map((instruction) => mapAffines(instruction, along)) }],
      segments: [],
    }),
  );
  return { sizes: simple.outer, body: simple.stages.flatMap((stage) => stage.body) };
}

/**
 * The variables as they lie in the memory that is stored to, so that neighbouring threads write neighbouring elements and
 * loops merge that a permuted numbering kept apart. Iterations may run in any order.
 */
function storeOrder(body: readonly Instruction[], outer: readonly number[]): number[] {
  const axes = outer.map((_size, axis) => axis);
  const store = body.find((instruction) => isStore(instruction) && instruction.at.dynamic === undefined);
  if (store === undefined) return axes;
  const { strides } = (store as Store).at;
  const step = (axis: number): number => (outer[axis] === 1 ? 0 : Math.abs(strides[axis] as number));
  return axes.sort((a, b) => step(b) - step(a));
}
