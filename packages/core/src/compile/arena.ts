/** Memory of temporaries: who reuses whose, and where each lies in the arena. */
import type { BufferSpec, Instruction, Kernel, LoopKernel } from "../backend/program.ts";
import { bytesPerElement } from "../graph/dtype.ts";
import { kernelBuffers } from "./kernelBuffers.ts";

const alignment = 64;

/** First and last kernel that touches a buffer. */
export interface Lifetime {
  readonly first: number;
  last: number;
}

function lifetimes(kernels: readonly Kernel[]): Map<number, Lifetime> {
  const lives = new Map<number, Lifetime>();
  const touch = (buffer: number, index: number): void => {
    const life = lives.get(buffer);
    if (life) life.last = index;
    else lives.set(buffer, { first: index, last: index });
  };
  for (const [index, kernel] of kernels.entries()) {
    const { reads, writes } = kernelBuffers(kernel);
    for (const buffer of reads) touch(buffer, index);
    for (const buffer of writes) touch(buffer, index);
  }
  return lives;
}

/**
 * Lets an element-wise kernel write over a temporary that it is the last to read, where every read of an element comes
 * before the write at the same iteration. Returns the buffer each buffer is replaced by, and the lifetimes of those that
 * remain.
 */
export function shareInPlace(
  kernels: readonly Kernel[],
  buffers: readonly BufferSpec[],
): { replaced: Map<number, number>; lives: Map<number, Lifetime> } {
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
        (lives.get(source) as Lifetime).last = lives.get(target)?.last as number;
        break;
      }
    }
  }
  for (const buffer of replaced.keys()) {
    replaced.set(buffer, current(buffer));
    lives.delete(buffer);
  }
  return { replaced, lives };
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
  lives: ReadonlyMap<number, Lifetime>,
  buffers: readonly BufferSpec[],
): { offsets: Map<number, number>; bytes: number } {
  const temporaries = [...lives.keys()].filter((i) => buffers[i]?.kind === "temporary");
  const bytesOf = (i: number): number => {
    const spec = buffers[i] as BufferSpec;
    return Math.ceil((spec.size * bytesPerElement(spec.dtype)) / alignment) * alignment;
  };
  const offsets = new Map<number, number>();
  let bytes = 0;
  const placed: Placed[] = [];
  for (const buffer of temporaries.sort((a, b) => bytesOf(b) - bytesOf(a) || a - b)) {
    const life = lives.get(buffer) as Lifetime;
    const size = bytesOf(buffer);
    let offset = 0;
    for (const other of placed) {
      if (other.life.first > life.last || life.first > other.life.last) continue;
      if (other.start - offset >= size) break;
      offset = Math.max(offset, other.end);
    }
    let at = 0;
    while (at < placed.length && (placed[at] as Placed).start <= offset) at++;
    placed.splice(at, 0, { life, start: offset, end: offset + size });
    offsets.set(buffer, offset);
    bytes = Math.max(bytes, offset + size);
  }
  return { offsets, bytes };
}

/** A temporary that has its place; in the order of `start`. */
interface Placed {
  readonly life: Lifetime;
  readonly start: number;
  readonly end: number;
}
