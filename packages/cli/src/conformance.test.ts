import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConformanceReport } from "./conformance.ts";
import { main } from "./main.ts";

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: "", stderr: "" };
  const code = await main(["conformance", ...argv], {
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { isTTY: false, write: (text) => (written.stderr += text) },
  });
  return { code, ...written };
}

const reportOf = ({ stdout }: { stdout: string }): ConformanceReport => JSON.parse(stdout) as ConformanceReport;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thalweg-conformance-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** A module that exports the interpreter, changed by `change`, an expression of `backend`. */
const module = (change: string): string => {
  const core = pathToFileURL(new URL("../../core/src/backend/index.ts", import.meta.url).pathname).href;
  return `import { referenceBackend } from ${JSON.stringify(core)};
export default () => { const backend = referenceBackend(); return ${change}; };\n`;
};

describe("thalweg conformance", () => {
  it("prints counts by layer as JSON", async () => {
    const result = await run("--only", "random/*", "--threads", "2", "--json");
    expect(result.code).toBe(0);
    const report = reportOf(result);
    expect(report).toMatchObject({ backend: "wasm", threads: 2, failed: 0, expectedFailures: 0, failures: [] });
    expect(Object.keys(report.layers)).toEqual(["random"]);
    expect(report.layers.random?.passed).toBe(report.passed);
    expect(report.passed).toBeGreaterThan(50);
  });

  it("prints a table without --json", async () => {
    const { code, stdout } = await run("--backend", "cpu-js", "--only", "ops/relu*");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^cpu-js, 1 thread, .* s\n/);
    expect(stdout).toMatch(/│ ops +│ +\d+ │ +0 │/);
  });

  it("runs on the module of a backend, and fails when it fails", async () => {
    const good = await write("good.mjs", module("backend"));
    expect((await run("--backend", good, "--only", "ops/relu*")).code).toBe(0);
    const wrong = await write(
      "wrong.mjs",
      module("({ ...backend, readSync: undefined, read: async (b) => (await backend.read(b)).map((x) => x + 1) })"),
    );
    const result = await run("--backend", wrong, "--only", "ops/relu *", "--json");
    expect(result.code).toBe(1);
    const report = reportOf(result);
    expect(report.failed).toBeGreaterThan(0);
    expect(report.failures[0]).toMatchObject({ layer: "ops", file: "ops/relu.json" });
  });

  it("runs golden files instead of the suite", async () => {
    const golden = join(folder, "golden");
    await mkdir(golden, { recursive: true });
    await writeFile(
      join(golden, "x.json"),
      JSON.stringify({
        schema: "thalweg/golden-optimizer/1",
        optimizer: "noSuchRule",
        cases: [{ name: "x", options: {}, parameters: [], gradients: [], expected: [] }],
      }),
    );
    const result = await run("--golden", golden, "--json");
    expect(result.code).toBe(1);
    expect(reportOf(result).failures[0]).toMatchObject({
      file: "x.json",
      message: "the optimizer noSuchRule is not known",
    });
  });

  it.each([
    [["--backend", "./no-such-backend.js"], /there is no file .*no-such-backend\.js/],
    [["--backend", "no-such-package"], /package no-such-package is not installed, nor is it a known backend/],
    [["--only", "no such case"], /no case is named by no such case/],
    [["--golden", "no/such/folder"], /there is no folder no\/such\/folder/],
  ])("says what is wrong with %j", async (argv, message) => {
    const { code, stderr } = await run(...argv);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/ at .*\.ts:/);
  });

  it("wants a function from a backend's module", async () => {
    const path = await write("empty.mjs", "export const other = 1;\n");
    expect(await run("--backend", path)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("expected a function exported as default or backend, found other"),
    });
  });
});
