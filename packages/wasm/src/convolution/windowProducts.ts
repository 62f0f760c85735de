/**
 * Sums over windows as products of matrices: rows are channels of the result, columns pixels, terms channels and taps of
 * the image. A task packs the panels of a few neighbouring pixels (panels.ts) and meets them with all tiles of rows.
 */
import type { EpilogueWriter } from "../body/index.ts";
import type { Code } from "../code.ts";
import { type Accumulators, clearTile, tileAccumulators, tileLoop, tileRows } from "../contraction/tile.ts";
import { type FunctionBuilder, type I32, i32, type Local } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { type Line, linesOf } from "./lines.ts";
import { type Output, outputKey, outputWriter } from "./output.ts";
import type { ImageLayout } from "./paddedImage.ts";
import { PanelWriter } from "./panels.ts";
import { rowTiles } from "./rowTiles.ts";
import { forTasks } from "./tasks.ts";
import { endTile, tileBytes } from "./tileEnd.ts";
import { termsOf, type Windows } from "./windows.ts";

/** Bytes of the panels that are kept at once, while tiles of rows pass over them: they should stay in the L2 cache. */
const panelBytes = 640 * 1024;

/** Weights of more bytes do not stay there beside them: several panels are then met by each tile of rows in turn. */
const weightBytes = 256 * 1024;
const severalPanels = 6;

/** With fewer units than this, shares of the tasks would be uneven. */
const leastUnits = 128;

/** Rows that panels are packed for at least, so that packing is a small part of the work. */
const leastRows = 96;

interface Plan {
  readonly windows: Windows;
  readonly layout: ImageLayout;
  readonly output: Output;
  readonly line: Line;
  /** Lines of an image. */
  readonly lines: number;
  /** Panels of a line, and how many of them are packed at once. */
  readonly panels: number;
  readonly block: number;
  /** Tiles of rows that meet a block in one unit. */
  readonly tiles: number;
  /** Blocks of all lines, each as often as the rows are parted. */
  readonly units: number;
  readonly tasks: number;
}

function planOf(windows: Windows, layout: ImageLayout, given: Output): Plan {
  const { images, groups, rows } = windows;
  const { output, line, lines } = linesOf(windows, given);
  const panels = Math.ceil(line.length / 8);
  const terms = termsOf(windows);
  const fitting = Math.max(1, Math.floor(panelBytes / (32 * terms)));
  const all = images * groups * lines * panels;
  const least = 4 * rows * terms > weightBytes ? severalPanels : 1;
  const blocks = Math.ceil(panels / Math.min(fitting, Math.max(least, Math.ceil(all / leastUnits))));
  const block = Math.ceil(panels / blocks);
  const places = images * groups * lines * Math.ceil(panels / block);
  const { tallCount, shortCount } = rowTiles(rows);
  const parts = Math.max(1, Math.min(Math.ceil(leastUnits / places), Math.floor(rows / leastRows)));
  const tiles = Math.ceil((tallCount + shortCount) / parts);
  const units = places * Math.ceil((tallCount + shortCount) / tiles);
  // A multiply-add of a tile costs about a quarter of a simple operation on memory.
  const tasks = taskCount(units, 2 * tileRows * tiles * terms * block);
  return { windows, layout, output, line, lines, panels, block, tiles, units, tasks };
}

/** `weights` as `windows` says. */
export function windowProducts(
  windows: Windows,
  layout: ImageLayout,
  image: Pointer,
  weights: Pointer,
  output: Output,
): Launch {
  const plan = planOf(windows, layout, output);
  return {
    key: JSON.stringify(["windows", windows, layout, outputKey(plan.output)]),
    pointers: [image, weights, { kind: "thread" }, ...plan.output.pointers],
    tasks: plan.tasks,
    threadBytes: tileBytes + 32 * termsOf(windows) * plan.block,
    build: (f, code) => new Builder(f, code, plan).build(),
  };
}

/** A block of panels of a line: where its tiles stand. */
interface Place {
  readonly image: Local<"i32">;
  readonly line: Local<"i32"> | 0;
  /** Of the tile's first row. */
  readonly channel: Local<"i32">;
  /** Of the panel's first pixel. */
  readonly pixel: Local<"i32">;
}

class Builder {
  readonly #f: FunctionBuilder;
  readonly #plan: Plan;
  readonly #lanes: Lanes;
  readonly #writer: EpilogueWriter;
  readonly #panelWriter: PanelWriter;
  readonly #image: Local<"i32">;
  readonly #weights: Local<"i32">;
  readonly #memory: Local<"i32">;
  /** Addresses that the products move. */
  readonly #a: Local<"i32">;
  readonly #b: Local<"i32">;

  constructor(f: FunctionBuilder, code: Code, plan: Plan) {
    this.#f = f;
    this.#plan = plan;
    this.#lanes = code.lanes(f);
    this.#writer = outputWriter(f, code, this.#lanes, plan.output, 3);
    this.#panelWriter = new PanelWriter(f, plan.windows, plan.layout, plan.line);
    this.#image = f.parameter(0, "i32");
    this.#weights = f.parameter(1, "i32");
    this.#memory = f.parameter(2, "i32");
    this.#a = f.local("i32");
    this.#b = f.local("i32");
  }

  build(): void {
    const f = this.#f;
    const { windows, layout, line, lines, panels, block, tiles, units, tasks } = this.#plan;
    const { groups, rows, depth, step, origin } = windows;
    const { row, plane } = layout;
    const terms = termsOf(windows);
    const whole = Math.floor(line.length / 8);
    const rest = line.length % 8;
    const blocks = Math.ceil(panels / block);
    const { tall, tallCount, shortCount } = rowTiles(rows);
    const parts = Math.ceil((tallCount + shortCount) / tiles);
    const packed = f.let(i32.add(this.#memory, tileBytes));
    const [panel, pixel, target] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [tile, channel, weights] = [f.local("i32"), f.local("i32"), f.local("i32")];
    forTasks(f, f.parameters.at(-1) as Local<"i32">, tasks, units, (unit) => {
      const part = parts > 1 ? f.let(i32.remU(unit, parts)) : 0;
      const place = f.let(i32.divU(unit, parts));
      const at = f.let(i32.divU(place, blocks));
      const first = f.let(i32.mul(i32.remU(place, blocks), block));
      const lineInImage = lines > 1 ? f.let(i32.remU(at, lines)) : 0;
      const imageAndGroup = f.let(i32.divU(at, lines));
      const image = f.let(i32.divU(imageAndGroup, groups));
      const start = f.let(
        i32.add(
          i32.add(this.#image, 4 * (origin[0] * row + origin[1])),
          i32.add(i32.mul(imageAndGroup, 4 * depth * plane), i32.mul(lineInImage, 4 * step[0] * row)),
        ),
      );
      const next = f.let(i32.add(first, block));
      const end = f.let(i32.select(i32.ltS(next, whole), next, whole));
      /** `each` for the block's panels, with `pixel` set: once for whole ones, once for the line's rest. */
      const forPanels = (each: (count: number) => void): void => {
        f.set(pixel, i32.mul(first, 8));
        if (whole > 0) {
          f.for(panel, first, end, 1, () => {
            each(8);
            f.set(pixel, i32.add(pixel, 8));
          });
        }
        if (rest > 0) f.if(i32.gtS(next, whole), () => each(rest));
      };
      f.set(target, packed);
      forPanels((count) => this.#panelWriter.write(start, pixel, target, count));

      const firstTile = f.let(i32.mul(part, tiles));
      const beyondTile = f.let(i32.add(firstTile, tiles));
      const beyond = f.let(i32.sub(firstTile, tallCount));
      const firstRow = i32.sub(i32.mul(firstTile, tall), i32.select(i32.gtS(beyond, 0), beyond, 0));
      f.set(channel, i32.add(i32.mul(i32.remU(imageAndGroup, groups), rows), firstRow));
      f.set(weights, i32.add(this.#weights, i32.mul(channel, 4 * terms)));
      f.set(tile, firstTile);
      /** The unit's tiles below tile `to`. */
      const forTiles = (to: number, height: number): void => {
        const sums = tileAccumulators(this.#lanes, height, 2);
        const last = parts > 1 ? f.let(i32.select(i32.ltS(beyondTile, to), beyondTile, to)) : to;
        f.for(tile, tile, last, 1, () => {
          f.set(this.#b, packed);
          forPanels((columns) => {
            f.set(this.#a, weights);
            const used = columns > 4 ? sums : sums.map((vectors) => vectors.slice(0, 1));
            this.#product(used);
            endTile(f, this.#plan.output.epilogue, used, this.#memory, (some, row) => {
              const from = row === 0 ? channel : f.let(i32.add(channel, row));
              this.#write(some, columns, { image, line: lineInImage, channel: from, pixel });
            });
          });
          f.set(channel, i32.add(channel, height));
          f.set(weights, i32.add(weights, 4 * height * terms));
        });
      };
      forTiles(tallCount, tall);
      if (shortCount > 0) forTiles(tallCount + shortCount, tall - 1);
    });
  }

  #product(sums: Accumulators): void {
    const { windows } = this.#plan;
    const terms = termsOf(windows);
    clearTile(this.#lanes, sums);
    tileLoop(this.#lanes, {
      sums,
      a: this.#a,
      rowOffsets: sums.map((_, r) => 4 * r * terms),
      kStride: 4,
      b: this.#b,
      k: terms,
    });
  }

  /** The epilogue of sums, which begin at `place`. */
  #write(sums: Accumulators, columns: number, { image, line, channel, pixel }: Place): void {
    const { wholeImage } = this.#plan.line;
    const origin: I32[] = wholeImage ? [image, channel, pixel] : [image, channel, line, pixel];
    const vector = origin.length - 1;
    this.#writer.begin(origin as (Local<"i32"> | number)[], vector);
    sums.forEach((vectors, r) => {
      vectors.forEach((sum, v) => {
        const add = new Array<number>(origin.length).fill(0);
        [add[1], add[vector]] = [r, 4 * v];
        this.#writer.write(add, Math.min(4, columns - 4 * v), sum);
      });
    });
  }
}
