import { expect, it } from "vitest";
import { shareOfLimit } from "./shareOfLimit.ts";

const machine = {
  limits: [
    { threads: 1, scalarGflops: 10, simdGflops: 50, copyGbps: 20 },
    { threads: 2, scalarGflops: 20, copyGbps: 30 },
  ],
  devices: [{ device: "A GPU", copyGbps: 4000, gflops: { float32: 50_000, bfloat16: 800_000 } }],
};
const arithmetic = { gflops: 25, gbps: undefined };
const copying = { gflops: undefined, gbps: 15 };
const on = (device: string) => ({ threads: 1, device });
const threads = (count: number) => ({ threads: count, device: undefined });

it("is of the processor's limit with the runner's threads", () => {
  expect(shareOfLimit({}, arithmetic, threads(1), machine)).toBe(0.5);
  // Without SIMD, of what there is.
  expect(shareOfLimit({}, arithmetic, threads(2), machine)).toBe(1.25);
  expect(shareOfLimit({}, copying, threads(2), machine)).toBe(0.5);
  expect(shareOfLimit({}, copying, threads(3), machine)).toBeUndefined();
});

it("is of the device's limit, in the workload's arithmetic, where the runner has one", () => {
  const fast = { gflops: 400_000, gbps: undefined };
  expect(shareOfLimit({ arithmetic: "bfloat16" }, fast, on("A GPU"), machine)).toBe(0.5);
  expect(shareOfLimit({}, fast, on("A GPU"), machine)).toBe(8);
  expect(shareOfLimit({ arithmetic: "tf32" }, fast, on("A GPU"), machine)).toBeUndefined();
  expect(shareOfLimit({}, { gflops: undefined, gbps: 3600 }, on("A GPU"), machine)).toBe(0.9);
  // Not of the processor's, whatever the number of threads.
  expect(shareOfLimit({}, arithmetic, on("another"), machine)).toBeUndefined();
});

it("is none where nothing is counted", () => {
  expect(shareOfLimit({}, { gflops: undefined, gbps: undefined }, threads(1), machine)).toBeUndefined();
});
