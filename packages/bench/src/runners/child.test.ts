import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import type { Answer } from "../protocol.ts";

const path = fileURLToPath(new URL("child.ts", import.meta.url));
const load = { kind: "load", options: { runner: "thalweg", module: "@thalweg/cpu-js", create: "cpu" } };
const mlp = { kind: "mlp", widths: [6, 5, 4], batch: 3, optimizer: "adam", readLoss: true };

let child: ChildProcessWithoutNullStreams;
afterEach(() => void child.kill());

/** Starts a process and gives what asks it: one line out, one line in. */
function launch(): (request: unknown) => Promise<Partial<Record<string, unknown>>> {
  child = spawn(process.execPath, ["--conditions=@thalweg/source", path]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return JSON.parse((await lines.next()).value as string) as Answer as Partial<Record<string, unknown>>;
  };
}

it("loads, starts, runs, measures and checks", async () => {
  const ask = launch();
  const loaded = await ask(load);
  expect(loaded).toMatchObject({ kind: "loaded", threads: 1 });
  expect(loaded.description).toMatch(/^thalweg \d.*cpu-js/);
  expect(await ask({ kind: "start", workload: mlp })).toEqual({ kind: "started" });
  expect(await ask({ kind: "run", times: 1 })).toEqual({ kind: "ran" });
  const first = (await ask({ kind: "check" })) as { values: number[] };
  expect(await ask({ kind: "run", times: 20 })).toEqual({ kind: "ran" });
  const later = (await ask({ kind: "check" })) as { values: number[] };
  expect(first.values.length).toBe(1);
  expect(later.values[0]).toBeLessThan(first.values[0] as number);
  const measured = (await ask({ kind: "measure", milliseconds: 5 })) as { milliseconds: number; runs: number };
  expect(measured.runs).toBeGreaterThan(1);
  expect(measured.milliseconds).toBeGreaterThanOrEqual(5);
  const memory = (await ask({ kind: "memory" })) as { peakBytes: number };
  expect(memory.peakBytes).toBeGreaterThan(10_000_000);
  // A workload that is started again starts from the beginning.
  await ask({ kind: "start", workload: mlp });
  await ask({ kind: "run", times: 1 });
  expect(await ask({ kind: "check" })).toEqual({ kind: "checked", values: first.values });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.stdin.end();
  expect(await ended).toBe(0);
});

it("answers with what went wrong, and goes on", async () => {
  const ask = launch();
  expect(await ask({ kind: "run", times: 1 })).toEqual({
    kind: "failed",
    message: "Error: run: no workload is started",
  });
  expect(await ask({ kind: "load", options: { runner: "nothing" } })).toEqual({
    kind: "failed",
    message: "Error: unknown runner nothing; there are thalweg, tfjs, jax-js",
  });
  expect(await ask({ ...load, options: { ...load.options, create: "gpu" } })).toEqual({
    kind: "failed",
    message: "Error: @thalweg/cpu-js has no function gpu",
  });
  expect((await ask(load)).kind).toBe("loaded");
  const unknown = { kind: "optimizer", optimizer: "none", size: 4, tensors: 1 };
  expect(await ask({ kind: "start", workload: unknown })).toEqual({
    kind: "started",
    reason: "there is no optimizer none",
  });
  expect((await ask({ kind: "check" })).kind).toBe("failed");
});

it("times a first step in a thread of its own", async () => {
  const ask = launch();
  await ask(load);
  const gpt = { kind: "gpt", vocabulary: 7, width: 8, heads: 2, layers: 1, context: 4, batch: 1 };
  expect(await ask({ kind: "start", workload: { ...gpt, compileOnly: true } })).toEqual({ kind: "started" });
  await ask({ kind: "run", times: 2 });
  const first = (await ask({ kind: "check" })) as { values: number[] };
  const measured = (await ask({ kind: "measure", milliseconds: 1 })) as { milliseconds: number; runs: number };
  expect(measured.runs).toBe(1);
  expect(measured.milliseconds).toBeGreaterThan(0);
  // Always the first step, from the same values as the whole workload.
  await ask({ kind: "start", workload: gpt });
  await ask({ kind: "run", times: 1 });
  expect(await ask({ kind: "check" })).toEqual({ kind: "checked", values: first.values });
});
