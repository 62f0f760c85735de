/** Loop kernels as JavaScript functions. */
import {
  type DType,
  findShared,
  groupSegments,
  type LoopKernel,
  liveValues,
  mayOverlap,
  type Program,
  type Segment,
  simplifyLoop,
} from "@thalweg/core/backend";
import type { Slot } from "../instructions.ts";
import type { KernelSource } from "../kernelSource.ts";
import { Names, Scope } from "../scope.ts";
import { Nest } from "./nest.ts";
import { chooseStrategy, product } from "./strategy.ts";

/** One entry per call: a segmented kernel is called once for each of its segments. */
export function compileLoop(kernel: LoopKernel, program: Program): KernelSource[] {
  const several = kernel.segments.length > 1;
  return groupSegments(kernel, program).flatMap((segments) => {
    const first = segments[0] as Segment;
    const source = loopSource(kernel, program, first.buffers, several);
    return segments
      .filter((segment) => !several || segment.size > 0)
      .map((segment) => ({ ...source, buffers: segment.buffers, ...(several ? { size: segment.size } : {}) }));
  });
}

function loopSource(
  kernel: LoopKernel,
  program: Program,
  buffers: readonly number[],
  several: boolean,
): Omit<KernelSource, "buffers" | "size"> {
  const { outer, inner, stages } = several ? kernel : simplifyLoop(kernel);
  const parameters = buffers.map((_, slot) => `b${slot}`);
  const dtypes = buffers.map((buffer) => program.buffers[buffer]?.dtype as DType);
  const bodies = stages.map((stage) => stage.body);
  const written = new Set<number>();
  for (const instruction of bodies.flat())
    if (instruction.op === "store") written.add(buffers[instruction.slot] as number);
  const slots: Slot[] = buffers.map((buffer, slot) => ({
    text: parameters[slot] as string,
    dtype: dtypes[slot] as DType,
    written: [...written].some((other) => mayOverlap(program, buffer, other)),
  }));

  const live = liveValues(bodies);
  const statements = bodies.flat().filter(({ id, op }) => live.has(id) && op !== "constant").length;
  // Segments differ in size, so nothing may rest on it.
  const strategy = several
    ? { unrollInner: false, unrollOuter: 0, jam: undefined }
    : chooseStrategy({ outer, inner, stages }, statements);
  const loopsInside = inner.length > 0 && !strategy.unrollInner;
  const shared = findShared({ inner: loopsInside ? inner : [], stages: loopsInside ? stages : [] }, live, (a, b) =>
    mayOverlap(program, buffers[a] as number, buffers[b] as number),
  );
  const rows = Array.from({ length: shared.rows }, (_, row) => `s${row}`);

  const names = new Names();
  const scope = new Scope(names);
  const size = several ? "n" : undefined;
  if (several || product(outer) > 0) {
    new Nest(
      {
        outer,
        inner,
        stages,
        label: kernel.label,
        slots,
        live: liveValues(bodies, shared.known),
        strategy,
        shared,
        rows,
        size,
      },
      names,
    ).emit(scope);
  }
  const body = scope.text();
  const usesUniforms = body.includes("uniforms[");
  const all = [...parameters, ...(usesUniforms ? ["uniforms"] : []), ...rows, ...(several ? ["n"] : [])];
  const lanes = strategy.jam?.lanes ?? 1;
  return {
    source: `function (${all.join(", ")}) {\n// ${dtypes.join(", ")}\n${body}\n}`,
    usesUniforms,
    scratch: rows.map(() => ({ dtype: "float64" as const, length: lanes * product(inner) })),
  };
}
