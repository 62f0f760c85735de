import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { bench } from "./bench.ts";
import { measure, type Progress, type Runner } from "./measure.ts";
import { RunnerError } from "./process.ts";
import type { Workload } from "./spec.ts";

const script = fileURLToPath(new URL("../test/fakeRunner.mjs", import.meta.url));

function fake(name: string, behaviour: object = {}, kind: Runner["kind"] = "peer"): Runner {
  const launch = { command: process.execPath, args: [script, JSON.stringify(behaviour)] };
  return { name, kind, launch, options: { name } };
}

const workload: Workload = {
  name: "matmul-2",
  about: "two by two",
  spec: { kind: "matmul", size: 2 },
  warmUp: 2,
  repeats: 5,
  flops: 16_000_000,
};

describe("measure", () => {
  it("measures all runners in turns", async () => {
    const progress: Progress[] = [];
    const runners = [fake("a", { milliseconds: 2 }), fake("b", { milliseconds: 8 })];
    const { results, missing } = await measure(workload, runners, { window: 1, onProgress: (at) => progress.push(at) });
    expect(missing).toEqual([]);
    expect(results).toEqual([
      { runner: "a", times: [2, 2, 2, 2, 2], medianMs: 2, p10Ms: 2, p90Ms: 2, peakBytes: 1_000_000 },
      { runner: "b", times: [8, 8, 8, 8, 8], medianMs: 8, p10Ms: 8, p90Ms: 8, peakBytes: 1_000_000 },
    ]);
    const turns = progress.filter(({ doing }) => doing === "measuring").map(({ runner }) => runner);
    expect(turns).toEqual(["a", "b", "a", "b", "a", "b", "a", "b", "a", "b"]);
  });

  it("does not time a runner whose result is another, nor one that cannot or fails", async () => {
    const progress: Progress[] = [];
    const runners = [
      fake("ours", { values: [1, 2, 3] }),
      fake("close", { values: [1.0001, 2, 3] }),
      fake("wrong", { values: [1.01, 2, 3] }),
      fake("short", { values: [1, 2] }),
      fake("broken", { values: [null, 2, 3] }),
      fake("unable", { reason: "no such operation" }),
      fake("crashing", { misbehave: { run: "kill" } }),
      fake("talking", { misbehave: { measure: "garbage" } }),
    ];
    const { results, missing } = await measure(workload, runners, { window: 1, onProgress: (at) => progress.push(at) });
    expect(results.map(({ runner }) => runner)).toEqual(["ours", "close"]);
    const measured = progress.filter(({ doing }) => doing === "measuring").map(({ runner }) => runner);
    expect(new Set(measured)).toEqual(new Set(["ours", "close", "talking"]));
    expect(Object.fromEntries(missing.map(({ runner, reason }) => [runner, reason]))).toEqual({
      wrong:
        "its result is not that of ours: 1.010000, 2.000000, 3.000000; expected 1.000000, 2.000000, 3.000000 within 0.0001 of the largest",
      short: expect.stringContaining("its result is not that of ours: 1.000000, 2.000000;"),
      broken: expect.stringContaining("its result is not finite"),
      unable: "no such operation",
      crashing: "its process was ended by SIGKILL",
      talking: "wrote a line that is no answer: hello, world",
    });
  });

  it("compares with the next when the first cannot do it", async () => {
    const runners = [fake("first", { reason: "no" }), fake("second", { values: [5] }), fake("third", { values: [6] })];
    const { results, missing } = await measure(workload, runners, { window: 1 });
    expect(results.map(({ runner }) => runner)).toEqual(["second"]);
    expect(missing.map(({ runner }) => runner)).toEqual(["first", "third"]);
  });

  it("has enough of a slow runner after three measurements", async () => {
    const { results } = await measure({ ...workload, repeats: 9 }, [fake("slow")], { window: 1, enough: 0 });
    expect(results[0]?.times.length).toBe(3);
  });
});

describe("bench", () => {
  it("reports throughput, share of the limit and ratios of backends to the others", async () => {
    const runners = [
      fake("one", { milliseconds: 2 }, "backend"),
      fake("two", { milliseconds: 4 }, "backend"),
      fake("peer", { milliseconds: 6 }),
      fake("wrong", { values: [7, 7, 7] }),
    ];
    const parts: string[] = [];
    const { flops: _, ...withoutFlops } = workload;
    const speeds = [10, 20];
    const report = await bench({
      runners,
      workloads: [workload, { ...withoutFlops, name: "copy", bytes: 4_000_000 }],
      threads: 2,
      window: 1,
      on: { measured: (part) => parts.push(part.workload.name) },
      measureLimits: async (threads) => {
        expect(threads).toEqual([2, 2, 2, 2]);
        const one = { threads: 1, scalarGflops: 5, simdGflops: 11, copyGbps: 8 };
        return [one, { ...one, threads: 2, simdGflops: speeds.pop() as number, copyGbps: 9 }];
      },
    });
    expect(parts).toEqual(["matmul-2", "copy"]);
    expect(report.versions).toEqual({ one: "fake one", two: "fake two", peer: "fake peer", wrong: "fake wrong" });
    expect(report.threads).toEqual({ one: 2, two: 2, peer: 2, wrong: 2 });
    expect(report.machine.limits).toEqual([
      { threads: 1, scalarGflops: 5, simdGflops: 11, copyGbps: 8 },
      { threads: 2, scalarGflops: 5, simdGflops: 20, copyGbps: 9 },
    ]);
    expect(report.results.slice(0, 3)).toEqual(
      [2, 4, 6].map((ms, i) => ({
        ...{ workload: "matmul-2", runner: ["one", "two", "peer"][i], medianMs: ms, p10Ms: ms, p90Ms: ms },
        ...{ gflops: 16 / ms, ofLimit: 16 / ms / 20, peakBytes: 1_000_000 },
      })),
    );
    expect(report.results[3]).toMatchObject({ workload: "copy", gbps: 2, ofLimit: 2 / 9 });
    expect(report.ratios.filter(({ workload: name }) => name === "matmul-2")).toEqual([
      { workload: "matmul-2", runner: "one", peer: "two", ratio: 2 },
      { workload: "matmul-2", runner: "one", peer: "peer", ratio: 3 },
      { workload: "matmul-2", runner: "two", peer: "one", ratio: 0.5 },
      { workload: "matmul-2", runner: "two", peer: "peer", ratio: 1.5 },
    ]);
    expect(report.missing.map(({ workload: name, runner }) => [name, runner])).toEqual([
      ["matmul-2", "wrong"],
      ["copy", "wrong"],
    ]);
  });

  it("ends at once when a runner cannot start", async () => {
    const runners = [fake("one"), fake("two", { misbehave: { load: "fail" } })];
    await expect(bench({ runners, workloads: [workload] })).rejects.toEqual(new RunnerError("two: no such kernel"));
  });
});
