/** The loops of a scatterAdd, and how its work is cut into tasks. */
import {
  bytesPerElement,
  contiguousStrides,
  type DType,
  type IndexedKernel,
  type Program,
} from "@thalweg/core/backend";
import { taskCount } from "../launch.ts";

type ScatterAdd = Extract<IndexedKernel, { kind: "scatterAdd" }>;

/** One loop, with the bytes it moves each operand by. */
export interface ScatterLoop {
  readonly size: number;
  /** 0 for the scattered axis, whose place in the target the index gives. */
  readonly target: number;
  readonly index: number;
  readonly source: number;
  readonly scattered: boolean;
  /** Turns that are not parted when the loop is shared out among tasks. */
  readonly unit: number;
}

export interface ScatterPlan {
  /** From the outermost; the scattered one is always among them. */
  readonly loops: readonly ScatterLoop[];
  /** The index is the same in all loops from this one on, so that it is read outside of them. */
  readonly indexDepth: number;
  /** The last loop adds neighbours to neighbours. */
  readonly vector: boolean;
  /**
   * What tasks share out: the units of a loop, by its depth; or places along the scattered axis of the target, so that
   * each task reads all indices and adds what goes to its places.
   */
  readonly split: number | "places" | "nothing";
  readonly tasks: number;
}

/** A source of more bytes comes from memory rather than a cache. */
const cachedBytes = 1 << 20;

/** Bytes that a task takes of each row at least: a cache line; from memory more, which gives neighbours faster. */
const leastBytes = (source: number): number => (source > cachedBytes ? 512 : 64);

/** Where tasks share out places, each of them reads all indices: so there are not many tasks, and many elements per index. */
const placeTasks = 16;
const placeElements = 64;

/**
 * Additions to one element of the target come one after another along the scattered axis, and differ in nothing else: so
 * any loops will do that run this axis forward, and tasks that share out any other axis, or places in the target, never
 * meet in an element. `block`: neighbours added per turn of the last loop.
 */
export function scatterPlan(kernel: ScatterAdd, program: Program, block: number): ScatterPlan {
  const width = (buffer: number): number => bytesPerElement(program.buffers[buffer]?.dtype as DType);
  const [ofTarget, ofIndex, ofSource] = [kernel.target, kernel.index.buffer, kernel.source.buffer].map(width) as [
    number,
    number,
    number,
  ];
  const strides = contiguousStrides(kernel.targetShape);
  const every = kernel.shape.map((size, axis) => ({
    size,
    target: axis === kernel.axis ? 0 : (strides[axis] as number) * ofTarget,
    index: (kernel.index.strides[axis] as number) * ofIndex,
    source: (kernel.source.strides[axis] as number) * ofSource,
    scattered: axis === kernel.axis,
    unit: 1,
  }));
  const plain = joined(every);
  const last = plain.at(-1) as ScatterLoop;
  const vector = !last.scattered && last.index === 0 && last.target === ofTarget && last.source === ofSource;
  const elements = every.reduce((product, { size }) => product * size, 1);
  const least = leastBytes(elements * ofSource);
  const scattered = plain.findIndex((loop) => loop.scattered);
  const loops = plain.map((loop, depth): ScatterLoop => {
    if (depth <= scattered) return loop;
    const unit = Math.ceil(least / Math.max(1, loop.target));
    return { ...loop, unit: vector && loop === last ? Math.ceil(unit / block) * block : unit };
  });
  const indexDepth = 1 + loops.findLastIndex(({ index, size }) => index !== 0 && size > 1);

  // Alone, an element takes about as long as a vector of four.
  const wanted = taskCount(elements, vector ? 1 : 4);
  const units = loops.map((loop) => (loop.scattered ? 1 : Math.ceil(loop.size / loop.unit)));
  const most = Math.max(...units);
  const outermost = units.findIndex((count) => count >= Math.min(wanted, most));
  const plan = { loops, indexDepth, vector };
  const perIndex = loops.slice(indexDepth).reduce((product, { size }) => product * size, 1);
  const places = Math.min(wanted, placeTasks, kernel.targetShape[kernel.axis] as number);
  if (most < places && perIndex >= placeElements) return { ...plan, split: "places", tasks: places };
  const tasks = Math.min(wanted, most);
  return { ...plan, split: tasks === 1 ? "nothing" : outermost, tasks };
}

/** Loops of one turn left out, and neighbours made one where every operand goes on as if they were. */
function joined(loops: readonly ScatterLoop[]): readonly ScatterLoop[] {
  const result: ScatterLoop[] = [];
  for (const loop of loops) {
    if (loop.size === 1 && !loop.scattered) continue;
    const before = result.at(-1);
    const goesOn =
      before &&
      !before.scattered &&
      !loop.scattered &&
      (["target", "index", "source"] as const).every((operand) => before[operand] === loop[operand] * loop.size);
    if (goesOn) result.splice(-1, 1, { ...loop, size: before.size * loop.size });
    else result.push(loop);
  }
  return result;
}
