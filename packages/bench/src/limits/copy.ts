/** How fast a thread copies arrays that are far larger than its caches. */
import { assemble, instantiate, type Memory, memoryOf, op } from "./wasm.ts";

/** Bytes of the array that is copied: its two copies are beyond the caches of all but the largest servers. */
const defaultSize = 128 * 2 ** 20;

/** (from, to, bytes): a loop of 16-byte loads and stores, eight a turn; bytes a multiple of 128. */
function simdCopy(): Uint8Array<ArrayBuffer> {
  const [from, to, bytes] = [0, 1, 2];
  const offsets = Array.from({ length: 8 }, (_, i) => 16 * i);
  const advance = (local: number) => [...op.get(local), ...op.i32Const(128), ...op.i32Add, ...op.set(local)];
  return assemble(
    {
      parameters: ["i32", "i32", "i32"],
      locals: [],
      body: op.loopWhile([
        ...offsets.flatMap((offset) => [
          ...op.get(to),
          ...[...op.get(from), ...op.v128Load(offset)],
          ...op.v128Store(offset),
        ]),
        ...[...advance(from), ...advance(to)],
        ...[...op.get(bytes), ...op.i32Const(128), ...op.i32Sub, ...op.tee(bytes)],
      ]),
    },
    { memory: true },
  );
}

/** (from, to, bytes): the bulk instruction, with which an engine does what it does best. */
function bulkCopy(): Uint8Array<ArrayBuffer> {
  const [from, to, bytes] = [0, 1, 2];
  return assemble(
    {
      parameters: ["i32", "i32", "i32"],
      locals: [],
      body: [...op.get(to), ...op.get(from), ...op.get(bytes), ...op.memoryCopy],
    },
    { memory: true },
  );
}

/** (from, to, bytes) within a memory. */
export type Copy = (from: number, to: number, bytes: number) => void;

/** Ways to copy within one memory, by name; those that the engine has. */
export function copies(memory: Memory): ReadonlyMap<string, Copy> {
  const bytes = new Uint8Array(memory.buffer);
  const found = new Map<string, Copy>([
    ["TypedArray.set", (from, to, count) => bytes.set(bytes.subarray(from, from + count), to)],
  ]);
  const bulk = instantiate(bulkCopy(), memory);
  if (bulk) found.set("memory.copy", bulk);
  const simd = instantiate(simdCopy(), memory);
  if (simd) found.set("v128", simd);
  return found;
}

/** GB/s of the fastest way, bytes read plus bytes written. */
export function copyGbps(milliseconds: number, size = defaultSize): number {
  const memory = memoryOf(2 * size);
  const words = new Uint32Array(memory.buffer);
  const ways = copies(memory);
  let best = 0;
  let mark = 0;
  for (const [name, copy] of ways) {
    const start = performance.now();
    do {
      // A new value every time, at both ends: that it arrives shows that all was copied.
      mark++;
      words[0] = mark;
      words[size / 4 - 1] = mark;
      const before = performance.now();
      copy(0, size, size);
      const elapsed = performance.now() - before;
      if (words[size / 4] !== mark || words[size / 2 - 1] !== mark) throw new Error(`${name} did not copy`);
      best = Math.max(best, (2 * size) / (1e6 * elapsed));
    } while (performance.now() - start < milliseconds / ways.size);
  }
  return best;
}
