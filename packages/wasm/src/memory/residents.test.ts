import { beforeEach, describe, expect, it } from "vitest";
import { GrowingBlock } from "./growing.ts";
import { Heap } from "./heap.ts";
import { type Cell, Residents } from "./residents.ts";

const mib = 2 ** 20;

let heap: Heap;
let residents: Residents;
beforeEach(() => {
  heap = new Heap(false, 64);
  residents = new Residents(heap);
});

interface Handle {
  readonly cell: Cell;
}
function create(bytes: number): Handle {
  let handle: Handle | undefined;
  residents.create((cell) => {
    handle = { cell };
    return handle;
  }, bytes);
  return handle as Handle;
}
const view = ({ cell }: Handle): Uint8Array => {
  const address = residents.use(cell, false);
  return heap.bytes.subarray(address, address + cell.bytes);
};

describe("buffers", () => {
  it("hold zeros when they are first read, also where others were", () => {
    const first = create(1000);
    view(first).fill(7);
    const { address } = first.cell;
    residents.free(first.cell);
    const second = create(1000);
    expect(second.cell.address).toBe(address);
    expect(view(second).every((byte) => byte === 0)).toBe(true);
  });

  it("are not zeroed when all of them is about to be written", () => {
    const first = create(64);
    view(first).fill(7);
    residents.free(first.cell);
    const second = create(64);
    const address = residents.use(second.cell, true);
    expect(heap.bytes[address]).toBe(7);
  });

  it("move out when they pass the limit, those not used for longest first, and come back as they were", () => {
    const handles = Array.from({ length: 20 }, (_, i) => {
      const handle = create(40 * mib);
      view(handle)[5] = i + 1;
      residents.beginRun([handle.cell], [false]);
      residents.endRun();
      return handle;
    });
    expect(heap.held).toBeLessThan(600 * mib);
    expect(handles[0]?.cell.address).toBeUndefined();
    expect(handles[19]?.cell.address).toBeDefined();
    expect([residents.count, residents.bytes]).toEqual([20, 800 * mib]);
    for (const [i, handle] of handles.entries()) expect(view(handle)[5]).toBe(i + 1);
  });

  it("stay while a run uses them, even beyond the limit", () => {
    const handles = Array.from({ length: 30 }, () => create(40 * mib));
    const addresses = residents.beginRun(
      handles.map(({ cell }) => cell),
      handles.map(() => true),
    );
    expect(handles.map(({ cell }) => cell.address)).toEqual(addresses);
    expect(new Set(addresses).size).toBe(30);
    residents.endRun();
  });

  it("make way when the memory itself is full", () => {
    const old = Array.from({ length: 12 }, () => create(400 * mib));
    const large = create(3500 * mib);
    expect(view(large)[3500 * mib - 1]).toBe(0);
    expect(old.filter(({ cell }) => cell.address !== undefined).length).toBeLessThan(2);
  });

  it("make way for whatever else needs memory", () => {
    Array.from({ length: 12 }, () => create(300 * mib));
    expect(new GrowingBlock(heap).atLeast(3000 * mib)).toBeGreaterThan(0);
    expect(heap.held).toBeLessThan(3700 * mib);
  });

  it("too large for any memory are refused and leave nothing behind", () => {
    const { held } = heap;
    expect(() => create(5000 * mib)).toThrow("out of memory: asked for 4.9 GiB");
    expect([residents.count, residents.bytes, heap.held]).toEqual([0, 0, held]);
  });

  it("go with their handles", async () => {
    const collect = (globalThis as { gc?: () => void }).gc;
    if (!collect) throw new Error("run with --expose-gc");
    const kept = create(mib);
    (() => {
      for (let i = 0; i < 50; i++) view(create(mib)).fill(1);
    })();
    for (let i = 0; i < 100 && residents.count > 1; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect([residents.count, residents.bytes]).toEqual([1, mib]);
    expect(heap.held).toBeLessThan(2 * mib);
    expect(view(kept)[0]).toBe(0);
  });

  it("by the hundred thousand leave only the newest in the memory", () => {
    const handles = Array.from({ length: 100_000 }, (_, i) => {
      const handle = create(4);
      view(handle)[0] = i & 255;
      return handle;
    });
    expect(handles.filter(({ cell }) => cell.address !== undefined).length).toBeLessThanOrEqual(2 ** 15);
    expect(view(handles[77] as Handle)[0]).toBe(77);
  });
});
