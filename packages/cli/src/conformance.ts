/** `thalweg conformance`. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type BackendFactory, type Case, type Outcome, type Report, runCases } from "@thalweg/conformance";
import { builtInCases, goldenCasesBelow } from "@thalweg/conformance/node";
import Table from "cli-table3";
import { backendFactory, backendOptions, chooseBackend, resolveBackend } from "./backends.ts";
import type { Io } from "./io.ts";

export interface ConformanceOptions {
  /** Default: see `chooseBackend`. */
  backend?: string;
  threads?: number;
  golden?: string;
  only?: string;
  runs?: number;
  seed?: number;
  json: boolean;
}

/** What `--json` prints. */
export interface ConformanceReport extends Report {
  /** Of the backend that the cases ran on; some make others. */
  readonly threads: number;
  /** Seconds. */
  readonly duration: number;
}

/** Cases of memory that is given back when nothing refers to it need a collector they can call. */
function exposeCollector(): void {
  if (globalThis.gc) return;
  setFlagsFromString("--expose-gc");
  globalThis.gc = runInNewContext("gc") as NonNullable<typeof globalThis.gc>;
}

/** Failures that are printed in full; the rest is counted. */
const shownFailures = 20;

/** Runs the suite, prints the account of it, and resolves to whether nothing failed. Throws UnavailableError. */
export async function conformance(options: ConformanceOptions, io: Io): Promise<boolean> {
  const { backend, golden, only, json } = options;
  const make = await backendFactory(await resolveBackend(await chooseBackend(backend, io)));
  let threads: number | undefined;
  const create: BackendFactory = async (wanted) => {
    const made = await make({ ...backendOptions(options), ...wanted });
    threads ??= made.capabilities.threads;
    return made;
  };
  const cases = golden === undefined ? builtInCases({ sweep: sweepOptions(options) }) : goldenCasesBelow(golden);
  exposeCollector();
  const start = performance.now();
  const counts = await runCases(create, cases, {
    ...(only === undefined ? {} : { only }),
    wholeSuite: golden === undefined && only === undefined,
    ...(io.stderr.isTTY ? { onCase: ticker(io) } : {}),
  });
  const duration = (performance.now() - start) / 1000;
  if (io.stderr.isTTY) io.stderr.write("\r\x1b[K");
  const report: ConformanceReport = { ...counts, threads: threads ?? 1, duration };
  io.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : text(report));
  return report.failed === 0;
}

function sweepOptions({ runs, seed }: ConformanceOptions): { runs?: number; seed?: number } {
  return { ...(runs === undefined ? {} : { runs }), ...(seed === undefined ? {} : { seed }) };
}

/** One line that says where the run is. */
function ticker(io: Io): (tested: Case, outcome: Outcome) => void {
  let count = 0;
  let failed = 0;
  return ({ layer, name }, outcome) => {
    count++;
    if (outcome.kind === "failed") failed++;
    io.stderr.write(`\r\x1b[K${count} cases, ${failed} failed: ${layer}/${name}`.slice(0, 100));
  };
}

function text(report: ConformanceReport): string {
  const table = new Table({
    head: ["layer", "passed", "failed", "expected failures", "not applicable"],
    colAligns: ["left", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const [layer, counts] of Object.entries(report.layers)) {
    table.push([layer, counts.passed, counts.failed, counts.expectedFailures, counts.notApplicable]);
  }
  const { passed, failed, expectedFailures, notApplicable } = report;
  table.push(["all", passed, failed, expectedFailures, notApplicable]);
  const failures = report.failures.slice(0, shownFailures).map(({ layer, case: name, file, message }) => {
    const source = file === undefined ? "" : ` (${file})`;
    return `\n${layer}/${name}${source}\n${message.replace(/^/gm, "  ")}\n`;
  });
  const more = report.failures.length - failures.length;
  if (more > 0) failures.push(`\nand ${more} more; --json lists all\n`);
  const threads = `${report.threads} thread${report.threads === 1 ? "" : "s"}`;
  return `${report.backend}, ${threads}, ${report.duration.toFixed(1)} s\n${table.toString()}\n${failures.join("")}`;
}
