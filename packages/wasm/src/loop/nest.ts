/** Writes the loops of one loop kernel and the bodies inside them. */
import {
  type ComputeDType,
  contiguousStrides,
  type SharedValues,
  type Stage,
  sizeOf,
  type Value,
} from "@thalweg/core/backend";
import { valueOfAffine } from "../body/affine.ts";
import { laneNumbers } from "../body/condition.ts";
import {
  type BodyHooks,
  type Located,
  type Point,
  type Reduction,
  Scope,
  type Surroundings,
  type Variable,
  writeBody,
} from "../body/index.ts";
import { type FunctionBuilder, type I32, i32, type Local } from "../emit/index.ts";
import type { Part, Vector } from "../lanes/index.ts";
import { exponentialsBelowMaximum, writeExponential } from "./belowMaximum.ts";
import { copiesFor, type Plan } from "./plan.ts";
import { Accumulator } from "./reductions.ts";
import { ScratchRows } from "./rows.ts";
import type { Space } from "./space.ts";
import { workOfBody } from "./work.ts";

export interface NestSpec {
  readonly space: Space;
  readonly plan: Plan;
  readonly surroundings: Surroundings;
  readonly shared: SharedValues;
  /** The thread's memory, where there are shared values. */
  readonly thread: Local<"i32"> | undefined;
  /** Number of the task. */
  readonly task: Local<"i32">;
}

/** One of the outer points, or vectors of outer points, that are handled together. */
interface Copy {
  readonly variables: readonly Variable[];
  readonly values: Map<Value, Located>;
  readonly vector: number;
  readonly count: number;
}

/** Elements of a row from which on sums are kept in several parts, whatever the body costs, for their accuracy. */
const longRow = 2048;

const none: Variable = { base: undefined, add: 0, depth: 0, size: 1 };
const last = (scopes: readonly Scope[]): Scope => scopes[scopes.length - 1] as Scope;

export class Nest {
  readonly #spec: NestSpec;
  readonly #f: FunctionBuilder;
  /** Elements of a vector. */
  readonly #width: number;
  /** Lanes lie along the last inner variable. */
  readonly #alongRows: boolean;
  readonly #rows: ScratchRows | undefined;
  readonly #dtypes = new Map<Value, ComputeDType>();
  /** Exponentials of what is not above 0, and their operands. */
  readonly #ofAtMostZero: ReadonlyMap<Value, Value>;
  /** First and last unit of this task. */
  #from: I32 = 0;
  #to: I32 = 0;

  constructor(spec: NestSpec) {
    this.#spec = spec;
    const { space, plan, surroundings, thread } = spec;
    this.#f = surroundings.lanes.f;
    this.#width = surroundings.lanes.count;
    for (const { body } of space.stages) {
      for (const instruction of body)
        if (instruction.op !== "store") this.#dtypes.set(instruction.id, instruction.dtype);
    }
    this.#ofAtMostZero = exponentialsBelowMaximum(space, (slot) => surroundings.slots[slot]?.written ?? true);
    this.#alongRows = plan.vector >= space.outer.length;
    if (thread) {
      const width = this.#alongRows ? 1 : this.#width;
      this.#rows = new ScratchRows(thread, space.outer.length, space.inner, width, plan.copies);
    }
  }

  write(): void {
    const scope = new Scope(this.#f);
    const variables = this.#spec.space.outer.map(() => none);
    this.#outer(0, [scope], [{ variables, values: new Map(), vector: -1, count: 1 }]);
  }

  /** Even shares of `units` for the tasks; the first ones take one more where that does not come out even. */
  #share(units: number): void {
    const { tasks } = this.#spec.plan;
    const { task } = this.#spec;
    const [each, more] = [Math.floor(units / tasks), units % tasks];
    const f = this.#f;
    const before = more === 0 ? i32.const(0) : i32.select(i32.ltS(task, more), task, more);
    this.#from = f.let(i32.add(i32.mul(task, each), before));
    this.#to = f.let(i32.add(this.#from, more === 0 ? each : i32.add(i32.ltS(task, more), each)));
  }

  /** The loops of outer variables from the one at `level` of the plan's order on. */
  #outer(level: number, scopes: readonly Scope[], copies: readonly Copy[]): void {
    const { outer } = this.#spec.space;
    const { plan } = this.#spec;
    const variable = plan.order[level];
    if (variable === undefined) {
      this.#stages(scopes, copies);
      return;
    }
    const size = outer[variable] as number;
    const cut = variable === plan.taskVariable && plan.tasks > 1;
    if (variable === plan.vector) {
      this.#along(scopes, size, plan.copies, cut, (inside, starts, count) => {
        const [{ variables, values }] = copies as [Copy];
        const vectors = starts.map(
          (start): Copy => ({
            variables: variables.with(variable, start),
            values: new Map(values),
            vector: variable,
            count,
          }),
        );
        this.#outer(level + 1, inside, vectors);
      });
      return;
    }
    if (cut) last(scopes).emit(() => this.#share(size));
    this.#loop(scopes, cut ? this.#from : 0, cut ? this.#to : size, 1, size, (inside, moving) => {
      const next = copies.map((copy) => ({
        ...copy,
        variables: copy.variables.with(variable, moving),
        values: new Map(copy.values),
      }));
      this.#outer(level + 1, inside, next);
    });
  }

  /** One loop. `size`: of its variable, whatever part of it is gone through. */
  #loop(
    scopes: readonly Scope[],
    from: I32,
    to: I32,
    step: number,
    size: number,
    body: (inside: readonly Scope[], variable: Variable) => void,
  ): void {
    last(scopes).nested((inside) => {
      const base = this.#f.local("i32");
      this.#f.for(base, from, to, step, () => body([...scopes, inside], { base, add: 0, depth: inside.depth, size }));
    });
  }

  /**
   * Vectors along a variable of `size`: `copies` at once while there are so many, then single ones, then one that is not
   * whole. With `cut`, whole groups are shared among the tasks and the last one does the rest.
   */
  #along(
    scopes: readonly Scope[],
    size: number,
    copies: number,
    cut: boolean,
    body: (inside: readonly Scope[], starts: readonly Variable[], count: number) => void,
  ): void {
    const width = this.#width;
    const unit = width * copies;
    const units = Math.floor(size / unit);
    const whole = units * unit;
    const scope = last(scopes);
    const fixed = (at: number, depth: number): Variable => ({ base: undefined, add: at, depth, size });
    const group = (start: Variable): Variable[] =>
      Array.from({ length: copies }, (_, index) => ({ ...start, add: start.add + index * width }));
    if (cut) {
      scope.emit(() => this.#share(units));
      const [from, to] = [this.#f.let(i32.mul(this.#from, unit)), this.#f.let(i32.mul(this.#to, unit))];
      this.#loop(scopes, from, to, unit, size, (inside, start) => body(inside, group(start), width));
    } else if (units === 1) body(scopes, group(fixed(0, scope.depth)), width);
    else if (units > 1) {
      this.#loop(scopes, 0, whole, unit, size, (inside, start) => body(inside, group(start), width));
    }
    const single = Math.floor((size - whole) / width);
    const left = size % width;
    if (single === 0 && left === 0) return;
    const rest = (around: readonly Scope[]): void => {
      const end = size - left;
      if (single === 1) body(around, [fixed(whole, last(around).depth)], width);
      else if (single > 1) {
        this.#loop(around, whole, end, width, size, (inside, start) => body(inside, [start], width));
      }
      if (left > 0) body(around, [fixed(end, last(around).depth)], left);
    };
    if (!cut) rest(scopes);
    else {
      const { task, plan } = this.#spec;
      scope.nested((inside) => this.#f.if(i32.eq(task, plan.tasks - 1), () => rest([...scopes, inside])));
    }
  }

  #stages(scopes: readonly Scope[], copies: readonly Copy[]): void {
    const { stages, inner } = this.#spec.space;
    if (this.#spec.plan.unrollInner) {
      for (const copy of copies) {
        for (const stage of stages) {
          if (stage.over === "outer") this.#point(stage, scopes, copy);
          else this.#unrolled(stage, scopes, copy);
        }
      }
      return;
    }
    for (const stage of stages) {
      if (stage.over === "outer") for (const copy of copies) this.#point(stage, scopes, copy);
      else if (sizeOf(inner) === 0) for (const copy of copies) this.#unrolled(stage, scopes, copy);
      else this.#inner(stage, scopes, copies);
    }
  }

  /** An outer stage. */
  #point(stage: Stage, scopes: readonly Scope[], { variables, values, vector, count }: Copy): void {
    const { surroundings, space } = this.#spec;
    const all = [...variables, ...space.inner.map(() => none)];
    writeBody({ surroundings, scopes, variables: all, values, vector, count }, stage.body);
  }

  /** Values of finished reductions come in sight of later stages. */
  #finish(
    accumulators: ReadonlyMap<Value, Accumulator>,
    scopes: readonly Scope[],
    { values, vector }: Copy,
    acrossLanes: boolean,
  ): void {
    for (const [id, accumulator] of accumulators) {
      values.set(id, { vector: accumulator.finish(acrossLanes), depth: last(scopes).depth, varies: vector >= 0 });
    }
  }

  #reductionsOf(stage: Stage): Reduction[] {
    return stage.body.filter((instruction): instruction is Reduction => instruction.op === "reduce");
  }

  #accumulator(reduction: Reduction, sets: number): Accumulator {
    const { code, lanes } = this.#spec.surroundings;
    return new Accumulator(code, lanes, reduction, this.#dtypes.get(reduction.value) as ComputeDType, sets);
  }

  #accumulators(stage: Stage, sets: number): Map<Value, Accumulator> {
    return new Map(this.#reductionsOf(stage).map((reduction) => [reduction.id, this.#accumulator(reduction, sets)]));
  }

  /** An inner stage with every iteration written out. */
  #unrolled(stage: Stage, scopes: readonly Scope[], copy: Copy): void {
    const { surroundings, space } = this.#spec;
    const { inner } = space;
    const { lanes } = surroundings;
    const accumulators = this.#accumulators(stage, 1);
    const strides = contiguousStrides(inner);
    const points = sizeOf(inner);
    for (let position = 0; position < points; position++) {
      const fixed = inner.map(
        (size, axis): Variable => ({
          base: undefined,
          add: Math.floor(position / (strides[axis] as number)) % size,
          depth: 0,
          size,
        }),
      );
      const point: Point = {
        surroundings,
        scopes,
        variables: [...copy.variables, ...fixed],
        values: new Map(copy.values),
        vector: copy.vector,
        count: copy.count,
      };
      writeBody(point, stage.body, {
        reduce: (reduction, { vector }) => {
          const accumulator = accumulators.get(reduction.id) as Accumulator;
          const at = accumulator.findsPosition ? lanes.i32.constant(position) : undefined;
          accumulator.take(0, vector, lanes.count, at);
        },
      });
    }
    this.#finish(accumulators, scopes, copy, false);
  }

  /** An inner stage with its loops. */
  #inner(stage: Stage, scopes: readonly Scope[], copies: readonly Copy[]): void {
    const { inner, outer } = this.#spec.space;
    const axis = inner.length - 1;
    const size = inner[axis] as number;
    const sets = this.#alongRows ? this.#setsFor(stage, size) : 1;
    const accumulators = copies.map(() => this.#accumulators(stage, sets));

    const nest = (around: readonly Scope[], variables: readonly Variable[]): void => {
      const level = variables.length;
      if (level < axis) {
        const count = inner[level] as number;
        this.#loop(around, 0, count, 1, count, (inside, variable) => nest(inside, [...variables, variable]));
      } else if (this.#alongRows) {
        const [copy] = copies as [Copy];
        this.#along(around, size, sets, false, (inside, starts, count) => {
          for (const [set, start] of starts.entries()) {
            const along = { ...copy, vector: outer.length + axis, count };
            this.#innerPoint(
              stage,
              inside,
              along,
              [...variables, start],
              accumulators[0] as Map<Value, Accumulator>,
              set,
              0,
            );
          }
        });
      } else {
        this.#loop(around, 0, size, 1, size, (inside, variable) => {
          for (const [index, copy] of copies.entries()) {
            const mine = accumulators[index] as Map<Value, Accumulator>;
            this.#innerPoint(stage, inside, copy, [...variables, variable], mine, 0, index);
          }
        });
      }
    };
    nest(scopes, []);
    for (const [index, copy] of copies.entries()) {
      this.#finish(accumulators[index] as Map<Value, Accumulator>, scopes, copy, this.#alongRows);
    }
  }

  /** How many vectors of a row are handled at once, each with accumulators of its own. */
  #setsFor(stage: Stage, size: number): number {
    const work = workOfBody(stage.body);
    const long = this.#reductionsOf(stage).length > 0 && size >= longRow;
    return Math.max(1, Math.min(long ? 4 : copiesFor(work), Math.floor(size / this.#width)));
  }

  #innerPoint(
    stage: Stage,
    scopes: readonly Scope[],
    copy: Copy,
    inner: readonly Variable[],
    accumulators: ReadonlyMap<Value, Accumulator>,
    set: number,
    index: number,
  ): void {
    const { surroundings, space, shared } = this.#spec;
    const { lanes } = surroundings;
    const { vector, count } = copy;
    const variables = [...copy.variables, ...inner];
    const point: Point = { surroundings, scopes, variables, values: new Map(copy.values), vector, count };
    const position = (): Part => {
      const strides = [...copy.variables.map(() => 0), ...contiguousStrides(space.inner)];
      const at = valueOfAffine(point, { offset: 0, strides }, false);
      const numbers = laneNumbers(lanes, at.add, this.#alongRows ? 1 : 0);
      return lanes.f.let(at.base ? lanes.i32.add(lanes.splat32(at.base), numbers) : numbers);
    };
    const rows = this.#rows;
    const keep = (id: Value, value: Vector): void => {
      const row = shared.kept.get(id);
      if (row !== undefined) rows?.store(point, row, index, value);
    };
    const hooks: BodyHooks = {
      reduce: (reduction, value) => {
        const accumulator = accumulators.get(reduction.id) as Accumulator;
        const exist = this.#alongRows ? count : lanes.count;
        accumulator.take(set, value.vector, exist, accumulator.findsPosition ? position() : undefined);
      },
      known: (instruction) => {
        const { id } = instruction;
        const row = shared.known.get(id);
        if (row !== undefined && rows && instruction.op !== "store") {
          return { vector: rows.load(point, row, index, instruction.dtype), depth: last(scopes).depth, varies: true };
        }
        const operand = this.#ofAtMostZero.get(id);
        const value = operand === undefined ? undefined : writeExponential(point, operand);
        if (value) keep(id, value.vector);
        return value;
      },
      computed: ({ id }, { vector }) => keep(id, vector),
    };
    writeBody(point, stage.body, hooks);
  }
}
