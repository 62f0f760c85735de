/**
 * Sums over windows as products of matrices whose rows are pixels, read straight from the padded image one element at a
 * time, and whose columns are channels of the result, out of weights brought into panels once. Nothing of the image is
 * packed, so this is the way for sums of many terms; the transposition of the sums at the end of a tile makes short
 * ones dear.
 */
import type { EpilogueWriter } from "../body/index.ts";
import type { Code } from "../code.ts";
import { isLong } from "../contraction/finish.ts";
import { type Accumulators, clearTile, tileAccumulators, tileRows } from "../contraction/tile.ts";
import { type FunctionBuilder, type I32, i32, type Local, type V128, v128 } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { type Line, linesOf } from "./lines.ts";
import { type Output, outputKey, outputWriter } from "./output.ts";
import type { ImageLayout } from "./paddedImage.ts";
import { favorsPixelTiles } from "./productCosts.ts";
import { type RowTiles, rowTiles } from "./rowTiles.ts";
import { forTasks } from "./tasks.ts";
import { transposed } from "./transpose.ts";
import type { TransposedPanels } from "./transposedPanels.ts";
import { weightPanels } from "./weightPanels.ts";
import { termsOf, type Windows } from "./windows.ts";

/** Steps over terms that are written out: with fewer, moving a pointer per pixel would take too much of the time. */
const leastSteps = 3;
const mostSteps = 10;

/** With fewer units than this, shares of the tasks would be uneven. */
const leastUnits = 128;

/** Bytes of memory in which a tile's sums wait, channel by channel, for a long epilogue. */
const tileBytes = 2 * 16 * 8;

/** How terms are walked over: some at a time, of whole channels or of one row of taps. */
interface Walk {
  /** Channels taken at once; undefined: one row of taps is. */
  readonly channels: number | undefined;
  readonly steps: number;
}

function walkOf({ depth, taps }: Windows): Walk {
  const area = taps[0] * taps[1];
  if (area > mostSteps) return { channels: undefined, steps: taps[1] };
  const channels = largestDivisor(depth, Math.floor(mostSteps / area));
  return { channels, steps: channels * area };
}

/** The largest divisor of `count` that is no larger than `limit`. */
function largestDivisor(count: number, limit: number): number {
  let divisor = Math.min(count, limit);
  while (count % divisor !== 0) divisor--;
  return divisor;
}

/**
 * Whether sums over `windows` are computed faster this way. A window of one tap is not: its terms are whole planes apart, and
 * would drive each other out of the cache.
 */
export function suitsPixelProducts(windows: Windows, output: Output): boolean {
  const { steps } = walkOf(windows);
  if (windows.taps[0] * windows.taps[1] === 1 || steps < leastSteps || steps > mostSteps) return false;
  const { line, lines } = linesOf(windows, output);
  return favorsPixelTiles(windows, line, lines);
}

interface Plan {
  readonly windows: Windows;
  readonly layout: ImageLayout;
  readonly output: Output;
  readonly line: Line;
  /** Lines of an image. */
  readonly lines: number;
  /** Pixels of a line in tiles. */
  readonly pixels: RowTiles;
  readonly panels: TransposedPanels;
  /** Tiles of a line in one unit. */
  readonly tiles: number;
  /** Parts of lines, each as often as there are panels. */
  readonly units: number;
  readonly tasks: number;
}

function planOf(windows: Windows, layout: ImageLayout, given: Output): Plan {
  const { images, groups } = windows;
  const { output, line, lines } = linesOf(windows, given);
  const pixels = rowTiles(line.length);
  const panels = weightPanels(windows);
  const places = images * groups * lines * panels.panels;
  const all = pixels.tallCount + pixels.shortCount;
  const tiles = Math.ceil(all / Math.min(all, Math.ceil(leastUnits / places)));
  const units = places * Math.ceil(all / tiles);
  // A multiply-add of a tile costs about a quarter of a simple operation on memory.
  const tasks = taskCount(units, 2 * tileRows * tiles * termsOf(windows));
  return { windows, layout, output, line, lines, pixels, panels, tiles, units, tasks };
}

/** `weights` in panels. */
export function pixelProducts(
  windows: Windows,
  layout: ImageLayout,
  image: Pointer,
  weights: Pointer,
  output: Output,
): Launch {
  const plan = planOf(windows, layout, output);
  return {
    key: JSON.stringify(["pixels", windows, layout, outputKey(plan.output)]),
    pointers: [image, weights, { kind: "thread" }, ...plan.output.pointers],
    tasks: plan.tasks,
    threadBytes: tileBytes,
    build: (f, code) => new Builder(f, code, plan).build(),
  };
}

/** Where a unit's tiles stand. */
interface Place {
  readonly image: Local<"i32">;
  readonly line: Local<"i32"> | 0;
  /** Channel of the result, of all groups, where the panel begins. */
  readonly channel: Local<"i32">;
  /** Address of what the first tap of the line's first pixel sees in the first channel. */
  readonly start: Local<"i32">;
  /** Address of the panel. */
  readonly weights: Local<"i32">;
  readonly firstTile: Local<"i32"> | 0;
}

class Builder {
  readonly #f: FunctionBuilder;
  readonly #plan: Plan;
  readonly #lanes: Lanes;
  readonly #writer: EpilogueWriter;
  readonly #memory: Local<"i32">;
  /** Addresses that a tile moves: in its panel of weights, and in the image for each of its pixels. */
  readonly #b: Local<"i32">;
  readonly #rows: readonly Local<"i32">[];
  readonly #pixel: Local<"i32">;

  constructor(f: FunctionBuilder, code: Code, plan: Plan) {
    this.#f = f;
    this.#plan = plan;
    this.#lanes = code.lanes(f);
    this.#writer = outputWriter(f, code, this.#lanes, plan.output, 3);
    this.#memory = f.parameter(2, "i32");
    this.#b = f.local("i32");
    this.#rows = Array.from({ length: plan.pixels.tall }, () => f.local("i32"));
    this.#pixel = f.local("i32");
  }

  build(): void {
    const f = this.#f;
    const { windows, layout, lines, pixels, panels, tiles, units, tasks } = this.#plan;
    const { groups, rows, depth, step, origin } = windows;
    const { row, plane } = layout;
    const parts = Math.ceil((pixels.tallCount + pixels.shortCount) / tiles);
    const [images, weights] = [f.parameter(0, "i32"), f.parameter(1, "i32")];
    forTasks(f, f.parameters.at(-1) as Local<"i32">, tasks, units, (unit) => {
      const panel = f.let(i32.remU(unit, panels.panels));
      const place = f.let(i32.divU(unit, panels.panels));
      const part = f.let(i32.remU(place, parts));
      const at = f.let(i32.divU(place, parts));
      const line = lines > 1 ? f.let(i32.remU(at, lines)) : 0;
      const imageAndGroup = f.let(i32.divU(at, lines));
      const group = f.let(i32.remU(imageAndGroup, groups));
      const here: Place = {
        image: f.let(i32.divU(imageAndGroup, groups)),
        line,
        channel: f.let(i32.add(i32.mul(group, rows), i32.mul(panel, 8))),
        start: f.let(
          i32.add(
            i32.add(images, 4 * (origin[0] * row + origin[1])),
            i32.add(i32.mul(imageAndGroup, 4 * depth * plane), i32.mul(line, 4 * step[0] * row)),
          ),
        ),
        weights: f.let(
          i32.add(weights, i32.add(i32.mul(group, panels.groupBytes), i32.mul(panel, 32 * termsOf(windows)))),
        ),
        firstTile: parts > 1 ? f.let(i32.mul(part, tiles)) : 0,
      };
      const last = (): void => this.#tiles(here, panels.lastChannels);
      const whole = (): void => this.#tiles(here, 8);
      if (panels.panels === 1) last();
      else if (panels.lastChannels === 8) whole();
      else f.if(i32.eq(panel, panels.panels - 1), last, whole);
    });
  }

  /** The unit's tiles over a panel of `channels` channels. */
  #tiles(place: Place, channels: number): void {
    const f = this.#f;
    const { tall, tallCount, shortCount } = this.#plan.pixels;
    const { firstTile } = place;
    const all = tallCount + shortCount;
    const tile = f.local("i32");
    if (firstTile === 0) {
      f.set(tile, i32.const(0));
      f.set(this.#pixel, i32.const(0));
    } else {
      const beyond = f.let(i32.sub(firstTile, tallCount));
      const shorter = i32.select(i32.gtS(beyond, 0), beyond, i32.const(0));
      f.set(tile, firstTile);
      f.set(this.#pixel, i32.sub(i32.mul(firstTile, tall), shorter));
    }
    const end = firstTile === 0 ? all : f.let(i32.add(firstTile, this.#plan.tiles));
    /** Those below tile `to`. */
    const some = (to: number, height: number): void => {
      const sums = tileAccumulators(this.#lanes, height, channels > 4 ? 2 : 1);
      const last = typeof end === "number" ? to : f.let(i32.select(i32.ltS(end, to), end, i32.const(to)));
      f.for(tile, tile, last, 1, () => {
        this.#product(sums, place);
        this.#finish(sums, place, channels);
        f.set(this.#pixel, i32.add(this.#pixel, height));
      });
    };
    some(tallCount, tall);
    if (shortCount > 0) some(all, tall - 1);
  }

  #product(sums: Accumulators, { start, weights }: Place): void {
    const f = this.#f;
    const { windows, layout, line } = this.#plan;
    const { depth, taps, spread, size, step } = windows;
    const { row, plane } = layout;
    const rows = this.#rows.slice(0, sums.length);
    rows.forEach((pointer, r) => {
      const pixel = r === 0 ? this.#pixel : f.let(i32.add(this.#pixel, r));
      const offset = line.wholeImage
        ? i32.add(i32.mul(i32.divU(pixel, size[1]), 4 * step[0] * row), i32.mul(i32.remU(pixel, size[1]), 4 * step[1]))
        : i32.mul(pixel, 4 * step[1]);
      f.set(pointer, i32.add(start, offset));
    });
    f.set(this.#b, weights);
    clearTile(this.#lanes, sums);
    const advance = (elements: number): void => {
      for (const pointer of rows) f.set(pointer, i32.add(pointer, 4 * elements));
    };
    const area = taps[0] * taps[1];
    const { channels, steps } = walkOf(windows);
    const offsets = Array.from({ length: steps }, (_, term) => {
      const tap = term % area;
      const [i, j] = [Math.floor(tap / taps[1]), tap % taps[1]];
      return Math.floor(term / area) * plane + i * spread[0] * row + j * spread[1];
    });
    const [channel, i] = [f.local("i32"), f.local("i32")];
    f.for(channel, 0, depth, channels ?? 1, () => {
      if (channels !== undefined) {
        this.#steps(sums, rows, offsets);
        advance(channels * plane);
        return;
      }
      f.for(i, 0, taps[0], 1, () => {
        this.#steps(sums, rows, offsets);
        advance(spread[0] * row);
      });
      advance(plane - taps[0] * spread[0] * row);
    });
  }

  /** Adds the products of some terms, which the pixels see at `offsets` (elements). */
  #steps(sums: Accumulators, rows: readonly Local<"i32">[], offsets: readonly number[]): void {
    const f = this.#f;
    const columns = (sums[0] as Accumulators[0]).map(() => f.local("v128"));
    const element = f.local("v128");
    offsets.forEach((offset, at) => {
      columns.forEach((column, v) => {
        f.set(column, v128.load(this.#b, 16 * (at * columns.length + v)));
      });
      sums.forEach((row, r) => {
        f.set(element, v128.load32Splat(rows[r] as Local<"i32">, 4 * offset));
        row.forEach((sum, v) => {
          f.set(sum, this.#lanes.f32.madd(element, columns[v] as Local<"v128">, sum) as V128);
        });
      });
    });
    f.set(this.#b, i32.add(this.#b, 16 * columns.length * offsets.length));
  }

  /** The epilogue of a tile's sums. Vectors now lie along the pixels. */
  #finish(sums: Accumulators, place: Place, channels: number): void {
    const f = this.#f;
    const groups: { readonly pixel: number; readonly count: number }[] = [];
    for (let pixel = 0; pixel < sums.length; pixel += 4)
      groups.push({ pixel, count: Math.min(4, sums.length - pixel) });
    /** The four channels (or fewer) of vector `v`, at some pixels. */
    const columns = (v: number, pixel: number, count: number): V128[] =>
      transposed(
        f,
        sums.slice(pixel, pixel + count).map((row) => row[v] as Local<"v128">),
      ).slice(0, channels - 4 * v);
    const vectors = (sums[0] as Accumulators[0]).length;
    const sum = f.local("v128");
    if (!isLong(this.#plan.output.epilogue)) {
      for (let v = 0; v < vectors; v++) {
        const write = this.#writerAt(place, place.channel);
        for (const { pixel, count } of groups) {
          columns(v, pixel, count).forEach((column, channel) => {
            f.set(sum, column);
            write(4 * v + channel, pixel, count, sum);
          });
        }
      }
      return;
    }
    for (let v = 0; v < vectors; v++) {
      groups.forEach(({ pixel, count }, group) => {
        columns(v, pixel, count).forEach((column, channel) => {
          f.do(v128.store(this.#memory, column, 16 * ((4 * v + channel) * groups.length + group)));
        });
      });
    }
    const [channel, end, from] = [f.local("i32"), f.local("i32"), f.local("i32")];
    f.set(from, this.#memory);
    f.set(end, i32.add(place.channel, channels));
    f.for(channel, place.channel, end, 1, () => {
      const write = this.#writerAt(place, channel);
      groups.forEach(({ pixel, count }, group) => {
        f.set(sum, v128.load(from, 16 * group));
        write(0, pixel, count, sum);
      });
      f.set(from, i32.add(from, 16 * groups.length));
    });
  }

  /** Writes to the result from a channel on, at the tile's pixels. */
  #writerAt(
    { image, line }: Place,
    channel: Local<"i32">,
  ): (channel: number, pixel: number, count: number, sum: Local<"v128">) => void {
    const origin: I32[] = this.#plan.line.wholeImage
      ? [image, channel, this.#pixel]
      : [image, channel, line, this.#pixel];
    const vector = origin.length - 1;
    this.#writer.begin(origin as (Local<"i32"> | number)[], vector);
    return (row, pixel, count, sum) => {
      const add = new Array<number>(origin.length).fill(0);
      [add[1], add[vector]] = [row, pixel];
      this.#writer.write(add, count, sum);
    };
  }
}
