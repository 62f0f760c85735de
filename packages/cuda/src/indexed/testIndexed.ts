/** For tests: kernels on buffers of their own, as one Program on the emulation, beside the reference interpreter. */
import {
  allocateHost,
  type DType,
  decode,
  encode,
  type HostArray,
  type IndexedKernel,
  type Program,
  referenceBackend,
} from "@thalweg/core/backend";
import { runProgram, testTarget } from "../testKernel.ts";

export interface TestBuffer {
  readonly dtype: DType;
  readonly values: readonly number[];
}

/** A kernel whose buffers are numbered within the case. */
export interface IndexedCase {
  readonly kernel: IndexedKernel;
  readonly buffers: readonly TestBuffer[];
}

const hostOf = ({ dtype, values }: TestBuffer): HostArray => {
  const host = allocateHost(dtype, values.length);
  for (const [i, value] of values.entries()) encode(dtype, host, i, value);
  return host;
};

const movedBy = (kernel: IndexedKernel, first: number): IndexedKernel => {
  if (kernel.kind !== "scatterAdd") return { ...kernel, input: kernel.input + first, output: kernel.output + first };
  const { target, index, source } = kernel;
  return {
    ...kernel,
    target: target + first,
    index: { ...index, buffer: index.buffer + first },
    source: { ...source, buffer: source.buffer + first },
  };
};

/** All cases as one Program, since each Program costs a run of the compiler. Buffers are parameters: read and written. */
function programOf(cases: readonly IndexedCase[]): { program: Program; hosts: HostArray[] } {
  let first = 0;
  const kernels = cases.map(({ kernel, buffers }) => {
    const moved = movedBy(kernel, first);
    first += buffers.length;
    return moved;
  });
  const buffers = cases.flatMap((some) => some.buffers);
  return {
    program: {
      buffers: buffers.map(({ dtype, values }) => ({ dtype, size: values.length, kind: "parameter" })),
      uniforms: [],
      kernels,
      arenaBytes: 0,
    },
    hosts: buffers.map(hostOf),
  };
}

/** Every buffer of every case after the run, decoded. */
export function runIndexed(cases: readonly IndexedCase[], multiprocessors = testTarget.multiprocessors): number[][][] {
  const { program, hosts } = programOf(cases);
  const after = runProgram(program, hosts, [], { ...testTarget, multiprocessors });
  return perCase(cases, after);
}

function perCase(cases: readonly IndexedCase[], after: readonly HostArray[]): number[][][] {
  let next = 0;
  return cases.map(({ buffers }) =>
    buffers.map(({ dtype }) => {
      const host = after[next++] as HostArray;
      return Array.from(host, (_, i) => decode(dtype, host, i));
    }),
  );
}

/** What the interpreter makes of them, float32 rounded at every store. */
function referenceOf(cases: readonly IndexedCase[]): number[][][] {
  const { program, hosts } = programOf(cases);
  const reference = referenceBackend({ rounding: true });
  const handles = program.buffers.map(({ dtype, size }, i) => {
    const handle = reference.allocate(dtype, size);
    reference.write(handle, hosts[i] as HostArray);
    return handle;
  });
  reference.run(reference.compile(program), handles, []);
  const after = handles.map((handle) => reference.readSync?.(handle) as HostArray);
  reference.dispose();
  return perCase(cases, after);
}

/** What the reference gives, to the bit but for the bits of NaN. */
export function expectReference(cases: readonly IndexedCase[], multiprocessors?: number): void {
  const [expected, got] = [referenceOf(cases), runIndexed(cases, multiprocessors)];
  for (const [c, buffers] of expected.entries()) {
    for (const [b, values] of buffers.entries()) {
      const at = values.findIndex((value, i) => !Object.is(value, got[c]?.[b]?.[i]));
      if (at >= 0) {
        throw new Error(
          `${JSON.stringify(cases[c]?.kernel)}: element ${at} of buffer ${b} is ${got[c]?.[b]?.[at]}, the reference has ${values[at]}`,
        );
      }
    }
  }
}

/** Bits of a hash, for values without a pattern that a mistake could share. */
export const bitsOf = (i: number): number => Math.imul(i + 1, 0x9e3779b1) >>> 0;
