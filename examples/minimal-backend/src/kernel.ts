/**
 * A loop kernel as one JavaScript function: a `for` per loop, a `const` per value. What an operation means is core's to
 * say: generated code calls core's own functions, and writes out only the plainest arithmetic.
 *
 * float32 values are rounded after each operation, which is stricter than the format asks: so whatever needs rounded
 * operands (comparisons, casts, floor …) has them. Sums and products are accumulated in float64 and rounded once.
 */
import * as core from "@thalweg/core/backend";

/** Runs a kernel. `arrays`: every buffer of the Program, temporaries included. */
export type KernelFunction = (arrays: readonly core.HostArray[], uniforms: readonly number[]) => void;

/** One segment of a loop kernel of a Program with these buffers. */
export function compileLoop(
  { label, outer, inner, stages, segments }: core.LoopKernel,
  { size, buffers: slots }: core.Segment,
  buffers: readonly core.BufferSpec[],
): KernelFunction {
  const space = segments.length > 1 ? [size] : outer;
  const body = new BodySource(slots.map((buffer) => (buffers[buffer] as core.BufferSpec).dtype));
  const source = `"use strict";
    return (arrays, uniforms) => {
      ${slots.map((buffer, slot) => `const b${slot} = arrays[${buffer}];`).join("\n")}
      ${loops(space, 0, stages.map((stage) => body.stage(stage, inner, space.length)).join("\n"))}
    };`;
  const checked = (index: number, size: number): number => {
    if (index >= 0 && index < size) return index;
    throw new core.IndexError(label, `index ${index} is out of range for size ${size}`);
  };
  return new Function("core", "checked", source)(core, checked) as KernelFunction;
}

/** Loops over `sizes` in row-major order around `body`. The first has the variable number `first`. */
const loops = (sizes: readonly number[], first: number, body: string): string =>
  sizes.reduceRight((text, size, axis) => {
    const i = `i${first + axis}`;
    return `for (let ${i} = 0; ${i} < ${size}; ${i}++) {\n${text}\n}`;
  }, body);

/** The scalar language as JavaScript. Value n is the variable `vn`, slot n the array `bn`, loop variable n `in`. */
class BodySource {
  readonly #slots: readonly core.DType[];
  /** By value. */
  readonly #dtypes: core.ComputeDType[] = [];

  constructor(slots: readonly core.DType[]) {
    this.#slots = slots;
  }

  #dtype(value: core.Value): core.ComputeDType {
    return this.#dtypes[value] as core.ComputeDType;
  }

  /** An outer stage is its statements; an inner one is the inner loops, between what its reductions start and end with. */
  stage({ over, body }: core.Stage, inner: readonly number[], first: number): string {
    const before: string[] = [];
    const after: string[] = [];
    const lines = body.map((instruction) => {
      if (instruction.op === "store") return this.#store(instruction);
      this.#dtypes[instruction.id] = instruction.dtype;
      if (instruction.op !== "reduce") return `const v${instruction.id} = ${this.#expression(instruction)};`;
      const [start, step, end] = this.#reduction(instruction);
      before.push(start);
      after.push(end);
      return step;
    });
    const text = lines.join("\n");
    return over === "outer" ? text : [...before, loops(inner, first, text), ...after].join("\n");
  }

  #store({ slot, at, value }: InstructionOf<"store">): string {
    const dtype = this.#slots[slot] as core.DType;
    if (isPacked(dtype)) return `core.encode("${dtype}", b${slot}, ${affine(at)}, v${value});`;
    return `b${slot}[${affine(at)}] = v${value};`;
  }

  #reduction({ id, fn, dtype, value }: InstructionOf<"reduce">): [start: string, step: string, end: string] {
    const [result, candidate] = [`v${id}`, `v${value}`];
    if (fn === "argMax" || fn === "argMin") {
      const [best, n] = [`best${id}`, `n${id}`];
      const better = `${n} === 0 || core.isMoreExtreme("${fn}", ${candidate}, ${best})`;
      const step = `if (${better}) { ${result} = ${n}; ${best} = ${candidate}; }\n${n}++;`;
      return [`let ${result} = 0, ${best} = 0, ${n} = 0;`, step, ""];
    }
    const op = { sum: "add", prod: "mul", max: "maximum", min: "minimum" }[fn];
    const step = `${result} = ${operation(op, dtype, [result, candidate])};`;
    return [`let ${result} = ${core.reduceIdentity(fn, dtype)};`, step, `${result} = ${rounded(dtype, result)};`];
  }

  #expression(instruction: Exclude<core.Instruction, { op: "store" | "reduce" }>): string {
    const args = "args" in instruction ? instruction.args.map((value) => `v${value}`) : [];
    switch (instruction.op) {
      case "constant":
        return rounded(instruction.dtype, Object.is(instruction.value, -0) ? "-0" : `${instruction.value}`);
      case "uniform":
        return `core.roundTo("${instruction.dtype}", uniforms[${instruction.uniform}])`;
      case "index":
        return `(${affine(instruction.affine)}) | 0`;
      case "inside":
        return `${holds(instruction.conditions)} ? 1 : 0`;
      case "load": {
        const { slot, at, conditions = [] } = instruction;
        const dtype = this.#slots[slot] as core.DType;
        const element = isPacked(dtype)
          ? `core.decode("${dtype}", b${slot}, ${affine(at)})`
          : `b${slot}[${affine(at)}]`;
        return conditions.length === 0 ? element : `${holds(conditions)} ? ${element} : 0`;
      }
      case "where":
        return `${args[0]} ? ${args[1]} : ${args[2]}`;
      case "cast":
        return `core.castValue("${this.#dtype(instruction.args[0])}", "${instruction.dtype}", ${args})`;
      case "roundTo":
        return `core.roundTo("${instruction.to}", ${args})`;
      case "philox":
        return `core.philoxWord(${args})`;
      case "accumulator":
        throw new core.ProgramError("minimal", "an accumulator outside the epilogue of a contraction");
      default:
        return rounded(instruction.dtype, operation(instruction.op, this.#dtype(instruction.args[0]), args));
    }
  }
}

type InstructionOf<Op extends core.Instruction["op"]> = Extract<core.Instruction, { op: Op }>;

/** 16-bit floats: their typed arrays hold bit patterns. All others hold the numbers themselves. */
const isPacked = (dtype: core.DType): boolean => dtype === "bfloat16" || dtype === "float16";

const rounded = (dtype: core.ComputeDType, text: string): string =>
  dtype === "float32" ? `Math.fround(${text})` : text;

const infix: Readonly<Record<string, string>> = { add: " + ", sub: " - ", mul: " * ", div: " / " };

/** `op` of one or two operands of `dtype`, not yet rounded. */
function operation(op: string, dtype: core.ComputeDType, args: readonly string[]): string {
  const unary = args.length === 1;
  if (!core.isFloat(dtype)) return `core.apply${unary ? "Unary" : "Binary"}("${op}", "${dtype}", ${args})`;
  return infix[op] ? args.join(infix[op]) : `core.${unary ? "unary" : "binary"}.${op}(${args.join(", ")})`;
}

/** An affine function. Dynamic indices of an access are checked; those of a condition decide it like any number. */
function affine({ offset, strides, dynamic = [] }: core.Affine, check = true): string {
  const terms = strides.flatMap((stride, n) => (stride === 0 ? [] : [`${stride} * i${n}`]));
  for (const { value, stride, size } of dynamic)
    terms.push(`${stride} * ${check ? `checked(v${value}, ${size})` : `v${value}`}`);
  return [offset, ...terms].join(" + ");
}

function holds(conditions: readonly core.Condition[]): string {
  const tests = conditions.map(({ affine: form, lo, hi }) => {
    const value = affine(form, false);
    return `${lo} <= ${value} && ${value} < ${hi}`;
  });
  return tests.length === 0 ? "true" : tests.join(" && ");
}
