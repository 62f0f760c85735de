/** Writes the loops of one loop kernel. */
import {
  contiguousStrides,
  type Instruction,
  type LoopKernel,
  type SharedValues,
  type Stage,
  type Value,
} from "@thalweg/core/backend";
import { emitInstruction, type Slot } from "../instructions.ts";
import { PhasedLoop } from "../phases.ts";
import { type Located, Place, type Variable } from "../place.ts";
import { constantTerm } from "../scalarSource.ts";
import type { Names, Scope } from "../scope.ts";
import {
  type Accumulator,
  accumulate,
  branchesOnValues,
  declare,
  emptyValue,
  extremeOfFew,
  findsPosition,
  type Reduction,
  result,
} from "./reductions.ts";
import { innerCopies, product, type Strategy } from "./strategy.ts";

export interface NestSpec extends Pick<LoopKernel, "outer" | "inner" | "stages"> {
  readonly label: string;
  readonly slots: readonly Slot[];
  readonly live: ReadonlySet<Value>;
  readonly strategy: Strategy;
  readonly shared: SharedValues;
  /** JavaScript names of the scratch rows. */
  readonly rows: readonly string[];
  /** Expression of the size of the only outer loop, when it is not a constant. */
  readonly size: string | undefined;
}

/** One copy of the body for one of the outer iterations that are handled together. */
interface Lane {
  readonly index: number;
  readonly variables: readonly Variable[];
  readonly values: Map<Value, Located>;
}

export class Nest {
  readonly #spec: NestSpec;
  readonly #names: Names;
  /** Whether some inner loop is a real one, so that outer loops hold nothing but bookkeeping. */
  readonly #loopsInside: boolean;
  readonly #points: number;

  constructor(spec: NestSpec, names: Names) {
    this.#spec = spec;
    this.#names = names;
    this.#points = product(spec.inner);
    this.#loopsInside =
      spec.inner.length > 0 && !spec.strategy.unrollInner && spec.stages.some((stage) => stage.over === "inner");
  }

  emit(scope: Scope): void {
    this.#outer(0, [scope], [{ index: 0, variables: [], values: new Map() }]);
  }

  /** The loops of outer variables from `variable` on. */
  #outer(variable: number, scopes: readonly Scope[], lanes: readonly Lane[], phased?: PhasedLoop): void {
    const { outer, strategy } = this.#spec;
    const loops = outer.length - strategy.unrollOuter;
    if (variable === outer.length) {
      this.#stages(scopes, lanes, phased);
      return;
    }
    const size = outer[variable] as number;
    if (variable >= loops) {
      const copies = Array.from({ length: size }, (_, add) => add).flatMap((add) =>
        lanes.map((lane) => ({
          index: 0,
          variables: [...lane.variables, { text: undefined, add, depth: 0, size }],
          values: new Map(lane.values),
        })),
      );
      this.#outer(variable + 1, scopes, copies, phased);
      return;
    }
    const parent = scopes.at(-1) as Scope;
    const copies = strategy.jam?.variable === variable ? strategy.jam.lanes : 1;
    const whole = size - (size % copies);
    const pass = (from: number, to: string, step: number) => {
      const name = this.#names.fresh("i");
      const innermost = variable === loops - 1 && !this.#loopsInside && step === 1 && from === 0;
      const loop = innermost ? new PhasedLoop(name, to, this.#names) : undefined;
      const body = parent.child();
      const inside = Array.from({ length: step }, (_, add) => add).flatMap((add) =>
        lanes.map((lane) => ({
          index: lane.index * step + add,
          variables: [
            ...lane.variables,
            { text: name, add, depth: scopes.length, size: this.#spec.size ? Number.POSITIVE_INFINITY : size },
          ],
          values: new Map(lane.values),
        })),
      );
      this.#outer(variable + 1, [...scopes, body], inside, loop);
      parent.push(
        loop
          ? loop.text(body.text())
          : `for (let ${name} = ${from}; ${name} < ${to}; ${name} += ${step}) {\n${body.text()}\n}`,
      );
    };
    if (whole > 0) pass(0, this.#spec.size ?? `${whole}`, copies);
    if (whole < size) pass(whole, `${size}`, 1);
  }

  #stages(scopes: readonly Scope[], lanes: readonly Lane[], phased: PhasedLoop | undefined): void {
    const innerRank = this.#spec.inner.length;
    const none: Variable = { text: undefined, add: 0, depth: 0, size: 1 };
    for (const stage of this.#spec.stages) {
      if (stage.over === "outer") {
        for (const lane of lanes) {
          const variables = [...lane.variables, ...new Array<Variable>(innerRank).fill(none)];
          this.#body(stage, new Place(scopes, variables, lane.values, this.#names, this.#spec.label, phased));
        }
      } else if (this.#points === 0) {
        for (const lane of lanes) this.#empty(stage, lane);
      } else if (innerRank === 0 || this.#spec.strategy.unrollInner) {
        for (const lane of lanes) this.#unrolled(stage, scopes, lane, phased);
      } else {
        this.#inner(stage, scopes, lanes);
      }
    }
  }

  #live(stage: Stage): Instruction[] {
    return stage.body.filter((instruction) => this.#spec.live.has(instruction.id));
  }

  /** Everything of a stage but its reductions, which are handed to `reduce`. */
  #body(
    stage: Stage,
    place: Place,
    reduce?: (reduction: Reduction, value: Located) => void,
    row?: { lane: number; at: string },
  ): void {
    const { slots, shared, rows } = this.#spec;
    for (const instruction of this.#live(stage)) {
      if (instruction.op === "reduce") {
        reduce?.(instruction, place.value(instruction.value));
        continue;
      }
      const element = (index: number) =>
        `${rows[index]}[${row?.at}${row?.lane ? ` + ${row.lane * this.#points}` : ""}]`;
      const known = row === undefined ? undefined : shared.known.get(instruction.id);
      if (known !== undefined && "dtype" in instruction) {
        const text = place.innermost.compute(element(known), "v");
        place.values.set(instruction.id, { text, dtype: instruction.dtype, exact: false, depth: place.depth });
        continue;
      }
      const value = emitInstruction(instruction, slots, place, undefined);
      if (value === undefined) continue;
      place.values.set(instruction.id, value);
      const kept = row === undefined ? undefined : shared.kept.get(instruction.id);
      if (kept !== undefined) place.innermost.push(`${element(kept)} = ${value.text};`);
    }
  }

  #reductions(stage: Stage): Reduction[] {
    return this.#live(stage).filter((instruction): instruction is Reduction => instruction.op === "reduce");
  }

  #accumulators(stage: Stage, parts: number): Map<Value, Accumulator> {
    return new Map(
      this.#reductions(stage).map((reduction) => [
        reduction.id,
        {
          reduction,
          parts: Array.from({ length: parts }, () => this.#names.fresh("r")),
          position: findsPosition(reduction) ? this.#names.fresh("q") : undefined,
        },
      ]),
    );
  }

  /** Values of finished reductions, in sight of later stages. */
  #finish(accumulators: ReadonlyMap<Value, Accumulator>, scope: Scope, lane: Lane, depth: number): void {
    for (const [value, accumulator] of accumulators) {
      const { dtype } = accumulator.reduction;
      const text = scope.compute(result(accumulator), "v");
      lane.values.set(value, { text, dtype, exact: dtype !== "float32", depth });
    }
  }

  #empty(stage: Stage, lane: Lane): void {
    for (const reduction of this.#reductions(stage)) {
      lane.values.set(reduction.id, { ...constantTerm(reduction.dtype, emptyValue(reduction)), depth: 0 });
    }
  }

  #unrolled(stage: Stage, scopes: readonly Scope[], lane: Lane, phased: PhasedLoop | undefined): void {
    const { inner, label } = this.#spec;
    const scope = scopes.at(-1) as Scope;
    const accumulators = this.#accumulators(stage, 1);
    for (const accumulator of accumulators.values()) scope.push(declare(accumulator));
    const strides = contiguousStrides(inner);
    const few = new Map<Value, Located[]>();
    for (let point = 0; point < this.#points; point++) {
      const fixed = inner.map((size, axis) => ({
        text: undefined,
        add: Math.floor(point / (strides[axis] as number)) % size,
        depth: 0,
        size,
      }));
      const place = new Place(scopes, [...lane.variables, ...fixed], new Map(lane.values), this.#names, label, phased);
      this.#body(stage, place, (reduction, value) => {
        const accumulator = accumulators.get(reduction.id) as Accumulator;
        if (!branchesOnValues(reduction, value)) scope.push(accumulate(accumulator, 0, value, `${point}`));
        else few.set(reduction.id, [...(few.get(reduction.id) ?? []), value]);
      });
    }
    for (const [id, values] of few) {
      const pair = (scopes[0] as Scope).define("$pair()", "t");
      extremeOfFew(accumulators.get(id) as Accumulator, values, scope, pair);
    }
    this.#finish(accumulators, scope, lane, scopes.length - 1);
  }

  #inner(stage: Stage, scopes: readonly Scope[], lanes: readonly Lane[]): void {
    const { inner, outer, label } = this.#spec;
    const outside = scopes.at(-1) as Scope;
    const last = inner.length - 1;
    const size = inner[last] as number;
    const copies = lanes.length > 1 ? 1 : innerCopies(this.#live(stage), outer.length + last, size);
    const accumulators = lanes.map(() => this.#accumulators(stage, copies));
    for (const each of accumulators) for (const accumulator of each.values()) outside.push(declare(accumulator));
    const strides = contiguousStrides(inner);

    const nest = (inside: readonly Scope[], variables: readonly Variable[]): void => {
      const axis = variables.length;
      const parent = inside.at(-1) as Scope;
      const depth = inside.length;
      const count = inner[axis] as number;
      const name = this.#names.fresh("j");
      if (axis < last) {
        const body = parent.child();
        nest([...inside, body], [...variables, { text: name, add: 0, depth, size: count }]);
        parent.push(`for (let ${name} = 0; ${name} < ${count}; ${name}++) {\n${body.text()}\n}`);
        return;
      }
      const pass = (from: number, to: number, step: number): void => {
        const body = parent.child();
        const loop = step === 1 && from === 0 ? new PhasedLoop(name, `${to}`, this.#names) : undefined;
        for (const [which, lane] of lanes.entries()) {
          for (let add = 0; add < step; add++) {
            const all = [...lane.variables, ...variables, { text: name, add, depth, size: count }];
            const place = new Place([...inside, body], all, new Map(lane.values), this.#names, label, loop);
            // Row-major position in the inner space, for argMax and for scratch rows.
            const zeros = lane.variables.map(() => 0);
            const at = (): string => place.affine({ offset: 0, strides: [...zeros, ...strides] }, "never").text;
            const mine = accumulators[which] as Map<Value, Accumulator>;
            const usesRows = this.#spec.rows.length > 0;
            this.#body(
              stage,
              place,
              (reduction, value) => {
                const accumulator = mine.get(reduction.id) as Accumulator;
                body.push(accumulate(accumulator, add, value, accumulator.position === undefined ? "" : at()));
              },
              usesRows ? { lane: lane.index, at: at() } : undefined,
            );
          }
        }
        parent.push(
          loop
            ? loop.text(body.text())
            : `for (let ${name} = ${from}; ${name} < ${to}; ${name} += ${step}) {\n${body.text()}\n}`,
        );
      };
      const whole = count - (count % copies);
      if (whole > 0) pass(0, whole, copies);
      if (whole < count) pass(whole, count, 1);
    };
    nest(scopes, []);
    lanes.forEach((lane, which) => {
      this.#finish(accumulators[which] as Map<Value, Accumulator>, outside, lane, scopes.length - 1);
    });
  }
}
