/** The axes of a scatterAdd, and which way of adding suits their sizes. */
import { contiguousStrides, type IndexedKernel } from "@thalweg/core/backend";

export type ScatterAdd = Extract<IndexedKernel, { kind: "scatterAdd" }>;

/** An axis with the elements that each operand goes on along it. */
export interface ScatterAxis {
  readonly size: number;
  readonly target: number;
  readonly index: number;
  readonly source: number;
}

/**
 * Additions meet in an element only where they differ along the scattered axis alone; its elements are the `steps`. A lane is
 * a point of the other axes. Lanes that differ along `columns` only have the same indices: they are of one group.
 */
export interface ScatterShape {
  readonly lanes: readonly ScatterAxis[];
  readonly groups: readonly ScatterAxis[];
  readonly columns: readonly ScatterAxis[];
  readonly steps: number;
  /** Elements from one step to the next. */
  readonly index: number;
  readonly source: number;
  /** What indices choose among, and the target's elements from one to the next. */
  readonly places: number;
  readonly stride: number;
}

export const countOf = (axes: readonly ScatterAxis[]): number => axes.reduce((product, { size }) => product * size, 1);

export function scatterShape({ axis, shape, targetShape, index, source }: ScatterAdd): ScatterShape {
  const strides = contiguousStrides(targetShape);
  const axes = shape.map((size, i) => ({
    size,
    target: strides[i] as number,
    index: index.strides[i] as number,
    source: source.strides[i] as number,
  }));
  const others = axes.filter(({ size }, i) => i !== axis && size !== 1);
  const along = axes[axis] as ScatterAxis;
  return {
    lanes: joined(others),
    groups: joined(others.filter((other) => other.index !== 0)),
    columns: joined(others.filter((other) => other.index === 0)),
    steps: along.size,
    index: along.index,
    source: along.source,
    places: targetShape[axis] as number,
    stride: along.target,
  };
}

/** Neighbours made one where every operand goes on as if they were. */
function joined(axes: readonly ScatterAxis[]): readonly ScatterAxis[] {
  const result: ScatterAxis[] = [];
  for (const axis of axes) {
    const before = result.at(-1);
    const goesOn =
      before &&
      (["target", "index", "source"] as const).every((operand) => before[operand] === axis[operand] * axis.size);
    if (goesOn) result.splice(-1, 1, { ...axis, size: before.size * axis.size });
    else result.push(axis);
  }
  return result;
}

/** C expression of an operand's offset at point `linear` of these axes, in row-major order. */
export function offsetText(
  axes: readonly ScatterAxis[],
  linear: string,
  operand: keyof Omit<ScatterAxis, "size">,
): string {
  let below = countOf(axes);
  const terms = axes.flatMap((axis, i) => {
    below /= axis.size;
    const whole = below === 1 ? linear : `${linear} / ${below}`;
    const coordinate = i === 0 ? whole : `${whole} % ${axis.size}`;
    return axis[operand] === 0 ? [] : [`${coordinate} * ${axis[operand]}`];
  });
  return terms.length === 0 ? "0" : terms.join(" + ");
}

/**
 * - `threads`: a thread for each lane takes the steps one after another.
 * - `warps`: a warp for each lane takes 32 steps at a time.
 * - `owners`: of the steps of a group that go to the same place, the first finds the others.
 * - `sorted`: each group's indices are sorted first; then every place that occurs is added to by itself, columns side by side
 *   or, if there are few, steps side by side.
 */
export type ScatterWay = "threads" | "warps" | "owners" | "sorted";

/** Columns side by side fill a warp. */
export const manyColumns = 32;
/** Steps that a thread takes sooner than other launches would begin. */
const fewSteps = 16;
/** Indices that all blocks of the owners' way may look at: they come from a cache, several to a thread. */
const mostLooks = 2 ** 22;
/** Threads that hide each other's waiting for memory. */
const manyLanes = 1 << 14;
/** Steps of a lane that one warp takes in less time than sorting needs. */
const stepsOfWarp = 4096;

/** Threads of a block of the owners' way: one for each column, as far as a block goes. */
export const ownerThreads = ({ columns }: Pick<ScatterShape, "columns">): number =>
  Math.min(256, Math.ceil(countOf(columns) / 32) * 32);

export function scatterWay(shape: ScatterShape): ScatterWay {
  const { lanes, groups, columns, steps, stride } = shape;
  if (steps <= fewSteps) return "threads";
  if (countOf(columns) >= manyColumns) {
    const looks = countOf(groups) * steps * steps * Math.ceil(countOf(columns) / ownerThreads(shape));
    return looks <= mostLooks ? "owners" : "sorted";
  }
  // Where the steps lie side by side in memory threads of different lanes would read apart from each other.
  if (stride >= manyColumns && countOf(lanes) >= manyLanes) return "threads";
  return steps <= stepsOfWarp ? "warps" : "sorted";
}
