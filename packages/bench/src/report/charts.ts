/**
 * The charts, drawn by Observable Plot as SVG for the page to hold: as wide as a phone's column, coloured by the page's
 * custom properties. Axes are logarithmic; numbers that have no
 * place on them are left out.
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type Axis, isDrawable } from "./axis.ts";
import { type Markup, raw } from "./markup.ts";
import type { RunnerLook } from "./runnerLook.ts";

/** In CSS pixels. The page scales charts a little to fill their columns. */
const width = 340;
const margin = { left: 22, right: 22 } as const;
const fontSize = "12px";
/** Across a marker. */
const markerSize = 10;
/** Centre of a row's label, from its top. */
const labelAt = 12;

/** Height of a row and the line of its marks: with several, there is room for some above and below the line. */
const rowLayout = (rows: readonly Row[]): { readonly rowHeight: number; readonly marksAt: number } =>
  rows.some(({ points }) => points.length > 1) ? { rowHeight: 50, marksAt: 34 } : { rowHeight: 40, marksAt: 28 };

/** A marker: the median of a runner, say, with the range around it. */
export interface Point {
  readonly look: RunnerLook;
  readonly value: number;
  readonly range?: readonly [number, number] | undefined;
  /** Shown by a browser that points at it. */
  readonly title: string;
}

/** Points on a line of their own below a label; `note` stands at the label's right. */
export interface Row {
  readonly label: string;
  readonly note?: string;
  readonly points: readonly Point[];
}

export interface RowChart {
  /** For those who cannot see the chart. */
  readonly title: string;
  readonly rows: readonly Row[];
  readonly axis: Axis;
  readonly tick: (value: number) => string;
  /** A line across all rows, such as the one of equal speed. */
  readonly reference?: number;
}

/** Points, and where each stands across the rows. */
interface Placed extends Point {
  readonly y: number;
}

/** Where a value stands, in pixels from the axis's start. */
function positionOn({ domain: [low, high] }: Axis, value: number): number {
  return (Math.log(value / low) / Math.log(high / low)) * (width - margin.left - margin.right);
}

/** Puts points on a line, those that would cover each other a little above and below it. */
function spread(points: readonly Point[], axis: Axis, y: number): Placed[] {
  const crowds: Point[][] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const point of [...points].sort((a, b) => a.value - b.value)) {
    const position = positionOn(axis, point.value);
    if (position - last < markerSize) crowds.at(-1)?.push(point);
    else crowds.push([point]);
    last = position;
  }
  return crowds.flatMap((crowd) => {
    const apart = Math.min(0.75 * markerSize, (2.2 * markerSize) / Math.max(1, crowd.length - 1));
    return crowd.map((point, i) => ({ ...point, y: y + (i - (crowd.length - 1) / 2) * apart }));
  });
}

/** A mark per look: a shape and a colour are the same for all of its points. */
function markers(points: readonly Placed[]): Plot.Markish[] {
  const looks = new Set(points.map(({ look }) => look));
  return [...looks].map((look) =>
    Plot.dot(
      points.filter((point) => point.look === look),
      {
        x: "value",
        y: "y",
        symbol: look.symbol,
        fill: look.colour,
        r: look.symbol === "circle" ? 5 : 5.2,
        stroke: "var(--paper)",
        strokeWidth: 1,
        title: "title",
      },
    ),
  );
}

/** Rows of points against one horizontal axis, which is drawn at the bottom with lines up through the rows. */
export function rowChart({ title, rows, axis, tick, reference }: RowChart): Markup {
  const { rowHeight, marksAt } = rowLayout(rows);
  const points = rows.flatMap((row, i) =>
    spread(
      row.points.filter(({ value }) => isDrawable(value)),
      axis,
      i * rowHeight + marksAt,
    ),
  );
  const ranges = points.flatMap(({ range, y, look }) =>
    range?.every(isDrawable) ? [{ low: range[0], high: range[1], y, look }] : [],
  );
  const labels = rows.map(({ label, note }, i) => ({ label, note, y: i * rowHeight + labelAt }));
  const bottom = rows.length * rowHeight;
  return draw(title, {
    height: bottom + 30,
    marginTop: 0,
    marginBottom: 30,
    marginLeft: margin.left,
    marginRight: margin.right,
    x: { type: "log", domain: [...axis.domain], axis: null },
    y: { type: "identity", axis: null },
    marks: [
      // Tracks, behind everything: which markers belong to which label.
      Plot.ruleY(
        rows.map((_, i) => i * rowHeight + marksAt),
        { stroke: "var(--line)", strokeWidth: 1, insetLeft: -margin.left, insetRight: -margin.right },
      ),
      ...upright(axis.ticks, rows.length, rowHeight, { stroke: "var(--line)" }),
      Plot.text([...axis.ticks], {
        x: (value: number) => value,
        text: tick,
        frameAnchor: "bottom",
        lineAnchor: "top",
        dy: 9,
        fontSize,
        fill: "currentColor",
      }),
      ...upright(reference === undefined ? [] : [reference], rows.length, rowHeight, { strokeWidth: 1.5 }),
      ...text(labels, "label", "start"),
      ...text(labels, "note", "end"),
      Plot.link(ranges, {
        x1: "low",
        x2: "high",
        y1: "y",
        y2: "y",
        stroke: ({ look }: { look: RunnerLook }) => look.colour,
        strokeWidth: 3,
        strokeOpacity: 0.45,
        strokeLinecap: "round",
      }),
      ...markers(points),
    ],
  });
}

/** Lines across the rows at some values of the axis. They leave out the labels, which would be hard to read on them. */
function upright(
  values: readonly number[],
  rows: number,
  rowHeight: number,
  style: { readonly stroke?: string; readonly strokeWidth?: number },
): Plot.Markish[] {
  const parts = Array.from({ length: rows }, (_, row) =>
    values.map((value) => ({ value, top: row * rowHeight + 2 * labelAt - 4 })),
  );
  return [
    Plot.ruleX(parts.flat(), {
      x: "value",
      y1: "top",
      y2: ({ top }: { top: number }) => top + rowHeight - 2 * labelAt + 4,
      ...style,
    }),
  ];
}

function text(
  labels: readonly { readonly label: string; readonly note: string | undefined; readonly y: number }[],
  channel: "label" | "note",
  side: "start" | "end",
): Plot.Markish[] {
  const shown = labels.filter((label) => label[channel] !== undefined && label[channel] !== "");
  return [
    Plot.text(shown, {
      text: channel,
      y: "y",
      frameAnchor: side === "start" ? "left" : "right",
      textAnchor: side,
      dx: side === "start" ? -margin.left : margin.right,
      fontSize,
      fontWeight: side === "end" ? 600 : 400,
      fill: "currentColor",
    }),
  ];
}

export interface Line {
  readonly look: RunnerLook;
  readonly points: readonly (Omit<Point, "look"> & { readonly at: number })[];
}

export interface LineChart {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly x: Axis & { readonly label: string };
  readonly y: Axis;
  readonly yTick: (value: number) => string;
}

/** A line per runner through points whose ranges are drawn as whiskers. */
export function lineChart({ title, lines, x, y, yTick }: LineChart): Markup {
  const all = lines.map(({ look, points }) => ({
    look,
    points: points
      .filter(({ value, at }) => isDrawable(value) && isDrawable(at))
      .map((point) => ({ ...point, look, y: point.value, value: point.at })),
  }));
  return draw(title, {
    height: 260,
    marginTop: 10,
    marginBottom: 46,
    marginLeft: 56,
    marginRight: 16,
    x: { type: "log", domain: [...x.domain], axis: null },
    y: { type: "log", domain: [...y.domain], axis: null },
    marks: [
      Plot.gridY([...y.ticks], { stroke: "var(--line)", strokeOpacity: 1 }),
      Plot.gridX([...x.ticks], { stroke: "var(--line)", strokeOpacity: 1 }),
      Plot.text([...y.ticks], {
        y: (value: number) => value,
        text: yTick,
        frameAnchor: "left",
        textAnchor: "end",
        dx: -8,
        fontSize,
        fill: "currentColor",
      }),
      Plot.text([...x.ticks], {
        x: (value: number) => value,
        text: (value: number) => String(value),
        frameAnchor: "bottom",
        lineAnchor: "top",
        dy: 9,
        fontSize,
        fill: "currentColor",
      }),
      Plot.text([x.label], { frameAnchor: "bottom", lineAnchor: "top", dy: 27, fontSize, fill: "currentColor" }),
      ...all.flatMap(({ look, points }) => [
        Plot.ruleX(
          points.filter(({ range }) => range?.every(isDrawable)),
          {
            x: "value",
            y1: ({ range }: Point) => range?.[0],
            y2: ({ range }: Point) => range?.[1],
            stroke: look.colour,
            strokeWidth: 3,
            strokeOpacity: 0.45,
            strokeLinecap: "round",
          },
        ),
        Plot.line(points, { x: "value", y: "y", stroke: look.colour, strokeWidth: 1.75 }),
        ...markers(points),
      ]),
    ],
  });
}

/** A runner's marker alone, for legends. */
export function legendMarker({ symbol, colour }: RunnerLook): Markup {
  const svg = plot({
    width: 14,
    height: 14,
    margin: 0,
    marks: [Plot.dot([0], { frameAnchor: "middle", symbol, fill: colour, r: 5 })],
  });
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "marker");
  return raw(svg.outerHTML);
}

/** What is used here of the element that Plot makes. */
interface Drawn {
  readonly outerHTML: string;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  querySelector(selector: string): { remove(): void } | null;
}

function draw(title: string, options: Plot.PlotOptions): Markup {
  const svg = plot({ width, ...options });
  svg.setAttribute("class", "chart");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", title);
  // How large it is shown is up to the page, in the proportions of the viewBox.
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  return raw(svg.outerHTML);
}

function plot(options: Plot.PlotOptions): Drawn {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({ ...options, document, className: "chart" }) as unknown as Drawn;
  // The rules it brings are in the page's style sheet, once for all charts.
  svg.querySelector("style")?.remove();
  return svg;
}
