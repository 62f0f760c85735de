/** The parts of the page, from the summary to how it was measured. Each gives nothing where a report has nothing for it. */
import type { BenchReport, WorkloadResult } from "../benchReport.ts";
import { logAxis } from "./axis.ts";
import { legendMarker, lineChart, type Point, type Row, rowChart } from "./charts.ts";
import { bytes, bytesTick, digits, percent, percentTick, time, times, timesTick, timeTick } from "./format.ts";
import { html, type Markup } from "./markup.ts";
import type { RunnerLook } from "./runnerLook.ts";
import { aboutBoth, isScaling, scalingFamilies } from "./scaling.ts";

/** A report, and how its runners are drawn. */
export interface Drawing {
  readonly report: BenchReport;
  readonly looks: readonly RunnerLook[];
}

/** Rows are drawn as several charts on the same axis, which stand beside each other where there is room: three, of no less than six rows and no more than fifteen. */
function inParts<T>(list: readonly T[]): T[][] {
  const parts = Math.max(Math.ceil(list.length / 15), Math.min(3, Math.ceil(list.length / 6)));
  const size = Math.ceil(list.length / parts);
  return Array.from({ length: parts }, (_, i) => list.slice(i * size, (i + 1) * size));
}

const section = (id: string, title: string, lead: Markup, content: Markup): Markup =>
  html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2><p class="lead">${lead}</p>${content}</section>`;

function legend(looks: readonly RunnerLook[]): Markup {
  const items = looks.map((look) => html`<li>${legendMarker(look)} ${look.runner}</li>`);
  return html`<ul class="legend" aria-label="Markers">${items}</ul>`;
}

const lookOf = ({ looks }: Drawing, name: string): RunnerLook =>
  looks.find(({ runner }) => runner === name) as RunnerLook;

/** Workloads with results, those that scale left out, in the report's order. */
function workloadNames({ workloads, results }: BenchReport): string[] {
  const measured = new Set(results.map(({ workload }) => workload));
  const listed = workloads.map(({ name }) => name).filter((name) => measured.has(name));
  return [...new Set([...listed, ...measured])].filter((name) => !isScaling(name));
}

const aboutOf = ({ workloads }: BenchReport, workload: string): string | undefined =>
  workloads.find(({ name }) => name === workload)?.about;

const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** What the ratios of one runner say, in a line per peer, as a chart and as a table. */
export function summary(drawing: Drawing): Markup | undefined {
  const { ratios } = drawing.report;
  const runners = [...new Set(ratios.map(({ runner }) => runner))];
  if (runners.length === 0) return undefined;
  const lead = html`How many times as long each peer takes: to the right of the line at 1×, Thalweg is faster; to its left,
    the peer. ${ratios.some(({ workload }) => isScaling(workload)) && "Workloads that scale have their own charts below."}`;
  return section(
    "summary",
    "Speed against each peer",
    lead,
    html`${runners.map((runner) => against(drawing, runner))}`,
  );
}

function against(drawing: Drawing, runner: string): Markup {
  const { report } = drawing;
  const own = report.ratios.filter((ratio) => ratio.runner === runner);
  const charted = own.filter(({ workload }) => !isScaling(workload));
  const peers = drawing.looks.filter((look) => own.some(({ peer }) => peer === look.runner));
  const names = [...new Set(own.map(({ workload }) => workload))];
  const axis = logAxis([1, ...charted.map(({ ratio }) => ratio)], 4);
  const rows = names
    .filter((name) => !isScaling(name))
    .map(
      (name): Row => ({
        label: name,
        points: charted
          .filter(({ workload }) => workload === name)
          .map(({ peer, ratio }) => ({
            look: lookOf(drawing, peer),
            value: ratio,
            title: `${name}: ${peer} takes ${times(ratio)} as long as ${runner}`,
          })),
      }),
    );
  const charts = inParts(rows).map(
    (part) =>
      html`<figure>
        <div class="directions" aria-hidden="true"><span>← peer faster</span><span>${runner} faster →</span></div>
        ${rowChart({
          title: `Ratio of each peer's time to that of ${runner}, for ${part.map(({ label }) => label).join(", ")}; the numbers are in the table below`,
          rows: part,
          axis,
          tick: timesTick,
          reference: 1,
        })}
      </figure>`,
  );
  const means = peers.map(({ runner: peer }) => {
    const values = charted.filter((ratio) => ratio.peer === peer && ratio.ratio > 0).map(({ ratio }) => ratio);
    if (values.length === 0) return undefined;
    const range = `${times(Math.min(...values))} to ${times(Math.max(...values))}`;
    return html`<li><strong>${times(geometricMean(values))}</strong> the speed of ${peer}
      <small>geometric mean of ${values.length} ${values.length === 1 ? "workload" : "workloads"}: ${range}</small></li>`;
  });
  const head = html`<tr><th scope="col">Workload</th>${peers.map(({ runner: peer }) => html`<th scope="col">${peer}</th>`)}</tr>`;
  const lines = names.map((name) => {
    const cells = peers.map(({ runner: peer }) => {
      const found = own.find((ratio) => ratio.workload === name && ratio.peer === peer);
      return html`<td>${found ? times(found.ratio) : "–"}</td>`;
    });
    return html`<tr><th scope="row">${name}</th>${cells}</tr>`;
  });
  return html`<h3>${runner} against each peer</h3>
    <ul class="means">${means}</ul>
    ${legend(peers)}
    <div class="grid">${charts}</div>
    ${table(`Time of each peer over that of ${runner}`, head, html`<tbody>${lines}</tbody>`)}`;
}

/** A table that scrolls by itself where it is wider than the page. */
function table(caption: string, head: Markup, bodies: Markup): Markup {
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${caption}">
    <table><caption>${caption}</caption><thead>${head}</thead>${bodies}</table></div>`;
}

/** A runner's time as a marker with its range. */
function timePoint(drawing: Drawing, { workload, runner, medianMs, p10Ms, p90Ms }: WorkloadResult): Point {
  return {
    look: lookOf(drawing, runner),
    value: medianMs,
    range: [p10Ms, p90Ms],
    title: `${workload}, ${runner}: ${time(medianMs)} (${time(p10Ms)} – ${time(p90Ms)})`,
  };
}

export function timesOfWorkloads(drawing: Drawing): Markup | undefined {
  const { report } = drawing;
  const names = workloadNames(report);
  if (names.length === 0) return undefined;
  const cards = names.map((name) => {
    const results = report.results.filter(({ workload }) => workload === name);
    const rows = results.map((result) => ({
      label: result.runner,
      note: time(result.medianMs),
      points: [timePoint(drawing, result)],
    }));
    const axis = logAxis(results.flatMap(({ medianMs, p10Ms, p90Ms }) => [medianMs, p10Ms, p90Ms]));
    const spoken = results.map(({ runner, medianMs }) => `${runner} ${time(medianMs)}`).join(", ");
    const title = `Time of one run of ${name}: ${spoken}`;
    return html`<figure class="card"><figcaption><strong>${name}</strong> ${aboutOf(report, name)}</figcaption>
      ${rowChart({ title, rows, axis, tick: timeTick })}</figure>`;
  });
  const lead = html`Median time of one run, less is better; the bar behind a marker reaches from the 10th to the 90th
    percentile. Axes are logarithmic. All numbers are in <a href="#results">the table of results</a>.`;
  return section("times", "Time of each workload", lead, html`<div class="grid">${cards}</div>`);
}

/** A chart, or several, of one quantity of all workloads, with a marker per runner. */
function overWorkloads(
  drawing: Drawing,
  quantity: string,
  quantityOf: (result: WorkloadResult) => number | undefined,
  write: (value: number) => string,
  chart: (values: readonly number[]) => Omit<Parameters<typeof rowChart>[0], "title" | "rows">,
): Markup | undefined {
  const results = drawing.report.results.filter(
    (result) => !isScaling(result.workload) && quantityOf(result) !== undefined,
  );
  if (results.length === 0) return undefined;
  const options = chart(results.map((result) => quantityOf(result) as number));
  const rows = workloadNames(drawing.report)
    .map((name): Row => {
      const points = results
        .filter(({ workload }) => workload === name)
        .map((result): Point => {
          const value = quantityOf(result) as number;
          return { look: lookOf(drawing, result.runner), value, title: `${name}, ${result.runner}: ${write(value)}` };
        });
      return { label: name, points };
    })
    .filter(({ points }) => points.length > 0);
  const figures = inParts(rows).map((part) => {
    const title = `${quantity} of each runner, for ${part.map(({ label }) => label).join(", ")}; the numbers are in the table of results`;
    return html`<figure>${rowChart({ title, rows: part, ...options })}</figure>`;
  });
  const looks = drawing.looks.filter(({ runner }) => results.some((result) => result.runner === runner));
  return html`${legend(looks)}<div class="grid">${figures}</div>`;
}

export function limits(drawing: Drawing): Markup | undefined {
  const charts = overWorkloads(
    drawing,
    "Share of the machine's limit",
    ({ ofLimit }) => ofLimit,
    percent,
    (values) => ({ axis: logAxis([1, ...values]), tick: percentTick, reference: 1 }),
  );
  const lead = html`Throughput as a share of what this machine can do with the runner's threads: multiply-adds with SIMD where
    arithmetic is what a workload costs, copying where moving memory is; for a runner on a device with memory of its own, the device’s products and copying. More is better; beyond 100&nbsp;% data came from caches. The axis is logarithmic.`;
  return charts && section("limits", "Against the machine’s limit", lead, charts);
}

export function memory(drawing: Drawing): Markup | undefined {
  const charts = overWorkloads(
    drawing,
    "Peak memory",
    ({ peakBytes }) => peakBytes,
    bytes,
    (values) => ({ axis: logAxis(values), tick: bytesTick }),
  );
  const lead = html`The most memory that a runner’s process held, its engine and libraries included. Less is better; the axis is
    logarithmic.`;
  return charts && section("memory", "Peak memory", lead, charts);
}

export function scaling(drawing: Drawing): Markup | undefined {
  const { report, looks } = drawing;
  const families = scalingFamilies(report);
  if (families.length === 0) return undefined;
  const cards = families.map(({ name, grows, members }) => {
    const lines = looks.map((look) => ({
      look,
      points: members.flatMap(({ workload, size }) => {
        const found = report.results.find((result) => result.workload === workload && result.runner === look.runner);
        return found ? [{ ...timePoint(drawing, found), at: size }] : [];
      }),
    }));
    const y = logAxis(
      lines.flatMap(({ points }) => points.flatMap(({ value, range }) => [value, ...(range ?? [])])),
      10,
      "vertical",
    );
    const sizes = members.map(({ size }) => size);
    const x = { ...logAxis(sizes, 1), label: grows };
    const title = `Time of one run over ${grows} (${sizes.join(", ")}), a line per runner; the numbers are in the table of results`;
    const [first, last] = [members[0], members.at(-1)].map((member) => aboutOf(report, member?.workload ?? "") ?? "");
    return html`<figure class="card"><figcaption><strong>scaling-${name}</strong> ${aboutBoth(first ?? "", last ?? "")}</figcaption>
      ${lineChart({ title, lines, x: sizes.length <= 8 ? { ...x, ticks: sizes } : x, y, yTick: timeTick })}</figure>`;
  });
  const workloads = families.flatMap(({ members }) => members.map(({ workload }) => workload));
  const drawn = looks.filter(({ runner }) =>
    report.results.some((result) => result.runner === runner && workloads.includes(result.workload)),
  );
  const lead = html`Median time of one run as one size grows; the bar behind a marker reaches from the 10th to the 90th percentile.
    Both axes are logarithmic: a flat line is a cost that does not depend on the size.`;
  return section("scaling", "Cost against size", lead, html`${legend(drawn)}<div class="grid">${cards}</div>`);
}

export function missing({ report }: Drawing): Markup | undefined {
  if (report.missing.length === 0) return undefined;
  const grouped = Map.groupBy(report.missing, ({ runner, reason }) => JSON.stringify([runner, reason]));
  const entries = [...grouped.values()].map((same) => {
    const [{ runner, reason }] = same as [(typeof same)[number]];
    return html`<div><dt>${runner}</dt><dd><strong>${same.map(({ workload }) => workload).join(", ")}</strong>
      <span class="reason">${reason}</span></dd></div>`;
  });
  const lead = html`What a runner lacks, or where it came to another result than the first runner: a fast wrong answer is not
    measured.`;
  return section("missing", "Not measured", lead, html`<dl>${entries}</dl>`);
}

export function results(drawing: Drawing): Markup {
  const { report } = drawing;
  const names = [...new Set([...workloadNames(report), ...report.results.map(({ workload }) => workload)])];
  if (names.length === 0) return section("results", "Results", html`Nothing was measured.`, html``);
  const any = (has: (result: WorkloadResult) => boolean): boolean => report.results.some(has);
  const columns: { readonly name: string; readonly cell: (result: WorkloadResult) => string }[] = [
    { name: "Median", cell: ({ medianMs }) => time(medianMs) },
    { name: "10th – 90th percentile", cell: ({ p10Ms, p90Ms }) => `${time(p10Ms)} – ${time(p90Ms)}` },
  ];
  const optional = (name: string, quantityOf: (result: WorkloadResult) => string | undefined): void => {
    if (any((result) => quantityOf(result) !== undefined))
      columns.push({ name, cell: (result) => quantityOf(result) ?? "–" });
  };
  optional("Throughput", throughput);
  optional("Of limit", ({ ofLimit }) => (ofLimit === undefined ? undefined : percent(ofLimit)));
  optional("Host time", ({ hostMs }) => (hostMs === undefined ? undefined : time(hostMs)));
  optional("Peak memory", ({ peakBytes }) => (peakBytes === undefined ? undefined : bytes(peakBytes)));
  optional("Device memory", ({ deviceBytes }) => (deviceBytes === undefined ? undefined : bytes(deviceBytes)));
  const head = html`<tr><th scope="col">Runner</th>${columns.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr>`;
  const bodies = names.map((name) => {
    const own = report.results.filter(({ workload }) => workload === name);
    const fastest = Math.min(...own.map(({ medianMs }) => medianMs));
    const lines = own.map((result) => {
      const cells = columns.map(({ cell }) => html`<td>${cell(result)}</td>`);
      return html`<tr${own.length > 1 && result.medianMs === fastest && html` class="fastest"`}>
        <th scope="row">${legendMarker(lookOf(drawing, result.runner))} ${result.runner}</th>${cells}</tr>
        ${result.note !== undefined && html`<tr class="note"><td colspan="${columns.length + 1}"><span><small>${result.runner}: ${result.note}</small></span></td></tr>`}`;
    });
    const title = html`${name} <small>${aboutOf(report, name)}</small>`;
    return html`<tbody><tr class="workload"><th scope="rowgroup" colspan="${columns.length + 1}"><span>${title}</span></th></tr>${lines}</tbody>`;
  });
  const lead = html`Times of one run; the fastest of each workload is in bold.`;
  return section("results", "Results", lead, table("Results of every runner", head, html`${bodies}`));
}

function throughput({ gflops, gbps, tokensPerSecond }: WorkloadResult): string | undefined {
  const parts = [
    ...(gflops === undefined ? [] : [`${digits(gflops)}\u00a0GFLOP/s`]),
    ...(gbps === undefined ? [] : [`${digits(gbps)}\u00a0GB/s`]),
    ...(tokensPerSecond === undefined ? [] : [`${digits(tokensPerSecond)}\u00a0tokens/s`]),
  ];
  return parts.length === 0 ? undefined : parts.join(", ");
}
