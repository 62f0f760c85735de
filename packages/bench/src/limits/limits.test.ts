import { describe, expect, it } from "vitest";
import { copies, copyGbps } from "./copy.ts";
import { bestLimits } from "./limits.ts";
import { multiplyAddGflops, multiplyAddModule, relaxed, scalar, simd } from "./multiplyAdd.ts";
import { instantiate, memoryOf, signed, unsigned } from "./wasm.ts";

describe("assembler", () => {
  it("writes integers as LEB128", () => {
    expect([0, 127, 128, 624_485].map(unsigned)).toEqual([[0], [0x7f], [0x80, 1], [0xe5, 0x8e, 0x26]]);
    expect([0, 63, 64, -1, -64, -123_456].map(signed)).toEqual([
      [0],
      [63],
      [0xc0, 0],
      [0x7f],
      [0x40],
      [0xc0, 0xbb, 0x78],
    ]);
  });
});

describe("multiply-add", () => {
  it.each([
    ["scalar", scalar],
    ["SIMD", simd],
    ["relaxed SIMD", relaxed],
  ])("%s computes every chain in every lane", (_, arithmetic) => {
    const run = instantiate(multiplyAddModule(arithmetic, 5));
    if (!run) throw new Error("expected an engine that has the instructions");
    // x ← 0.5 x + 3, eight times, from 0 … 4: 6 + (x − 6) / 2⁸, exactly.
    const after = [0, 1, 2, 3, 4].map((x) => 6 + (x - 6) / 2 ** 8);
    expect(run(8, 0.5, 3)).toBe(arithmetic.lanes * after.reduce((sum, x) => sum + x, 0));
    expect(run(4, 1, 1)).toBe(arithmetic.lanes * (4 + 5 + 6 + 7 + 8));
  });

  it("finds some speed", () => {
    expect(multiplyAddGflops(scalar, 30)).toBeGreaterThan(0);
  });
});

describe("copy", () => {
  it("copies all bytes and no others, whichever way", () => {
    const size = 65_536;
    const memory = memoryOf(3 * size);
    const bytes = new Uint8Array(memory.buffer);
    const ways = copies(memory);
    expect([...ways.keys()]).toEqual(["TypedArray.set", "memory.copy", "v128"]);
    for (const copy of ways.values()) {
      for (let i = 0; i < size; i++) bytes[i] = (i * 7 + 1) & 255;
      bytes.fill(99, size);
      copy(0, size, size);
      expect(Buffer.compare(bytes.subarray(size, 2 * size), bytes.subarray(0, size))).toBe(0);
      expect(bytes.subarray(2 * size).every((value) => value === 99)).toBe(true);
    }
  });

  it("finds some speed", () => {
    expect(copyGbps(3, 2 ** 20)).toBeGreaterThan(0);
  });
});

it("keeps the best of two measurements", () => {
  const first = { scalarGflops: 3, simdGflops: 10, copyGbps: 8 };
  expect(bestLimits(first, { scalarGflops: 4, copyGbps: 5 })).toEqual({ ...first, scalarGflops: 4 });
  expect(bestLimits({ scalarGflops: 1, copyGbps: 1 }, { scalarGflops: 1, copyGbps: 1 })).toEqual({
    scalarGflops: 1,
    copyGbps: 1,
  });
});
