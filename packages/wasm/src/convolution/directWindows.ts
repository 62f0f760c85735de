/**
 * Sums over windows for results of few channels in a group, depthwise convolutions above all: what a window sees is used
 * so few times that packing it would cost more than it saves. Vectors lie along the pixels of a row and are read
 * straight from the padded image, a tile of them for one weight after the other.
 */
import type { EpilogueWriter } from "../body/index.ts";
import type { Code } from "../code.ts";
import { isLong } from "../contraction/finish.ts";
import { type FunctionBuilder, f32x4, i32, type Local, type V128, v128 } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { gatherStepped } from "./gather.ts";
import { type Output, outputKey, outputWriter } from "./output.ts";
import type { ImageLayout } from "./paddedImage.ts";
import { rowTiles } from "./rowTiles.ts";
import { forTasks } from "./tasks.ts";
import { termsOf, type Windows } from "./windows.ts";

/** More channels than this are computed as products of matrices. */
export const directRows = 3;

/** Sums in registers, beside weights and a vector of the image. */
const mostSums = 12;

/** Multiply-adds that are written out. */
const unrolled = 128;

interface Plan {
  readonly windows: Windows;
  readonly layout: ImageLayout;
  readonly output: Output;
  /** Vectors of a row in a tile. */
  readonly vectors: number;
  /** Rows of the result in a tile. */
  readonly lines: ReturnType<typeof rowTiles>;
  readonly units: number;
  readonly tasks: number;
}

function planOf(windows: Windows, layout: ImageLayout, output: Output): Plan {
  const { images, groups, rows, size } = windows;
  // A long epilogue is written for fewer sums.
  const most = Math.floor((isLong(output.epilogue) ? mostSums / 3 : mostSums) / rows);
  const vectors = rowTiles(Math.ceil(size[1] / 4), most).tall;
  const lines = rowTiles(size[0], Math.max(1, Math.floor(most / vectors)));
  const units = images * groups * (lines.tallCount + lines.shortCount);
  const tasks = taskCount(units, (lines.tall * size[1] * rows * termsOf(windows)) / 2);
  return { windows, layout, output, vectors, lines, units, tasks };
}

export function directWindows(
  windows: Windows,
  layout: ImageLayout,
  image: Pointer,
  weights: Pointer,
  output: Output,
): Launch {
  const plan = planOf(windows, layout, output);
  return {
    key: JSON.stringify(["directWindows", windows, layout, outputKey(output)]),
    pointers: [image, weights, ...output.pointers],
    tasks: plan.tasks,
    build: (f, code) => new Builder(f, code, plan).build(),
  };
}

/** Sums by channel, row of the result, vector. */
type Sums = readonly (readonly (readonly Local<"v128">[])[])[];

class Builder {
  readonly #f: FunctionBuilder;
  readonly #plan: Plan;
  readonly #lanes: Lanes;
  readonly #writer: EpilogueWriter;
  /** Addresses that a tile moves: in the image, in the weights. */
  readonly #from: Local<"i32">;
  readonly #weights: Local<"i32">;

  constructor(f: FunctionBuilder, code: Code, plan: Plan) {
    this.#f = f;
    this.#plan = plan;
    this.#lanes = code.lanes(f);
    this.#writer = outputWriter(f, code, this.#lanes, plan.output, 2);
    this.#from = f.local("i32");
    this.#weights = f.local("i32");
  }

  build(): void {
    const f = this.#f;
    const { windows, layout, lines, units, tasks } = this.#plan;
    const { groups, rows, depth, step, origin } = windows;
    const { tall, tallCount, shortCount } = lines;
    const tiles = tallCount + shortCount;
    const [image, allWeights] = [f.parameter(0, "i32"), f.parameter(1, "i32")];
    forTasks(f, f.parameters.at(-1) as Local<"i32">, tasks, units, (unit) => {
      const tile = f.let(i32.remU(unit, tiles));
      const imageAndGroup = f.let(i32.divU(unit, tiles));
      const n = f.let(i32.divU(imageAndGroup, groups));
      const channel = f.let(i32.mul(i32.remU(imageAndGroup, groups), rows));
      const weights = f.let(i32.add(allWeights, i32.mul(channel, 4 * termsOf(windows))));
      const later = f.let(i32.sub(tile, tallCount));
      const y = f.let(i32.sub(i32.mul(tile, tall), i32.select(i32.gtS(later, 0), later, 0)));
      const start = f.let(
        i32.add(
          i32.add(image, 4 * (origin[0] * layout.row + origin[1])),
          i32.add(i32.mul(imageAndGroup, 4 * depth * layout.plane), i32.mul(y, 4 * step[0] * layout.row)),
        ),
      );
      const some = (height: number): void => this.#lines({ n, channel, y }, weights, start, height);
      if (shortCount === 0) some(tall);
      else
        f.if(
          i32.ltS(later, 0),
          () => some(tall),
          () => some(tall - 1),
        );
    });
  }

  /** `height` rows of the result from end to end. `start` is used up. */
  #lines(
    at: { readonly n: Local<"i32">; readonly channel: Local<"i32">; readonly y: Local<"i32"> },
    weights: Local<"i32">,
    start: Local<"i32">,
    height: number,
  ): void {
    const f = this.#f;
    const { windows, vectors } = this.#plan;
    const [x, turn] = [f.local("i32"), f.local("i32")];
    const tile = (columns: number): void => {
      f.set(this.#from, start);
      f.set(this.#weights, weights);
      const sums: Sums = Array.from({ length: windows.rows }, () =>
        Array.from({ length: height }, () => Array.from({ length: Math.ceil(columns / 4) }, () => f.local("v128"))),
      );
      this.#sum(sums, columns);
      this.#writer.begin([at.n, at.channel, at.y, x], 3);
      sums.forEach((lines, r) => {
        lines.forEach((line, y) => {
          line.forEach((sum, v) => {
            this.#writer.write([0, r, y, 4 * v], Math.min(4, columns - 4 * v), sum);
          });
        });
      });
    };
    const width = 4 * vectors;
    const whole = Math.floor(windows.size[1] / width);
    const rest = windows.size[1] % width;
    f.set(x, i32.const(0));
    f.for(turn, 0, whole, 1, () => {
      tile(width);
      f.set(x, i32.add(x, width));
      f.set(start, i32.add(start, 4 * width * windows.step[1]));
    });
    if (rest > 0) tile(rest);
  }

  /** All terms of a tile of `columns` pixels. */
  #sum(sums: Sums, columns: number): void {
    const f = this.#f;
    const { windows, layout } = this.#plan;
    const { depth, taps, spread, rows } = windows;
    const terms = termsOf(windows);
    const zero = f.constant(f32x4.const([0, 0, 0, 0]));
    for (const lines of sums) for (const line of lines) for (const sum of line) f.set(sum, zero);
    const each = rows * (sums[0] as Sums[number]).length * Math.ceil(columns / 4);
    const weights = sums.map(() => f.local("v128"));
    const seen = f.local("v128");
    const tap = (i: number, j: number, number: number): void => {
      weights.forEach((weight, r) => {
        f.set(weight, v128.load32Splat(this.#weights, 4 * (number + r * terms)));
      });
      (sums[0] as Sums[number]).forEach((line, y) => {
        line.forEach((_, v) => {
          f.set(seen, this.#seen(i, j, y, v, columns));
          sums.forEach((lines, r) => {
            const sum = lines[y]?.[v] as Local<"v128">;
            f.set(sum, this.#lanes.f32.madd(weights[r] as Local<"v128">, seen, sum) as V128);
          });
        });
      });
    };
    const advance = (elements: number, count: number): void => {
      f.set(this.#from, i32.add(this.#from, 4 * elements));
      f.set(this.#weights, i32.add(this.#weights, 4 * count));
    };
    const [c, i, j] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const row = (): void => {
      if (taps[1] * each <= unrolled) {
        for (let at = 0; at < taps[1]; at++) tap(0, at, at);
        advance(spread[0] * layout.row, taps[1]);
        return;
      }
      f.for(j, 0, taps[1], 1, () => {
        tap(0, 0, 0);
        advance(spread[1], 1);
      });
      advance(spread[0] * layout.row - taps[1] * spread[1], 0);
    };
    f.for(c, 0, depth, 1, () => {
      if (taps[0] * taps[1] * each <= unrolled) {
        for (let at = 0; at < taps[0] * taps[1]; at++) tap(Math.floor(at / taps[1]), at % taps[1], at);
        advance(layout.plane, taps[0] * taps[1]);
        return;
      }
      f.for(i, 0, taps[0], 1, row);
      advance(layout.plane - taps[0] * spread[0] * layout.row, 0);
    });
  }

  /** What tap (i, j) sees for vector `v` of row `y` of the tile. */
  #seen(i: number, j: number, y: number, v: number, columns: number): V128 {
    const { windows, layout } = this.#plan;
    const { step, spread } = windows;
    const offset = 4 * ((y * step[0] + i * spread[0]) * layout.row + 4 * v * step[1] + j * spread[1]);
    // Behind the last pixel a copy may be read, and nothing else.
    const all = layout.copied && step[1] <= 2;
    return gatherStepped(this.#from, offset, step[1], all ? 4 : Math.min(4, columns - 4 * v));
  }
}
