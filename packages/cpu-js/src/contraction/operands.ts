/** The typed arrays a contraction is called with, and how their elements are read. */
import type { ComputeDType, ContractionKernel, DType, Program } from "@thalweg/core/backend";

export class Arguments {
  readonly #program: Program;
  readonly #buffers: number[] = [];
  readonly #tables = new Set<DType>();

  constructor(program: Program) {
    this.#program = program;
  }

  /** Buffers to be passed, in order. */
  get buffers(): readonly number[] {
    return this.#buffers;
  }

  get names(): readonly string[] {
    return this.#buffers.map((_, index) => `buffer${index}`);
  }

  /** JavaScript name of a buffer's array. */
  array(buffer: number): string {
    let index = this.#buffers.indexOf(buffer);
    if (index < 0) index = this.#buffers.push(buffer) - 1;
    return `buffer${index}`;
  }

  /** How to read an element of `buffer`, given the names of an array and an index. */
  reader(buffer: number): (array: string, index: string) => string {
    const dtype = this.#program.buffers[buffer]?.dtype as DType;
    if (dtype !== "bfloat16" && dtype !== "float16") return (array, index) => `${array}[${index}]`;
    this.#tables.add(dtype);
    return (array, index) => `${dtype}[${array}[${index}]]`;
  }

  /** Declarations the readers need, once per kernel. */
  get declarations(): string {
    return [...this.#tables].map((dtype) => `const ${dtype} = $${dtype}Table();`).join("\n");
  }

  /** Distinguishes kernels whose text is the same but whose arrays are not: they should not share type feedback. */
  get comment(): string {
    return `// ${this.#buffers.map((buffer) => this.#program.buffers[buffer]?.dtype).join(", ")}`;
  }
}

export const isIntegerKernel = (kernel: ContractionKernel): boolean => integerDTypes.has(kernel.dtype);
const integerDTypes: ReadonlySet<ComputeDType> = new Set(["int32", "uint32", "bool"]);

/** A sum as a scalar of the kernel's dtype. Integers are summed modulo 2^32, so their sign is still open. */
export function sumExpression(dtype: ComputeDType, sum: string): string {
  switch (dtype) {
    case "float32":
      return `Math.fround(${sum})`;
    case "float64":
      return sum;
    case "int32":
      return `${sum} | 0`;
    case "uint32":
      return `${sum} >>> 0`;
    case "bool":
      return `${sum} !== 0`;
    default:
      return dtype satisfies never;
  }
}
