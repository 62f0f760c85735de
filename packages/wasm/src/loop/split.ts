/**
 * Reductions of few outer points over a large inner space, as kernels over stretches of the inner space, which can be
 * tasks: each stage over the inner space becomes one kernel that leaves partial results in scratch memory, and one that
 * reduces these and goes on with the outer stages. All of them are loop kernels like any other.
 */
import {
  type Affine,
  bytesPerElement,
  type ComputeDType,
  contiguousStrides,
  type Instruction,
  mapAffines,
  type Stage,
  sizeOf,
  type Value,
} from "@thalweg/core/backend";
import type { Reduction } from "../body/index.ts";
import { taskCount } from "../launch.ts";
import { liveSpace, type SlotMemory, type Space, writtenSlots } from "./space.ts";
import { workOfBody } from "./work.ts";

export interface Part {
  readonly space: Space;
  readonly slots: readonly SlotMemory[];
}

/** Where there are fewer outer points than this, they alone are too few tasks. */
const fewPoints = 16;
/** Inner points from which on the further launches are worth their while. */
const manyPoints = 1 << 15;

const findsPosition = ({ fn }: Reduction): boolean => fn === "argMax" || fn === "argMin";
const isReduction = (instruction: Instruction): instruction is Reduction => instruction.op === "reduce";
const isStore = ({ op }: Instruction): boolean => op === "store";

/** The inner axis that is cut, into `count` stretches of `length` and a shorter last one of `rest` (0: none). */
interface Cut {
  readonly axis: number;
  readonly length: number;
  readonly count: number;
  readonly rest: number;
}

function cutOf({ inner, outer, stages }: Space): Cut | undefined {
  const points = sizeOf(inner);
  if (sizeOf(outer) >= fewPoints || points < manyPoints) return undefined;
  // Positions are row-major, so only stretches of the first axis are stretches of them.
  const ordered = stages.some(({ body }) =>
    body.some((instruction) => isReduction(instruction) && findsPosition(instruction)),
  );
  const axis = ordered ? 0 : inner.indexOf(Math.max(...inner));
  const size = inner[axis] as number;
  const work = stages.reduce((sum, { over, body }) => (over === "inner" ? sum + workOfBody(body) : sum), 0);
  const tasks = taskCount(size, (sizeOf(outer) * points * work) / size);
  if (tasks < 2) return undefined;
  const grain = axis === inner.length - 1 ? 16 : 1;
  const length = Math.ceil(size / tasks / grain) * grain;
  return { axis, length, count: Math.floor(size / length), rest: size % length };
}

/** Memory for one number per stretch and outer point, or per outer point. */
class Scratch {
  readonly slots: SlotMemory[];
  bytes = 0;

  constructor(slots: readonly SlotMemory[]) {
    this.slots = [...slots];
  }

  /** The slot of `count` new elements. */
  add(dtype: ComputeDType, count: number): number {
    const slot = this.slots.length;
    this.slots.push({ dtype, pointer: { kind: "scratch", offset: this.bytes }, aliases: slot });
    this.bytes += Math.ceil((count * bytesPerElement(dtype)) / 64) * 64;
    return slot;
  }
}

class Splitter {
  readonly #space: Space;
  readonly #cut: Cut;
  readonly #scratch: Scratch;
  readonly #parts: Space[] = [];
  readonly #dtypes = new Map<Value, ComputeDType>();
  /** All outer instructions so far but the stores, reductions as loads of their results. */
  #before: Instruction[] = [];
  #next: number;

  constructor(space: Space, slots: readonly SlotMemory[], cut: Cut) {
    this.#space = space;
    this.#cut = cut;
    this.#scratch = new Scratch(slots);
    this.#next = 0;
    for (const { body } of space.stages) {
      for (const instruction of body) {
        this.#next = Math.max(this.#next, instruction.id + 1);
        if (instruction.op !== "store") this.#dtypes.set(instruction.id, instruction.dtype);
      }
    }
  }

  split(): { parts: Part[]; scratchBytes: number } {
    const { stages } = this.#space;
    for (let index = 0; index < stages.length; ) {
      const stage = stages[index++] as Stage;
      const outer: Instruction[] = [];
      const inner = stage.over === "inner" ? stage : undefined;
      if (!inner) outer.push(...stage.body);
      while (stages[index]?.over === "outer") outer.push(...(stages[index++] as Stage).body);
      if (inner) this.#innerStage(inner.body, outer);
      else if (outer.some(isStore)) this.#outerKernel([], outer);
      this.#before.push(...outer.filter((instruction) => !isStore(instruction)));
    }
    const { slots, bytes } = this.#scratch;
    const parts = this.#parts.map((space) => ({ space: liveSpace(space), slots }));
    return { parts: parts.filter(({ space }) => space.stages.length > 0), scratchBytes: bytes };
  }

  #outerStrides(inner: number): number[] {
    return [...contiguousStrides(this.#space.outer), ...new Array<number>(inner).fill(0)];
  }

  /** One point of the outer space: the inner variables are the stretches, if there are any. */
  #overOuter(instruction: Instruction, inner: number): Instruction {
    const rank = this.#space.outer.length;
    return mapAffines(instruction, (affine) => ({
      ...affine,
      strides: [...affine.strides.slice(0, rank), ...new Array<number>(inner).fill(0)],
    }));
  }

  #outerKernel(stages: readonly Stage[], body: readonly Instruction[]): void {
    const inner = stages.some(({ over }) => over === "inner") ? [this.#stretches] : [];
    const over = (instructions: readonly Instruction[]): Instruction[] =>
      instructions.map((instruction) => this.#overOuter(instruction, inner.length));
    this.#parts.push({
      outer: this.#space.outer,
      inner,
      stages: [{ over: "outer", body: over(this.#before) }, ...stages, { over: "outer", body: over(body) }],
    });
  }

  get #stretches(): number {
    return this.#cut.count + (this.#cut.rest > 0 ? 1 : 0);
  }

  #innerStage(body: readonly Instruction[], after: readonly Instruction[]): void {
    const points = sizeOf(this.#space.outer);
    const reductions = body.filter(isReduction);
    const partials = reductions.map((reduction) => {
      const dtype = this.#dtypes.get(reduction.value) as ComputeDType;
      return {
        reduction,
        dtype,
        extreme: this.#next++,
        slot: this.#scratch.add(dtype, this.#stretches * points),
        positions: findsPosition(reduction) ? this.#scratch.add("int32", this.#stretches * points) : -1,
      };
    });
    const ends = (strides: readonly number[], offset: number, start: Affine): Instruction[] =>
      partials.flatMap(({ reduction, extreme, slot, positions }): Instruction[] => {
        const at = { offset, strides };
        if (positions < 0) return [{ id: this.#next++, op: "store", slot, at, value: reduction.id }];
        const [first, sum] = [this.#next++, this.#next++];
        return [
          { id: first, op: "index", dtype: "int32", affine: start },
          { id: sum, op: "add", dtype: "int32", args: [first, reduction.id] },
          { id: this.#next++, op: "store", slot, at, value: extreme },
          { id: this.#next++, op: "store", slot: positions, at, value: sum },
        ];
      });
    const extremes = partials.flatMap(({ reduction, extreme, dtype, positions }): Instruction[] =>
      positions < 0
        ? []
        : [{ id: extreme, op: "reduce", dtype, fn: reduction.fn === "argMax" ? "max" : "min", value: reduction.value }],
    );
    this.#stretch([...body, ...extremes], ends);
    if (reductions.length > 0) this.#combine(partials, after);
    else if (after.some(isStore)) this.#outerKernel([], after);
  }

  /** The kernels that go over the stretches. `ends`: what stores the partial results, given the place of a stretch's own. */
  #stretch(
    body: readonly Instruction[],
    ends: (strides: readonly number[], offset: number, start: Affine) => Instruction[],
  ): void {
    const { outer, inner } = this.#space;
    const { axis, length, count, rest } = this.#cut;
    const rank = outer.length;
    const points = sizeOf(outer);
    const below = sizeOf(inner.slice(axis + 1));
    const whole = (affine: Affine): Affine => ({
      ...affine,
      strides: [(affine.strides[rank + axis] as number) * length, ...affine.strides],
    });
    const outside = ({ strides, ...affine }: Affine): Affine => ({ ...affine, strides: [0, ...strides] });
    const none = new Array<number>(rank + inner.length).fill(0);
    const start = { offset: 0, strides: [length * below, ...none] };
    this.#parts.push({
      outer: [count, ...outer],
      inner: inner.with(axis, length),
      stages: [
        { over: "outer", body: this.#before.map((instruction) => mapAffines(instruction, outside)) },
        { over: "inner", body: body.map((instruction) => mapAffines(instruction, whole)) },
        { over: "outer", body: ends([points, ...this.#outerStrides(inner.length)], 0, start) },
      ],
    });
    if (rest === 0) return;
    const past = (affine: Affine): Affine => ({
      ...affine,
      offset: affine.offset + (affine.strides[rank + axis] as number) * length * count,
    });
    this.#parts.push({
      outer,
      inner: inner.with(axis, rest),
      stages: [
        { over: "outer", body: this.#before },
        { over: "inner", body: body.map((instruction) => mapAffines(instruction, past)) },
        {
          over: "outer",
          body: ends(this.#outerStrides(inner.length), points * count, {
            offset: length * below * count,
            strides: none,
          }),
        },
      ],
    });
  }

  /** The kernel that reduces the partial results, keeps the whole ones for later kernels, and does what comes `after`. */
  #combine(
    partials: readonly {
      readonly reduction: Reduction;
      readonly dtype: ComputeDType;
      readonly slot: number;
      readonly positions: number;
    }[],
    after: readonly Instruction[],
  ): void {
    const rank = this.#space.outer.length;
    const points = sizeOf(this.#space.outer);
    const body: Instruction[] = [];
    const found: Instruction[] = [];
    const results: Instruction[] = [];
    const at = { offset: 0, strides: this.#outerStrides(1) };
    for (const { reduction, dtype, slot, positions } of partials) {
      const { id, fn } = reduction;
      const value = this.#next++;
      const along = { ...at, strides: at.strides.with(rank, points) };
      body.push({ id: value, op: "load", dtype, slot, at: along });
      if (positions < 0) body.push({ id, op: "reduce", dtype, fn, value });
      else {
        const stretch = this.#next++;
        body.push({ id: stretch, op: "reduce", dtype: "int32", fn, value });
        const dynamic = [{ value: stretch, stride: points, size: this.#stretches }];
        found.push({ id, op: "load", dtype: "int32", slot: positions, at: { ...at, dynamic } });
      }
      const kept = this.#scratch.add(reduction.dtype, points);
      found.push({ id: this.#next++, op: "store", slot: kept, at, value: id });
      results.push({ id, op: "load", dtype: reduction.dtype, slot: kept, at: this.#resultAt() });
    }
    this.#outerKernel([{ over: "inner", body }], [...found, ...after]);
    this.#before.push(...results);
  }

  /** Over the variables of the kernel that is split. */
  #resultAt(): Affine {
    return { offset: 0, strides: this.#outerStrides(this.#space.inner.length) };
  }
}

/** The kernels to run instead, one after the other; the kernel itself when it is not worth while. */
export function splitReduction(
  space: Space,
  slots: readonly SlotMemory[],
): { parts: readonly Part[]; scratchBytes: number } {
  const whole = { parts: [{ space, slots }], scratchBytes: 0 };
  const cut = cutOf(space);
  if (!cut) return whole;
  const written = writtenSlots(space, slots);
  // Outer stages are computed again in each kernel, so what they load must not change, and they go first.
  const again = space.stages.filter(({ over }) => over === "outer").flatMap(({ body }) => body);
  if (again.some((instruction) => instruction.op === "load" && written[instruction.slot])) return whole;
  return new Splitter(space, slots, cut).split();
}
