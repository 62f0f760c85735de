/** Loop kernels as functions over their tasks. */
import {
  type DType,
  findShared,
  groupSegments,
  type LoopKernel,
  liveValues,
  mayOverlap,
  type Program,
  simplifyLoop,
  sizeOf,
  withSimpleConditions,
} from "@thalweg/core/backend";
import { usesUniforms } from "../body/index.ts";
import type { Code } from "../code.ts";
import type { FunctionBuilder, Local } from "../emit/index.ts";
import type { Features } from "../features.ts";
import type { CompiledKernel, Launch, Pointer } from "../launch.ts";
import { Nest } from "./nest.ts";
import { planOf } from "./plan.ts";
import { scratchRowBytes } from "./rows.ts";
import { segmentsLaunch } from "./segments.ts";
import { keyOf, liveSpace, type SlotMemory, type Space, writtenSlots } from "./space.ts";
import { splitReduction } from "./split.ts";

/** Elements of a scratch row, over all vectors that are handled together: what stays in the nearest cache. */
const columnRowLimit = 1 << 9;

export function compileLoop(kernel: LoopKernel, program: Program, features: Features): CompiledKernel {
  const several = kernel.segments.length > 1;
  if (several) {
    const space = liveSpace(kernel);
    const elementWise = space.stages.every(({ body }) => body.every(({ op }) => op !== "reduce"));
    const launches = groupSegments(kernel, program).flatMap((segments) => {
      const slots = (buffers: readonly number[] = []) => slotsOf(buffers, program);
      if (elementWise) return segmentsLaunch(space, slots(segments[0]?.buffers), segments) ?? [];
      return segments.flatMap(({ size, buffers }) =>
        size === 0 ? [] : loopLaunch({ ...space, outer: [size] }, slots(buffers), features),
      );
    });
    return { launches, scratchBytes: 0 };
  }
  if (sizeOf(kernel.outer) === 0) return { launches: [], scratchBytes: 0 };
  const slots = slotsOf(kernel.segments[0]?.buffers ?? [], program);
  const space = withSimpleConditions(liveSpace(simplifyLoop(kernel)));
  const { parts, scratchBytes } = splitReduction(space, slots);
  return { launches: parts.map((part) => loopLaunch(part.space, part.slots, features)), scratchBytes };
}

function slotsOf(buffers: readonly number[], program: Program): SlotMemory[] {
  // What overlaps a third is in one class with it, too.
  const classes = buffers.map((_buffer, slot) => slot);
  for (const [slot, buffer] of buffers.entries()) {
    for (let other = 0; other < slot; other++) {
      const [from, to] = [classes[slot] as number, classes[other] as number];
      if (from === to || !mayOverlap(program, buffer, buffers[other] as number)) continue;
      for (const [index, found] of classes.entries()) if (found === from) classes[index] = to;
    }
  }
  return buffers.map((buffer, slot) => ({
    dtype: program.buffers[buffer]?.dtype as DType,
    pointer: { kind: "buffer", buffer },
    aliases: classes[slot] as number,
  }));
}

function loopLaunch(space: Space, slots: readonly SlotMemory[], features: Features): Launch {
  const width = features.simd ? 4 : 1;
  const plan = planOf(space, width);
  const columns = plan.vector >= 0 && plan.vector < space.outer.length;
  const live = liveValues(space.stages.map(({ body }) => body));
  const shared = findShared(
    { inner: space.inner, stages: plan.unrollInner ? [] : space.stages },
    live,
    (a, b) => slots[a]?.aliases === slots[b]?.aliases,
    columns ? columnRowLimit / (width * plan.copies) : undefined,
  );
  const written = writtenSlots(space, slots);
  const lean = shared.rows > 0 ? liveSpace(space, shared.known) : space;
  const uniforms = lean.stages.some(({ body }) => usesUniforms(body));
  const pointers: Pointer[] = slots.map(({ pointer }) => pointer);
  if (uniforms) pointers.push({ kind: "uniforms" });
  const threadBytes = scratchRowBytes(shared, space.inner, columns ? width * plan.copies : 1);
  if (threadBytes > 0) pointers.push({ kind: "thread" });
  return {
    key: `loop ${keyOf(space, slots)}`,
    pointers,
    tasks: plan.tasks,
    ...(threadBytes > 0 ? { threadBytes } : {}),
    build(f: FunctionBuilder, code: Code): void {
      const parameters = [...pointers, "task"].map((_, index) => f.parameter(index, "i32"));
      const lanes = code.lanes(f);
      new Nest({
        space: lean,
        plan,
        shared,
        thread: threadBytes > 0 ? parameters[pointers.length - 1] : undefined,
        task: parameters[pointers.length] as Local<"i32">,
        surroundings: {
          code,
          lanes,
          uniforms: uniforms ? parameters[slots.length] : undefined,
          slots: slots.map(({ dtype }, slot) => ({
            pointer: parameters[slot] as Local<"i32">,
            dtype,
            depth: 0,
            written: written[slot] as boolean,
          })),
        },
      }).write();
    },
  };
}
