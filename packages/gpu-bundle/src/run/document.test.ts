import type { BenchReport } from "@thalweg/bench";
import { describe, expect, it } from "vitest";
import { document } from "./document.ts";
import { mergeReports } from "./mergeReports.ts";
import { targets } from "./targets.ts";

const device = "NVIDIA H200";
const machine = { processor: "A", cores: 16, memoryBytes: 2 ** 37, system: "Linux", node: "v24.0.0", limits: [] };
const times = { p10Ms: 1, p90Ms: 2 };

const report: BenchReport = {
  date: "2027-01-02T03:04:05.000Z",
  machine: { ...machine, devices: [{ device, copyGbps: 4300, gflops: { float32: 52_000, bfloat16: 790_000 } }] },
  versions: { cuda: "thalweg 1.0, driver 13.0", "pytorch-fused": "PyTorch 2.11" },
  threads: { cuda: 1, "pytorch-fused": 8 },
  devices: { cuda: device, "pytorch-fused": device },
  runners: [
    { name: "cuda", kind: "backend" },
    { name: "pytorch-fused", kind: "peer" },
  ],
  workloads: ["optimizer-adamW-1b", "gpt-124m", "dispatch"].map((name) => ({ name, about: "" })),
  results: [
    { workload: "optimizer-adamW-1b", runner: "cuda", medianMs: 7, ...times, gbps: 4000, ofLimit: 0.93 },
    { workload: "optimizer-adamW-1b", runner: "pytorch-fused", medianMs: 6.65, ...times, gbps: 4210, note: "fused" },
    { workload: "gpt-124m", runner: "cuda", medianMs: 40, ...times, tokensPerSecond: 204_800, ofLimit: 0.5 },
    { workload: "dispatch", runner: "cuda", medianMs: 0.004, ...times, hostMs: 0.0031 },
  ],
  missing: [{ workload: "gpt-124m", runner: "pytorch-fused", reason: "out | of memory\nat line 3" }],
  ratios: [{ workload: "optimizer-adamW-1b", runner: "cuda", peer: "pytorch-fused", ratio: 0.95 }],
};

describe("targets", () => {
  it("are reached or not by what was measured, and by nothing else", () => {
    const found = targets(report, "cuda").filter((target) => target.found !== undefined);
    expect(found).toEqual([
      {
        ...{ workload: "optimizer-adamW-1b", asked: "≥ 90 % of the copy bandwidth", unit: "share" },
        ...{ found: 0.93, reached: true },
      },
      {
        ...{ workload: "optimizer-adamW-1b", asked: "no slower than torch fused=True", unit: "ratio" },
        ...{ found: 0.95, reached: false },
      },
      { workload: "gpt-124m", asked: "tokens per second", unit: "tokens/s", found: 204_800 },
      { workload: "gpt-124m", asked: "share of the bfloat16 peak", unit: "share", found: 0.5 },
      { workload: "dispatch", asked: "host time per replayed step", unit: "µs", found: 3.1 },
    ]);
    expect(targets(report, "another").every(({ found: none }) => none === undefined)).toBe(true);
  });
});

describe("document", () => {
  const counts = { passed: 1234, failed: 0, expectedFailures: 0, notApplicable: 2 };
  const conformance = { report: { ...counts, backend: "cuda", layers: {}, failures: [], duration: 61.4 } };
  const page = document({
    ...{ backend: "cuda", commands: ["./run.sh --python PATH", "./run.sh --quick"], bench: report, conformance },
    sanitizer: [{ tool: "memcheck", verdict: "clean", said: "" }],
  });

  it("has versions, limits, command and every figure", () => {
    for (const line of [
      "# Thalweg on an NVIDIA GPU, beside PyTorch",
      "| `cuda` | thalweg 1.0, driver 13.0 |",
      "| Limits of NVIDIA H200 | copies 4300 GB/s (read plus written), float32 52.0 TFLOP/s, bfloat16 790 TFLOP/s |",
      "- Conformance: 1,234 passed, 0 failed, 0 expected failures, 2 not applicable, 61 s",
      "- compute-sanitizer, memcheck: clean",
      "| optimizer-adamW-1b | ≥ 90 % of the copy bandwidth | 93.0 % | yes |",
      "| optimizer-adamW-1b | no slower than torch fused=True | 0.950 × | no |",
      "| gpt-124m | tokens per second | 204,800 |  |",
      "| dispatch | host time per replayed step | 3.10 µs |  |",
      "| cnn-sgd | ≥ 3 × torch eager | not measured |  |",
      "| optimizer-adamW-1b | cuda | 7.00 ms | 1.00 ms … 2.00 ms | 4000 GB/s | 93.0 % |  |  |  |",
      "|  | pytorch-fused | 6.65 ms | 1.00 ms … 2.00 ms | 4210 GB/s |  |  |  | 0.950 |",
      "- optimizer-adamW-1b, pytorch-fused: fused",
      "- gpt-124m, pytorch-fused: out | of memory",
    ]) {
      expect(page.split("\n")).toContain(line);
    }
    expect(page).toContain("Measured 2027-01-02 by `./run.sh --python PATH`, `./run.sh --quick`, from the bundle");
  });

  it("leaves out what was not run", () => {
    const bare = document({ backend: "cuda", commands: ["./run.sh"], conformance: { problem: "no driver\nat all" } });
    expect(bare).toContain("- Conformance: did not run: no driver\n");
    expect(bare).not.toMatch(/## (Results|Machine|What was to be shown)/);
  });
});

describe("mergeReports", () => {
  it("keeps the later figures of a workload, and the better limits", () => {
    const again: BenchReport = {
      ...report,
      date: "2027-01-02T05:00:00.000Z",
      machine: { ...machine, devices: [{ device, copyGbps: 4200, gflops: { float32: 53_000, tf32: 400_000 } }] },
      workloads: ["dispatch", "cnn-sgd"].map((name) => ({ name, about: "" })),
      results: [{ workload: "dispatch", runner: "cuda", medianMs: 0.003, ...times }],
      ...{ missing: [], ratios: [] },
    };
    // Whatever the order they are found in.
    const all = mergeReports([again, report]);
    expect(all?.workloads.map(({ name }) => name)).toEqual(["optimizer-adamW-1b", "gpt-124m", "dispatch", "cnn-sgd"]);
    expect(all?.results.map(({ workload, medianMs }) => [workload, medianMs])).toEqual([
      ["optimizer-adamW-1b", 7],
      ["optimizer-adamW-1b", 6.65],
      ["gpt-124m", 40],
      ["dispatch", 0.003],
    ]);
    expect(all?.machine.devices).toEqual([
      { device, copyGbps: 4300, gflops: { float32: 53_000, tf32: 400_000, bfloat16: 790_000 } },
    ]);
    expect(all?.date).toBe(again.date);
    expect([all?.missing.length, all?.ratios.length]).toEqual([1, 1]);
    expect(mergeReports([])).toBeUndefined();
  });
});
