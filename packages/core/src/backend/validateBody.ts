/** Rules of the scalar language: numbering, visibility and dtypes of the values of one kernel. */
import { type ComputeDType, computeDType, type DType, isFloat, isInteger } from "../graph/dtype.ts";
import { type BinaryOp, comparisonOps, type UnaryOp } from "../graph/node.ts";
import { valueName } from "./accesses.ts";
import type { Affine, Condition, Instruction, Program, Value } from "./program.ts";

/** Throws a ProgramError about the kernel at hand. */
export type Fail = (message: string) => never;

/** Where a body stands. */
export interface Place {
  readonly over: "outer" | "inner" | "epilogue";
  /** Loop variables of the kernel, and how many of them are inner. */
  readonly variables: number;
  readonly inner: number;
  /** Dtype of the accumulator of a contraction. */
  readonly accumulator?: ComputeDType;
}

type Category = "bool" | "integer" | "float";
const numeric: readonly Category[] = ["integer", "float"];
const every: readonly Category[] = ["bool", "integer", "float"];
const float: readonly Category[] = ["float"];
const bits: readonly Category[] = ["bool", "integer"];

/** What each operation of one operand takes; the result has the operand's dtype, but for isNaN. */
const unaryTakes: Readonly<Record<UnaryOp, readonly Category[]>> = {
  neg: numeric,
  abs: numeric,
  sign: numeric,
  relu: numeric,
  exp: float,
  log: float,
  log1p: float,
  expm1: float,
  sqrt: float,
  rsqrt: float,
  reciprocal: float,
  sin: float,
  cos: float,
  tan: float,
  tanh: float,
  sigmoid: float,
  softplus: float,
  erf: float,
  floor: numeric,
  ceil: numeric,
  round: numeric,
  trunc: numeric,
  isNaN: numeric,
  not: bits,
};

/** What each operation of two operands of one dtype takes; the result has that dtype, but for comparisons. */
const binaryTakes: Readonly<Record<BinaryOp, readonly Category[]>> = {
  add: every,
  mul: every,
  maximum: every,
  minimum: every,
  sub: numeric,
  div: numeric,
  pow: numeric,
  mod: numeric,
  equal: every,
  notEqual: every,
  less: every,
  lessEqual: every,
  and: bits,
  or: bits,
  xor: bits,
  shiftLeft: ["integer"],
  shiftRight: ["integer"],
  mulHigh: ["integer"],
};

const categoryOf = (dtype: ComputeDType): Category =>
  dtype === "bool" ? "bool" : isInteger(dtype) ? "integer" : "float";
const isUnary = (op: string): op is UnaryOp => Object.hasOwn(unaryTakes, op);
const isBinary = (op: string): op is BinaryOp => Object.hasOwn(binaryTakes, op);
const isComputeDType = (dtype: unknown): dtype is ComputeDType =>
  ["float32", "float64", "int32", "uint32", "bool"].includes(dtype as string);

/**
 * Checks the bodies of one kernel, in order. Values of an inner stage go out of sight when the stage ends, but for the
 * results of its reductions, which come in sight only then.
 */
export class BodyChecker {
  readonly #program: Program;
  /** Buffer of each slot, for each segment. */
  readonly #slots: readonly (readonly number[])[];
  readonly #fail: Fail;
  readonly #defined = new Set<Value>();
  readonly #visible = new Map<Value, ComputeDType>();

  constructor(program: Program, slots: readonly (readonly number[])[], fail: Fail) {
    this.#program = program;
    this.#slots = slots;
    this.#fail = fail;
  }

  check(body: readonly Instruction[], place: Place): void {
    const before = new Set(this.#visible.keys());
    const reductions = new Map<Value, ComputeDType>();
    for (const instruction of body) {
      const { id } = instruction;
      const fail: Fail = (message) => this.#fail(`${valueName(id)} (${instruction.op}): ${message}`);
      if (!Number.isInteger(id) || id < 0) fail("values are numbered from 0 in whole numbers");
      if (this.#defined.has(id)) fail("the value is defined twice");
      this.#defined.add(id);
      if (instruction.op === "store") {
        this.#checkStore(instruction, place, fail);
        continue;
      }
      if (!isComputeDType(instruction.dtype)) fail(`${String(instruction.dtype)} is not a dtype arithmetic is done in`);
      this.#checkValue(instruction, place, fail);
      if (instruction.op === "reduce") reductions.set(id, instruction.dtype);
      else this.#visible.set(id, instruction.dtype);
    }
    if (place.over !== "inner") return;
    for (const id of this.#visible.keys()) if (!before.has(id)) this.#visible.delete(id);
    for (const [id, dtype] of reductions) this.#visible.set(id, dtype);
  }

  #operand(value: Value, fail: Fail): ComputeDType {
    const dtype = this.#visible.get(value);
    if (dtype) return dtype;
    if (!this.#defined.has(value)) return fail(`operand ${valueName(value)} is not defined before it is used`);
    return fail(`operand ${valueName(value)} is not visible here: it belongs to an inner stage, or is a store`);
  }

  #expect(value: Value, dtype: ComputeDType, fail: Fail): void {
    const got = this.#operand(value, fail);
    if (got !== dtype) fail(`operand ${valueName(value)} is ${got}, expected ${dtype}`);
  }

  #affine({ offset, strides, dynamic = [] }: Affine, place: Place, fail: Fail): void {
    if (!Number.isSafeInteger(offset)) fail(`offset ${offset} is not a whole number`);
    if (strides.length !== place.variables) {
      fail(`${strides.length} strides for ${place.variables} loop variables`);
    }
    strides.forEach((stride, variable) => {
      if (!Number.isSafeInteger(stride)) fail(`stride ${stride} is not a whole number`);
      if (place.over === "outer" && stride !== 0 && variable >= place.variables - place.inner) {
        fail("an outer stage has no inner variables to step over");
      }
    });
    for (const { value, stride, size } of dynamic) {
      const dtype = this.#operand(value, fail);
      if (!isInteger(dtype)) fail(`dynamic index ${valueName(value)} is ${dtype}, expected int32 or uint32`);
      if (!Number.isSafeInteger(stride)) fail(`dynamic stride ${stride} is not a whole number`);
      if (!Number.isSafeInteger(size) || size < 0) fail(`dynamic size ${size} is not a whole non-negative number`);
    }
  }

  #conditions(conditions: readonly Condition[], place: Place, fail: Fail): void {
    for (const { affine, lo, hi } of conditions) {
      this.#affine(affine, place, fail);
      if (!Number.isSafeInteger(lo) || !Number.isSafeInteger(hi))
        fail(`condition [${lo}, ${hi}) is not in whole numbers`);
    }
  }

  /** The dtype of arithmetic on what `slot` holds, in every segment. */
  #slot(slot: number, dtype: ComputeDType, fail: Fail): void {
    for (const buffers of this.#slots) {
      const buffer = buffers[slot];
      if (buffer === undefined) fail(`slot ${slot} is out of range: there are ${buffers.length}`);
      const stored = (this.#program.buffers[buffer] as { dtype: DType }).dtype;
      if (computeDType(stored) !== dtype) fail(`value is ${dtype}, but buffer b${buffer} holds ${stored}`);
    }
  }

  #checkStore(instruction: Extract<Instruction, { op: "store" }>, place: Place, fail: Fail): void {
    this.#affine(instruction.at, place, fail);
    if ("conditions" in instruction) fail("a store has no conditions");
    this.#slot(instruction.slot, this.#operand(instruction.value, fail), fail);
  }

  #checkValue(instruction: Exclude<Instruction, { op: "store" }>, place: Place, fail: Fail): void {
    const { op, dtype } = instruction;
    const takes = (got: ComputeDType, categories: readonly Category[]) => {
      if (!categories.includes(categoryOf(got))) fail(`operand is ${got}, expected ${categories.join(" or ")}`);
    };
    if (isUnary(op)) {
      const got = this.#operand((instruction as { args: readonly [Value] }).args[0], fail);
      takes(got, unaryTakes[op]);
      const gives = op === "isNaN" ? "bool" : got;
      if (dtype !== gives) fail(`result is ${dtype}, expected ${gives}`);
      return;
    }
    if (isBinary(op)) {
      const [a, b] = (instruction as { args: readonly [Value, Value] }).args;
      const got = this.#operand(a, fail);
      this.#expect(b, got, fail);
      takes(got, binaryTakes[op]);
      const gives = comparisonOps.has(op) ? "bool" : got;
      if (dtype !== gives) fail(`result is ${dtype}, expected ${gives}`);
      return;
    }
    switch (instruction.op) {
      case "constant":
        if (typeof instruction.value !== "number") fail(`value ${String(instruction.value)} is not a number`);
        if (dtype === "int32" && instruction.value !== (instruction.value | 0))
          fail(`${instruction.value} is not an int32`);
        if (dtype === "uint32" && instruction.value !== instruction.value >>> 0)
          fail(`${instruction.value} is not a uint32`);
        if (dtype === "bool" && instruction.value !== 0 && instruction.value !== 1)
          fail(`${instruction.value} is not 0 or 1`);
        return;
      case "uniform": {
        const uniform = this.#program.uniforms[instruction.uniform];
        if (!uniform)
          fail(`uniform ${instruction.uniform} is out of range: there are ${this.#program.uniforms.length}`);
        if (uniform.dtype !== dtype) fail(`result is ${dtype}, but uniform ${uniform.name} is ${uniform.dtype}`);
        return;
      }
      case "index":
        this.#affine(instruction.affine, place, fail);
        if (dtype !== "int32") fail(`result is ${dtype as string}, expected int32`);
        return;
      case "inside":
        this.#conditions(instruction.conditions, place, fail);
        if (dtype !== "bool") fail(`result is ${dtype as string}, expected bool`);
        return;
      case "load":
        this.#affine(instruction.at, place, fail);
        this.#conditions(instruction.conditions ?? [], place, fail);
        this.#slot(instruction.slot, dtype, fail);
        return;
      case "where":
        this.#expect(instruction.args[0], "bool", fail);
        this.#expect(instruction.args[1], dtype, fail);
        this.#expect(instruction.args[2], dtype, fail);
        return;
      case "cast":
        this.#operand(instruction.args[0], fail);
        return;
      case "roundTo":
        this.#expect(instruction.args[0], dtype, fail);
        if (!isFloat(dtype) || !isFloat(instruction.to))
          fail(`rounds ${dtype} to ${instruction.to}; both must be float`);
        return;
      case "philox": {
        if (dtype !== "uint32") fail(`result is ${dtype as string}, expected uint32`);
        const [index, ...words] = instruction.args;
        this.#expect(index, "int32", fail);
        for (const word of words) this.#expect(word, "uint32", fail);
        return;
      }
      case "accumulator":
        if (!place.accumulator) fail("stands only in the epilogue of a contraction");
        if (dtype !== place.accumulator) fail(`result is ${dtype}, but the contraction is in ${place.accumulator}`);
        return;
      case "reduce": {
        if (place.over !== "inner") fail("stands only in an inner stage");
        const got = this.#operand(instruction.value, fail);
        const position = instruction.fn === "argMax" || instruction.fn === "argMin";
        if (dtype !== (position ? "int32" : got)) fail(`result is ${dtype}, expected ${position ? "int32" : got}`);
        if (got === "bool" && (instruction.fn === "sum" || instruction.fn === "prod")) {
          fail(`${instruction.fn} does not take bool`);
        }
        return;
      }
      default:
        fail(`unknown instruction ${(instruction as Instruction).op}`);
    }
  }
}
