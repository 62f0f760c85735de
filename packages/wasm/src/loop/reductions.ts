/** Reductions on vectors: how an accumulator starts, takes values, joins others, and ends as one value. */
import { type BinaryOp, type ComputeDType, type ReduceOp, reduceIdentity } from "@thalweg/core/backend";
import type { Reduction } from "../body/index.ts";
import type { Code } from "../code.ts";
import { i32x4, type Local, shuffle32, type V128 } from "../emit/index.ts";
import type { Lanes, Part, Vector } from "../lanes/index.ts";
import { binaryOperation, castOperation, constantVector, unaryOperation, whereOperation } from "../operations/index.ts";

const combining: Readonly<Record<"sum" | "prod" | "max" | "min", BinaryOp>> = {
  sum: "add",
  prod: "mul",
  max: "maximum",
  min: "minimum",
};

/** A value on its way, and for argMax and argMin where it comes from. */
export interface Running {
  readonly value: Vector;
  readonly position: Part | undefined;
  /** Lanes that met a NaN, where `value` knows nothing of it. */
  readonly nan?: Local;
}

export class Accumulator {
  readonly reduction: Reduction;
  readonly #code: Code;
  readonly #lanes: Lanes;
  /** Of the values that are compared or added; bools that are searched count as numbers. */
  readonly #dtype: ComputeDType;
  readonly #sets: Running[];

  /** `dtype`: of the values. `sets`: accumulators that take turns, so that additions need not wait for one another. */
  constructor(code: Code, lanes: Lanes, reduction: Reduction, dtype: ComputeDType, sets: number) {
    this.reduction = reduction;
    this.#code = code;
    this.#lanes = lanes;
    this.#dtype = this.findsPosition && dtype === "bool" ? "int32" : dtype;
    const { f } = lanes;
    const identity = this.#identity();
    this.#sets = Array.from({ length: sets }, () => {
      const parts = identity.parts.map((part) => {
        const local = f.local(part.type);
        f.set(local, part);
        return local;
      });
      let position: Local | undefined;
      if (this.findsPosition) {
        const zero = lanes.i32.constant(0);
        position = f.local(zero.type);
        f.set(position, zero);
      }
      if (!this.#skipsNaN) return { value: { dtype: this.#dtype, parts }, position };
      const nan = f.local("v128");
      f.set(nan, lanes.mask.constant(false) as V128);
      return { value: { dtype: this.#dtype, parts }, position, nan };
    });
  }

  get findsPosition(): boolean {
    return this.reduction.fn === "argMax" || this.reduction.fn === "argMin";
  }

  /** A minimum that passes NaN on takes eight instructions on x86, one that does not and a mask of its own take three. */
  get #skipsNaN(): boolean {
    const { fn } = this.reduction;
    return this.#dtype === "float32" && (fn === "max" || fn === "min") && this.#lanes.count > 1;
  }

  #identity(): Vector {
    const { fn } = this.reduction;
    const like: ReduceOp = fn === "argMax" ? "max" : fn === "argMin" ? "min" : fn;
    return constantVector(this.#lanes, this.#dtype, reduceIdentity(like, this.#dtype));
  }

  /** `value` in the lanes below `count`, what changes nothing in the others. */
  #existing(value: Vector, count: number): Vector {
    const lanes = this.#lanes;
    if (count >= lanes.count) return value;
    const exists = lanes.f.constant(i32x4.const([0, 1, 2, 3].map((lane) => (lane < count ? -1 : 0))));
    return whereOperation(lanes, { dtype: "bool", parts: [exists] }, value, this.#identity());
  }

  /** Takes the first `count` lanes of `value`. `position`: of each lane, for argMax and argMin. */
  take(set: number, value: Vector, count: number, position: Part | undefined): void {
    const into = this.#sets[set % this.#sets.length] as Running;
    const number = this.#dtype === value.dtype ? value : castOperation(this.#code, this.#lanes, this.#dtype, value);
    const next = { value: this.#existing(number, count), position };
    if (into.nan) {
      this.#takeNumbers(into.value.parts[0] as Local, into.nan, next.value.parts[0] as Part);
      return;
    }
    this.#assign(into, this.findsPosition ? this.#moreExtreme(into, next, false) : this.#combined(into, next));
  }

  /** Which of two zeros is kept is not said: they are equal. */
  #takeNumbers(value: Local, nan: Local, next: Part): void {
    const { f, f32, mask } = this.#lanes;
    f.set(value, this.reduction.fn === "max" ? f32.pmax(value, next) : f32.pmin(value, next));
    f.set(nan, mask.or(nan, f32.ne(next, next)));
  }

  /** The accumulators together, NaN where one met a NaN. */
  #joinedNumbers(): Running {
    const { f, f32, mask } = this.#lanes;
    const extreme = this.reduction.fn === "max" ? f32.pmax : f32.pmin;
    const value = this.#sets.map((set) => set.value.parts[0] as Part).reduce((a, b) => f.let(extreme(a, b)));
    const nan = this.#sets.map((set) => set.nan as Part).reduce((a, b) => f.let(mask.or(a, b)));
    const parts = [f.let(f32.select(nan, f32.constant(Number.NaN), value))];
    return { value: { dtype: "float32", parts }, position: undefined };
  }

  #assign(into: Running, from: Running): void {
    const { f } = this.#lanes;
    for (const [index, part] of from.value.parts.entries()) f.set(into.value.parts[index] as Local, part);
    if (into.position && from.position) f.set(into.position as Local, from.position);
  }

  #combined(a: Running, b: Running): Running {
    const op = combining[this.reduction.fn as keyof typeof combining];
    return { value: binaryOperation(this.#code, this.#lanes, op, a.value, b.value), position: undefined };
  }

  /**
   * The more extreme of two, lane by lane; a NaN is most. Of equals the first: `a`, or when they come `inAnyOrder`, the one
   * of the smaller position.
   */
  #moreExtreme(a: Running, b: Running, inAnyOrder: boolean): Running {
    const [code, lanes] = [this.#code, this.#lanes];
    const { mask, f } = lanes;
    const test = (op: BinaryOp, x: Vector, y: Vector): Part => binaryOperation(code, lanes, op, x, y).parts[0] as Part;
    const nan = ({ value }: Running): Part => unaryOperation(code, lanes, "isNaN", value).parts[0] as Part;
    const float = this.#dtype === "float32" || this.#dtype === "float64";
    let wins = this.reduction.fn === "argMax" ? test("less", a.value, b.value) : test("less", b.value, a.value);
    if (float) wins = f.let(mask.or(wins, mask.and(nan(b), mask.not(nan(a)))));
    if (inAnyOrder) {
      let equal = test("equal", a.value, b.value);
      if (float) equal = f.let(mask.or(equal, mask.and(nan(a), nan(b))));
      const earlier = lanes.i32.ltS(b.position as Part, a.position as Part);
      wins = f.let(mask.or(wins, mask.and(equal, earlier)));
    }
    const chosen: Vector = { dtype: "bool", parts: [wins] };
    const positions = [b, a].map(({ position }): Vector => ({ dtype: "int32", parts: [position as Part] }));
    return {
      value: whereOperation(lanes, chosen, b.value, a.value),
      position: whereOperation(lanes, chosen, positions[0] as Vector, positions[1] as Vector).parts[0] as Part,
    };
  }

  #joined(a: Running, b: Running): Running {
    return this.findsPosition ? this.#moreExtreme(a, b, true) : this.#combined(a, b);
  }

  /** Neighbours first, always in the same order. */
  #pairwise(all: readonly Running[]): Running {
    let level = [...all];
    while (level.length > 1) {
      const next: Running[] = [];
      for (let i = 0; i < level.length; i += 2) {
        const [a, b] = [level[i] as Running, level[i + 1]];
        next.push(b ? this.#joined(a, b) : a);
      }
      level = next;
    }
    return level[0] as Running;
  }

  #lane({ value, position }: Running, lane: number): Running {
    const { f } = this.#lanes;
    const spread = (part: Part, at: number, wide: boolean): Part => {
      const vector = part as V128;
      const low = 2 * at;
      return f.let(shuffle32(vector, vector, wide ? [low, low + 1, low, low + 1] : [at, at, at, at]));
    };
    if (value.dtype === "float64") {
      const part = spread(value.parts[lane >> 1] as Part, lane & 1, true);
      return { value: { ...value, parts: [part, part] }, position: position && spread(position, lane, false) };
    }
    return {
      value: { ...value, parts: [spread(value.parts[0] as Part, lane, false)] },
      position: position && spread(position, lane, false),
    };
  }

  /** The result. `acrossLanes`: all lanes are parts of one reduction; else each is its own. */
  finish(acrossLanes: boolean): Vector {
    const lanes = this.#lanes;
    let result = this.#skipsNaN ? this.#joinedNumbers() : this.#pairwise(this.#sets);
    if (acrossLanes && lanes.count > 1) {
      const whole = result;
      result = this.#pairwise(Array.from({ length: lanes.count }, (_, lane) => this.#lane(whole, lane)));
    }
    return result.position ? { dtype: "int32", parts: [result.position] } : result.value;
  }
}
