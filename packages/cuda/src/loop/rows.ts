/** Loop kernels with stages over an inner space: reductions, and programs of several passes over a row. */
import {
  type ComputeDType,
  type Condition,
  type DType,
  type LoopKernel,
  liveValues,
  mayOverlap,
  type Segment,
  type Stage,
  simplifyLoop,
  sizeOf,
  type Value,
  withSimpleConditions,
} from "@thalweg/core/backend";
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { CompiledKernel, KernelContext, KernelLaunch } from "../kernel/launch.ts";
import { bodyNeeds, bodyParameters, type IndexType } from "../source/index.ts";
import { keptChoices } from "./rowsKept.ts";
import { RowLaunch, type RowMemory } from "./rowsLaunch.ts";
import { planRows, type RowPlan, type RowSpace } from "./rowsPlan.ts";
import { type RowPart, rowParts } from "./rowsSplit.ts";

export function compileRows(kernel: LoopKernel, context: KernelContext): CompiledKernel {
  const scratch = new Scratch();
  const several = kernel.segments.length > 1;
  const launches = kernel.segments.flatMap((segment) =>
    segmentLaunches(several ? { ...kernel, outer: [segment.size] } : kernel, segment, context, scratch),
  );
  return { launches, scratchBytes: scratch.bytes, counterBytes: scratch.counterBytes };
}

/** Scratch memory of all launches of a kernel. */
class Scratch {
  readonly #places = new Map<string, number>();
  bytes = 0;
  counterBytes = 0;

  place(key: string, bytes: number): number {
    const found = this.#places.get(key);
    if (found !== undefined) return found;
    const offset = this.bytes;
    this.#places.set(key, offset);
    this.bytes += Math.ceil(bytes / 256) * 256;
    return offset;
  }

  /** Counters are free again when a launch ends. */
  counters(count: number): void {
    this.counterBytes = Math.max(this.counterBytes, 4 * count);
  }
}

/** The stages with what stores depend on, and nothing else. `known`: values that need no operands. */
function liveStages(stages: readonly Stage[], known: ReadonlyMap<Value, unknown> = new Map()): Stage[] {
  const live = liveValues(
    stages.map(({ body }) => body),
    known,
  );
  return stages
    .map(({ over, body }): Stage => ({ over, body: body.filter(({ id }) => live.has(id) && !known.has(id)) }))
    .filter(({ body }) => body.length > 0);
}

/** Whether an offset or a count needs more than 31 bits; sums of two that fit must fit, too. */
function indexType({ outer, inner, stages }: RowSpace): IndexType {
  const most = 2 ** 30;
  const sizes = [...outer, ...inner];
  const large = (
    strides: readonly number[],
    offset: number,
    dynamic: readonly { stride: number; size: number }[] = [],
  ) =>
    Math.abs(offset) +
      strides.reduce((sum, stride, variable) => sum + Math.abs(stride) * ((sizes[variable] as number) - 1), 0) +
      dynamic.reduce((sum, { stride, size }) => sum + Math.abs(stride) * size, 0) >=
    most;
  const largeCondition = ({ affine }: Condition): boolean => large(affine.strides, affine.offset);
  const wide =
    sizeOf(outer) >= most ||
    sizeOf(inner) >= most ||
    stages.some(({ body }) =>
      body.some(
        (instruction) =>
          ("at" in instruction && large(instruction.at.strides, instruction.at.offset, instruction.at.dynamic)) ||
          ("conditions" in instruction && (instruction.conditions ?? []).some(largeCondition)),
      ),
    );
  return wide ? "long long" : "int";
}

function segmentLaunches(
  kernel: LoopKernel,
  { buffers }: Segment,
  context: KernelContext,
  scratch: Scratch,
): KernelLaunch[] {
  if (sizeOf(kernel.outer) === 0) return [];
  const { program } = context;
  const { outer, inner, stages } = withSimpleConditions(simplifyLoop(kernel));
  const whole: RowSpace = { outer, inner, stages: liveStages(stages) };
  const dtypes = new Map<Value, ComputeDType>();
  for (const { body } of stages) {
    for (const instruction of body) if (instruction.op !== "store") dtypes.set(instruction.id, instruction.dtype);
  }
  const mayAlias = (a: number, b: number): boolean => mayOverlap(program, buffers[a] as number, buffers[b] as number);
  const slotDTypes = buffers.map((buffer) => program.buffers[buffer]?.dtype as DType);
  const parts = rowParts(whole.stages, mayAlias);
  // A kernel that stops when an index was out of range, and may find one itself, must not leave blocks waiting for others.
  const stops = context.guarded && whole.stages.some(({ body }) => bodyNeeds(body).status);
  const choices = keptChoices(whole.stages, outer.length, slotDTypes, mayAlias);
  const { plan, kept } = planRows(
    whole,
    slotDTypes,
    choices,
    parts !== undefined && !stops,
    context.target.sharedBytesPerBlock,
  );
  const space: RowSpace = { ...whole, stages: liveStages(whole.stages, kept.known) };
  const index = indexType(space);
  const all: RowPart[] =
    plan.splits > 1 && parts ? parts : [{ before: [], stages: space.stages, known: new Set<Value>() }];
  return all.map((part, number) => {
    const bodies = [part.before, ...part.stages.map(({ body }) => body)];
    const { parameters, slots } = bodyParameters(bodies, buffers, program);
    const memory = new LaunchMemory(scratch, plan);
    const around = { space, plan, kept, slots, index, dtypes, mayAlias, memory };
    const launch = new RowLaunch(around, part, number === all.length - 1);
    return kernelLaunch(
      {
        parameters: [...parameters, ...memory.parameters],
        declarations: '#include "reduce.cuh"\n',
        body: launch.text,
        grid: [Math.ceil(plan.groups / plan.teams), plan.splits, 1],
        block: plan.team * plan.teams,
        sharedBytes: launch.sharedBytes,
      },
      context,
    );
  });
}

/** The parameters of a launch that point to scratch memory. */
class LaunchMemory implements RowMemory {
  readonly #scratch: Scratch;
  readonly #plan: RowPlan;
  readonly #names = new Map<string, string>();
  readonly parameters: Parameter[] = [];

  constructor(scratch: Scratch, plan: RowPlan) {
    this.#scratch = scratch;
    this.#plan = plan;
  }

  scratch(key: string, type: string, bytes: number): string {
    return this.#parameter(key, type, () => ({ kind: "scratch", offset: this.#scratch.place(key, bytes) }));
  }

  counters(): string {
    this.#scratch.counters(Math.ceil(this.#plan.groups / this.#plan.teams));
    return this.#parameter("counters", "unsigned", () => ({ kind: "counters", offset: 0 }));
  }

  #parameter(key: string, type: string, argument: () => Parameter["argument"]): string {
    let name = this.#names.get(key);
    if (name === undefined) {
      name = `m${this.#names.size}`;
      this.#names.set(key, name);
      this.parameters.push({ type: `${type}*`, name, argument: argument() });
    }
    return name;
  }
}
