import { expect, it } from "vitest";
import { layOutScratch } from "./scratch.ts";

const MiB = 2 ** 20;
const layOut = (...sizes: number[]) => layOutScratch(sizes.map((scratchBytes) => ({ scratchBytes })));

it("lays parts one behind the other while they are few", () => {
  expect(layOut(100, 0, 256 * MiB - 512)).toEqual({
    bytes: 256 * MiB - 256,
    offsets: [0, 256, 256],
    shared: [false, false, false],
  });
});

it("gives large kernels one part when there are many, and small ones their own", () => {
  const workspaces = Array.from({ length: 9 }, () => 32 * MiB);
  const { bytes, offsets, shared } = layOut(1000, ...workspaces, 40 * MiB, 1 * MiB);
  expect(bytes).toBe(40 * MiB + 1024 + 1 * MiB);
  expect(offsets).toEqual([40 * MiB, ...workspaces.map(() => 0), 0, 40 * MiB + 1024]);
  expect(shared).toEqual([false, ...workspaces.map(() => true), true, false]);
});
