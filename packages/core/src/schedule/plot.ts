/** Curves as text: dots of braille characters, two by four to each. */

export interface PlotOptions {
  /** How many steps to show, from 0. Default: until the schedule has shown what it does. */
  readonly steps?: number | undefined;
  /** Characters of the curve's width. Default 60. */
  readonly width?: number | undefined;
  /** Lines of the curve. Default 6. */
  readonly height?: number | undefined;
}

/** Bit of a dot by its row and column in a braille character. */
const dots = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/** Looked at per column, where a column stands for more steps: enough that no peak goes unseen at usual widths. */
const samplesPerColumn = 16;

/** At most four digits, as short as can be. */
export const formatNumber = (value: number): string => String(Number(value.toPrecision(4)));

/** Smallest, largest and last value of the steps each column stands for. */
function columns(at: (step: number) => number, steps: number, count: number): { low: number; high: number }[] {
  const stepOf = (column: number): number => Math.round((column * (steps - 1)) / (count - 1));
  return Array.from({ length: count }, (_, column) => {
    const first = stepOf(column);
    const after = Math.max(first + 1, column + 1 < count ? stepOf(column + 1) : steps);
    const samples = Math.min(after - first, samplesPerColumn);
    const values = Array.from({ length: samples }, (_, i) => at(first + Math.floor((i * (after - first)) / samples)));
    return { low: Math.min(...values), high: Math.max(...values) };
  });
}

/**
 * The curve of `at` over the steps 0 … steps - 1. The vertical axis starts at 0 where no value is negative, but at the
 * lowest value of a curve that stays in its upper half; the horizontal one counts steps.
 */
export function plotCurve(at: (step: number) => number, steps: number, width: number, height: number): string {
  const values = columns(at, steps, 2 * width);
  const highest = Math.max(...values.map(({ high }) => high));
  const lowest = Math.min(...values.map(({ low }) => low));
  const top = Math.max(0, highest);
  const bottom = lowest > top / 2 && lowest < top ? lowest : Math.min(0, lowest);
  const rows = 4 * height;
  const rowOf = (value: number): number =>
    top === bottom ? rows - 1 : Math.round(((top - value) / (top - bottom)) * (rows - 1));
  const cells = Array.from({ length: height }, () => new Array<number>(width).fill(0));
  let [above, below] = [rows, -1];
  for (const [x, { low, high }] of values.entries()) {
    const [first, last] = [rowOf(high), rowOf(low)];
    // Joined with the column before, so that jumps are drawn.
    const from = below >= 0 && below < first ? below + 1 : first;
    const to = below >= 0 && above > last ? above - 1 : last;
    for (let y = from; y <= to; y++) {
      const line = cells[y >> 2] as number[];
      line[x >> 1] = (line[x >> 1] as number) | (dots[y & 3]?.[x & 1] as number);
    }
    [above, below] = [first, last];
  }
  const labels = cells.map((_, row) =>
    row === 0 ? formatNumber(top) : row === height - 1 ? formatNumber(bottom) : "",
  );
  const margin = Math.max(...labels.map(({ length }) => length));
  const lines = cells.map((line, row) => {
    const curve = String.fromCodePoint(...line.map((cell) => 0x2800 + cell)).replace(/\u2800+$/, "");
    return `${(labels[row] as string).padStart(margin)} ${labels[row] === "" ? "│" : "┤"}${curve}`;
  });
  const last = `step ${steps - 1}`;
  const pad = " ".repeat(margin + 1);
  return [...lines, `${pad}└${"─".repeat(width)}`, `${pad} 0${last.padStart(width - 1)}`].join("\n");
}
