/**
 * A report as a page: one HTML file that needs nothing else, with charts drawn already. To be read on a phone, on a
 * screen of any size, and on paper.
 */
import type { BenchReport, DeviceLimits, MachineLimits } from "../benchReport.ts";
import { bytes, digits, instant } from "./format.ts";
import { html, type Markup, raw } from "./markup.ts";
import { runnerLooks } from "./runnerLook.ts";
import { type Drawing, limits, memory, missing, results, scaling, summary, timesOfWorkloads } from "./sections.ts";
import { style } from "./style.ts";

const title = "Thalweg benchmark";

/** The names of one kind, none of which breaks at the end of a line; undefined where there is none. */
function listed(runners: BenchReport["runners"], kind: "backend" | "peer"): Markup | undefined {
  const names = runners
    .filter((runner) => runner.kind === kind)
    .map(({ name }) => html`<span class="whole">${name}</span>`);
  return names.length === 0 ? undefined : html`${names.map((name, i) => (i === 0 ? name : html`, ${name}`))}`;
}

function limitsFact({ threads, scalarGflops, simdGflops, copyGbps }: MachineLimits): readonly [string, string] {
  return [
    threads === 1 ? "One thread’s limits" : `Limits of ${threads}\u00a0threads`,
    [
      ...(simdGflops === undefined ? [] : [`${digits(simdGflops)}\u00a0GFLOP/s with SIMD`]),
      `${digits(scalarGflops)}\u00a0GFLOP/s scalar`,
      `${digits(copyGbps)}\u00a0GB/s copying`,
    ].join(", "),
  ];
}

function deviceFact({
  device,
  copyGbps,
  gflops: { float32, tf32, bfloat16 },
}: DeviceLimits): readonly [string, string] {
  const peak = (gflops: number | undefined, name: string): string[] =>
    gflops === undefined ? [] : [`${digits(gflops / 1000)}\u00a0TFLOP/s ${name}`];
  const peaks = [...peak(bfloat16, "bfloat16"), ...peak(tf32, "TF32"), ...peak(float32, "float32")];
  return [`Limits of ${device}`, [...peaks, `${digits(copyGbps)}\u00a0GB/s copying`].join(", ")];
}

function headline({ report }: Drawing): Markup {
  const { machine, versions, threads, runners } = report;
  const measured = new Set(report.results.map(({ workload }) => workload)).size;
  const count = `${measured} ${measured === 1 ? "workload" : "workloads"}`;
  const backends = listed(runners, "backend");
  const peers = listed(runners, "peer");
  const facts: readonly (readonly [string, string])[] = [
    ["Processor", `${machine.processor}, ${machine.cores} ${machine.cores === 1 ? "core" : "cores"}`],
    ["Memory", bytes(machine.memoryBytes)],
    ["System", machine.system],
    ["Node", machine.node],
    ...machine.limits.map(limitsFact),
    ...(machine.devices ?? []).map(deviceFact),
  ];
  const described = [...new Set([...runners.map(({ name }) => name), ...Object.keys(versions)])];
  const about = (name: string): string => {
    const version = versions[name] ?? "did not start";
    const count = threads[name];
    if (count === undefined || report.devices?.[name] !== undefined) return version;
    const computes = `${count} ${count === 1 ? "thread" : "threads"}`;
    return version.includes(computes) ? version : `${version}, ${computes}`;
  };
  return html`<header><h1>${title}</h1><p class="lead">${backends ?? "No backend"}${peers && html` against ${peers}`}: ${count}, ${instant(report.date)}.</p>
    <div class="facts">
      <section aria-labelledby="machine"><h2 id="machine">Machine</h2>
        <dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>
      <section aria-labelledby="runners"><h2 id="runners">Runners</h2>
        <dl>${described.map((name) => html`<div><dt>${name}</dt><dd>${about(name)}</dd></div>`)}</dl></section>
    </div></header>`;
}

const method = html`<section aria-labelledby="method"><h2 id="method">How it was measured</h2>
  <p>Every runner has a process of its own for each workload and starts from the same numbers. After a warm-up its result is
    compared with the first runner’s; where they differ by more than rounding explains, it is not measured. Then the runners
    take turns: each runs for a fraction of a second, again and again, so that whatever else the machine does falls on all
    alike. The time of a turn is its length over its number of runs; what counts is the median of the turns.</p>
  <p>Throughput is the arithmetic or the memory traffic that a workload needs at least, over its time. The machine’s limits were
    measured in the same run, with as many threads at once as the runner has: multiply-adds (each counts as two operations)
    in 128-bit registers, and copying of arrays too large for the caches (bytes read plus bytes written). Those of a device with
    memory of its own, by the runners that compute on it: its largest matrix products in each kind of arithmetic, and copying
    within its memory. Runs are given to such a device several at a time, and waited for together.</p>
</section>`;

/** The page of a report. All it shows was in the report: it loads nothing and holds no script. */
export function htmlReport(report: BenchReport): string {
  const drawing: Drawing = { report, looks: runnerLooks(report) };
  const sections = [summary, timesOfWorkloads, limits, scaling, memory, missing, results].map((part) => part(drawing));
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}, ${instant(report.date)}</title>
<style>${raw(style)}</style>
</head>
<body>
${headline(drawing)}
<main>
${sections}
${method}
</main>
</body>
</html>
`;
  return page.markup;
}
