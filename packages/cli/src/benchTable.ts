/** What `thalweg bench` prints: rows as they come, in columns whose widths are known before. */
import type { BenchReport, MachineLimits, Ratio, Runner, WorkloadPart, WorkloadResult } from "@thalweg/bench";
import Table from "cli-table3";

/** The machine, its limits, and a line for each runner. */
export function machineLines({
  machine,
  versions,
  threads,
}: Pick<BenchReport, "machine" | "versions" | "threads">): string {
  const { processor, cores, memoryBytes, system, node, limits } = machine;
  const lines = [
    `${processor}, ${count(cores, "core")}, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB; ${system}; Node ${node}`,
    ...limits.map(limitsLine),
    ...Object.entries(versions).map(([name, version]) => `${name}: ${version}; ${count(threads[name] ?? 1, "thread")}`),
  ];
  return `${lines.join("\n")}\n`;
}

function limitsLine({ threads, scalarGflops, simdGflops, copyGbps }: MachineLimits): string {
  const simd = simdGflops === undefined ? "" : `, ${simdGflops.toFixed(1)} with SIMD`;
  const whose = threads === 1 ? "one thread" : `${threads} threads`;
  return `limits of ${whose}: ${scalarGflops.toFixed(1)} GFLOP/s scalar${simd}; copies ${copyGbps.toFixed(1)} GB/s`;
}

const count = (n: number, of: string): string => `${n} ${of}${n === 1 ? "" : "s"}`;

/** The heads of the columns; a column for each backend says how many times as long a row's runner takes as it. */
export function header(runners: readonly Runner[], backends: readonly string[]): string {
  const heads = ["workload", "runner", "median", "10 … 90 %", "throughput", "of limit", "memory"];
  return rows(runners, backends, [[...heads, ...backends.map((name) => `× ${name}`)]]);
}

/** Rows of a workload: its runners, those that measured it and those that did not. */
export function benchTable(part: WorkloadPart, runners: readonly Runner[], backends: readonly string[]): string {
  const cells = runners.map(({ name }, i) => {
    const workload = i === 0 ? part.workload.name : "";
    const result = part.results.find(({ runner }) => runner === name);
    return [workload, name, ...(result ? figures(result, part.ratios, backends) : ["-"])];
  });
  return rows(runners, backends, cells);
}

function figures(result: WorkloadResult, ratios: readonly Ratio[], backends: readonly string[]): string[] {
  const { runner, medianMs, p10Ms, p90Ms, gflops, gbps, ofLimit, peakBytes } = result;
  const throughput = gflops === undefined ? gbps && `${digits(gbps)} GB/s` : `${digits(gflops)} GFLOP/s`;
  return [
    time(medianMs),
    `${time(p10Ms)} … ${time(p90Ms)}`,
    throughput || "",
    ofLimit === undefined ? "" : `${digits(100 * ofLimit)} %`,
    peakBytes === undefined ? "" : `${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
    ...backends.map((backend) => {
      const found = ratios.find((ratio) => ratio.runner === backend && ratio.peer === runner);
      return found ? digits(found.ratio) : "";
    }),
  ];
}

/** Which runners did not measure a workload, and why. */
export function missingLines({ missing }: Pick<BenchReport, "missing">): string {
  if (missing.length === 0) return "";
  const lines = missing.map(
    ({ workload, runner, reason }) => `${workload}: ${runner}: ${reason.replaceAll("\n", "\n    ")}`,
  );
  return `\nnot measured:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

/** Three digits that count. */
const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function time(milliseconds: number): string {
  if (milliseconds < 1) return `${digits(1000 * milliseconds)} µs`;
  return milliseconds < 1000 ? `${digits(milliseconds)} ms` : `${digits(milliseconds / 1000)} s`;
}

/** A part of the table. Its widths are fixed, since what is still to come is not known. */
function rows(runners: readonly Runner[], backends: readonly string[], cells: readonly (readonly string[])[]): string {
  const nameWidth = Math.max(6, ...runners.map(({ name }) => name.length));
  const ratioWidths = backends.map((name) => Math.max(8, name.length + 2));
  const table = new Table({
    chars: lineless,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
    // Padding counts.
    colWidths: [22, nameWidth, 8, 19, 13, 8, 9, ...ratioWidths].map((width) => width + 2),
    colAligns: ["left", "left", "right", "right", "right", "right", "right", ...backends.map(() => "right" as const)],
  });
  // A row that ends early would make the table join what is missing of it with the row below.
  const columns = 7 + backends.length;
  for (const row of cells) table.push(Array.from({ length: columns }, (_, i) => row[i] ?? ""));
  return `${table.toString().replaceAll(/ +$/gm, "")}\n`;
}

const lineless = {
  ...{ top: "", "top-mid": "", "top-left": "", "top-right": "" },
  ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
  ...{ left: "", "left-mid": "", mid: "", "mid-mid": "", right: "", "right-mid": "", middle: "" },
};
