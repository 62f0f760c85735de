/** Needs a Python with torch: `python3`, or the one that the environment names as THALWEG_PYTHON. Left out where there is none. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { disagreement } from "../agreement.ts";
import { RunnerError, RunnerProcess } from "../process.ts";
import type { WorkloadSpec } from "../spec.ts";
import { RunnerServer } from "./server.ts";

const python = process.env.THALWEG_PYTHON ?? "python3";
const hasTorch = spawnSync(python, ["-c", "import numpy, torch"]).status === 0;
const script = fileURLToPath(new URL("pytorch.py", import.meta.url));

const gpt = { kind: "gpt", vocabulary: 11, width: 8, heads: 2, layers: 2, context: 6, batch: 3 } as const;
const specs: readonly WorkloadSpec[] = [
  { kind: "matmul", size: 33 },
  { kind: "matmul", size: 33, onDevice: true },
  { kind: "matmul", size: 33, dtype: "bfloat16", onDevice: true },
  { kind: "elementwise", size: 1001 },
  { kind: "softmax", rows: 7, columns: 19 },
  { kind: "layerNorm", rows: 7, columns: 19 },
  { kind: "mlp", widths: [16, 12, 9, 5], batch: 7, optimizer: "sgd", readLoss: true },
  { kind: "mlp", widths: [16, 12, 5], batch: 4, optimizer: "adam", readLoss: false },
  { kind: "cnn", batch: 2 },
  gpt,
  { ...gpt, tied: true },
  { ...gpt, tied: true, compute: "bfloat16" },
  ...["sgd", "adam", "adamW"].map((optimizer) => ({ kind: "optimizer", optimizer, size: 60, tensors: 3 }) as const),
];

describe.skipIf(!hasTorch)("pytorch.py", () => {
  const thalweg = new RunnerServer();
  let torch: RunnerProcess;
  beforeAll(async () => {
    torch = new RunnerProcess({ command: python, args: [script] });
    const { threads, description } = await torch.load({}, 1);
    expect(threads).toBe(1);
    expect(description).toMatch(/^PyTorch \d+\.\d+.*, cpu, Python 3/);
    const options = { runner: "thalweg", module: "@thalweg/cpu-js", create: "cpu" };
    expect(await thalweg.answer({ kind: "load", threads: 1, options })).toMatchObject({ kind: "loaded" });
  }, 120_000);
  afterAll(() => torch.stop());

  it.each(specs)("comes to the same result as Thalweg: $kind", { timeout: 60_000 }, async (spec) => {
    expect(await torch.start(spec)).toBeUndefined();
    expect(await thalweg.answer({ kind: "start", workload: spec })).toEqual({ kind: "started" });
    // Several steps, since the first loss shows no update.
    await torch.run(5);
    await thalweg.answer({ kind: "run", times: 5 });
    const expected = await thalweg.answer({ kind: "check" });
    if (expected.kind !== "checked") throw new Error(JSON.stringify(expected));
    expect(disagreement(spec, await torch.check(), { runner: "thalweg", values: expected.values })).toBeUndefined();
  });

  it("measures, and tells its memory", async () => {
    expect(await torch.start({ kind: "matmul", size: 8 })).toBeUndefined();
    expect(await torch.measure(5)).toBeGreaterThan(0);
    expect(await torch.hostMs()).toBeGreaterThan(0);
    expect((await torch.memory()).peakBytes).toBeGreaterThan(10_000_000);
  });

  it("says what it does not have", async () => {
    expect(await torch.start({ ...gpt, compileOnly: true })).toBe("eager: nothing to compile");
    const update = { kind: "optimizer", size: 60, tensors: 1 } as const;
    expect(await torch.start({ ...update, optimizer: "prodigy" })).toBe("torch.optim has no prodigy");
    expect(await torch.start({ ...update, optimizer: "muon" })).toBe("torch.optim.Muon takes matrices only");
    await expect(torch.run(1)).rejects.toThrow(new RunnerError("RuntimeError: no workload is started"));
  });

  it("says which form of several it chose", async () => {
    expect(await torch.start({ kind: "optimizer", optimizer: "adam", size: 60, tensors: 3 })).toBeUndefined();
    expect(torch.note).toMatch(/^(eager|foreach|fused) \(of eager .* ms, foreach .* ms, fused .* ms\)$/);
  });

  it("keeps to one form where it is told to", { timeout: 120_000 }, async () => {
    const foreach = new RunnerProcess({ command: python, args: [script] });
    try {
      expect((await foreach.load({ form: "foreach" }, 1)).description).toMatch(/; optimizers foreach$/);
      const update = { kind: "optimizer", size: 60, tensors: 3 } as const;
      expect(await foreach.start({ ...update, optimizer: "adamW" })).toBeUndefined();
      expect(foreach.note).toBeUndefined();
      await foreach.run(1);
      expect((await foreach.check()).every(Number.isFinite)).toBe(true);
      expect(await foreach.start({ kind: "matmul", size: 8 })).toBe("no optimizer here to be foreach");
      await expect(foreach.load({ form: "fast" })).rejects.toThrow(
        new RunnerError("ValueError: unknown form fast; known are eager, foreach, fused, cudagraph, compile"),
      );
    } finally {
      await foreach.stop();
    }
    const graph = new RunnerProcess({ command: python, args: [script] });
    try {
      await graph.load({ form: "cudagraph" }, 1);
      expect(await graph.start({ kind: "matmul", size: 8 })).toBe("CUDA graphs need a CUDA device");
      expect(await graph.start(gpt)).toBe("CUDA graphs need a CUDA device");
    } finally {
      await graph.stop();
    }
    const fused = new RunnerProcess({ command: python, args: [script] });
    try {
      await fused.load({ form: "fused" }, 1);
      const update = { kind: "optimizer", size: 60, tensors: 3, optimizer: "rprop" } as const;
      expect(await fused.start(update)).toBe("torch.optim.Rprop has no fused form");
    } finally {
      await fused.stop();
    }
  });
});
