/** For tests: small loop kernels in short, run together as one Program, since compiling is what takes the time. */
import {
  type Affine,
  allocateHost,
  type BufferSpec,
  type DType,
  encode,
  type HostArray,
  type Instruction,
  type Kernel,
  type LoopKernel,
  type Program,
  referenceBackend,
  type UniformSpec,
  validateProgram,
} from "@thalweg/core/backend";
import type { Target } from "./target.ts";
import { runProgram } from "./testKernel.ts";

/** An instruction whose number is its place in the whole kernel. */
export type Loose = { readonly op: string } & Readonly<Record<string, unknown>>;

export const at = (strides: readonly number[], offset = 0, dynamic?: Affine["dynamic"]): Affine => ({
  offset,
  strides,
  ...(dynamic ? { dynamic } : {}),
});
export const load = (slot: number, where: Affine, more: object = {}): Loose => ({
  op: "load",
  dtype: "float32",
  slot,
  at: where,
  ...more,
});
export const store = (slot: number, where: Affine, value: number): Loose => ({ op: "store", slot, at: where, value });
export const operation = (op: string, ...args: readonly number[]): Loose => ({ op, dtype: "float32", args });
export const constant = (value: number, dtype = "float32"): Loose => ({ op: "constant", dtype, value });
export const uniform = (number: number, dtype = "float32"): Loose => ({ op: "uniform", dtype, uniform: number });
export const reduce = (fn: string, value: number, dtype = fn.startsWith("arg") ? "int32" : "float32"): Loose => ({
  op: "reduce",
  fn,
  value,
  dtype,
});
export const buffer = (size: number, kind: BufferSpec["kind"] = "input", dtype: DType = "float32"): BufferSpec => ({
  dtype,
  size,
  kind,
});

export interface LoopTest {
  readonly buffers: readonly BufferSpec[];
  readonly outer: readonly number[];
  readonly inner?: readonly number[];
  readonly stages: readonly (readonly ["outer" | "inner", readonly Loose[]])[];
  readonly uniforms?: readonly UniformSpec[];
  /** Sizes, where the buffers are those of several segments one after the other. */
  readonly segments?: readonly number[];
}

/** Instructions are numbered through all stages. */
export function loopProgram(test: LoopTest): Program {
  const { buffers, outer, inner = [], stages, uniforms = [], segments } = test;
  let id = 0;
  const numbered = stages.map(([over, body]) => ({
    over,
    body: body.map((instruction) => ({ id: id++, ...instruction }) as unknown as Instruction),
  }));
  const slots = buffers.length / (segments?.length ?? 1);
  const sizes = segments ?? [outer.reduce((a, b) => a * b, 1)];
  const kernel: LoopKernel = {
    kind: "loop",
    label: "test",
    outer,
    inner,
    stages: numbered,
    segments: sizes.map((size, index) => ({
      size,
      buffers: Array.from({ length: slots }, (_, slot) => index * slots + slot),
    })),
  };
  const program = { buffers, uniforms, kernels: [kernel], arenaBytes: 0 };
  validateProgram(program);
  return program;
}

/** One Program of the kernels of several, which have the same uniforms. */
export function together(programs: readonly Program[]): Program {
  const buffers: BufferSpec[] = [];
  const kernels: Kernel[] = [];
  for (const program of programs) {
    const first = buffers.length;
    buffers.push(...program.buffers);
    for (const kernel of program.kernels as readonly LoopKernel[]) {
      const segments = kernel.segments.map(({ size, buffers: own }) => ({ size, buffers: own.map((b) => b + first) }));
      kernels.push({ ...kernel, segments });
    }
  }
  const arenaBytes = programs.reduce((most, program) => Math.max(most, program.arenaBytes), 0);
  return { buffers, kernels, uniforms: programs[0]?.uniforms ?? [], arenaBytes };
}

/** Contents of all bound buffers after a run on the reference interpreter. */
function expectedOf(program: Program, contents: readonly HostArray[], uniforms: readonly number[]): HostArray[] {
  const backend = referenceBackend();
  const bound = program.buffers.filter(({ kind }) => kind !== "temporary");
  const handles = bound.map(({ dtype, size }, index) => {
    const handle = backend.allocate(dtype, size);
    backend.write(handle, contents[index] as HostArray);
    return handle;
  });
  backend.run(backend.compile(program), handles, uniforms);
  return handles.map((handle) => backend.readSync?.(handle) as HostArray);
}

export interface Options {
  readonly uniforms?: readonly number[];
  /** Of bound buffers by position, over all programs, in place of `numbers`. */
  readonly contents?: Readonly<Record<number, HostArray>>;
  /** Relative to 1 or the value, for float32. */
  readonly tolerance?: number;
  readonly target?: Target;
}

/** Where results differ from the reference interpreter's; undefined when nowhere. All programs run as one. */
export function differenceOf(programs: readonly Program[], options: Options = {}): string | undefined {
  const { uniforms = [], contents = {}, tolerance = 1e-6, target } = options;
  const program = together(programs);
  const bound = program.buffers.filter(({ kind }) => kind !== "temporary");
  const given = bound.map(({ size, dtype }, index) => contents[index] ?? numbers(size, dtype, index));
  const expected = expectedOf(program, given, uniforms);
  const got = runProgram(program, given, uniforms, ...(target ? [target] : []));
  for (const [index, { dtype, size }] of bound.entries()) {
    const [wanted, found] = [expected[index], got[index]] as [HostArray, HostArray];
    const allowed = dtype === "float32" ? tolerance : dtype === "float64" ? 1e-12 : 0;
    // Bits: what is computed in float32 here and in float64 there may be rounded to the next one.
    const apart = dtype === "bfloat16" || dtype === "float16" ? 1 : 0;
    for (let i = 0; i < size; i++) {
      const [a, b] = [wanted[i] as number, found[i] as number];
      if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
      if (Math.abs(a - b) <= Math.max(apart, allowed * Math.max(1, Math.abs(a)))) continue;
      return `bound buffer ${index}, element ${i}: expected ${a}, got ${b}`;
    }
  }
  return undefined;
}

/** Numbers between -3 and 3 without pattern, whole ones in buffers of integers. */
export function numbers(size: number, dtype: DType = "float32", seed = 0): HostArray {
  const whole = dtype === "int32" || dtype === "uint32" || dtype === "bool";
  const array = allocateHost(dtype, size);
  for (let i = 0; i < size; i++) {
    const number = Math.sin(i * 1.7 + seed) * 3;
    if (dtype === "bool") encode(dtype, array, i, number > 0 ? 1 : 0);
    else if (whole)
      encode(dtype, array, i, dtype === "int32" ? Math.round(number * 5) : Math.max(0, Math.round(number * 5)));
    else encode(dtype, array, i, number);
  }
  return array;
}
