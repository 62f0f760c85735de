/** One Program on two backends: the one under test, and the reference interpreter. */
import {
  type Backend,
  type BufferSpec,
  type DType,
  type Instruction,
  type Kernel,
  type Program,
  printProgram,
  referenceBackend,
} from "@thalweg/core/backend";
import { needDTypes, needKernels } from "../needs.ts";
import { float32Ulp, float64Tolerance } from "../tolerances.ts";
import { BoundProgram, numbersOf } from "./boundProgram.ts";
import type { BufferIndex, Draft } from "./programs.ts";

/** How far from the expected value a float may be. */
export interface Allowance {
  /** Units in the last place of float32; float64 is held to `float64Tolerance` of the same scale. */
  readonly ulp: number;
  /** The last place is that of the expected value, or of this magnitude where it is larger. Default 0. */
  readonly scale?: number;
}

export interface Expectation {
  /** What buffers hold after the run, as the case itself knows it. */
  readonly known?: readonly (readonly [buffer: BufferIndex, values: readonly number[]])[];
  /** Default: not at all, since most Programs here compute with numbers of few bits, whose sums and products are exact. */
  readonly allow?: Allowance;
  /** The buffers the allowance is for. Default all. */
  readonly inexact?: ReadonlySet<BufferIndex>;
  /** Whether 0 and -0 are different. Default false. */
  readonly signedZeros?: boolean;
}

const bodiesOf = (kernel: Kernel): readonly (readonly Instruction[])[] => {
  if (kernel.kind === "loop") return kernel.stages.map(({ body }) => body);
  return "epilogue" in kernel ? [kernel.epilogue.body] : [];
};

/** Every dtype a backend must know for this Program. */
function dtypesOf({ buffers, uniforms, kernels }: Program): Set<DType> {
  const found = new Set<DType>([...buffers, ...uniforms].map(({ dtype }) => dtype));
  for (const instruction of kernels.flatMap(bodiesOf).flat()) {
    if ("dtype" in instruction) found.add(instruction.dtype);
    if (instruction.op === "roundTo") found.add(instruction.to);
  }
  // Every backend can hold a condition or an index, also one that has no buffers of them.
  for (const dtype of ["bool", "int32"] as const) {
    if (!buffers.some((buffer) => buffer.dtype === dtype)) found.delete(dtype);
  }
  return found;
}

/** Throws NotApplicable when the backend cannot run this Program for want of a dtype or a kind of kernel. */
export function needProgram(backend: Backend, program: Program): void {
  needKernels(backend, ...program.kernels.map(({ kind }) => kind));
  needDTypes(backend, ...dtypesOf(program));
}

const fractionBits = { bfloat16: 7, float16: 10 } as const;
const smallestNormal = { bfloat16: 2 ** -126, float16: 2 ** -14 } as const;

/** Distance a result of `dtype` may be from `expected`. */
function allowed(dtype: DType, expected: number, { ulp, scale = 0 }: Allowance): number {
  const magnitude = Math.max(Math.abs(expected), scale);
  if (ulp === 0) return 0;
  if (dtype === "float64") return float64Tolerance * magnitude;
  if (dtype === "float32") return ulp * float32Ulp(magnitude);
  if (dtype !== "bfloat16" && dtype !== "float16") return 0;
  // An error of float32 can carry the rounding to 16 bits over to the next number.
  const last = 2 ** (Math.floor(Math.log2(Math.max(magnitude, smallestNormal[dtype]))) - fractionBits[dtype]);
  return last + ulp * float32Ulp(magnitude);
}

/** Throws, with the first element that differs, unless `got` is as `expected` allows. */
export function compareValues(
  what: string,
  dtype: DType,
  got: readonly number[],
  expected: readonly number[],
  { allow = { ulp: 0 }, signedZeros = false }: Expectation = {},
): void {
  if (got.length !== expected.length)
    throw new Error(`${what}: got ${got.length} elements, expected ${expected.length}`);
  for (const [i, want] of expected.entries()) {
    const have = got[i] as number;
    if (Object.is(have, want) || (have === want && !signedZeros)) continue;
    const margin = allowed(dtype, want, allow);
    if (have !== want && Number.isFinite(want) && Math.abs(have - want) <= margin) continue;
    const show = (x: number) => (Object.is(x, -0) ? "-0" : String(x));
    const within = margin > 0 ? ` within ${margin}` : "";
    throw new Error(`${what}, element ${i} (${dtype}): got ${show(have)}, expected ${show(want)}${within}`);
  }
}

const nameOf = ({ kind, name }: BufferSpec, buffer: BufferIndex): string => `${kind} ${name ?? `b${buffer}`}`;

async function contentsAfter(backend: Backend, draft: Draft): Promise<(number[] | undefined)[]> {
  const bound = new BoundProgram(backend, draft);
  try {
    bound.run();
    const read: (number[] | undefined)[] = [];
    for (const [i, { kind }] of draft.program.buffers.entries()) {
      read.push(kind === "temporary" ? undefined : await bound.read(i));
    }
    return read;
  } finally {
    bound.free();
  }
}

/** Throws an Error that shows the Program. */
export function failWith(program: Program, error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  throw new Error(`${message}\n${printProgram(program)}`, { cause: error });
}

/**
 * Runs a Program once on `backend` and on the reference interpreter, and compares what every buffer holds then. Inputs
 * hold what they held before, bit for bit.
 */
export async function checkProgram(backend: Backend, draft: Draft, expectation: Expectation = {}): Promise<void> {
  const { program } = draft;
  needProgram(backend, program);
  const expected = await contentsAfter(referenceBackend({ rounding: true }), draft);
  try {
    const got = await contentsAfter(backend, draft);
    for (const [buffer, spec] of program.buffers.entries()) {
      const values = got[buffer];
      if (!values) continue;
      const { dtype, kind } = spec;
      const input = kind === "input" ? draft.contents[buffer] : undefined;
      if (input) {
        const before = numbersOf(dtype, input);
        compareValues(`${nameOf(spec, buffer)} was changed`, dtype, values, before, { signedZeros: true });
      } else {
        const exact = expectation.inexact?.has(buffer) === false;
        const like = exact ? { ...expectation, allow: { ulp: 0 } } : expectation;
        compareValues(nameOf(spec, buffer), dtype, values, expected[buffer] as number[], like);
      }
    }
    for (const [buffer, values] of expectation.known ?? []) {
      const spec = program.buffers[buffer] as BufferSpec;
      compareValues(`${nameOf(spec, buffer)} by hand`, spec.dtype, got[buffer] as number[], values, expectation);
    }
  } catch (error) {
    failWith(program, error);
  }
}

/** Checks Programs one after the other. */
export async function checkAll(backend: Backend, drafts: Iterable<Draft>, expectation?: Expectation): Promise<void> {
  for (const draft of drafts) await checkProgram(backend, draft, expectation);
}
