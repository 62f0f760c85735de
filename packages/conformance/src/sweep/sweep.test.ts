/**
 * The sweep itself: that it passes where it should, finds what is broken, and shows it as a small program that runs.
 * THALWEG_SWEEP_RUNS: graphs per case (default 40); THALWEG_SWEEP_SEED.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Backend, type Instruction, type Kernel, type Program, referenceBackend } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import type { Case } from "../case.ts";
import { runCase } from "../run.ts";
import { type SweepOptions, sweepCases } from "./cases.ts";

const runs = Number(process.env.THALWEG_SWEEP_RUNS ?? 40);
const options: SweepOptions = {
  runs,
  ...(process.env.THALWEG_SWEEP_SEED === undefined ? {} : { seed: Number(process.env.THALWEG_SWEEP_SEED) }),
};
const timeout = 60_000 + 200 * runs;

describe.each<[string, () => Backend]>([
  ["every kind of kernel", () => referenceBackend()],
  ["loop kernels alone", () => referenceBackend({ kernels: ["loop"] })],
])("with %s", (_name, create) => {
  it.each(sweepCases(options).map((tested) => [tested.name, tested] as const))(
    "the interpreter passes %s",
    async (_case, tested) => expect(await runCase(tested, create(), create)).toEqual({ kind: "passed" }),
    timeout,
  );
});

/** A backend that runs other Programs than it is given. */
function broken(rewrite: (kernel: Kernel) => Kernel): Backend {
  const reference = referenceBackend();
  const compile = (program: Program) =>
    reference.compile({ ...program, kernels: program.kernels.map((kernel) => rewrite(kernel)) });
  return { ...reference, compile };
}

const withInstructions = (kernel: Kernel, rewrite: (instruction: Instruction) => Instruction): Kernel =>
  kernel.kind === "loop"
    ? { ...kernel, stages: kernel.stages.map((stage) => ({ ...stage, body: stage.body.map(rewrite) })) }
    : kernel;

const swapped =
  (op: string, other: string) =>
  (kernel: Kernel): Kernel =>
    withInstructions(kernel, (instruction) =>
      instruction.op === op ? ({ ...instruction, op: other } as Instruction) : instruction,
    );

const withoutLast = (kernel: Kernel): Kernel => {
  if (kernel.kind !== "loop" || kernel.inner.length === 0) return kernel;
  return { ...kernel, inner: kernel.inner.map((n, i) => (i === kernel.inner.length - 1 ? Math.max(0, n - 1) : n)) };
};

const withLargestSeen = (kernel: Kernel): Kernel =>
  withInstructions(kernel, (instruction) =>
    instruction.op === "reduce" && instruction.fn === "max" ? { ...instruction, fn: "min" } : instruction,
  );

async function failureOf(name: string, rewrite: (kernel: Kernel) => Kernel, runs = 200): Promise<string> {
  const tested = sweepCases({ runs }).find((candidate) => candidate.name === name) as Case;
  const outcome = await runCase(tested, broken(rewrite), () => referenceBackend());
  if (outcome.kind !== "failed") throw new Error(`${name} ${outcome.kind} on the broken backend`);
  return outcome.message;
}

/** The program in a failure's message: everything between its first import and the way to repeat it. */
const programIn = (message: string): string =>
  message.slice(message.indexOf("import {"), message.indexOf("\n\nAgain:"));

/** Calls that make the graph. */
const callsIn = (program: string): string[] =>
  program.split("\n").filter((line) => /^ {2}const \w+ = (?!tensor\()\w+\(/.test(line));

/** What the program prints when it runs, beside what it says it expects. */
function run(program: string): { printed: number[][]; expected: number[][] } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=@thalweg/source", "--input-type=module"],
    { input: program, cwd: fileURLToPath(new URL("..", import.meta.url)), encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${stderr}\n${program}`);
  const listIn = (text: string): number[] =>
    text
      .replace(/[[\]\s]/g, "")
      .split(",")
      .filter((part) => part !== "")
      .map(Number);
  return {
    printed: stdout
      .trimEnd()
      .split(/\n(?=\[)/)
      .map(listIn),
    expected: [...program.matchAll(/\/\/ expected (.*)/g)].map(([, list]) => listIn(list as string)),
  };
}

describe("a failure", () => {
  it.each<[string, string, (kernel: Kernel) => Kernel]>([
    ["a wrong function", "graphs (float64)", swapped("tanh", "sin")],
    ["a wrong operator in float32", "graphs (float32)", swapped("maximum", "minimum")],
    ["a reduction without its last element", "graphs (float64)", withoutLast],
    ["a wrong reduction", "chains of views and reductions (float64)", withLargestSeen],
    ["a wrong derivative", "gradients (float64)", swapped("cos", "sin")],
    ["a wrong update", "updates of parameters (float64)", swapped("sub", "add")],
  ])(
    "shrinks to a few calls that run, of %s",
    async (_what, name, rewrite) => {
      const message = await failureOf(name, rewrite);
      expect(message).toMatch(/^graph \d+, shrunk \d+ times: (run \d: )?(result|parameter) \d+, element \d+: got /);
      expect(message).toMatch(
        /\nAgain: --seed 20260731 --runs (\d+), or THALWEG_SWEEP_SEED=20260731 THALWEG_SWEEP_RUNS=\1 for tests \(path [\d:]+\)$/,
      );
      const program = programIn(message);
      const calls = callsIn(program).filter((line) => !line.includes("grad("));
      expect(calls.length, program).toBeLessThanOrEqual(3);
      const { printed, expected } = run(program);
      expect(printed.length).toBe(expected.length);
      for (const [i, values] of expected.entries()) {
        expect(printed[i]?.length).toBe(values.length);
        for (const [j, value] of values.entries()) expect(printed[i]?.[j]).toBeCloseTo(value, 5);
      }
    },
    120_000,
  );

  it("comes again with the seed it names", async () => {
    const rewrite = swapped("tanh", "sin");
    const first = await failureOf("graphs (float64)", rewrite);
    const [, runs] = /RUNS=(\d+)/.exec(first) as unknown as [string, string];
    expect(await failureOf("graphs (float64)", rewrite, Number(runs))).toBe(first);
    const other = sweepCases({ runs: 200, seed: 1 }).find(({ name }) => name === "graphs (float64)") as Case;
    const outcome = await runCase(other, broken(rewrite), () => referenceBackend());
    expect(outcome).toMatchObject({ kind: "failed", message: expect.stringContaining("THALWEG_SWEEP_SEED=1 ") });
  }, 60_000);
});
