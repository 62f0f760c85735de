/** For tests: small loop kernels in short, as Programs over buffers that are each one slot. */
import type { Affine, BufferSpec, DType, HostArray, Instruction, Program, UniformSpec } from "@thalweg/core/backend";
import { allocateHost, encode, referenceBackend, validateProgram } from "@thalweg/core/backend";
import type { Features } from "./features.ts";
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
export function loopProgram({ buffers, outer, inner = [], stages, uniforms = [], segments }: LoopTest): Program {
  let id = 0;
  const numbered = stages.map(([over, body]) => ({
    over,
    body: body.map((instruction) => ({ id: id++, ...instruction }) as unknown as Instruction),
  }));
  const slots = buffers.length / (segments?.length ?? 1);
  const sizes = segments ?? [outer.reduce((a, b) => a * b, 1)];
  const kernel = {
    kind: "loop" as const,
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

/** Contents of all buffers after a run on the reference interpreter. */
export function expectedOf(
  program: Program,
  inputs: readonly HostArray[],
  uniforms: readonly number[] = [],
): HostArray[] {
  const backend = referenceBackend();
  let given = 0;
  const handles = program.buffers.map(({ dtype, size, kind }) => {
    const handle = backend.allocate(dtype, size);
    if (kind !== "output") backend.write(handle, inputs[given++] as HostArray);
    return handle;
  });
  backend.run(backend.compile(program), handles, uniforms);
  return handles.map((handle) => backend.readSync?.(handle) as HostArray);
}

/** Where two results differ by more than `tolerance` of their size or 1; undefined when nowhere. */
export function differenceOf(
  program: Program,
  inputs: readonly HostArray[],
  uniforms: readonly number[] = [],
  features: Partial<Features> = {},
  tolerance = 1e-6,
): string | undefined {
  const expected = expectedOf(program, inputs, uniforms);
  const got = runProgram(program, inputs, uniforms, features);
  for (const [index, { dtype, size }] of program.buffers.entries()) {
    const [wanted, found] = [expected[index], got[index]] as [HostArray, HostArray];
    const allowed = dtype === "float32" ? tolerance : dtype === "float64" ? 1e-12 : 0;
    for (let i = 0; i < size; i++) {
      const [a, b] = [wanted[i] as number, found[i] as number];
      if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
      if (Math.abs(a - b) <= allowed * Math.max(1, Math.abs(a))) continue;
      return `buffer ${index}, element ${i}: expected ${a}, got ${b}`;
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
    const rounded = dtype === "int32" ? Math.round(number * 5) : Math.max(0, Math.round(number * 5));
    encode(dtype, array, i, whole ? rounded : number);
  }
  return array;
}

/** What engines may lack. */
export const engines: readonly (readonly [string, Partial<Features>])[] = [
  ["relaxed SIMD", {}],
  ["SIMD", { relaxed: false }],
  ["no SIMD", { simd: false, relaxed: false }],
];
