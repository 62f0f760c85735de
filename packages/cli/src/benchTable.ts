/** What `thalweg bench` prints: rows as they come, in columns whose widths are known before. */
import type {
  BenchReport,
  DeviceLimits,
  MachineLimits,
  Ratio,
  Runner,
  Workload,
  WorkloadPart,
  WorkloadResult,
} from "@thalweg/bench";
import Table from "cli-table3";

/** The machine, its limits, and a line for each runner. */
export function machineLines({
  machine,
  versions,
  threads,
  devices: deviceOf = {},
}: Pick<BenchReport, "machine" | "versions" | "threads" | "devices">): string {
  const { processor, cores, memoryBytes, system, node, limits, devices = [] } = machine;
  const lines = [
    `${processor}, ${count(cores, "core")}, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB; ${system}; Node ${node}`,
    ...limits.map(limitsLine),
    ...devices.map(deviceLine),
    ...Object.entries(versions).map(
      ([name, version]) => `${name}: ${version}${deviceOf[name] ? "" : `; ${count(threads[name] ?? 1, "thread")}`}`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function limitsLine({ threads, scalarGflops, simdGflops, copyGbps }: MachineLimits): string {
  const simd = simdGflops === undefined ? "" : `, ${simdGflops.toFixed(1)} with SIMD`;
  const whose = threads === 1 ? "one thread" : `${threads} threads`;
  return `limits of ${whose}: ${scalarGflops.toFixed(1)} GFLOP/s scalar${simd}; copies ${copyGbps.toFixed(1)} GB/s`;
}

const arithmetics = { float32: "float32", tf32: "TF32", bfloat16: "bfloat16" } as const;

function deviceLine({ device, copyGbps, gflops }: DeviceLimits): string {
  const peaks = Object.entries(arithmetics).flatMap(([arithmetic, name]) => {
    const peak = gflops[arithmetic as keyof typeof arithmetics];
    return peak === undefined ? [] : [`${flops(peak)} ${name}`];
  });
  return `limits of ${device}: ${peaks.join(", ")}; copies ${copyGbps.toFixed(0)} GB/s`;
}

const count = (n: number, of: string): string => `${n} ${of}${n === 1 ? "" : "s"}`;

/** A column that only some workloads have something for. */
const optional = {
  tokens: {
    head: "tokens/s",
    width: 8,
    has: ({ tokens }: Workload) => tokens !== undefined,
    cell: ({ tokensPerSecond }: WorkloadResult) => (tokensPerSecond === undefined ? "" : short(tokensPerSecond)),
  },
  host: {
    head: "host",
    width: 8,
    has: ({ hostTime }: Workload) => hostTime === true,
    cell: ({ hostMs }: WorkloadResult) => (hostMs === undefined ? "" : time(hostMs)),
  },
} as const;
type OptionalColumn = keyof typeof optional;

/** What decides a table's columns, of which each row is printed as it comes. */
export interface TableShape {
  readonly runners: readonly Runner[];
  /** Each has a column that says how many times as long a row's runner takes as it. */
  readonly backends: readonly string[];
  readonly workloads: readonly Workload[];
}

const columnsFor = ({ workloads }: TableShape): readonly OptionalColumn[] =>
  (Object.keys(optional) as OptionalColumn[]).filter((column) => workloads.some(optional[column].has));

/** The heads of the columns. */
export function header(shape: TableShape): string {
  const heads = ["workload", "runner", "median", "10 … 90 %", "throughput", "of limit", "memory"];
  const more = columnsFor(shape).map((column) => optional[column].head);
  return rows(shape, [[...heads, ...more, ...shape.backends.map((name) => `× ${name}`)]]);
}

/** Rows of a workload: its runners, those that measured it and those that did not. */
export function benchTable(part: WorkloadPart, shape: TableShape): string {
  const cells = shape.runners.map(({ name }, i) => {
    const workload = i === 0 ? part.workload.name : "";
    const result = part.results.find(({ runner }) => runner === name);
    return [workload, name, ...(result ? figures(result, part.ratios, shape) : ["-"])];
  });
  return rows(shape, cells);
}

function figures(result: WorkloadResult, ratios: readonly Ratio[], shape: TableShape): string[] {
  const { runner, medianMs, p10Ms, p90Ms, gflops, gbps, ofLimit, peakBytes, deviceBytes } = result;
  // Of a device's memory where the runner has one: what its process holds beside it says little.
  const bytes = deviceBytes ?? peakBytes;
  return [
    time(medianMs),
    `${time(p10Ms)} … ${time(p90Ms)}`,
    throughput(gflops, gbps),
    ofLimit === undefined ? "" : `${digits(100 * ofLimit)} %`,
    bytes === undefined ? "" : `${(bytes / 2 ** 20).toFixed(0)} MiB`,
    ...columnsFor(shape).map((column) => optional[column].cell(result)),
    ...shape.backends.map((backend) => {
      const found = ratios.find((ratio) => ratio.runner === backend && ratio.peer === runner);
      return found ? digits(found.ratio) : "";
    }),
  ];
}

function throughput(gflops: number | undefined, gbps: number | undefined): string {
  if (gflops !== undefined) return flops(gflops);
  return gbps === undefined ? "" : `${digits(gbps)} GB/s`;
}

/** Which runners did not measure a workload, and why. */
export function missingLines({ missing }: Pick<BenchReport, "missing">): string {
  if (missing.length === 0) return "";
  const alike = Map.groupBy(missing, ({ workload, reason }) => JSON.stringify([workload, reason]));
  const lines = [...alike.values()].map((same) => {
    const [{ workload, reason }] = same as [(typeof same)[number]];
    return `${workload}: ${same.map(({ runner }) => runner).join(", ")}: ${reason.replaceAll("\n", "\n    ")}`;
  });
  return `\nnot measured:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

/** Three digits that count. */
const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** Of GFLOP/s: in TFLOP/s where there would be more than four digits before the point. */
const flops = (gflops: number): string =>
  gflops < 10_000 ? `${digits(gflops)} GFLOP/s` : `${digits(gflops / 1000)} TFLOP/s`;

/** With k or M. */
function short(value: number): string {
  if (value < 1000) return digits(value);
  return value < 1e6 ? `${digits(value / 1000)} k` : `${digits(value / 1e6)} M`;
}

function time(milliseconds: number): string {
  if (milliseconds < 1) return `${digits(1000 * milliseconds)} µs`;
  return milliseconds < 1000 ? `${digits(milliseconds)} ms` : `${digits(milliseconds / 1000)} s`;
}

/** A part of the table. Its widths are fixed, since what is still to come is not known. */
function rows(shape: TableShape, cells: readonly (readonly string[])[]): string {
  const { runners, backends, workloads } = shape;
  const nameWidth = Math.max(6, ...runners.map(({ name }) => name.length));
  const workloadWidth = Math.max(22, ...workloads.map(({ name }) => name.length));
  const moreWidths = columnsFor(shape).map((column) => optional[column].width);
  const ratioWidths = backends.map((name) => Math.max(8, name.length + 2));
  const widths = [workloadWidth, nameWidth, 8, 19, 13, 8, 9, ...moreWidths, ...ratioWidths];
  const table = new Table({
    chars: lineless,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
    // Padding counts.
    colWidths: widths.map((width) => width + 2),
    colAligns: widths.map((_, i) => (i < 2 ? "left" : "right")),
  });
  // A row that ends early would make the table join what is missing of it with the row below.
  for (const row of cells) table.push(Array.from({ length: widths.length }, (_, i) => row[i] ?? ""));
  return `${table.toString().replaceAll(/ +$/gm, "")}\n`;
}

const lineless = {
  ...{ top: "", "top-mid": "", "top-left": "", "top-right": "" },
  ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
  ...{ left: "", "left-mid": "", mid: "", "mid-mid": "", right: "", "right-mid": "", middle: "" },
};
