/**
 * Which kernels of a Program must wait for which: those whose memory meets. The others may run side by side, as the branches
 * of one CUDA graph, which is what fills a GPU with the small kernels of small models.
 */
import { accessesOf, bytesPerElement, type Kernel, type Program } from "@thalweg/core/backend";
import { guardedKernels, kernelMayFail } from "../kernel/guard.ts";

/** Programs of more kernels run one kernel after the other: every pair is looked at. */
const mostKernels = 1500;

/** Part of the arena, or a bound buffer as a whole. */
interface Span {
  /** -1: the arena. Bound buffers are memory of their own each. */
  readonly buffer: number;
  readonly begin: number;
  readonly end: number;
}

interface Touched {
  readonly read: readonly Span[];
  readonly written: readonly Span[];
}

function spanOf(program: Program, buffer: number): Span {
  const { kind, offset, size, dtype } = program.buffers[buffer] as Program["buffers"][number];
  if (kind !== "temporary") return { buffer, begin: 0, end: 1 };
  const begin = offset as number;
  return { buffer: -1, begin, end: begin + size * bytesPerElement(dtype) };
}

function touchedBy(program: Program, kernel: Kernel): Touched {
  const [read, written] = [new Set<number>(), new Set<number>()];
  for (const { kind, buffer } of accessesOf(kernel)) (kind === "read" ? read : written).add(buffer);
  const spans = (buffers: ReadonlySet<number>): Span[] => [...buffers].map((buffer) => spanOf(program, buffer));
  return { read: spans(read), written: spans(written) };
}

const meet = (a: readonly Span[], b: readonly Span[]): boolean =>
  a.some((x) => b.some((y) => x.buffer === y.buffer && x.begin < y.end && y.begin < x.end));

const conflict = (before: Touched, after: Touched): boolean =>
  meet(before.written, after.read) || meet(before.written, after.written) || meet(before.read, after.written);

/**
 * For each kernel the earlier ones it waits for directly; those it waits for through others are left out. Undefined: each for
 * the one before. `sharing`: which kernels have scratch memory in common.
 */
export function kernelDependencies(
  program: Program,
  sharing: readonly boolean[] = [],
): readonly (readonly number[])[] | undefined {
  const { kernels } = program;
  if (kernels.length > mostKernels) return undefined;
  const touched = kernels.map((kernel) => touchedBy(program, kernel));
  const guarded = guardedKernels(program);
  const failing = kernels.map(kernelMayFail);
  // A scatterAdd looks at the status itself, between checking its indices and adding.
  const looking = kernels.map(({ kind }, i) => guarded[i] || kind === "scatterAdd");
  /** A kernel that looks at the status must find it as it was, or some of its blocks would stop and others go on. */
  const byStatus = (j: number, i: number): boolean =>
    ((looking[i] && failing[j]) || (failing[i] && looking[j])) === true;
  // Bit j of a kernel's set: it comes after kernel j, directly or not.
  const words = Math.ceil(kernels.length / 32);
  const reached: Uint32Array[] = [];
  return kernels.map((_, i) => {
    const after = new Uint32Array(words);
    const direct: number[] = [];
    for (let j = i - 1; j >= 0; j--) {
      if (((after[j >>> 5] as number) >>> (j & 31)) & 1) continue;
      const waits = byStatus(j, i) || (sharing[i] && sharing[j]);
      if (!waits && !conflict(touched[j] as Touched, touched[i] as Touched)) continue;
      direct.push(j);
      const before = reached[j] as Uint32Array;
      for (let w = 0; w < words; w++) after[w] = (after[w] as number) | (before[w] as number);
      after[j >>> 5] = (after[j >>> 5] as number) | (1 << (j & 31));
    }
    reached.push(after);
    return direct.reverse();
  });
}

/**
 * Launches of each kernel in order, the first after the last of the kernels it waits for. `counts`: launches of each kernel,
 * of which there may be none.
 */
export function launchDependencies(
  dependencies: readonly (readonly number[])[],
  counts: readonly number[],
): (readonly number[])[] {
  const result: (readonly number[])[] = [];
  /** What stands for kernel k being done: its last launch, or, without launches, what it would have waited for. */
  const done: (readonly number[])[] = [];
  counts.forEach((count, kernel) => {
    const before = [...new Set((dependencies[kernel] ?? []).flatMap((k) => done[k] as readonly number[]))];
    for (let i = 0; i < count; i++) result.push(i === 0 ? before : [result.length - 1]);
    done.push(count > 0 ? [result.length - 1] : before);
  });
  return result;
}
