/** Memory of temporaries: who reuses whose, and where each lies in the arena. */
import type { BufferSpec, Instruction, Kernel, LoopKernel } from "../backend/program.ts";
import { bytesPerElement } from "../graph/dtype.ts";
import { kernelBuffers } from "./kernelBuffers.ts";

const alignment = 64;

/** First and last kernel that touches each buffer. */
function lifetimes(kernels: readonly Kernel[]): Map<number, { first: number; last: number }> {
  const lives = new Map<number, { first: number; last: number }>();
  for (const [index, kernel] of kernels.entries()) {
    const { reads, writes } = kernelBuffers(kernel);
    for (const buffer of [...reads, ...writes]) {
      const life = lives.get(buffer);
      if (life) life.last = index;
      else lives.set(buffer, { first: index, last: index });
    }
  }
  return lives;
}

/**
 * Lets an element-wise kernel write over a temporary that it is the last to read, where every read of an element comes
 * before the write at the same iteration. Returns the buffer each buffer is replaced by.
 */
export function shareInPlace(kernels: readonly Kernel[], buffers: readonly BufferSpec[]): Map<number, number> {
  const lives = lifetimes(kernels);
  const replaced = new Map<number, number>();
  const current = (buffer: number): number => {
    let at = buffer;
    for (let next = replaced.get(at); next !== undefined; next = replaced.get(at)) at = next;
    return at;
  };
  for (const [index, kernel] of kernels.entries()) {
    if (kernel.kind !== "loop" || kernel.segments.length !== 1) continue;
    const table = kernel.segments[0]?.buffers as readonly number[];
    const taken = new Set<number>();
    for (const store of storesOf(kernel)) {
      const target = table[store.slot] as number;
      const spec = buffers[target] as BufferSpec;
      if (spec.kind !== "temporary" || lives.get(target)?.first !== index) continue;
      for (const [slot, raw] of table.entries()) {
        const source = current(raw);
        const from = buffers[source] as BufferSpec;
        if (from.kind !== "temporary" || from.dtype !== spec.dtype || from.size !== spec.size || source === target)
          continue;
        if (taken.has(source) || lives.get(source)?.last !== index || lives.get(source)?.first === index) continue;
        if (!readsOnlyAt(kernel, slot, store)) continue;
        replaced.set(target, source);
        taken.add(source);
        const life = lives.get(source) as { first: number; last: number };
        life.last = lives.get(target)?.last as number;
        break;
      }
    }
  }
  return new Map([...replaced.keys()].map((buffer) => [buffer, current(buffer)]));
}

type Store = Extract<Instruction, { op: "store" }>;

const storesOf = (kernel: LoopKernel): Store[] =>
  kernel.stages.flatMap(({ body }) => body.filter((i): i is Store => i.op === "store"));

/** Every access of `slot` is an unconditional load at the store's own position, in the store's own stage. */
function readsOnlyAt(kernel: LoopKernel, slot: number, store: Store): boolean {
  for (const { body } of kernel.stages) {
    const same = body.includes(store);
    for (const instruction of body) {
      if (instruction.op === "store" && instruction.slot === slot) return false;
      if (instruction.op !== "load" || instruction.slot !== slot) continue;
      const { at } = instruction;
      if (!same || at.dynamic || instruction.conditions) return false;
      if (at.offset !== store.at.offset || !at.strides.every((s, i) => s === store.at.strides[i])) return false;
    }
  }
  return true;
}

/** Byte offsets such that temporaries alive at the same time do not overlap: largest first, lowest free place. */
export function planArena(
  kernels: readonly Kernel[],
  buffers: readonly BufferSpec[],
): { offsets: Map<number, number>; bytes: number } {
  const lives = lifetimes(kernels);
  const temporaries = [...lives.keys()].filter((i) => buffers[i]?.kind === "temporary");
  const bytesOf = (i: number): number => {
    const spec = buffers[i] as BufferSpec;
    return Math.ceil((spec.size * bytesPerElement(spec.dtype)) / alignment) * alignment;
  };
  const offsets = new Map<number, number>();
  let bytes = 0;
  const placed: number[] = [];
  for (const buffer of temporaries.sort((a, b) => bytesOf(b) - bytesOf(a) || a - b)) {
    const life = lives.get(buffer) as { first: number; last: number };
    const neighbours = placed
      .filter((other) => {
        const theirs = lives.get(other) as { first: number; last: number };
        return theirs.first <= life.last && life.first <= theirs.last;
      })
      .sort((a, b) => (offsets.get(a) as number) - (offsets.get(b) as number));
    let offset = 0;
    for (const other of neighbours) {
      const start = offsets.get(other) as number;
      if (start - offset >= bytesOf(buffer)) break;
      offset = Math.max(offset, start + bytesOf(other));
    }
    offsets.set(buffer, offset);
    placed.push(buffer);
    bytes = Math.max(bytes, offset + bytesOf(buffer));
  }
  return { offsets, bytes };
}
