import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FreeList } from "./freeList.ts";
import { GrowingBlock } from "./growing.ts";
import { Heap } from "./heap.ts";

describe("free list", () => {
  it("takes the smallest stretch that is large enough, and joins neighbours", () => {
    const list = new FreeList();
    list.give(0, 100);
    list.give(200, 50);
    list.give(300, 70);
    expect(list.take(60)).toBe(300);
    expect(list.take(50)).toBe(200);
    expect(list.take(101)).toBeUndefined();
    list.give(100, 100);
    expect(list.largest).toBe(200);
    list.give(300, 60);
    list.give(200, 100);
    expect([list.largest, list.bytes]).toEqual([370, 370]);
    expect(list.take(370)).toBe(0);
    expect(list.bytes).toBe(0);
  });

  it("never gives a byte twice, and gets all back", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.nat()), { maxLength: 60 }), (steps) => {
        const list = new FreeList();
        list.give(0, 400);
        const taken: { start: number; size: number }[] = [];
        for (const [size, pick] of steps) {
          if (pick % 3 === 0 && taken.length > 0) {
            const [block] = taken.splice(pick % taken.length, 1);
            if (block) list.give(block.start, block.size);
            continue;
          }
          const start = list.take(size);
          if (start === undefined) continue;
          for (const other of taken)
            expect(start + size <= other.start || other.start + other.size <= start).toBe(true);
          taken.push({ start, size });
        }
        expect(list.bytes).toBe(400 - taken.reduce((sum, { size }) => sum + size, 0));
        for (const { start, size } of taken) list.give(start, size);
        expect([list.bytes, list.largest]).toEqual([400, 400]);
      }),
    );
  });
});

describe("heap", () => {
  it("gives zeros, aligned, also where something was before", () => {
    const heap = new Heap(false, 1000);
    const first = heap.allocate(100);
    expect(first).toBe(1024);
    heap.bytes.fill(7, first, first + 128);
    heap.free(first);
    const second = heap.allocate(70);
    expect(second).toBe(first);
    expect(heap.bytes.subarray(second, second + 70).every((byte) => byte === 0)).toBe(true);
    expect(heap.allocate(0) % 64).toBe(0);
    expect(() => heap.free(5)).toThrow("free: nothing was allocated at 5");
  });

  it("grows, and keeps what it holds", () => {
    const heap = new Heap(false, 0);
    const a = heap.allocate(64);
    heap.words[a / 4] = 42;
    const b = heap.allocate(10_000_000);
    expect(heap.bytes.length).toBeGreaterThan(10_000_000);
    expect(heap.words[a / 4]).toBe(42);
    heap.bytes[b + 9_999_999] = 1;
    heap.free(b);
    const size = heap.bytes.length;
    for (let i = 0; i < 1000; i++) heap.free(heap.allocate(10_000_000 - i));
    expect(heap.bytes.length).toBe(size);
  });

  it("says what was asked and what is held when there is no more", () => {
    const heap = new Heap(false, 0);
    heap.allocate(1_000_000);
    expect(() => heap.allocate(2 ** 33)).toThrow(
      /out of memory: asked for 8.*GiB, but 97\d.*KiB of at most 4.*GiB are held/,
    );
    expect(heap.allocate(64) % 64).toBe(0);
  });

  it("keeps one block for the largest need", () => {
    const heap = new Heap(false, 0);
    const block = new GrowingBlock(heap);
    const first = block.atLeast(1000);
    expect(block.atLeast(10)).toBe(first);
    expect(block.bytes).toBe(1000);
    block.atLeast(5000);
    expect(block.bytes).toBe(5000);
    expect(heap.held).toBeLessThan(5000 + 128);
  });
});
