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
    [["--device", "gpu"], "Allowed choices are cpu, cuda."],
    [
      ["--compile-mode", "fast"],
      "Allowed choices are default, max-autotune-no-cudagraphs, reduce-overhead, max-autotune.",
    ],
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
    expect(some.stdout).toMatch(
      /^matmul-256 {8}256 × 256.*\nmatmul-512 .*\nmatmul-1024 .*\nmatmul-8192-bf16 .*\nmatmul-8192 .*\n$/,
    );
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
  const shape = { runners, backends: ["cpu-js"], workloads: [workload] };
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
    const text = header(shape) + benchTable(part, shape);
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
    const text = benchTable({ workload, results: [], missing: [], ratios: [] }, shape);
    expect(text.split("\n").map((line) => line.trim().split(/ {2,}/))).toEqual([
      ["matmul-256", "cpu-js", "-"],
      ["pytorch", "-"],
      ["jax-js", "-"],
      [""],
    ]);
  });

  it("has columns for tokens and for the host where workloads have such figures", () => {
    const [gpt, dispatch] = ["gpt-124m", "dispatch"].map((name) => findWorkloads(name)[0]);
    if (!gpt || !dispatch) throw new Error("expected gpt-124m and dispatch");
    const wide = { ...shape, workloads: [gpt, dispatch] };
    const step = { medianMs: 20, p10Ms: 20, p90Ms: 20, runner: "cpu-js", missing: [] };
    const trained = { ...step, workload: "gpt-124m", gflops: 395_000, ofLimit: 0.5, tokensPerSecond: 409_600 };
    const memory = { peakBytes: 2 ** 30, deviceBytes: 2 ** 34 };
    const none = { missing: [], ratios: [] };
    const text =
      header(wide) +
      benchTable({ ...none, workload: gpt, results: [{ ...trained, ...memory }] }, wide) +
      benchTable({ ...none, workload: dispatch, results: [{ ...step, workload: "dispatch", hostMs: 0.0031 }] }, wide);
    expect(text.split("\n").map((line) => line.trim().split(/ {2,}/))).toEqual([
      [
        ...["workload", "runner", "median", "10 … 90 %", "throughput", "of limit", "memory"],
        ...["tokens/s", "host", "× cpu-js"],
      ],
      ["gpt-124m", "cpu-js", "20.0 ms", "20.0 ms … 20.0 ms", "395 TFLOP/s", "50.0 %", "16384 MiB", "410 k"],
      ["pytorch", "-"],
      ["jax-js", "-"],
      ["dispatch", "cpu-js", "20.0 ms", "20.0 ms … 20.0 ms", "3.10 µs"],
      ["pytorch", "-"],
      ["jax-js", "-"],
      [""],
    ]);
  });

  it("says what a device can do, and does not count its threads", () => {
    const machine = {
      ...{ processor: "A Processor", cores: 2, memoryBytes: 2 ** 34, system: "Linux 6 x64", node: "v24.0.0" },
      limits: [],
      devices: [{ device: "A GPU", copyGbps: 4312.4, gflops: { float32: 51_234, tf32: 402_000, bfloat16: 790_500 } }],
    };
    const start = { machine, versions: { cuda: "thalweg 1.0" }, threads: { cuda: 1 }, devices: { cuda: "A GPU" } };
    expect(machineLines(start)).toBe(
      "A Processor, 2 cores, 16 GiB; Linux 6 x64; Node v24.0.0\nlimits of A GPU: 51.2 TFLOP/s float32, 402 TFLOP/s TF32, 791 TFLOP/s bfloat16; copies 4312 GB/s\ncuda: thalweg 1.0\n",
    );
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
    const missing = ["tfjs-cpu", "jax-js"].map((runner) => ({ workload: "compile", runner, reason: "cannot\nat all" }));
    expect(missingLines({ missing: [...missing, { workload: "large", runner: "jax-js", reason: "no" }] })).toBe(
      "\nnot measured:\n  compile: tfjs-cpu, jax-js: cannot\n    at all\n  large: jax-js: no\n",
    );
    expect(missingLines({ missing: [] })).toBe("");
  });
});
