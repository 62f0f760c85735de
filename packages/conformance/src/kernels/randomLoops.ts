/**
 * Loop kernels drawn at random: strides, masks, gathered indices, stages, reductions, every dtype. What is computed with
 * floats is bounded while it is drawn, so that all of it is exact in float32 in any order, but for values marked
 * otherwise, which nothing depends on.
 */
import {
  type BinaryOp,
  type ComputeDType,
  type Condition,
  computeDType,
  type DType,
  isFloat,
  type ReduceOp,
  sizeOf,
  type UnaryOp,
} from "@thalweg/core/backend";
import { type Body, type BufferIndex, Draft, gathered, type Scalar } from "./programs.ts";
import { fewBits, type Random, randomOf } from "./values.ts";

/** A value, and what is known of it: a multiple of `unit`, at most `most` in magnitude. */
interface Known {
  readonly scalar: Scalar;
  readonly most: number;
  readonly unit: number;
  readonly exact: boolean;
}

// No quotients: whether a zero is 0 or -0 is not always said, and would decide the sign of infinity.
const exactFloats = ["neg", "abs", "sign", "relu", "floor", "ceil", "round", "trunc", "isNaN"] as const;
const inexactFloats = ["exp", "expm1", "log1p", "sqrt", "tanh", "sigmoid", "softplus", "erf"] as const;
const exactFloatPairs = [
  "add",
  "sub",
  "mul",
  "maximum",
  "minimum",
  "mod",
  "equal",
  "notEqual",
  "less",
  "lessEqual",
] as const;
const unaries: Readonly<Record<"float" | "integer" | "bool", readonly UnaryOp[]>> = {
  float: [...exactFloats, ...inexactFloats],
  integer: ["neg", "abs", "sign", "relu", "not", "isNaN"],
  bool: ["not"],
};
const binaries: Readonly<Record<"float" | "integer" | "bool", readonly BinaryOp[]>> = {
  float: exactFloatPairs,
  integer: [
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "maximum",
    "minimum",
    "mod",
    "and",
    "or",
    "xor",
    "mulHigh",
    "less",
    "equal",
  ],
  bool: ["and", "or", "xor", "add", "mul", "maximum", "minimum", "equal", "less"],
};
const inexactOps: ReadonlySet<string> = new Set(inexactFloats);

const kindOf = (dtype: ComputeDType) => (dtype === "bool" ? "bool" : isFloat(dtype) ? "float" : "integer");

/** Bits that a float32 is sure to hold, with room to spare. */
const room = 2 ** 22;
const exactly = ({ most, unit }: { most: number; unit: number }): boolean => most / unit <= room;

const storageOf: Readonly<Record<ComputeDType, readonly DType[]>> = {
  float32: ["float32", "float32", "bfloat16", "float16"],
  float64: ["float64"],
  int32: ["int32"],
  uint32: ["uint32"],
  bool: ["bool"],
};

class LoopDraw {
  readonly draft = new Draft("random");
  /** Outputs that hold inexact values. */
  readonly inexact = new Set<BufferIndex>();
  readonly #random: Random;
  readonly #storage: readonly DType[];
  readonly #outer: readonly number[];
  readonly #inner: readonly number[];
  #seed: number;

  constructor(seed: number, storage: readonly DType[]) {
    this.#seed = seed;
    this.#random = randomOf(seed);
    this.#storage = storage;
    this.#outer = this.#sizes(3, 9);
    this.#inner = this.#random(3) === 0 ? [] : this.#sizes(2, this.#random(2) === 0 ? 4 : 20);
    this.#draw();
  }

  #sizes(most: number, largest: number): number[] {
    const random = this.#random;
    return Array.from({ length: random(most + 1) }, () => (random(40) === 0 ? 0 : 1 + random(largest)));
  }

  /** What floats are rounded to; float16 has not the range. */
  get #narrow(): readonly DType[] {
    return (["float32", "bfloat16"] as const).filter((dtype) => this.#storage.includes(dtype));
  }

  get #space(): readonly number[] {
    return [...this.#outer, ...this.#inner];
  }

  /** The axes up to `reach` row-major, or in another order; the others with stride 0. */
  #contiguous(random: Random, reach: number): number[] {
    const strides = this.#space.map(() => 0);
    const axes = Array.from({ length: reach }, (_, i) => i);
    if (random(3) === 0) axes.push(...axes.splice(0, random(axes.length)));
    let stride = 1;
    for (const axis of axes.reverse()) {
      strides[axis] = stride;
      stride *= this.#space[axis] as number;
    }
    return strides;
  }

  #condition(random: Random, reach: number): Condition {
    const steps = this.#space.map((_, i) => (i < reach && random(2) === 0 ? ([1, 1, -1, 2][random(4)] as number) : 0));
    const most = steps.reduce((sum, stride, i) => sum + Math.abs(stride) * (this.#space[i] as number), 0);
    const lo = random(most + 2) - Math.floor(most / 2);
    return { affine: { offset: random(5) - 2, strides: steps }, lo, hi: lo + random(most + 3) };
  }

  /** An input of `size`; when the same values are computed again, the one of the first time. */
  #input(random: Random, dtype: DType, size: number, recalled: BufferIndex[], ordinal: number): BufferIndex {
    const seed = random(1 << 20);
    const withNaN = random(12) === 0;
    recalled[ordinal] ??= this.draft.input(
      dtype,
      fewBits(dtype, size, seed).map((x, i) => (withNaN && isFloat(dtype) && i === seed % size ? Number.NaN : x)),
    );
    return recalled[ordinal] as BufferIndex;
  }

  /** Draws values into `body`: the same ones for the same seed, visible values and inputs. */
  #values(body: Body, seed: number, visible: readonly Known[], reach: number, recalled: BufferIndex[]): Known[] {
    const random = randomOf(seed);
    const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T;
    const space = this.#space;
    const local: Known[] = [];
    const add = (scalar: Scalar, most = Number.POSITIVE_INFINITY, unit = 1, exact = true) => {
      local.push({ scalar, most, unit, exact });
    };
    const steps = () => space.map((_, i) => (i >= reach ? 0 : pick([0, 1, 1, 2, -1, 3, 10])));
    let inputs = 0;
    const loaded = (dtype: DType, scalar: Scalar) => add(scalar, 8, isFloat(dtype) ? 0.25 : 1);
    const load = () => {
      const dtype = pick(this.#storage);
      const strides = random(3) === 0 ? this.#contiguous(random, reach) : steps();
      let [low, high] = [0, 0];
      for (const [i, stride] of strides.entries()) {
        const last = Math.max(0, (space[i] as number) - 1) * stride;
        if (last < 0) low += last;
        else high += last;
      }
      const index = local.find(({ scalar }) => scalar.dtype === "int32");
      const table = index && random(3) === 0 ? { index, size: 1 + random(5), stride: pick([1, 3, 7]) } : undefined;
      const size = high - low + 1 + (table ? (table.size - 1) * table.stride : 0);
      const conditions =
        random(3) === 0 ? Array.from({ length: 1 + random(2) }, () => this.#condition(random, reach)) : [];
      const buffer = this.#input(random, dtype, size, recalled, inputs++);
      const where = { offset: -low, strides };
      if (!table) return loaded(dtype, body.load(buffer, where, ...conditions));
      const value = body.binary("mod", table.index.scalar, body.constant("int32", table.size));
      const at = gathered(where, { value, stride: table.stride, size: table.size });
      return loaded(dtype, body.load(buffer, at, ...conditions));
    };
    load();
    const count = 3 + random(8);
    for (let i = 0; i < count; i++) {
      const all = [...visible, ...local].filter(({ exact }) => exact);
      const a = pick(all);
      const { dtype } = a.scalar;
      const b = pick(all.filter(({ scalar }) => scalar.dtype === dtype));
      switch (random(8)) {
        case 0:
          load();
          break;
        case 1:
          this.#cast(body, random, a, local);
          break;
        case 2: {
          const op = pick(unaries[kindOf(dtype)]);
          const exact = !inexactOps.has(op);
          add(body.unary(op, a.scalar), kindOf(dtype) === "float" ? a.most + 1 : undefined, exact ? a.unit : 0, exact);
          break;
        }
        case 3: {
          const chosen = random(3);
          if (chosen === 0) add(body.index({ offset: random(5), strides: steps() }), 1000);
          else if (chosen === 1) add(body.inside(this.#condition(random, reach)), 1);
          else {
            const value = dtype === "bool" ? 1 : 1 + random(3);
            add(random(2) === 0 ? body.constant(dtype, value) : body.uniform(this.draft.uniform(dtype, value)), 3);
          }
          break;
        }
        case 4: {
          const test = all.find(({ scalar }) => scalar.dtype === "bool");
          const [most, unit] = [Math.max(a.most, b.most), Math.min(a.unit, b.unit)];
          if (test) add(body.where(test.scalar, a.scalar, b.scalar), most, unit);
          else if (isFloat(dtype)) add(body.roundTo(pick(this.#narrow), a.scalar), 2 * a.most, a.unit);
          break;
        }
        default:
          this.#binary(body, pick(binaries[kindOf(dtype)]), a, b, local);
      }
    }
    return local;
  }

  #cast(body: Body, random: Random, { scalar, most, unit }: Known, local: Known[]): void {
    const candidates = (["float32", "float64", "int32", "uint32", "bool"] as const).filter(
      (dtype) => dtype === "bool" || dtype === "int32" || this.#storage.includes(dtype),
    );
    const to = candidates[random(candidates.length)] as ComputeDType;
    const result = body.cast(to, scalar);
    const bound =
      scalar.dtype === "bool" ? 1 : to === "uint32" && scalar.dtype === "int32" ? Number.POSITIVE_INFINITY : most;
    if (isFloat(to)) local.push({ scalar: result, most: bound, unit, exact: exactly({ most: bound, unit }) });
    else local.push({ scalar: result, most: Math.max(bound, 1), unit: 1, exact: true });
  }

  #binary(body: Body, op: BinaryOp, a: Known, b: Known, local: Known[]): void {
    const { dtype } = a.scalar;
    if (kindOf(dtype) !== "float") {
      local.push({ scalar: body.binary(op, a.scalar, b.scalar), most: Number.POSITIVE_INFINITY, unit: 1, exact: true });
      return;
    }
    const unit = op === "mul" ? a.unit * b.unit : Math.min(a.unit, b.unit);
    const most = op === "mul" ? a.most * b.most : a.most + b.most;
    if (!exactly({ most, unit })) return;
    const scalar = body.binary(op, a.scalar, b.scalar);
    local.push({ scalar, most: scalar.dtype === "bool" ? 1 : most, unit, exact: true });
  }

  #reduce(body: Body, value: Known): Known | undefined {
    const random = this.#random;
    const { dtype } = value.scalar;
    const n = Math.max(sizeOf(this.#inner), 1);
    const fns: readonly ReduceOp[] =
      dtype === "bool" ? ["max", "min", "argMax"] : ["sum", "max", "min", "argMax", "argMin", "prod"];
    const fn = fns[random(fns.length)] as ReduceOp;
    const { most, unit, exact } = value;
    if (kindOf(dtype) === "float") {
      if (!exact && fn !== "max" && fn !== "min") return undefined;
      if (fn === "sum" && !exactly({ most: n * most, unit })) return undefined;
      if (fn === "prod" && !exactly({ most: most ** n, unit: unit ** n })) return undefined;
    }
    const bounds =
      fn === "sum" ? { most: n * most, unit } : fn === "prod" ? { most: most ** n, unit: unit ** n } : { most, unit };
    const integers = kindOf(dtype) === "integer" && (fn === "sum" || fn === "prod");
    const scalar = body.reduce(fn, value.scalar);
    if (fn === "argMax" || fn === "argMin") return { scalar, most: n, unit: 1, exact: true };
    return { scalar, ...bounds, ...(integers ? { most: Number.POSITIVE_INFINITY, unit: 1 } : {}), exact };
  }

  #store(body: Body, value: Known, reach: number): void {
    const random = this.#random;
    const { dtype } = value.scalar;
    const candidates = storageOf[dtype].filter((storage) => this.#storage.includes(storage));
    if (candidates.length === 0) return;
    const storage = candidates[random(candidates.length)] as DType;
    const buffer = this.draft.output(storage, sizeOf(this.#space.slice(0, reach)) + 2);
    body.store(buffer, { offset: random(3), strides: this.#contiguous(random, reach) }, value.scalar);
    if (!value.exact) this.inexact.add(buffer);
  }

  /** A parameter that is read and written at the same place. */
  #inPlace(body: Body, reach: number): void {
    const strides = this.#contiguous(this.#random, reach);
    const size = sizeOf(this.#space.slice(0, reach));
    const p = this.draft.parameter("float32", fewBits("float32", size, this.#seed));
    body.store(p, strides, body.binary("sub", body.constant("float32", 1), body.load(p, strides)));
  }

  #draw(): void {
    const random = this.#random;
    let visible: Known[] = [];
    let earlier: { seed: number; visible: Known[]; inputs: BufferIndex[] } | undefined;
    this.draft.loop(this.#outer, this.#inner, (stages) => {
      const innerStages = this.#inner.length > 0 ? 1 + random(3) : 0;
      for (let i = 0; i < innerStages; i++) {
        const reduced = stages.inner((body) => {
          const reach = this.#space.length;
          // The same values once more, which a backend may keep from the first time.
          const again =
            earlier && random(2) === 0 ? this.#values(body, earlier.seed, earlier.visible, reach, earlier.inputs) : [];
          const drawn = { seed: ++this.#seed * 31, visible: [...visible, ...again], inputs: [] };
          const mine = [...again, ...this.#values(body, drawn.seed, drawn.visible, reach, drawn.inputs)];
          earlier = { seed: drawn.seed, visible: [...visible], inputs: drawn.inputs };
          if (again.length > 0) earlier = undefined;
          if (random(3) === 0) this.#store(body, mine[random(mine.length)] as Known, reach);
          if (random(6) === 0) this.#inPlace(body, reach);
          return random(4) > 0 ? this.#reduce(body, mine[random(mine.length)] as Known) : undefined;
        });
        if (reduced) visible = [...visible, reduced];
      }
      stages.outer((body) => {
        const reach = this.#outer.length;
        const mine = [...visible, ...this.#values(body, ++this.#seed * 37, visible, reach, [])];
        this.#store(body, mine[mine.length - 1] as Known, reach);
        this.#store(body, mine[random(mine.length)] as Known, reach);
        if (random(4) === 0) this.#inPlace(body, reach);
        // Something is stored, whatever the dtypes of the rest.
        const marker = this.draft.output("float32", sizeOf(this.#outer));
        body.store(marker, this.#contiguous(random, reach), body.constant("float32", 3));
      });
    });
  }
}

/** A Program of one loop kernel, and the outputs that are not exact, drawn from `seed`, in the dtypes of `storage`. */
export function randomLoop(
  seed: number,
  storage: readonly DType[],
): { draft: Draft; inexact: ReadonlySet<BufferIndex> } {
  const { draft, inexact } = new LoopDraw(
    seed,
    storage.filter((dtype) => storage.includes(computeDType(dtype))),
  );
  return { draft, inexact };
}
