/** For tests: one kernel on memory of its own, beside the reference interpreter. */
import {
  type DType,
  decode,
  dtypes,
  encode,
  type HostArray,
  IndexError,
  type IndexedKernel,
  type Program,
  referenceBackend,
} from "@thalweg/core/backend";
import type { Features } from "../features.ts";
import type { Pointer } from "../launch.ts";
import { testFeatures, testFunction } from "../testFunction.ts";
import { control, controlBytes } from "../threads/control.ts";
import { compileIndexed } from "./index.ts";

export interface TestBuffer {
  readonly dtype: DType;
  readonly values: readonly number[];
}

export interface Outcome {
  /** Of every buffer, decoded. */
  readonly buffers: readonly (readonly number[])[];
  /** The index that was out of range, and the size. */
  readonly failure?: { readonly index: number; readonly size: number };
  readonly tasks: number;
}

/** Bytes about every buffer that nothing may change. */
const margin = 64;
const untouched = 0xa5;

export function hostOf({ dtype, values }: TestBuffer): HostArray {
  const host = new dtypes[dtype].hostArray(values.length);
  for (const [i, value] of values.entries()) encode(dtype, host, i, value);
  return host;
}

const numbersOf = (dtype: DType, host: HostArray): number[] => Array.from(host, (_, i) => decode(dtype, host, i));

/** The Program of that kernel alone; buffers are parameters, which a kernel may read and write. */
export function programOf(kernel: IndexedKernel, buffers: readonly TestBuffer[]): Program {
  return {
    buffers: buffers.map(({ dtype, values }) => ({ dtype, size: values.length, kind: "parameter" })),
    uniforms: [],
    kernels: [kernel],
    arenaBytes: 0,
  };
}

/** What the code makes of the buffers, its tasks run from the last to the first. Throws if it writes beside a buffer. */
export function runIndexed(kernel: IndexedKernel, buffers: readonly TestBuffer[], features: Features): Outcome {
  const { launches, scratchBytes } = compileIndexed(kernel, programOf(kernel, buffers), features);
  const threadBytes = Math.max(0, ...launches.map((launch) => launch.threadBytes ?? 0));
  let end = controlBytes;
  const place = (bytes: number): number => {
    const start = Math.ceil((end + margin) / 64) * 64;
    end = start + bytes + margin;
    return start;
  };
  const hosts = buffers.map(hostOf);
  const places = hosts.map((host) => place(host.byteLength));
  const [scratch, thread] = [place(scratchBytes), place(threadBytes)];
  const addressOf = (pointer: Pointer): number => {
    if (pointer.kind === "buffer") return places[pointer.buffer] as number;
    return pointer.kind === "thread" ? thread : scratch + (pointer.kind === "scratch" ? pointer.offset : 0);
  };
  if (launches.length === 0) return { buffers: hosts.map((host, i) => decodedAs(buffers, i, host)), tasks: 0 };
  const [launch] = launches as [(typeof launches)[0]];
  const f = testFunction(
    features,
    launch.pointers.length + 1,
    (body, code) => launch.build(body, code),
    1 + (end >> 16),
  );
  const bytes = new Uint8Array(f.memory);
  bytes.fill(untouched, controlBytes);
  for (const [i, host] of hosts.entries()) {
    bytes.set(new Uint8Array(host.buffer, host.byteOffset, host.byteLength), places[i]);
  }
  for (let task = launch.tasks - 1; task >= 0; task--) f.call(...launch.pointers.map(addressOf), task);

  const owned = new Uint8Array(bytes.length);
  owned.fill(1, 0, controlBytes);
  for (const [i, host] of hosts.entries()) owned.fill(1, places[i], (places[i] as number) + host.byteLength);
  owned.fill(1, scratch, scratch + scratchBytes);
  owned.fill(1, thread, thread + threadBytes);
  const stray = bytes.findIndex((byte, at) => owned[at] === 0 && byte !== untouched);
  if (stray >= 0) throw new Error(`byte ${stray} was written; buffers are at ${places.join(", ")}`);

  const words = new Int32Array(f.memory);
  const failed = words[control.failed / 4] === 1;
  const index = (words[control.failedIndex / 4] as number) >>> 0;
  const unsigned = words[control.failedUnsigned / 4] === 1;
  return {
    buffers: hosts.map((host, i) =>
      decodedAs(buffers, i, new dtypes[(buffers[i] as TestBuffer).dtype].hostView(f.memory, places[i], host.length)),
    ),
    tasks: launch.tasks,
    ...(failed
      ? { failure: { index: unsigned ? index : index | 0, size: words[control.failedSize / 4] as number } }
      : {}),
  };
}

const decodedAs = (buffers: readonly TestBuffer[], i: number, host: HostArray): number[] =>
  numbersOf((buffers[i] as TestBuffer).dtype, host);

/** What the interpreter makes of them, float32 rounded at every store; undefined where it throws IndexError. */
export function referenceOf(kernel: IndexedKernel, buffers: readonly TestBuffer[]): number[][] | undefined {
  const reference = referenceBackend({ rounding: true });
  const handles = buffers.map((buffer) => {
    const handle = reference.allocate(buffer.dtype, buffer.values.length);
    reference.write(handle, hostOf(buffer));
    return handle;
  });
  try {
    reference.run(reference.compile(programOf(kernel, buffers)), handles, []);
    return handles.map((handle, i) => decodedAs(buffers, i, reference.readSync?.(handle) as HostArray));
  } catch (error) {
    if (error instanceof IndexError) return undefined;
    throw error;
  } finally {
    reference.dispose();
  }
}

/** Every kind of engine gives what the reference gives, to the bit (but for the bits of NaN); or both fail. */
export function expectReference(kernel: IndexedKernel, buffers: readonly TestBuffer[]): void {
  const expected = referenceOf(kernel, buffers);
  for (const { name, features } of testFeatures) {
    const { buffers: got, failure } = runIndexed(kernel, buffers, features);
    if (failure || !expected) {
      if (!failure || expected) {
        throw new Error(`${name}: ${failure ? `index ${failure.index} failed` : "no failure"}, unlike the reference`);
      }
      continue;
    }
    for (const [b, values] of expected.entries()) {
      const at = values.findIndex((value, i) => !Object.is(value, got[b]?.[i]));
      if (at >= 0) {
        throw new Error(`${name}: element ${at} of buffer ${b} is ${got[b]?.[at]}, the reference has ${values[at]}`);
      }
    }
  }
}
