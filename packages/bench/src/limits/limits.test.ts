import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { copies, copyGbps } from "./copy.ts";
import { alone, crewBytes, crewOf, timed } from "./crew.ts";
import { instantiate, memoryOf } from "./engine.ts";
import { bestLimits, measureLimits } from "./limits.ts";
import { multiplyAddGflops, multiplyAddModule, relaxed, scalar, simd } from "./multiplyAdd.ts";

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
    expect(copyGbps(3, alone, 2 ** 20)).toBeGreaterThan(0);
  });
});

describe("a crew", () => {
  it("is as slow as its slowest member, and does what the first decides", async () => {
    const shared = new SharedArrayBuffer(crewBytes);
    const code = `
      const { workerData: { url, shared } } = require("node:worker_threads");
      import(url).then(({ crewOf, timed }) => {
        const crew = crewOf(shared, 2, 1);
        let rounds = 0;
        do {
          timed(crew, () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30));
          rounds++;
        } while (crew.agree(true));
        require("node:worker_threads").parentPort.postMessage(rounds);
      });`;
    const url = new URL("crew.ts", import.meta.url).href;
    const worker = new Worker(code, { eval: true, workerData: { url, shared } });
    const rounds = new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
    const crew = crewOf(shared, 2, 0);
    const times: number[] = [];
    do times.push(timed(crew, () => undefined));
    while (crew.agree(times.length < 3));
    expect(Math.min(...times)).toBeGreaterThan(20);
    expect(await rounds).toBe(3);
  });

  it("measures with one thread and with as many as are asked for", { timeout: 60_000 }, async () => {
    const limits = await measureLimits([2]);
    expect(limits.map(({ threads }) => threads)).toEqual([1, 2]);
    for (const { scalarGflops, simdGflops, copyGbps } of limits) {
      expect(Math.min(scalarGflops, simdGflops ?? 0, copyGbps)).toBeGreaterThan(0);
    }
  });
});

it("keeps the best of two measurements", () => {
  const first = { threads: 1, scalarGflops: 3, simdGflops: 10, copyGbps: 8 };
  const plain = { threads: 2, scalarGflops: 1, copyGbps: 1 };
  const second = [{ threads: 1, scalarGflops: 4, copyGbps: 5 }, plain];
  expect(bestLimits([first, plain], second)).toEqual([{ ...first, scalarGflops: 4 }, plain]);
});
