import { readFileSync } from "node:fs";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import type { BenchReport } from "../benchReport.ts";
import { bytes, digits, percent, time, times } from "./format.ts";
import { htmlReport } from "./htmlReport.ts";
import { escapeText } from "./markup.ts";

const sample = JSON.parse(readFileSync(new URL("sampleReport.json", import.meta.url), "utf8")) as BenchReport;
const empty: BenchReport = {
  ...sample,
  runners: [],
  versions: {},
  threads: {},
  workloads: [],
  results: [],
  missing: [],
  ratios: [],
};

const page = htmlReport(sample).replaceAll("&#160;", "\u00a0");
const text = page.replace(/<style>.*?<\/style>/gs, "").replace(/<[^>]*>/g, "");
const chartsOf = (html: string): string[] => html.match(/<svg[^>]*class="chart".*?<\/svg>/gs) ?? [];

describe("htmlReport", () => {
  it("gives every number of the results", () => {
    for (const { workload, runner, ...result } of sample.results) {
      const body = page.slice(page.indexOf('id="results"'));
      const rows = body.slice(body.search(new RegExp(`<span>${workload}\\s`))).split("</tbody>")[0] as string;
      const row = rows.split("<tr").find((line) => line.includes(`</svg> ${runner}</th>`)) as string;
      const expected = [
        time(result.medianMs),
        `${time(result.p10Ms)} – ${time(result.p90Ms)}`,
        ...(result.gflops === undefined ? [] : [`${digits(result.gflops)}\u00a0GFLOP/s`]),
        ...(result.gbps === undefined ? [] : [`${digits(result.gbps)}\u00a0GB/s`]),
        ...(result.ofLimit === undefined ? [] : [percent(result.ofLimit)]),
        ...(result.peakBytes === undefined ? [] : [bytes(result.peakBytes)]),
      ];
      for (const number of expected) expect(row, `${workload}, ${runner}`).toContain(number);
      if (result.note !== undefined) expect(rows).toContain(escapeText(`${runner}: ${result.note}`));
    }
  });

  it("gives every ratio in the row of its workload", () => {
    for (const { workload, ratio } of sample.ratios) {
      const row = page.slice(page.indexOf(`<tr><th scope="row">${workload}</th>`)).split("</tr>")[0];
      expect(row).toContain(`<td>${times(ratio)}</td>`);
    }
  });

  it("says what ran, where, and what did not", () => {
    const { machine } = sample;
    const facts = [
      machine.processor,
      machine.system,
      machine.node,
      ...machine.limits.map(({ copyGbps }) => digits(copyGbps)),
      "Limits of 2\u00a0threads",
      "2026-11-20 14:03 UTC",
    ];
    const said = [...facts, ...Object.values(sample.versions), ...sample.missing.map(({ reason }) => reason)];
    for (const part of said) expect(text).toContain(escapeText(part));
    for (const { about } of sample.workloads) expect(text).toContain(escapeText(about));
    expect(text).toContain("training step of an MLP 784-256-128-10, batch 1 … 512, Adam, loss read back");
  });

  it("draws a chart of every kind, each with a name, and a marker for every time", () => {
    const charts = chartsOf(page);
    for (const chart of charts) expect(chart).toMatch(/ role="img"/);
    const named = (start: string) => charts.filter((chart) => chart.includes(`aria-label="${start}`));
    expect(named("Ratio of each peer").length).toBeGreaterThan(0);
    expect(
      named("Share of the machine&#39;s limit").length + named("Share of the machine's limit").length,
    ).toBeGreaterThan(0);
    expect(named("Peak memory").length).toBeGreaterThan(0);
    expect(named("Time of one run over").length).toBe(3);
    expect(named("Time of one run of").length).toBe(19);
    for (const { workload, runner, medianMs } of sample.results) {
      expect(page).toContain(`<title>${workload}, ${runner}: ${time(medianMs)} (`);
    }
  });

  it("loads nothing and runs nothing", () => {
    expect(page.replaceAll(/xmlns(:\w+)?="[^"]*"/g, "")).not.toMatch(/https?:|\/\/\w|<script|<link|<img|@import|url\(/);
  });

  it("has no number in a chart that is none", () => {
    for (const chart of chartsOf(page)) expect(chart).not.toMatch(/NaN|Infinity|undefined|null/);
  });

  it("escapes names, versions and reasons", () => {
    const name = `<b a="1">&'x'</b>`;
    const html = htmlReport({
      ...sample,
      machine: { ...sample.machine, processor: name },
      runners: [...sample.runners, { name, kind: "peer" }],
      versions: { ...sample.versions, [name]: name },
      workloads: [...sample.workloads, { name, about: name }],
      results: [
        ...sample.results,
        { workload: name, runner: name, medianMs: 1, p10Ms: 0.9, p90Ms: 1.1, ofLimit: 0.5, peakBytes: 1e8 },
      ],
      ratios: [...sample.ratios, { workload: name, runner: "cpu-js", peer: name, ratio: 2 }],
      missing: [{ workload: name, runner: name, reason: name }],
    });
    expect(html).toContain(escapeText(name));
    const { document } = parseHTML(html);
    expect(document.querySelectorAll("b")).toHaveLength(0);
    const labels = [...document.querySelectorAll("[aria-label]")].map((element) => element.getAttribute("aria-label"));
    expect(labels.some((label) => label?.includes(name))).toBe(true);
  });

  it("holds without results, and without parts of them", () => {
    const nothing = htmlReport(empty);
    expect(nothing).toContain("Nothing was measured.");
    expect(chartsOf(nothing)).toEqual([]);
    const [first] = sample.results;
    const { medianMs, p10Ms, p90Ms, workload, runner } = first as BenchReport["results"][number];
    const bare = htmlReport({
      ...sample,
      results: [{ workload, runner, medianMs, p10Ms, p90Ms }],
      ratios: [],
      missing: [],
    });
    expect(chartsOf(bare)).toHaveLength(1);
    expect(bare).toContain(time(medianMs));
    for (const absent of ["Against the machine", "Peak memory", "Not measured", "Cost against size", "Speed against"]) {
      expect(bare).not.toContain(absent);
    }
  });

  it("leaves numbers without a place on an axis out of the charts", () => {
    const [first] = sample.results as [BenchReport["results"][number]];
    const html = htmlReport({
      ...sample,
      results: [{ ...first, medianMs: 0, p10Ms: 0, p90Ms: 0, ofLimit: 0 }],
      ratios: [],
    });
    for (const chart of chartsOf(html)) expect(chart).not.toMatch(/NaN|Infinity/);
    expect(html).toContain("0\u00a0ns");
  });

  it("gives a device's limits, and what only runners on one have", () => {
    const [first] = sample.results as [BenchReport["results"][number]];
    const { runner } = first;
    const html = htmlReport({
      ...sample,
      machine: {
        ...sample.machine,
        devices: [{ device: "A GPU", copyGbps: 4310, gflops: { float32: 51_200, bfloat16: 790_000 } }],
      },
      devices: { [runner]: "A GPU" },
      results: [{ ...first, tokensPerSecond: 204_800, hostMs: 0.0031, deviceBytes: 2e9 }],
    }).replaceAll("&#160;", "\u00a0");
    expect(html).toContain("Limits of A GPU");
    expect(html).toContain("790\u00a0TFLOP/s bfloat16, 51.2\u00a0TFLOP/s float32, 4310\u00a0GB/s copying");
    for (const figure of ["204800\u00a0tokens/s", "3.10\u00a0µs", "2.00\u00a0GB"]) expect(html).toContain(figure);
  });

  it("draws every backend's ratios when there are several", () => {
    const other = sample.ratios.map((ratio) => ({ ...ratio, runner: "cpu-native", ratio: 2 * ratio.ratio }));
    const html = htmlReport({ ...sample, ratios: [...sample.ratios, ...other] });
    expect(html).toContain("cpu-native against each peer");
    expect(html).toContain("Time of each peer over that of cpu-native");
  });
});

describe("format", () => {
  it("keeps three digits and a fitting unit", () => {
    expect([0.00123, 0.9996, 1, 12.345, 999.94, 999.96, 61_000].map(time)).toEqual(
      ["1.23 µs", "1.00 ms", "1.00 ms", "12.3 ms", "1.00 s", "1.00 s", "61.0 s"].map((word) =>
        word.replace(" ", "\u00a0"),
      ),
    );
    expect([0, 0.0456, 4.567, 123.4, 12345].map(digits)).toEqual(["0", "0.0456", "4.57", "123", "12345"]);
    expect(bytes(123_456_789)).toBe("123\u00a0MB");
    expect(times(0.4256)).toBe("0.426×");
  });
});
