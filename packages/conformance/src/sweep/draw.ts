/** Operands, attributes and calls of one step of a recipe, drawn from its numbers. */
import * as t from "@thalweg/core";
import { type DType, isFloat, type Tensor } from "@thalweg/core";

/** Functions are called by name. */
const library = { ...t };

/** A tensor and the name it has in the printed code. */
export interface Value {
  readonly tensor: Tensor;
  readonly name: string;
}

/** A constant of the graph. */
export type MakeLeaf = (values: readonly number[], shape: readonly number[], dtype: DType) => Value;

/** Results larger than this are not made. */
export const maxElements = 400;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, n) => size * n, 1);

/** `undefined` gives up on the step: no tensor fits. */
export type Operation = (draw: Draw) => Value | readonly Value[] | undefined;

/** Draws operands and attributes from a step's numbers, and calls. */
export class Draw {
  readonly #numbers: readonly number[];
  readonly #pool: readonly Value[];
  readonly #names: () => string;
  readonly #emit: (line: string) => void;
  readonly #leaf: MakeLeaf;
  #next = 0;

  constructor(options: {
    readonly numbers: readonly number[];
    readonly pool: readonly Value[];
    readonly names: () => string;
    readonly emit: (line: string) => void;
    readonly leaf: MakeLeaf;
  }) {
    this.#numbers = options.numbers;
    this.#pool = options.pool;
    this.#names = options.names;
    this.#emit = options.emit;
    this.#leaf = options.leaf;
  }

  number(): number {
    return this.#numbers[this.#next++] ?? 0;
  }
  /** low … high. */
  integer(low: number, high: number): number {
    return low + (this.number() % (high - low + 1));
  }
  flag(): boolean {
    return this.number() % 2 === 1;
  }
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.number() % Math.max(1, list.length)];
  }
  /** One of the tensors so far that `fits`, the latest as often as all others together. */
  operand(fits: (x: Tensor) => boolean): Value | undefined {
    const fitting = this.#pool.filter(({ tensor }) => fits(tensor)).reverse();
    const number = this.number();
    return fitting[number < 32 ? 0 : number % Math.max(1, fitting.length)];
  }
  float(fits: (x: Tensor) => boolean = () => true): Value | undefined {
    return this.operand((x) => isFloat(x.dtype) && fits(x));
  }
  axis(x: Tensor): number {
    return this.integer(0, x.rank - 1);
  }
  /** Some of the axes, in order; perhaps none, perhaps all. */
  axes(x: Tensor): number[] {
    const bits = this.number();
    return Array.from({ length: x.rank }, (_, axis) => axis).filter((axis) => (bits >> axis) & 1);
  }
  /** Whole numbers in [0, below) as a constant of the graph. */
  index(shape: readonly number[], below: number): Value {
    const seed = this.number();
    const values = Array.from({ length: sizeOf(shape) }, (_, i) => (i * 7 + seed * 3 + (i >> 2)) % Math.max(1, below));
    return this.#leaf(values, shape, "int32");
  }
  /** Float constants of the graph, of the dtype `like` has. */
  weights(shape: readonly number[], like: Value): Value {
    const seed = this.number();
    const values = Array.from({ length: sizeOf(shape) }, (_, i) => (((i + 1) * 0.6180339887498949 + seed) % 1) * 2 - 1);
    return this.#leaf(values.map(Math.fround), shape, like.tensor.dtype);
  }

  /** Calls a function of @thalweg/core; Values among the arguments are given as tensors. */
  call(fn: keyof typeof t, ...args: readonly unknown[]): Value {
    const name = this.#names();
    const unwrap = (arg: unknown): unknown =>
      isValue(arg) ? arg.tensor : Array.isArray(arg) ? arg.map(unwrap) : isPlain(arg) ? mapEntries(arg, unwrap) : arg;
    const call = library[fn] as unknown as (...args: unknown[]) => Tensor;
    this.#emit(`const ${name} = ${fn}(${args.map(print).join(", ")});`);
    return { tensor: call(...args.map(unwrap)), name };
  }
  /** As `call`, for functions with several results, named as the function names them. */
  calls(fn: keyof typeof t, results: readonly string[], ...args: readonly unknown[]): Value[] {
    const whole = this.call(fn, ...args);
    const record = whole.tensor as unknown as Readonly<Record<string, Tensor>>;
    return results.map((key) => {
      const part = /^\d+$/.test(key) ? `[${key}]` : `.${key}`;
      return { tensor: record[key] as Tensor, name: `${whole.name}${part}` };
    });
  }
}

const isValue = (arg: unknown): arg is Value =>
  typeof arg === "object" && arg !== null && (arg as Partial<Value>).tensor instanceof t.Tensor;
const isPlain = (arg: unknown): arg is Record<string, unknown> =>
  typeof arg === "object" && arg !== null && Object.getPrototypeOf(arg) === Object.prototype;
const mapEntries = (record: Record<string, unknown>, map: (value: unknown) => unknown) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));

function print(arg: unknown): string {
  if (isValue(arg)) return arg.name;
  if (arg === undefined) return "undefined";
  if (Array.isArray(arg)) return `[${arg.map(print).join(", ")}]`;
  if (isPlain(arg))
    return `{ ${Object.entries(arg)
      .map(([key, value]) => `${key}: ${print(value)}`)
      .join(", ")} }`;
  return Object.is(arg, -0) ? "-0" : typeof arg === "number" ? String(arg) : JSON.stringify(arg);
}

export const broadcasts = (a: readonly number[], b: readonly number[]): boolean => {
  for (let i = 1; i <= Math.min(a.length, b.length); i++) {
    const [x, y] = [a[a.length - i], b[b.length - i]];
    if (x !== y && x !== 1 && y !== 1) return false;
  }
  return true;
};

/** Whether two tensors broadcast to something small. */
export const fitsTogether = (a: Tensor, b: Tensor): boolean => {
  if (!broadcasts(a.shape, b.shape)) return false;
  const rank = Math.max(a.rank, b.rank);
  let size = 1;
  for (let i = 1; i <= rank; i++) {
    const [x, y] = [a.shape[a.rank - i] ?? 1, b.shape[b.rank - i] ?? 1];
    size *= x === 1 ? y : x;
  }
  return size <= maxElements;
};

export const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
