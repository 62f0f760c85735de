/**
 * Programs with their data, written down shortly: buffers come with their contents, values know their dtype, slots and
 * numbers are given out as they are needed.
 */
import {
  type Affine,
  allocateHost,
  type BinaryOp,
  type BufferSpec,
  type ComputeDType,
  type Condition,
  type ConvolutionKernel,
  comparisonOps,
  computeDType,
  type DType,
  encode,
  type HostArray,
  type IndexedKernel,
  type Instruction,
  type Kernel,
  type MatmulKernel,
  type Program,
  type ReduceOp,
  type Segment,
  type Stage,
  sizeOf,
  type UnaryOp,
  type UniformSpec,
  type Value,
} from "@thalweg/core/backend";

/** Index of a buffer in its Program. */
export type BufferIndex = number;

export interface Scalar {
  readonly id: Value;
  readonly dtype: ComputeDType;
}

/** Strides alone mean offset 0. */
export type At = readonly number[] | Affine;

const affineOf = (at: At): Affine => ("strides" in at ? at : { offset: 0, strides: at });

/** An affine function with an offset. */
export const at = (offset: number, ...strides: number[]): Affine => ({ offset, strides });

/** An affine function that also steps by gathered indices. */
export const gathered = (
  base: At,
  ...dynamic: { readonly value: Scalar; readonly stride: number; readonly size: number }[]
): Affine => ({ ...affineOf(base), dynamic: dynamic.map((term) => ({ ...term, value: term.value.id })) });

/** The condition lo ≤ affine < hi. */
export const within = (affine: At, lo: number, hi: number): Condition => ({ affine: affineOf(affine), lo, hi });

/** A host array of `values`; 16-bit floats are encoded. */
export function hostOf(dtype: DType, values: ArrayLike<number>): HostArray {
  const host = allocateHost(dtype, values.length);
  for (let i = 0; i < values.length; i++) encode(dtype, host, i, values[i] as number);
  return host;
}

type Unnumbered = Instruction extends infer I ? (I extends unknown ? Omit<I, "id"> : never) : never;

/** What the bodies of one kernel share. */
interface Numbering {
  readonly buffers: readonly BufferSpec[];
  readonly uniforms: readonly UniformSpec[];
  readonly slots: BufferIndex[];
  next: Value;
}

/** A body as it is written: each method adds one instruction. */
export class Body {
  readonly instructions: Instruction[] = [];
  readonly #shared: Numbering;

  constructor(shared: Numbering) {
    this.#shared = shared;
  }

  #slot(buffer: BufferIndex): number {
    const { slots } = this.#shared;
    const known = slots.indexOf(buffer);
    return known >= 0 ? known : slots.push(buffer) - 1;
  }

  #add(instruction: Unnumbered): Value {
    const id = this.#shared.next++;
    this.instructions.push({ id, ...instruction } as Instruction);
    return id;
  }

  load(buffer: BufferIndex, where: At, ...conditions: Condition[]): Scalar {
    const dtype = computeDType((this.#shared.buffers[buffer] as BufferSpec).dtype);
    const base = { op: "load", dtype, slot: this.#slot(buffer), at: affineOf(where) } as const;
    return { dtype, id: this.#add(conditions.length > 0 ? { ...base, conditions } : base) };
  }

  store(buffer: BufferIndex, where: At, value: Scalar): void {
    this.#add({ op: "store", slot: this.#slot(buffer), at: affineOf(where), value: value.id });
  }

  constant(dtype: ComputeDType, value: number): Scalar {
    return { dtype, id: this.#add({ op: "constant", dtype, value }) };
  }

  uniform(uniform: number): Scalar {
    const { dtype } = this.#shared.uniforms[uniform] as UniformSpec;
    return { dtype, id: this.#add({ op: "uniform", dtype, uniform }) };
  }

  /** The affine function itself. */
  index(affine: At): Scalar {
    return { dtype: "int32", id: this.#add({ op: "index", dtype: "int32", affine: affineOf(affine) }) };
  }

  inside(...conditions: Condition[]): Scalar {
    return { dtype: "bool", id: this.#add({ op: "inside", dtype: "bool", conditions }) };
  }

  unary(op: UnaryOp, x: Scalar): Scalar {
    const dtype = op === "isNaN" ? "bool" : x.dtype;
    return { dtype, id: this.#add({ op, dtype, args: [x.id] }) };
  }

  binary(op: BinaryOp, a: Scalar, b: Scalar): Scalar {
    const dtype = comparisonOps.has(op) ? "bool" : a.dtype;
    return { dtype, id: this.#add({ op, dtype, args: [a.id, b.id] }) };
  }

  where(condition: Scalar, a: Scalar, b: Scalar): Scalar {
    return { dtype: a.dtype, id: this.#add({ op: "where", dtype: a.dtype, args: [condition.id, a.id, b.id] }) };
  }

  cast(dtype: ComputeDType, x: Scalar): Scalar {
    return { dtype, id: this.#add({ op: "cast", dtype, args: [x.id] }) };
  }

  roundTo(to: DType, x: Scalar): Scalar {
    return { dtype: x.dtype, id: this.#add({ op: "roundTo", dtype: x.dtype, to, args: [x.id] }) };
  }

  philox(index: Scalar, key0: Scalar, key1: Scalar, stream0: Scalar, stream1: Scalar): Scalar {
    const args = [index.id, key0.id, key1.id, stream0.id, stream1.id] as const;
    return { dtype: "uint32", id: this.#add({ op: "philox", dtype: "uint32", args }) };
  }

  reduce(fn: ReduceOp, x: Scalar): Scalar {
    const dtype = fn === "argMax" || fn === "argMin" ? "int32" : x.dtype;
    return { dtype, id: this.#add({ op: "reduce", dtype, fn, value: x.id }) };
  }

  accumulator(dtype: ComputeDType): Scalar {
    return { dtype, id: this.#add({ op: "accumulator", dtype }) };
  }
}

/** The stages of a loop kernel as they are written. */
export class Stages {
  readonly list: Stage[] = [];
  readonly #shared: Numbering;

  constructor(shared: Numbering) {
    this.#shared = shared;
  }

  /** Adds a stage; gives back what `write` does: values that later stages see. */
  #stage<T>(over: Stage["over"], write: (body: Body) => T): T {
    const body = new Body(this.#shared);
    this.list.push({ over, body: body.instructions });
    return write(body);
  }

  outer<T>(write: (body: Body) => T): T {
    return this.#stage("outer", write);
  }

  inner<T>(write: (body: Body) => T): T {
    return this.#stage("inner", write);
  }
}

type Operands<K extends Kernel> = Omit<K, "label" | "epilogue" | "kind">;

/** A Program under construction, with what its buffers hold and its uniforms are. */
export class Draft {
  readonly #buffers: BufferSpec[] = [];
  readonly #contents: (HostArray | undefined)[] = [];
  readonly #uniforms: UniformSpec[] = [];
  readonly #kernels: Kernel[] = [];
  readonly #label: string;
  #arenaBytes = 0;
  /** Value of each uniform. */
  readonly uniforms: number[] = [];

  constructor(label = "test") {
    this.#label = label;
  }

  #buffer(spec: BufferSpec, contents?: HostArray): BufferIndex {
    this.#contents.push(contents);
    return this.#buffers.push(spec) - 1;
  }

  input(dtype: DType, values: ArrayLike<number>): BufferIndex {
    return this.#buffer({ dtype, size: values.length, kind: "input" }, hostOf(dtype, values));
  }

  /** An input of 16-bit floats given as bits. */
  patterns(dtype: "bfloat16" | "float16", bits: Uint16Array): BufferIndex {
    return this.#buffer({ dtype, size: bits.length, kind: "input" }, bits);
  }

  parameter(dtype: DType, values: ArrayLike<number>): BufferIndex {
    return this.#buffer({ dtype, size: values.length, kind: "parameter" }, hostOf(dtype, values));
  }

  /** Before the run it holds something no Program here gives, so that what is not written shows. */
  output(dtype: DType, size: number): BufferIndex {
    const before = new Array<number>(size).fill(dtype === "bool" ? 1 : 77);
    return this.#buffer({ dtype, size, kind: "output" }, hostOf(dtype, before));
  }

  temporary(dtype: DType, size: number, offset: number): BufferIndex {
    this.#arenaBytes = Math.max(this.#arenaBytes, offset + Math.ceil((8 * size) / 64) * 64);
    return this.#buffer({ dtype, size, kind: "temporary", offset });
  }

  uniform(dtype: ComputeDType, value: number): number {
    this.uniforms.push(value);
    return this.#uniforms.push({ name: `u${this.#uniforms.length}`, dtype }) - 1;
  }

  #numbering(slots: BufferIndex[] = []): Numbering {
    return { buffers: this.#buffers, uniforms: this.#uniforms, slots, next: 0 };
  }

  #epilogue(write: (body: Body) => void) {
    const shared = this.#numbering();
    const body = new Body(shared);
    write(body);
    return { body: body.instructions, buffers: shared.slots };
  }

  #stages(outer: readonly number[], inner: readonly number[], write: (stages: Stages) => void): this {
    const shared = this.#numbering();
    const stages = new Stages(shared);
    write(stages);
    const segments: Segment[] = [{ size: sizeOf(outer), buffers: shared.slots }];
    this.#kernels.push({ kind: "loop", label: this.#label, outer, inner, stages: stages.list, segments });
    return this;
  }

  /** A loop kernel of one outer stage. */
  map(outer: readonly number[], write: (body: Body) => void): this {
    return this.#stages(outer, [], (stages) => stages.outer(write));
  }

  /** A loop kernel of any stages. */
  loop(outer: readonly number[], inner: readonly number[], write: (stages: Stages) => void): this {
    return this.#stages(outer, inner, write);
  }

  /** One body over several sets of buffers: `rows[i]` is what segment i, of `sizes[i]` elements, has for the buffers of `rows[0]`. */
  segments(
    sizes: readonly number[],
    rows: readonly (readonly BufferIndex[])[],
    write: (body: Body, slots: readonly BufferIndex[]) => void,
  ): this {
    const first = rows[0] as readonly BufferIndex[];
    const shared = this.#numbering([...first]);
    const body = new Body(shared);
    write(body, first);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const segments = sizes.map((size, i) => ({ size, buffers: rows[i] as readonly BufferIndex[] }));
    const stages = [{ over: "outer", body: body.instructions }] as const;
    this.#kernels.push({ kind: "loop", label: this.#label, outer: [total], inner: [], stages, segments });
    return this;
  }

  matmul(operands: Operands<MatmulKernel>, write: (body: Body) => void): this {
    this.#kernels.push({ kind: "matmul", label: this.#label, ...operands, epilogue: this.#epilogue(write) });
    return this;
  }

  convolution(
    kind: ConvolutionKernel["kind"],
    operands: Operands<ConvolutionKernel>,
    write: (body: Body) => void,
  ): this {
    this.#kernels.push({ kind, label: this.#label, ...operands, epilogue: this.#epilogue(write) });
    return this;
  }

  indexed(kernel: IndexedKernel): this {
    this.#kernels.push(kernel);
    return this;
  }

  /** Adds a kernel as it stands. */
  kernel(kernel: Kernel): this {
    this.#kernels.push(kernel);
    return this;
  }

  get program(): Program {
    return {
      buffers: [...this.#buffers],
      uniforms: [...this.#uniforms],
      kernels: [...this.#kernels],
      arenaBytes: this.#arenaBytes,
    };
  }

  /** What each buffer holds before a run; nothing for temporaries. */
  get contents(): readonly (HostArray | undefined)[] {
    return this.#contents;
  }
}
