import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NativeContext } from "../native/addon.ts";
import { type Block, DevicePool } from "./pool.ts";

/** A driver with so many bytes, which gives out addresses far apart. */
function device(bytes: number) {
  let [free, next, synchronized] = [bytes, 2 ** 32, 0];
  const context = {
    allocate(size: number) {
      if (size > free) throw Object.assign(new Error("no memory"), { code: "CUDA_ERROR_OUT_OF_MEMORY" });
      free -= size;
      const address = next;
      next += 2 ** 32;
      return {
        address,
        bytes: size,
        dispose: () => {
          free += size;
        },
      };
    },
    memoryInfo: () => [free, bytes] as const,
    synchronize: () => {
      synchronized++;
    },
  };
  return { context: context as unknown as NativeContext, free: () => free, synchronized: () => synchronized };
}

const MiB = 2 ** 20;

describe("DevicePool", () => {
  it("gives a block that was freed to the next who wants as much, the one longest free first", () => {
    const pool = new DevicePool(device(1024 * MiB).context);
    const blocks = [1000, 1000, 1, 1000].map((bytes) => pool.allocate(bytes));
    const [a, b, c, d] = blocks as [Block, Block, Block, Block];
    expect([a.bytes, c.bytes, a.address % 256, c.address]).toEqual([1024, 256, 0, b.address + 1024]);
    pool.free(d, 3);
    pool.free(b, 5);
    pool.free(a, 6);
    const again = [900, 1024, 800].map((bytes) => pool.allocate(bytes));
    expect(again.map(({ address, lastUse }) => [address, lastUse])).toEqual([
      [d.address, 3],
      [b.address, 5],
      [a.address, 6],
    ]);
    expect(pool.usedBytes).toBe(3 * 1024 + 256);
  });

  it("joins free neighbours when nothing else fits; the last use is the later one", () => {
    const pool = new DevicePool(device(8 * MiB).context);
    const quarters = Array.from({ length: 16 }, () => pool.allocate(MiB / 2));
    quarters.slice(4, 8).forEach((block, i) => {
      pool.free(block, 10 - i);
    });
    const joined = pool.allocate(MiB - 512);
    expect([joined.address, joined.lastUse]).toEqual([quarters[4]?.address, 10]);
    expect(pool.reservedBytes).toBe(8 * MiB);
  });

  it("takes chunks from the driver, exact ones when little is left, and gives idle ones back first", () => {
    const { context, free, synchronized } = device(200 * MiB);
    const pool = new DevicePool(context);
    const first = pool.allocate(10 * MiB);
    expect(pool.reservedBytes).toBe(64 * MiB);
    const second = pool.allocate(130 * MiB);
    expect(free()).toBe(6 * MiB);
    pool.free(second, 1);
    // Neither what lies free nor a chunk more is enough: the idle chunk goes back.
    const third = pool.allocate(134 * MiB);
    expect([pool.reservedBytes, synchronized()]).toEqual([198 * MiB, 1]);
    expect(() => pool.allocate(100 * MiB)).toThrow(
      "cuda: allocate: 100 MiB do not fit: 2.0 MiB of the device's 200 MiB are free, 144 MiB are used by this backend",
    );
    pool.free(first, 1);
    pool.free(third, 1);
    pool.dispose();
    expect(free()).toBe(200 * MiB);
  });

  it("never gives two the same byte, and joins all when all is freed", () => {
    const sizes = fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: MiB / 2, max: 20 * MiB }));
    const steps = fc.array(fc.record({ size: sizes, drop: fc.nat({ max: 20 }) }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (list) => {
        const pool = new DevicePool(device(4096 * MiB).context);
        const live: Block[] = [];
        for (const { size, drop } of list) {
          const block = pool.allocate(size);
          for (const other of live) {
            const apart = block.address + block.bytes <= other.address || other.address + other.bytes <= block.address;
            if (!apart) throw new Error(`${block.address} and ${other.address} overlap`);
          }
          live.push(block);
          if (drop < live.length) pool.free(live.splice(drop, 1)[0] as Block, 0);
        }
        for (const block of live) pool.free(block, 0);
        expect(pool.usedBytes).toBe(0);
        pool.releaseFree();
        expect(pool.reservedBytes).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
