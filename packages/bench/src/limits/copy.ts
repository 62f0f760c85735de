/** How fast threads copy arrays that are far larger than their caches. */
import { bulk, i32, v128 } from "@thalweg/wasm/emit";
import { alone, type Crew, timed } from "./crew.ts";
import { instantiate, type Memory, memoryOf, moduleOf } from "./engine.ts";

/** Bytes that all threads together copy: the two copies are beyond the caches of all but the largest servers. */
const defaultSize = 128 * 2 ** 20;

/** Bytes that memories and shares of them are multiples of. */
const page = 65_536;

/** Parameters: from, to, bytes. */
const parameters = ["i32", "i32", "i32"] as const;

/** A loop of 16-byte loads and stores, eight a turn; bytes a multiple of 128. */
const simdCopy = (): Uint8Array =>
  moduleOf(
    parameters,
    [],
    (f) => {
      const [from, to, bytes] = [f.parameter(0, "i32"), f.parameter(1, "i32"), f.parameter(2, "i32")];
      f.loop((again) => {
        for (let offset = 0; offset < 128; offset += 16) f.do(v128.store(to, v128.load(from, offset), offset));
        f.set(from, i32.add(from, 128));
        f.set(to, i32.add(to, 128));
        f.set(bytes, i32.sub(bytes, 128));
        f.brIf(again, bytes);
      });
    },
    { memory: true },
  );

/** The bulk instruction, with which an engine does what it does best. */
const bulkCopy = (): Uint8Array =>
  moduleOf(
    parameters,
    [],
    (f) => f.do(bulk.copy(f.parameter(1, "i32"), f.parameter(0, "i32"), f.parameter(2, "i32"))),
    { memory: true },
  );

/** (from, to, bytes) within a memory. */
export type Copy = (from: number, to: number, bytes: number) => void;

/** Ways to copy within one memory, by name; those that the engine has. */
export function copies(memory: Memory): ReadonlyMap<string, Copy> {
  const bytes = new Uint8Array(memory.buffer);
  const found = new Map<string, Copy>([
    ["TypedArray.set", (from, to, count) => bytes.set(bytes.subarray(from, from + count), to)],
  ]);
  const instance = instantiate(bulkCopy(), memory);
  if (instance) found.set("memory.copy", instance);
  const simd = instantiate(simdCopy(), memory);
  if (simd) found.set("v128", simd);
  return found;
}

/** GB/s of all threads together in the fastest way, bytes read plus bytes written. Each thread has a share of `total`. */
export function copyGbps(milliseconds: number, crew: Crew = alone, total = defaultSize): number {
  const size = page * Math.ceil(total / crew.size / page);
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
      const elapsed = timed(crew, () => copy(0, size, size));
      if (words[size / 4] !== mark || words[size / 2 - 1] !== mark) throw new Error(`${name} did not copy`);
      best = Math.max(best, (2 * size * crew.size) / (1e6 * elapsed));
    } while (crew.agree(performance.now() - start < milliseconds / ways.size));
  }
  return best;
}
