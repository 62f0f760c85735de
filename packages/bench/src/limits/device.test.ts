import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { bench } from "../bench.ts";
import type { Runner } from "../measure.ts";
import type { Workload } from "../spec.ts";
import { bestDevices, measureDevices, measuringRunners } from "./device.ts";

const script = fileURLToPath(new URL("../../test/fakeRunner.mjs", import.meta.url));

function fake(name: string, kind: Runner["kind"], behaviour: object): Runner {
  const launch = { command: process.execPath, args: [script, JSON.stringify(behaviour)] };
  return { name, kind, launch, options: { name } };
}

const ours = { device: "A GPU", limits: { copyGbps: 4000, gflops: { float32: 40_000, tf32: 300_000 } } };
const theirs = { device: "A GPU", limits: { copyGbps: 3900, gflops: { float32: 50_000, bfloat16: 800_000 } } };
const best = { device: "A GPU", copyGbps: 4000, gflops: { float32: 50_000, tf32: 300_000, bfloat16: 800_000 } };

describe("limits of devices", () => {
  it("are asked of one backend and one peer on each", () => {
    const runners = [
      fake("cuda", "backend", {}),
      fake("cuda-2", "backend", {}),
      fake("wasm", "backend", {}),
      fake("pytorch", "peer", {}),
      fake("pytorch-fused", "peer", {}),
    ];
    const devices = { cuda: "A GPU", "cuda-2": "A GPU", pytorch: "A GPU", "pytorch-fused": "A GPU" };
    expect(measuringRunners(runners, devices).map(({ name }) => name)).toEqual(["cuda", "pytorch"]);
    expect(measuringRunners(runners, { ...devices, "cuda-2": "Another" }).length).toBe(3);
  });

  it("are the best that any of them found; one that cannot tell says why", async () => {
    const runners = [
      fake("cuda", "backend", ours),
      fake("pytorch", "peer", theirs),
      fake("other", "backend", { device: "Another" }),
    ];
    const devices = { cuda: "A GPU", pytorch: "A GPU", other: "Another" };
    expect(await measureDevices(runners, devices)).toEqual({
      limits: [best],
      missing: [{ runner: "other", reason: "no device" }],
    });
  });

  it("are kept by device", () => {
    const other = { device: "Another", copyGbps: 1, gflops: {} };
    expect(bestDevices([{ device: "A GPU", ...ours.limits }, other], [{ device: "A GPU", ...theirs.limits }])).toEqual([
      best,
      other,
    ]);
  });
});

describe("a benchmark on a device", () => {
  const workload: Workload = {
    name: "large",
    about: "",
    spec: { kind: "matmul", size: 2, onDevice: true },
    ...{ warmUp: 1, repeats: 3, flops: 4e12, tokens: 1000, arithmetic: "bfloat16", hostTime: true, largeBytes: 3e9 },
  };
  const runners = [fake("cuda", "backend", { ...theirs, milliseconds: 10 }), fake("wasm", "backend", {})];

  it("sets figures against the device's limits, and leaves processors out of what is large", async () => {
    const counts: (readonly number[])[] = [];
    const measureLimits = async (threads: readonly number[]) => {
      counts.push(threads);
      return [];
    };
    const report = await bench({ runners, workloads: [workload], window: 1, measureLimits });
    expect(report.devices).toEqual({ cuda: "A GPU" });
    expect(report.machine.devices).toEqual([{ device: "A GPU", ...theirs.limits }]);
    expect(counts).toEqual([[1], [1]]);
    expect(report.results).toEqual([
      {
        ...{ workload: "large", runner: "cuda", medianMs: 10, p10Ms: 10, p90Ms: 10 },
        ...{ gflops: 400_000, ofLimit: 0.5, tokensPerSecond: 100_000, hostMs: 0.0025 },
        ...{ peakBytes: 1_000_000, deviceBytes: 5_000_000 },
      },
    ]);
    expect(report.missing).toEqual([
      {
        workload: "large",
        runner: "wasm",
        reason:
          "large (it holds about 3.0 GB): meant for a device with memory of its own; on a processor only with --large, or by its whole name",
      },
    ]);
  });

  it("measures what is large on a processor where it is asked for", async () => {
    const options = { window: 1, measureLimits: async () => [], largeOnProcessor: () => true };
    const { results } = await bench({ runners, workloads: [workload], ...options });
    expect(results.map(({ runner, ofLimit }) => [runner, ofLimit])).toEqual([
      ["cuda", 0.5],
      ["wasm", undefined],
    ]);
  });
});
