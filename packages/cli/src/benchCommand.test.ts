import { findWorkloads } from "@thalweg/bench";
import { describe, expect, it } from "vitest";
import { benchTable, header, machineLines, missingLines } from "./benchTable.ts";
import { main } from "./main.ts";

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: "", stderr: "" };
  const code = await main(["bench", ...argv], {
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { isTTY: false, write: (text) => (written.stderr += text) },
  });
  return { code, ...written };
}

describe("arguments", () => {
  it.each<[string[], string]>([
    [["--peers", "tfjs"], "Unknown peer tfjs; known are tfjs-cpu, tfjs-wasm, jax-js, pytorch, "],
    [["--peers", "tfjs-cpu,"], "Expected names separated by commas."],
    [["--backends", "gpu"], "nor is it a known backend (wasm, cpu-js, cuda) or a path"],
    [["--backends", "./nowhere.js"], "backend ./nowhere.js: there is no file"],
    [["--only", "matmull"], "no workload matches matmull; there are matmul-256, "],
    [["--threads", "0"], "Expected a whole number from 1 up."],
    [["--fast"], "unknown option '--fast'"],
    [["matmul-256"], "too many arguments"],
  ])("%j ends with exit code 2 and says why", async (argv, message) => {
    const { code, stdout, stderr } = await run(...argv);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("says how to get a PyTorch that is not there", async () => {
    const { code, stderr } = await run("--peers", "pytorch", "--python", "/nowhere/python");
    expect(stderr).toMatch(/^error: pytorch: .* --python PATH, .* thalweg bench --install --peers pytorch\n/);
    expect(code).toBe(1);
  });

  it("lists workloads", async () => {
    const all = await run("--list");
    expect(all).toMatchObject({ code: 0, stderr: "" });
    expect(all.stdout.trim().split("\n").length).toBe(findWorkloads("*").length);
    const some = await run("--list", "--only", "matmul-*");
    expect(some.stdout).toMatch(/^matmul-256 {3}256 × 256.*\nmatmul-512 .*\nmatmul-1024 .*\n$/);
  });
});

describe("table", () => {
  const runners = ["cpu-js", "pytorch", "jax-js"].map((name, i) => ({
    name,
    kind: i === 0 ? ("backend" as const) : ("peer" as const),
    launch: { command: "", args: [] },
    options: {},
  }));
  const [workload] = findWorkloads("matmul-256");
  if (!workload) throw new Error("expected matmul-256");
  const common = { workload: "matmul-256", p10Ms: 0.8125, p90Ms: 1234.5 };

  it("has a row for each runner", () => {
    const part = {
      workload,
      results: [
        { ...common, runner: "cpu-js", medianMs: 6.5871, gflops: 5.094, ofLimit: 0.0863, peakBytes: 2 ** 28 },
        { ...common, runner: "pytorch", medianMs: 0.01, gbps: 105.4, ofLimit: 1.5 },
      ],
      missing: [{ workload: "matmul-256", runner: "jax-js", reason: "no" }],
      ratios: [{ workload: "matmul-256", runner: "cpu-js", peer: "pytorch", ratio: 0.00152 }],
    };
    const text = header(runners, ["cpu-js"]) + benchTable(part, runners, ["cpu-js"]);
    expect(text.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["workload", "runner", "median", "10 … 90 %", "throughput", "of limit", "memory", "× cpu-js"],
      ["matmul-256", "cpu-js", "6.59 ms", "813 µs … 1.23 s", "5.09 GFLOP/s", "8.63 %", "256 MiB"],
      ["", "pytorch", "10.0 µs", "813 µs … 1.23 s", "105 GB/s", "150 %", "0.00152"],
      ["", "jax-js", "-"],
      [""],
    ]);
    const [head = "", first = ""] = text.split("\n");
    expect(head.indexOf("memory") + "memory".length).toBe(first.indexOf("MiB") + "MiB".length);
  });

  it("has no gaps where several runners did not measure", () => {
    const text = benchTable({ workload, results: [], missing: [], ratios: [] }, runners, ["cpu-js"]);
    expect(text.split("\n").map((line) => line.trim().split(/ {2,}/))).toEqual([
      ["matmul-256", "cpu-js", "-"],
      ["pytorch", "-"],
      ["jax-js", "-"],
      [""],
    ]);
  });

  it("says which machine, and what was not measured", () => {
    const machine = {
      ...{ processor: "A Processor", cores: 2, memoryBytes: 2 ** 34, system: "Linux 6 x64", node: "v24.0.0" },
      limits: [
        { threads: 1, scalarGflops: 13.54, simdGflops: 59, copyGbps: 28.46 },
        { threads: 2, scalarGflops: 27, copyGbps: 40 },
      ],
    };
    expect(machineLines({ machine, versions: { "cpu-js": "thalweg 1.0" }, threads: { "cpu-js": 1 } })).toBe(
      "A Processor, 2 cores, 16 GiB; Linux 6 x64; Node v24.0.0\nlimits of one thread: 13.5 GFLOP/s scalar, 59.0 with SIMD; copies 28.5 GB/s\nlimits of 2 threads: 27.0 GFLOP/s scalar; copies 40.0 GB/s\ncpu-js: thalweg 1.0; 1 thread\n",
    );
    expect(missingLines({ missing: [{ workload: "compile", runner: "tfjs-cpu", reason: "cannot\nat all" }] })).toBe(
      "\nnot measured:\n  compile: tfjs-cpu: cannot\n    at all\n",
    );
    expect(missingLines({ missing: [] })).toBe("");
  });
});
