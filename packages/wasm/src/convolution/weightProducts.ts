/**
 * Weight gradients as products of matrices: rows are (channel, tap), columns channels of the output gradient, terms the
 * pixels of all images. Rows are read straight from the padded image, one element at a time, so that nothing of it is
 * copied; columns from the transposed gradient.
 */
import type { ConvolutionKernel } from "@thalweg/core/backend";
import type { EpilogueWriter } from "../body/index.ts";
import type { Code } from "../code.ts";
import { type Accumulators, clearTile, tileAccumulators } from "../contraction/tile.ts";
import { type FunctionBuilder, i32, type Local, v128 } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { mergedOutput, type Output, outputKey, outputWriter } from "./output.ts";
import type { ImageLayout } from "./paddedImage.ts";
import { rowTiles } from "./rowTiles.ts";
import { forTasks } from "./tasks.ts";
import { endTile, tileBytes } from "./tileEnd.ts";
import { type TransposedPanels, transposedPanels } from "./transposedPanels.ts";
import { forwardWindows, termsOf, type Windows } from "./windows.ts";

/** Bytes of a panel of the gradient over the images that are met by all tiles of a task before the next images are. */
const panelBytes = 64 * 1024;

/** Most pixels of a row whose products are written out. */
const unrolledPixels = 8;

interface Plan {
  readonly windows: Windows;
  readonly layout: ImageLayout;
  readonly gradient: TransposedPanels;
  /** Images of a block. */
  readonly block: number;
  readonly units: number;
  readonly tasks: number;
  readonly output: Output;
  /** Whether channels and taps of the result are numbered through by the epilogue. */
  readonly merged: boolean;
}

/** The output gradient as it is read: its pixels are the terms. */
export const gradientPanels = ({ geometry: { groups }, y }: ConvolutionKernel): TransposedPanels =>
  transposedPanels(y[0], groups, y[1] / groups, y[2] * y[3]);

export function weightProducts(
  kernel: ConvolutionKernel,
  layout: ImageLayout,
  image: Pointer,
  panels: Pointer,
  given: Output,
): Launch {
  const windows = forwardWindows(kernel);
  const gradient = gradientPanels(kernel);
  const { weight } = kernel;
  const inner = mergedOutput(given, weight, 2);
  const merged = inner && mergedOutput(inner, [weight[0], weight[1], weight[2] * weight[3]], 1);
  const { tall, tallCount, shortCount } = rowTiles(termsOf(windows));
  const units = windows.groups * gradient.panels * (tallCount + shortCount);
  const tasks = taskCount(units, 2 * tall * gradient.length * gradient.images);
  const fitting = Math.max(1, Math.floor(panelBytes / (32 * gradient.length)));
  const block = Math.ceil(gradient.images / Math.ceil(gradient.images / fitting));
  const plan: Plan = {
    windows,
    layout,
    gradient,
    block,
    units,
    tasks,
    output: merged ?? given,
    merged: merged !== undefined,
  };
  return {
    key: JSON.stringify(["weightGradient", windows, layout, gradient, outputKey(plan.output)]),
    pointers: [image, panels, { kind: "thread" }, ...plan.output.pointers],
    tasks,
    // The sums of all tiles of a task wait there while other images are taken.
    threadBytes: tileBytes + (block < gradient.images ? 32 * tall * Math.ceil(units / tasks) : 0),
    build: (f, code) => new Builder(f, code, plan).build(),
  };
}

class Builder {
  readonly #f: FunctionBuilder;
  readonly #plan: Plan;
  readonly #lanes: Lanes;
  readonly #writer: EpilogueWriter;
  readonly #image: Local<"i32">;
  readonly #panels: Local<"i32">;
  readonly #memory: Local<"i32">;
  readonly #task: Local<"i32">;

  constructor(f: FunctionBuilder, code: Code, plan: Plan) {
    this.#f = f;
    this.#plan = plan;
    this.#lanes = code.lanes(f);
    this.#writer = outputWriter(f, code, this.#lanes, plan.output, 3);
    this.#image = f.parameter(0, "i32");
    this.#panels = f.parameter(1, "i32");
    this.#memory = f.parameter(2, "i32");
    this.#task = f.parameters.at(-1) as Local<"i32">;
  }

  build(): void {
    const f = this.#f;
    const { windows, gradient, block, units, tasks } = this.#plan;
    const { tall, tallCount, shortCount } = rowTiles(termsOf(windows));
    const tiles = tallCount + shortCount;
    const [firstImage, kept] = [f.local("i32"), f.local("i32")];
    f.for(firstImage, 0, gradient.images, block, () => {
      f.set(kept, i32.add(this.#memory, tileBytes));
      forTasks(f, this.#task, tasks, units, (unit) => {
        const tile = f.let(i32.remU(unit, tiles));
        const panelAndGroup = f.let(i32.divU(unit, tiles));
        const panel = f.let(i32.remU(panelAndGroup, gradient.panels));
        const group = f.let(i32.divU(panelAndGroup, gradient.panels));
        const later = f.let(i32.sub(tile, tallCount));
        const row = f.let(i32.sub(i32.mul(tile, tall), i32.select(i32.gtS(later, 0), later, i32.const(0))));
        const byPanel = (height: number): void => {
          const { lastChannels } = gradient;
          const body = (channels: number): void =>
            this.#tile({ firstImage, group, panel, row, kept, height, channels });
          if (gradient.panels === 1) body(lastChannels);
          else if (lastChannels === 8) body(8);
          else
            f.if(
              i32.eq(panel, gradient.panels - 1),
              () => body(lastChannels),
              () => body(8),
            );
        };
        if (shortCount === 0) byPanel(tall);
        else
          f.if(
            i32.ltS(later, 0),
            () => byPanel(tall),
            () => byPanel(tall - 1),
          );
        f.set(kept, i32.add(kept, 32 * tall));
      });
    });
  }

  /** Sums of one tile over a block of images; the last block finishes them. */
  #tile(at: {
    readonly firstImage: Local<"i32">;
    readonly group: Local<"i32">;
    readonly panel: Local<"i32">;
    readonly row: Local<"i32">;
    readonly kept: Local<"i32">;
    readonly height: number;
    readonly channels: number;
  }): void {
    const f = this.#f;
    const { windows, layout, gradient, block } = this.#plan;
    const { depth, taps, spread, groups } = windows;
    const vectors = at.channels > 4 ? 2 : 1;
    const sums = tileAccumulators(this.#lanes, at.height, vectors);
    const keep = (each: (sum: Local<"v128">, offset: number) => void): void =>
      sums.forEach((row, r) => {
        row.forEach((sum, v) => {
          each(sum, 16 * (vectors * r + v));
        });
      });
    const several = block < gradient.images;
    if (several)
      f.if(
        at.firstImage,
        () => keep((sum, offset) => f.set(sum, v128.load(at.kept, offset))),
        () => clearTile(this.#lanes, sums),
      );
    else clearTile(this.#lanes, sums);

    // Where each row begins to read, for the first image of the block.
    const imageStride = 4 * groups * depth * layout.plane;
    const origin = f.let(
      i32.add(this.#image, i32.add(i32.mul(at.firstImage, imageStride), i32.mul(at.group, 4 * depth * layout.plane))),
    );
    const area = taps[0] * taps[1];
    const starts = Array.from({ length: at.height }, (_, r) => {
      const row = r === 0 ? at.row : f.let(i32.add(at.row, r));
      const tap = area > 1 ? f.let(i32.remU(row, area)) : 0;
      return f.let(
        i32.add(
          i32.add(origin, i32.mul(i32.divU(row, area), 4 * layout.plane)),
          i32.add(
            i32.mul(i32.divU(tap, taps[1]), 4 * spread[0] * layout.row),
            i32.mul(i32.remU(tap, taps[1]), 4 * spread[1]),
          ),
        ),
      );
    });
    const panelStart = f.let(
      i32.add(
        i32.add(this.#panels, i32.mul(at.panel, 32 * gradient.length)),
        i32.mul(i32.add(i32.mul(at.firstImage, groups), at.group), gradient.groupBytes),
      ),
    );
    const [image, end, b] = [f.local("i32"), f.local("i32"), f.local("i32")];
    f.set(end, i32.add(at.firstImage, block));
    if (gradient.images % block !== 0)
      f.set(end, i32.select(i32.ltS(end, gradient.images), end, i32.const(gradient.images)));
    const rows = starts.map(() => f.local("i32"));
    f.for(image, at.firstImage, end, 1, () => {
      rows.forEach((pointer, r) => {
        f.set(pointer, starts[r] as Local<"i32">);
      });
      f.set(b, panelStart);
      this.#pixels(sums, rows, b, 4 * vectors);
      for (const start of starts) f.set(start, i32.add(start, imageStride));
      f.set(panelStart, i32.add(panelStart, groups * gradient.groupBytes));
    });

    const finish = (): void => this.#finish(sums, at);
    if (!several) finish();
    else
      f.if(i32.ltS(end, gradient.images), () => keep((sum, offset) => f.do(v128.store(at.kept, sum, offset))), finish);
  }

  /** Adds the products of all pixels of an image. `rows` and `b` are used up. */
  #pixels(sums: Accumulators, rows: readonly Local<"i32">[], b: Local<"i32">, width: number): void {
    const f = this.#f;
    const { windows, layout } = this.#plan;
    const { step } = windows;
    let { size } = windows;
    // Where rows follow each other without a gap, they are one.
    if (step[0] * layout.row === step[1] * size[1]) size = [1, size[0] * size[1]];
    const columns = (sums[0] as readonly Local<"v128">[]).map(() => f.local("v128"));
    const element = f.local("v128");
    const some = (count: number): void => {
      for (let pixel = 0; pixel < count; pixel++) {
        columns.forEach((column, v) => {
          f.set(column, v128.load(b, 4 * (pixel * width + 4 * v)));
        });
        sums.forEach((row, r) => {
          f.set(element, v128.load32Splat(rows[r] as Local<"i32">, 4 * pixel * step[1]));
          row.forEach((sum, v) => {
            f.set(sum, this.#lanes.f32.madd(element, columns[v] as Local<"v128">, sum) as Local<"v128">);
          });
        });
      }
    };
    const advance = (count: number, elements: number): void => {
      f.set(b, i32.add(b, 4 * count * width));
      for (const pointer of rows) f.set(pointer, i32.add(pointer, 4 * elements));
    };
    const [y, x] = [f.local("i32"), f.local("i32")];
    const unroll = unrollOf(size[1]);
    f.for(y, 0, size[0], 1, () => {
      const turns = Math.floor(size[1] / unroll);
      const rest = size[1] % unroll;
      f.for(x, 0, turns, 1, () => {
        some(unroll);
        advance(unroll, unroll * step[1]);
      });
      if (rest > 0) some(rest);
      advance(rest, step[0] * layout.row - turns * unroll * step[1]);
    });
  }

  #finish(
    sums: Accumulators,
    at: {
      readonly group: Local<"i32">;
      readonly panel: Local<"i32">;
      readonly row: Local<"i32">;
      readonly channels: number;
    },
  ): void {
    const f = this.#f;
    const { windows, gradient, merged, output } = this.#plan;
    const channel = f.let(i32.add(i32.mul(at.group, gradient.channels), i32.mul(at.panel, 8)));
    const write = (row: readonly Local<"v128">[], add: readonly number[]): void => {
      row.forEach((sum, v) => {
        this.#writer.write([4 * v, ...add], Math.min(4, at.channels - 4 * v), sum);
      });
    };
    const { taps } = windows;
    const area = taps[0] * taps[1];
    endTile(f, output.epilogue, sums, this.#memory, (some, first) => {
      const firstRow = f.let(i32.add(at.row, first));
      if (merged) {
        this.#writer.begin([channel, firstRow], 0);
        some.forEach((row, r) => {
          write(row, [r]);
        });
        return;
      }
      some.forEach((row, r) => {
        const number = f.let(i32.add(firstRow, r));
        const tap = f.let(i32.remU(number, area));
        const [i, j] = [f.let(i32.divU(tap, taps[1])), f.let(i32.remU(tap, taps[1]))];
        this.#writer.begin([channel, f.let(i32.divU(number, area)), i, j], 0);
        write(row, [0, 0, 0]);
      });
    });
  }
}

/** Of 4 … 8 the number of pixels that leaves the least over, the largest of those. */
function unrollOf(pixels: number): number {
  if (pixels <= unrolledPixels) return pixels;
  let best = unrolledPixels;
  for (let unroll = unrolledPixels; unroll >= unrolledPixels / 2; unroll--) {
    if (pixels % unroll < pixels % best) best = unroll;
  }
  return best;
}
