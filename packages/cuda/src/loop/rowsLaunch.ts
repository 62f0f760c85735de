/** One launch of a kernel with reductions, as text: see rowsPlan.ts for which thread does what. */
import {
  bytesPerElement,
  type ComputeDType,
  contiguousStrides,
  type Instruction,
  operandsOf,
  type Value,
} from "@thalweg/core/backend";
import {
  type BodyPlace,
  cType,
  type IndexType,
  indexLiteral,
  linear,
  type SlotSource,
  writeBody,
} from "../source/index.ts";
import { decompose } from "./rowsDecompose.ts";
import { Hazards } from "./rowsHazards.ts";
import type { KeptValues } from "./rowsKept.ts";
import { keptBytes, type RowPlan, type RowSpace, workOf } from "./rowsPlan.ts";
import { type CombinePart, isReduction, meetingBytes, meetingName, TeamReduction } from "./rowsReduce.ts";
import type { RowPart } from "./rowsSplit.ts";

/** Memory of a launch beside the Program's buffers. */
export interface RowMemory {
  /** The name of a pointer to `bytes` of scratch memory that all launches of the kernel see, for `key`. */
  scratch(key: string, type: string, bytes: number): string;
  /** The name of a pointer to one counter per block of the grid's first axis. */
  counters(): string;
}

export interface RowSurroundings {
  readonly space: RowSpace;
  readonly plan: RowPlan;
  readonly kept: KeptValues;
  readonly slots: readonly SlotSource[];
  readonly index: IndexType;
  readonly dtypes: ReadonlyMap<Value, ComputeDType>;
  readonly mayAlias: (a: number, b: number) => boolean;
  readonly memory: RowMemory;
}

export class RowLaunch {
  readonly #around: RowSurroundings;
  readonly #lines: string[] = [];
  readonly #known = new Map<Value, readonly string[]>();
  readonly #outerVariables: readonly string[];
  readonly #hazards: Hazards;
  /** Outer points that a group may lack, when groups do not fill the last block. */
  readonly #partial: boolean;
  /** Full strides of a team over its units, and whether some threads have one more. */
  readonly #chunks: number;
  readonly #rest: boolean;
  #prefixes = 0;
  /** Bytes of the memory in which warps meet that hold what some may not have read yet, and the most there are. */
  #meetingUsed = 0;
  #meetingMost = 0;
  sharedBytes = 0;

  constructor(around: RowSurroundings, part: RowPart, last: boolean) {
    this.#around = around;
    const { plan, mayAlias } = around;
    this.#partial = plan.groups % plan.teams !== 0;
    this.#chunks = Math.floor(plan.units / plan.team);
    this.#rest = plan.units % plan.team !== 0;
    const barrier =
      plan.team === 1 ? "" : plan.mode === "rows" && plan.team <= 32 ? "__syncwarp();" : "__syncthreads();";
    this.#hazards = new Hazards(mayAlias, barrier);
    this.#outerVariables = this.#start();
    this.#keepRows();
    for (const value of part.known) this.#recall(value);
    if (part.before.length > 0) this.#outerStage(part.before);
    for (const [index, stage] of part.stages.entries()) {
      if (stage.over === "outer") {
        this.#outerStage(stage.body);
        continue;
      }
      const after = part.stages.slice(index + 1).some(({ body }) => body.some(({ op }) => op === "store"));
      this.#innerStage(stage.body, after, last);
    }
  }

  get text(): string {
    const bytes = this.#meetingMost;
    const meeting = bytes === 0 ? [] : [`__shared__ __align__(16) unsigned char ${meetingName}[${bytes}];`];
    return [...meeting, ...this.#lines].join("\n");
  }

  #write(...lines: readonly string[]): void {
    for (const line of lines) if (line !== "") this.#lines.push(line);
  }

  #prefix(): string {
    return `s${this.#prefixes++}_`;
  }

  /** Names of the thread, its team and the team's row. */
  #start(): string[] {
    const { space, plan, index } = this.#around;
    const { mode, team, teams, groups, width, splits, unitsPerSplit, units } = plan;
    if (mode === "rows") {
      this.#write(
        `const int t = ${teams === 1 ? "threadIdx.x" : team === 1 ? "0" : `threadIdx.x % ${team}`};`,
        teams === 1 ? "" : `const int team = ${team === 1 ? "threadIdx.x" : `threadIdx.x / ${team}`};`,
      );
    } else {
      this.#write(
        `const int t = ${team === 1 ? "0" : `threadIdx.x / ${teams}`};`,
        `const int team = ${team === 1 ? "threadIdx.x" : `threadIdx.x % ${teams}`};`,
      );
    }
    const block = `(${index})blockIdx.x`;
    const first = teams === 1 ? block : `${block} * ${teams} + team`;
    this.#write(`const ${index} group = ${first};`);
    if (this.#partial) {
      const lanes = mode === "columns" ? width : 1;
      this.#write(`const int present = group < ${indexLiteral(groups, index)} ? ${lanes} : 0;`);
    }
    if (splits > 1) {
      const [each, all] = [indexLiteral(unitsPerSplit, index), indexLiteral(units, index)];
      this.#write(
        `const ${index} begin = (${index})blockIdx.y * ${each};`,
        `const ${index} end = begin + ${each} < ${all} ? begin + ${each} : ${all};`,
      );
    }
    const { text, names } = decompose("group", plan.outerOrder, "o", this.#around);
    this.#write(...text);
    return space.outer.map((_size, variable) => names.get(variable) as string);
  }

  #keepRows(): void {
    const { plan, kept } = this.#around;
    if (plan.keep === "nowhere") return;
    const count = (this.#chunks + (this.#rest ? 1 : 0)) * plan.width;
    if (plan.keep === "registers") {
      this.#write(...kept.rows.map(({ dtype }, row) => `${cType(dtype)} k${row}[${count}];`));
      return;
    }
    // Numbers of one thread lie a block's threads apart, so that a warp's lie side by side.
    const bytes = count * plan.team * plan.teams * keptBytes(kept);
    this.sharedBytes = bytes * kept.live;
    this.#write("DYNAMIC_SHARED(dynamic);");
    for (const [row, { dtype, place }] of kept.rows.entries()) {
      const type = cType(dtype);
      this.#write(`${type}* const k${row} = (${type}*)(dynamic + ${place * bytes}) + threadIdx.x;`);
    }
  }

  /** Where a thread keeps a value; `chunk`: the number of its unit, as text. */
  #keptAt(row: number, chunk: string, lane: number): string {
    const { plan } = this.#around;
    const place = plan.width === 1 ? chunk : `${chunk} * ${plan.width} + ${lane}`;
    return plan.keep === "registers" ? `k${row}[${place}]` : `k${row}[(${place}) * ${plan.team * plan.teams}]`;
  }

  /** The result of a reduction of an earlier launch. */
  #recall(value: Value): void {
    const { plan, dtypes, memory, index } = this.#around;
    const type = cType(dtypes.get(value) as ComputeDType);
    const lanes = this.#rowLanes();
    const results = memory.scratch(`result ${value}`, type, plan.groups * lanes * bytesOf(dtypes, value));
    const names = Array.from({ length: lanes }, (_, lane) => `e${value}_${lane}`);
    for (const [lane, name] of names.entries()) {
      const read = `${results}[group * ${indexLiteral(lanes, index)} + ${lane}]`;
      this.#write(`const ${type} ${name} = ${this.#partial ? `present ? ${read} : ${type}(0)` : read};`);
    }
    this.#known.set(value, names);
  }

  /** Rows that a thread works on. */
  #rowLanes(): number {
    const { mode, width } = this.#around.plan;
    return mode === "columns" ? width : 1;
  }

  #outerPlace(): BodyPlace {
    const { space, plan, slots, index } = this.#around;
    return {
      variables: [...this.#outerVariables, ...space.inner.map(() => "0")],
      ...(plan.mode === "columns" && plan.width > 1
        ? { vector: { variable: plan.vector as number, width: plan.width } }
        : {}),
      slots,
      known: this.#known,
      index,
      ...(this.#partial ? { count: "present" } : {}),
    };
  }

  /** All threads of a team compute the values, its first one stores. */
  #outerStage(body: readonly Instruction[]): void {
    for (let from = 0; from < body.length; ) {
      const stores = body[from]?.op === "store";
      let until = from;
      while (until < body.length && (body[until]?.op === "store") === stores) until++;
      const run = body.slice(from, until);
      this.#write(this.#hazards.enter(run, "outer"));
      const text = writeBody(run, this.#outerPlace(), this.#prefix());
      this.#write(stores && this.#around.plan.team > 1 ? `if (t == 0) {\n${text}\n}` : text);
      from = until;
    }
  }

  #innerStage(body: readonly Instruction[], storesAfter: boolean, last: boolean): void {
    const { plan, dtypes } = this.#around;
    const reductions = body
      .filter(isReduction)
      .map((instruction) => new TeamReduction(instruction, dtypes.get(instruction.value) as ComputeDType, plan));
    this.#write(...reductions.map((reduction) => reduction.declare()));
    this.#write(this.#hazards.enter(body, "inner"));
    if (plan.units > 0) this.#overUnits(body, reductions);
    if (plan.splits > 1 && (reductions.length > 0 || storesAfter)) this.#lastBlock(reductions);
    else if (plan.splits === 1) this.#finish(reductions, this.#combine(reductions, "c"));
    if (plan.splits > 1 && !last) this.#leave(reductions);
  }

  /** The loop over the inner space. */
  #overUnits(body: readonly Instruction[], reductions: readonly TeamReduction[]): void {
    const { plan, index } = this.#around;
    const { team, splits } = plan;
    const work = workOf(body) * plan.width;
    if (this.#partial) this.#write("if (present) {");
    const unroll = work <= 12 ? 8 : work <= 48 ? 4 : work <= 160 ? 2 : 1;
    if (splits > 1) {
      this.#write(
        `#pragma unroll ${unroll}`,
        `for (${index} u = begin + t; u < end; u += ${team}) {`,
        this.#unit(body, reductions, ""),
        "}",
      );
    } else {
      const all = plan.keep === "registers" || (this.#chunks <= 8 && this.#chunks * work <= 256);
      const stride = index === "int" ? `${team}` : `${team}LL`;
      const at = (chunk: string): string => `const ${index} u = ${team === 1 ? chunk : `t + ${chunk} * ${stride}`};`;
      if (this.#chunks > 0) {
        this.#write(
          all ? "#pragma unroll" : `#pragma unroll ${unroll}`,
          `for (${index} c = 0; c < ${indexLiteral(this.#chunks, index)}; c++) {`,
          at("c"),
          this.#unit(body, reductions, "c"),
          "}",
        );
      }
      if (this.#rest) {
        const chunk = indexLiteral(this.#chunks, index);
        this.#write(
          "{",
          at(chunk),
          `if (u < ${indexLiteral(plan.units, index)}) {`,
          this.#unit(body, reductions, chunk),
          "}",
          "}",
        );
      }
    }
    if (this.#partial) this.#write("}");
  }

  /** The body at unit `u`; `chunk`: which of the thread's own it is. */
  #unit(body: readonly Instruction[], reductions: readonly TeamReduction[], chunk: string): string {
    const { space, plan, kept, slots, index } = this.#around;
    const { text, names } = decompose("u", plan.innerOrder, "i", this.#around);
    const variables = [
      ...this.#outerVariables,
      ...space.inner.map((_size, axis) => names.get(space.outer.length + axis) ?? "0"),
    ];
    const known = new Map(this.#known);
    const lanes = Array.from({ length: plan.width }, (_, lane) => lane);
    if (plan.keep !== "nowhere") {
      for (const value of valuesUsed(body)) {
        const row = kept.known.get(value);
        if (row !== undefined)
          known.set(
            value,
            lanes.map((lane) => this.#keptAt(row, chunk, lane)),
          );
      }
    }
    const strides = [...space.outer.map(() => 0), ...contiguousStrides(space.inner)];
    const position = linear({ offset: 0, strides }, variables, index);
    const step = plan.mode === "rows" && plan.vector !== undefined ? (strides[plan.vector] as number) : 0;
    const place: BodyPlace = {
      variables,
      ...(plan.width > 1 ? { vector: { variable: plan.vector as number, width: plan.width } } : {}),
      slots,
      known,
      index,
      reduce: (instruction, values) => {
        const reduction = reductions.find((candidate) => candidate.instruction.id === instruction.id) as TeamReduction;
        return reduction.add(values, (lane) => `int(${position}) + ${lane * step}`);
      },
    };
    const written = writeBody(body, place, this.#prefix());
    const keeps: string[] = [];
    if (plan.keep !== "nowhere") {
      for (const { id } of body) {
        const row = kept.kept.get(id);
        if (row === undefined) continue;
        const values = known.get(id) as readonly string[];
        for (const lane of lanes) keeps.push(`${this.#keptAt(row, chunk, lane)} = ${values[lane] ?? values[0]};`);
      }
    }
    return [...text, written, ...keeps].filter((line) => line !== "").join("\n");
  }

  /** Makes one value of each row's accumulators: their names, which all threads of its team have. */
  #combine(reductions: readonly TeamReduction[], suffix: string): string[][] {
    const parts = reductions.map((reduction) => reduction.combine(suffix));
    let waiting: CombinePart[] = [];
    const meet = (): void => {
      if (waiting.some(({ bytes }) => bytes > 0)) {
        this.#write("__syncthreads();");
        this.#hazards.met();
      }
      this.#write(...waiting.map(({ after }) => after));
      waiting = [];
    };
    for (const part of parts.flat()) {
      const bytes = Math.ceil(part.bytes / 16) * 16;
      if (this.#meetingUsed + bytes > meetingBytes) {
        // All have read what lies there before it is written over.
        meet();
        this.#write("__syncthreads();");
        this.#meetingUsed = 0;
      }
      this.#write(part.before(this.#meetingUsed));
      this.#meetingUsed += bytes;
      this.#meetingMost = Math.max(this.#meetingMost, this.#meetingUsed);
      waiting.push(part);
    }
    meet();
    return parts.map((own) => own.map(({ name }) => name));
  }

  /** The results become values that later stages see. */
  #finish(reductions: readonly TeamReduction[], names: readonly (readonly string[])[]): void {
    for (const [index, reduction] of reductions.entries()) {
      const { instruction } = reduction;
      const results = (names[index] as string[]).map((name) => reduction.result(name));
      const bound = results.map((_result, lane) => `v${instruction.id}_${lane}`);
      const type = cType(instruction.dtype);
      this.#write(...results.map((result, lane) => `const ${type} ${bound[lane]} = ${result};`));
      this.#known.set(instruction.id, bound);
    }
  }

  /** Leaves the block's partial results; the last block of a row goes on with those of all. */
  #lastBlock(reductions: readonly TeamReduction[]): void {
    const { plan, memory, index } = this.#around;
    const { splits, groups, mode, team } = plan;
    const lanes = this.#rowLanes();
    const place = (split: string, lane: number): string =>
      mode === "rows"
        ? `group * ${indexLiteral(splits, index)} + ${split}`
        : `${split} * ${indexLiteral(groups * lanes, index)} + group * ${lanes} + ${lane}`;
    const own = this.#combine(reductions, "p");
    const partials = reductions.map((reduction) =>
      memory.scratch(`partial ${reduction.instruction.id}`, reduction.type, splits * groups * lanes * reduction.bytes),
    );
    const first = [...(team > 1 ? ["t == 0"] : []), ...(this.#partial ? ["present"] : [])].join(" && ");
    this.#write(first === "" ? "{" : `if (${first}) {`);
    for (const [number, partial] of partials.entries()) {
      for (const [lane, name] of (own[number] as string[]).entries())
        this.#write(`${partial}[${place(`(${index})blockIdx.y`, lane)}] = ${name};`);
    }
    this.#write("}", `if (!isLastBlock(${memory.counters()} + blockIdx.x, ${splits}u)) return;`);
    this.#hazards.met();
    if (reductions.length === 0) return;
    this.#write(...reductions.map((reduction) => reduction.reset()));
    if (this.#partial) this.#write("if (present) {");
    this.#write(`for (int s = t; s < ${splits}; s += ${team}) {`);
    for (const [number, reduction] of reductions.entries()) {
      for (let lane = 0; lane < lanes; lane++) {
        const read = `readPartial(${partials[number]} + ${place("s", lane)})`;
        this.#write(reduction.addTo(reduction.accumulator(lane), read));
      }
    }
    this.#write("}");
    if (this.#partial) this.#write("}");
    this.#finish(reductions, this.#combine(reductions, "f"));
  }

  /** For later launches. */
  #leave(reductions: readonly TeamReduction[]): void {
    const { plan, dtypes, memory, index } = this.#around;
    const lanes = this.#rowLanes();
    for (const { instruction } of reductions) {
      const type = cType(instruction.dtype);
      const results = memory.scratch(
        `result ${instruction.id}`,
        type,
        plan.groups * lanes * bytesOf(dtypes, instruction.id),
      );
      const tests = [...(plan.team > 1 ? ["t == 0"] : []), ...(this.#partial ? ["present"] : [])].join(" && ");
      const stores = (this.#known.get(instruction.id) as readonly string[])
        .map((name, lane) => `${results}[group * ${indexLiteral(lanes, index)} + ${lane}] = ${name};`)
        .join("\n");
      this.#write(tests === "" ? stores : `if (${tests}) {\n${stores}\n}`);
    }
  }
}

const bytesOf = (dtypes: ReadonlyMap<Value, ComputeDType>, value: Value): number =>
  bytesPerElement(dtypes.get(value) as ComputeDType);

const valuesUsed = (body: readonly Instruction[]): Set<Value> => new Set(body.flatMap(operandsOf));
