/** The reports as a page of Markdown, for docs/benchmarks. */
import type { BenchReport, DeviceLimits, WorkloadResult } from "@thalweg/bench";
import type { ConformanceOutcome, SanitizerOutcome } from "./correctness.ts";
import { type Target, targets } from "./targets.ts";

export interface Findings {
  readonly backend: string;
  /** The runs that the figures come from, as they were asked for. */
  readonly commands: readonly string[];
  readonly bench?: BenchReport;
  readonly conformance?: ConformanceOutcome;
  readonly golden?: ConformanceOutcome;
  readonly sanitizer?: readonly SanitizerOutcome[];
}

/** Three digits that count. */
export const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function time(milliseconds: number): string {
  if (milliseconds < 1) return `${digits(1000 * milliseconds)} µs`;
  return milliseconds < 1000 ? `${digits(milliseconds)} ms` : `${digits(milliseconds / 1000)} s`;
}

const flops = (gflops: number): string =>
  gflops < 10_000 ? `${digits(gflops)} GFLOP/s` : `${digits(gflops / 1000)} TFLOP/s`;
const count = (value: number): string => Math.round(value).toLocaleString("en");
const percent = (share: number): string => `${digits(100 * share)} %`;

/** A row of a table: what would end a cell is written so that it does not. */
const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll(/\s*\n\s*/g, " ")).join(" | ")} |`;

function table(heads: readonly string[], left: number, rows: readonly (readonly string[])[]): string {
  const rule = `|${heads.map((_, i) => (i < left ? "---" : "--:")).join("|")}|`;
  return [row(heads), rule, ...rows.map(row)].join("\n");
}

function machine({
  machine: { processor, cores, memoryBytes, system, node, devices = [] },
  versions,
}: BenchReport): string {
  const host = `${processor}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB; ${system}; Node ${node}`;
  const lines = [
    ["Host", host],
    ...Object.entries(versions).map(([name, version]) => [`\`${name}\``, version]),
    ...devices.map((device) => [`Limits of ${device.device}`, limits(device)]),
  ];
  return table(["", ""], 2, lines);
}

function limits({ copyGbps, gflops: { float32, tf32, bfloat16 } }: DeviceLimits): string {
  const peaks = [
    ...(float32 === undefined ? [] : [`float32 ${flops(float32)}`]),
    ...(tf32 === undefined ? [] : [`TF32 ${flops(tf32)}`]),
    ...(bfloat16 === undefined ? [] : [`bfloat16 ${flops(bfloat16)}`]),
  ];
  return [`copies ${digits(copyGbps)} GB/s (read plus written)`, ...peaks].join(", ");
}

function foundOf({ found, unit }: Target): string {
  if (found === undefined) return "not measured";
  switch (unit) {
    case "share":
      return percent(found);
    case "ratio":
      return `${digits(found)} ×`;
    case "tokens/s":
      return count(found);
    case "µs":
      return `${digits(found)} µs`;
    default:
      return unit satisfies never;
  }
}

const verdict = ({ found, reached }: Target): string =>
  found === undefined || reached === undefined ? "" : reached ? "yes" : "no";

function shown(report: BenchReport, backend: string): string {
  const rows = targets(report, backend).map((target) => [
    target.workload,
    target.asked,
    foundOf(target),
    verdict(target),
  ]);
  return table(["workload", "asked for", "measured", "reached"], 2, rows);
}

function throughput({ gflops, gbps, tokensPerSecond }: WorkloadResult): string {
  return [
    ...(gflops === undefined ? [] : [flops(gflops)]),
    ...(gbps === undefined ? [] : [`${digits(gbps)} GB/s`]),
    ...(tokensPerSecond === undefined ? [] : [`${count(tokensPerSecond)} tokens/s`]),
  ].join(", ");
}

function results(report: BenchReport, backend: string): string {
  const rows = report.workloads.flatMap(({ name }) =>
    report.results
      .filter(({ workload }) => workload === name)
      .map((result, i) => {
        const { runner, medianMs, p10Ms, p90Ms, ofLimit, hostMs, deviceBytes, peakBytes } = result;
        const ratio = report.ratios.find(
          (one) => one.workload === name && one.runner === backend && one.peer === runner,
        )?.ratio;
        const bytes = deviceBytes ?? peakBytes;
        return [
          i === 0 ? name : "",
          runner,
          time(medianMs),
          `${time(p10Ms)} … ${time(p90Ms)}`,
          throughput(result),
          ofLimit === undefined ? "" : percent(ofLimit),
          hostMs === undefined ? "" : time(hostMs),
          bytes === undefined ? "" : `${(bytes / 2 ** 20).toFixed(0)} MiB`,
          ratio === undefined ? "" : digits(ratio),
        ];
      }),
  );
  const heads = ["median", "10 … 90 %", "throughput", "of limit", "host", "memory", `× ${backend}`];
  return table(["workload", "runner", ...heads], 2, rows);
}

function conformance(name: string, outcome: ConformanceOutcome): string {
  if ("problem" in outcome) return `- ${name}: did not run: ${outcome.problem.split("\n")[0]}`;
  const { passed, failed, expectedFailures, notApplicable, duration } = outcome.report;
  const counts = `${count(passed)} passed, ${failed} failed, ${expectedFailures} expected failures, ${notApplicable} not applicable`;
  return `- ${name}: ${counts}, ${duration.toFixed(0)} s`;
}

/** The page. Parts that were not run are left out; `targets` says of each figure whether it was measured. */
export function document({ backend, commands, bench, ...checks }: Findings): string {
  const title = backend === "cuda" ? "Thalweg on an NVIDIA GPU, beside PyTorch" : `Thalweg's ${backend} backend`;
  const checked = [
    ...(checks.conformance ? [conformance("Conformance", checks.conformance)] : []),
    ...(checks.golden ? [conformance("Golden files that were carried", checks.golden)] : []),
    ...(checks.sanitizer ?? []).map(({ tool, verdict: said }) => `- compute-sanitizer, ${tool}: ${said}`),
  ];
  const notes = (bench?.results ?? []).flatMap(({ workload, runner, note }) =>
    note === undefined ? [] : [`- ${workload}, ${runner}: ${note}`],
  );
  const missing = (bench?.missing ?? []).map(
    ({ workload, runner, reason }) => `- ${workload}, ${runner}: ${reason.split("\n")[0]}`,
  );
  const section = (heading: string, ...body: readonly string[]): string[] =>
    body.some((part) => part !== "") ? [`## ${heading}`, ...body] : [];
  const by = commands.map((command) => `\`${command}\``).join(", ");
  const made = bench ? `Measured ${bench.date.slice(0, 10)} by ${by}, ` : `Made by ${by}, `;
  return `${[
    `# ${title}`,
    `${made}from the bundle that \`npm run bundle:gpu\` makes. All figures of a table are of one machine and run; *of limit* is a
share of what its device did in that run: copying for workloads bound by memory, its largest matrix products for the others.
A ratio says how many times as long a runner takes as ${backend}: above 1, Thalweg is faster.`,
    ...section("Machine", bench ? machine(bench) : ""),
    ...section("Correctness", checked.join("\n")),
    ...section("What was to be shown", bench && backend === "cuda" ? shown(bench, backend) : ""),
    ...section("Results", bench ? results(bench, backend) : ""),
    ...section("Which way each runner chose", notes.join("\n")),
    ...section("Not measured", missing.join("\n")),
  ].join("\n\n")}\n`;
}
