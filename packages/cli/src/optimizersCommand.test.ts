import { expect, it } from "vitest";
import { main } from "./main.ts";
import type { OptimizersReport } from "./optimizersCommand.ts";

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: "", stderr: "" };
  const code = await main(["optimizers", ...argv], {
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { isTTY: false, write: (text) => (written.stderr += text) },
  });
  return { code, ...written };
}

it("counts state, kernels and bytes of every convention", async () => {
  const { code, stdout } = await run("--only", "sgd,adamW,sm3", "--threads", "1", "--no-time", "--json");
  expect(code).toBe(0);
  const { results, missing, threads } = JSON.parse(stdout) as OptimizersReport;
  expect(missing).toEqual([]);
  expect(threads).toEqual({ wasm: 1 });
  const byName = new Map(results.map(({ rule, convention, ...figures }) => [`${rule} ${convention}`, figures]));
  // Gradient, parameter and state are read, parameter and state written: 4 bytes each.
  const plain = { vectorStateBytes: 0, matrixStateBytes: 0, smallMatrixStateBytes: 0, kernels: 1 };
  const moments = { vectorStateBytes: 8, matrixStateBytes: 8, smallMatrixStateBytes: 8, kernels: 1 };
  for (const convention of ["torch", "keras", "optax"]) {
    expect(byName.get(`sgd ${convention}`)).toEqual({ ...plain, movedBytes: 12, leastBytes: 12 });
    expect(byName.get(`adamW ${convention}`)).toEqual({ ...moments, movedBytes: 28, leastBytes: 28 });
  }
  // A number for each row and each column.
  expect(byName.get("sm3 torch")).toMatchObject({
    vectorStateBytes: 4,
    matrixStateBytes: 0.008,
    smallMatrixStateBytes: 0.08,
  });
});

it("prints a table with times beside adamW", async () => {
  const { code, stdout } = await run("--only", "sgd");
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /rule +│ convention +│ +state +│ +kernels +│ +moved +│ +least +│ +× least +│ +time +│ +× adamW/,
  );
  expect(stdout).toMatch(/sgd +│ torch +│ +0 +│ +1 +│ +12 +│ +12 +│ +1.00 +│ +[\d.]+ ms +│ +\d+\.\d\d │/);
  expect(stdout).toContain("wasm: ");
});

it("says what cannot be measured, and why", async () => {
  const { stdout } = await run("--only", "sam(*", "--no-time");
  expect(stdout).toContain("sam(adamW): wasm: sam(adamW): update: this rule looks at the loss twice; use minimize");
});

it("refuses a pattern that names none", async () => {
  const { code, stderr } = await run("--only", "adamo");
  expect(code).toBe(2);
  expect(stderr).toContain("no rule matches adamo; there are ");
});
