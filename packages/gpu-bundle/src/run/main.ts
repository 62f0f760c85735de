/**
 * The bundle's command: conformance, compute-sanitizer, benchmarks beside PyTorch; then all reports there are as a page. Each
 * part writes a file of its own, so that they can be run in commands of their own where a machine allows each so many minutes.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchReport, RunnerError } from "@thalweg/bench";
import { htmlReport } from "@thalweg/bench/report";
import { runBenchmarks } from "./benchmarks.ts";
import { type ConformanceOutcome, runConformance, runSanitizer, type SanitizerOutcome } from "./correctness.ts";
import { document } from "./document.ts";
import { mergeReports } from "./mergeReports.ts";
import { type Part, parseOptions, type RunOptions, shownCommand, usage } from "./options.ts";

const here = dirname(fileURLToPath(import.meta.url));
const cli = join(here, "node_modules", "thalweg", "bin", "thalweg.js");

function options(): RunOptions {
  try {
    return parseOptions(process.argv.slice(2), here);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}\n`);
    process.exit(2);
  }
}

const asked = options();
const { backend, out, cases } = asked;
const pageName = backend === "cuda" ? "cuda-h200.md" : `${backend}.md`;
mkdirSync(out, { recursive: true });
const write = (name: string, value: unknown): void =>
  writeFileSync(join(out, name), `${JSON.stringify(value, null, 2)}\n`);
function read<Value>(name: string): Value | undefined {
  const path = join(out, name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Value) : undefined;
}

/** New names for each run: what an earlier one measured stays. */
const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "");
const benchFile = `bench-${stamp}.json`;
const commandFile = `command-${stamp}.json`;
const isCommand = (name: string): boolean => /^command-.*\.json$/.test(name);
const isBench = (name: string): boolean => /^bench-.*\.json$/.test(name);

async function checked(name: string, golden?: string): Promise<void> {
  const outcome = await runConformance(cli, backend, { cases: golden === undefined ? cases : undefined, golden });
  write(name, outcome);
  if ("problem" in outcome) process.stderr.write(`conformance did not run: ${outcome.problem}\n`);
  else process.stderr.write(`conformance: ${outcome.report.passed} passed, ${outcome.report.failed} failed\n`);
  if ("problem" in outcome || outcome.report.failed > 0) process.exitCode = 1;
}

const carried = join(here, "golden");
const tasks: Readonly<Record<Part, () => Promise<void>>> = {
  conformance: () => checked("conformance.json"),
  async golden() {
    const folder = asked.golden ?? (existsSync(carried) ? carried : undefined);
    if (folder !== undefined) await checked("golden.json", folder);
  },
  async sanitizer() {
    if (backend !== "cuda") return;
    const outcomes = await runSanitizer(cli, backend);
    write("sanitizer.json", outcomes);
    for (const { tool, verdict } of outcomes) process.stderr.write(`compute-sanitizer, ${tool}: ${verdict}\n`);
    if (outcomes.some(({ verdict }) => verdict === "errors")) process.exitCode = 1;
  },
  async bench() {
    await runBenchmarks(asked, join(out, benchFile));
  },
  async document() {
    const reports = readdirSync(out).filter(isBench);
    const bench = mergeReports(reports.flatMap((name) => read<BenchReport>(name) ?? []));
    const conformance = read<ConformanceOutcome>("conformance.json");
    const golden = read<ConformanceOutcome>("golden.json");
    const sanitizer = read<readonly SanitizerOutcome[]>("sanitizer.json");
    const page = document({
      backend,
      commands: readdirSync(out)
        .filter(isCommand)
        .sort()
        .flatMap((name) => read<string>(name) ?? []),
      ...(bench === undefined ? {} : { bench }),
      ...(conformance === undefined ? {} : { conformance }),
      ...(golden === undefined ? {} : { golden }),
      ...(sanitizer === undefined ? {} : { sanitizer }),
    });
    writeFileSync(join(out, pageName), page);
    if (bench) writeFileSync(join(out, "bench.html"), htmlReport(bench));
    process.stdout.write(page);
  },
};

// What the page alone is made by is no part of how its figures came about.
if (asked.parts.some((part) => part !== "document")) write(commandFile, shownCommand(process.argv.slice(2)));
for (const part of asked.parts) {
  try {
    await tasks[part]();
  } catch (error) {
    // The other parts may well succeed, and the page says what there is.
    const message = error instanceof RunnerError ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`${part} did not run: ${message}\n`);
    process.exitCode = 1;
  }
}
// A backend's threads may live on.
process.exit();
