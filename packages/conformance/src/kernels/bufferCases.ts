/** Buffers by themselves: allocating, writing, reading, freeing. */
import { allocateHost, type Backend, bytesPerElement, type DType, dtypes, type HostArray } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { needBlocking, needDTypes } from "../needs.ts";
import { BoundProgram } from "./boundProgram.ts";
import { Draft, hostOf } from "./programs.ts";
import { counting, fewBits } from "./values.ts";

const bufferCase = (name: string, run: (backend: Backend) => void | Promise<void>): Case => ({
  layer: "kernels",
  name: `buffer: ${name}`,
  run: ({ backend }) => run(backend),
});

/** Throws unless both hold the same bits. */
function expectBits(what: string, got: HostArray, expected: HostArray): void {
  if (got.constructor !== expected.constructor) {
    throw new Error(`${what}: got a ${got.constructor.name}, expected a ${expected.constructor.name}`);
  }
  if (got.length !== expected.length)
    throw new Error(`${what}: got ${got.length} elements, expected ${expected.length}`);
  for (const [i, value] of expected.entries()) {
    if (!Object.is(got[i], value)) throw new Error(`${what}, element ${i}: got ${got[i]}, expected ${value}`);
  }
}

const storage = Object.keys(dtypes) as DType[];
const special: Readonly<Record<"float" | "integer" | "bool", readonly number[]>> = {
  float: [0, -0, 1, -1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e30, 2 ** -126, 1 / 3],
  integer: [0, 1, 2147483647, 2147483648, -1, -2147483648, 4294967295],
  bool: [0, 1, 1],
};

const dtypeCases: Case[] = storage.flatMap((dtype): Case[] => [
  bufferCase(`${dtype} is zero-filled when allocated, also in the place of one freed`, async (backend) => {
    needDTypes(backend, dtype);
    for (const size of [1, 5, 64, 1000]) {
      const first = backend.allocate(dtype, size);
      expectBits("a new buffer", await backend.read(first), allocateHost(dtype, size));
      backend.write(first, hostOf(dtype, new Array<number>(size).fill(1)));
      backend.free(first);
      const second = backend.allocate(dtype, size);
      expectBits("a buffer after another was freed", await backend.read(second), allocateHost(dtype, size));
      backend.free(second);
    }
  }),
  bufferCase(`${dtype} is read as it was written`, async (backend) => {
    needDTypes(backend, dtype);
    const { category } = dtypes[dtype];
    for (const values of [[], special[category], fewBits(dtype, 7), fewBits(dtype, 1025)]) {
      const data = hostOf(dtype, values);
      const buffer = backend.allocate(dtype, data.length);
      backend.write(buffer, data);
      expectBits("what was written", await backend.read(buffer), data);
      const other = hostOf(dtype, [...values].reverse());
      backend.write(buffer, other);
      expectBits("what was written over it", await backend.read(buffer), other);
      backend.free(buffer);
    }
  }),
]);

const negate = (size: number): { draft: Draft; x: number; y: number } => {
  const draft = new Draft();
  const [x, y] = [draft.input("float32", counting(size)), draft.output("float32", size)];
  draft.map([size], (body) => body.store(y, [1], body.unary("neg", body.load(x, [1]))));
  return { draft, x, y };
};

const floats = (...values: number[]): HostArray => Float32Array.from(values);

const copyCases: Case[] = [
  bufferCase("writing copies", async (backend) => {
    const data = floats(1, 2, 3);
    const buffer = backend.allocate("float32", 3);
    backend.write(buffer, data);
    data.fill(9);
    expectBits("the buffer", await backend.read(buffer), floats(1, 2, 3));
    backend.free(buffer);
  }),
  bufferCase("a part of a larger array is written as it is", async (backend) => {
    const data = Float32Array.from(counting(10)).subarray(3, 6);
    const buffer = backend.allocate("float32", 3);
    backend.write(buffer, data);
    expectBits("the buffer", await backend.read(buffer), floats(4, 5, 6));
    backend.free(buffer);
  }),
  bufferCase("reading copies", async (backend) => {
    const buffer = backend.allocate("float32", 3);
    backend.write(buffer, floats(1, 2, 3));
    const read = await backend.read(buffer);
    read.fill(9);
    expectBits("the buffer", await backend.read(buffer), floats(1, 2, 3));
    const again = await backend.read(buffer);
    backend.write(buffer, floats(7, 8, 9));
    expectBits("what was read before", again, floats(1, 2, 3));
    backend.free(buffer);
  }),
  bufferCase("reading without waiting gives the same, and copies", async (backend) => {
    needBlocking(backend);
    const { draft, y } = negate(5);
    const bound = new BoundProgram(backend, draft);
    bound.run();
    const read = backend.readSync?.(bound.handle(y));
    if (!read) throw new Error("the backend says that it can block, but has no readSync");
    expectBits("readSync", read, floats(-1, -2, -3, -4, -5));
    read.fill(9);
    expectBits("the buffer", await backend.read(bound.handle(y)), floats(-1, -2, -3, -4, -5));
    bound.free();
  }),
  bufferCase("a read sees the runs before it and none after", async (backend) => {
    const { draft, x, y } = negate(40);
    const bound = new BoundProgram(backend, draft);
    const pending: Promise<HostArray>[] = [];
    for (let i = 1; i <= 4; i++) {
      backend.write(bound.handle(x), new Float32Array(40).fill(i));
      bound.run();
      pending.push(backend.read(bound.handle(y)));
    }
    for (const [i, read] of pending.entries()) expectBits(`read ${i}`, await read, new Float32Array(40).fill(-1 - i));
    bound.free();
  }),
  bufferCase("a write between runs is seen by the next", async (backend) => {
    const { draft, x, y } = negate(3);
    const bound = new BoundProgram(backend, draft);
    bound.run();
    backend.write(bound.handle(x), floats(5, 6, 7));
    expectBits("before the next run", await backend.read(bound.handle(y)), floats(-1, -2, -3));
    bound.run();
    expectBits("after it", await backend.read(bound.handle(y)), floats(-5, -6, -7));
    bound.free();
  }),
  bufferCase("an output that a run does not write keeps its contents elsewhere", async (backend) => {
    const draft = new Draft();
    const y = draft.output("float32", 6);
    draft.map([3], (body) => body.store(y, [2], body.constant("float32", 1)));
    const bound = new BoundProgram(backend, draft);
    backend.write(bound.handle(y), floats(10, 20, 30, 40, 50, 60));
    bound.run();
    expectBits("the output", await backend.read(bound.handle(y)), floats(1, 20, 1, 40, 1, 60));
    bound.free();
  }),
  bufferCase("buffers are counted while they live", (backend) => {
    const before = backend.memory();
    const sizes = [10, 0, 1000];
    const buffers = sizes.map((size) => backend.allocate("float32", size));
    const during = backend.memory();
    if (during.buffers !== before.buffers + 3)
      throw new Error(`${before.buffers} buffers and 3 more are ${during.buffers}`);
    const least = before.bufferBytes + 1010 * bytesPerElement("float32");
    if (during.bufferBytes < least) throw new Error(`${during.bufferBytes} bytes, expected at least ${least}`);
    for (const buffer of buffers) backend.free(buffer);
    const after = backend.memory();
    if (after.buffers !== before.buffers || after.bufferBytes !== before.bufferBytes) {
      throw new Error(
        `${after.buffers} buffers of ${after.bufferBytes} bytes are left, before there were ${before.buffers}`,
      );
    }
  }),
  bufferCase("freeing one leaves the others", async (backend) => {
    const buffers = [1, 2, 3].map((value) => {
      const buffer = backend.allocate("int32", 9);
      backend.write(buffer, new Int32Array(9).fill(value));
      return buffer;
    });
    const [first, second, third] = buffers as [
      (typeof buffers)[number],
      (typeof buffers)[number],
      (typeof buffers)[number],
    ];
    backend.free(second);
    const next = backend.allocate("int32", 9);
    backend.write(next, new Int32Array(9).fill(4));
    expectBits("the first", await backend.read(first), new Int32Array(9).fill(1));
    expectBits("the third", await backend.read(third), new Int32Array(9).fill(3));
    for (const buffer of [first, third, next]) backend.free(buffer);
  }),
];

export const bufferCases: readonly Case[] = [...dtypeCases, ...copyCases];
