/**
 * Weight gradients of groups with few output channels, depthwise convolutions above all: vectors lie along the pixels of
 * a row, one sum for each tap, which are added up across lanes at the end.
 */
import type { ConvolutionKernel } from "@thalweg/core/backend";
import type { EpilogueWriter } from "../body/index.ts";
import type { Code } from "../code.ts";
import { type FunctionBuilder, f32x4, i32, i32x4, type Local, shuffle32, type V128, v128 } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { gatherStepped } from "./gather.ts";
import { mergedOutput, type Output, outputKey, outputWriter } from "./output.ts";
import type { ImageLayout } from "./paddedImage.ts";
import { rowTiles } from "./rowTiles.ts";
import { forTasks } from "./tasks.ts";
import { forwardWindows, type Windows } from "./windows.ts";

/** Sums in registers, beside a vector of the gradient and one of the image. */
const mostSums = 12;

/** Vectors of a row that are written out. */
const unrolledVectors = 2;

/** With more channels of the output gradient in a group, or more taps, products of matrices are used. */
export function suitsDirectWeights({ geometry: { groups }, weight }: ConvolutionKernel): boolean {
  return weight[0] / groups <= 2 && weight[2] * weight[3] <= 49;
}

interface Plan {
  readonly windows: Windows;
  readonly layout: ImageLayout;
  readonly output: Output;
  /** Whether the taps of the result are numbered through. */
  readonly merged: boolean;
  readonly tasks: number;
}

export function directWeights(
  kernel: ConvolutionKernel,
  layout: ImageLayout,
  image: Pointer,
  gradient: Pointer,
  given: Output,
): Launch {
  const { weight, y } = kernel;
  const windows = forwardWindows(kernel);
  const merged = mergedOutput(given, weight, 2);
  const output = merged ?? given;
  const work = (y[0] * y[2] * y[3] * weight[2] * weight[3]) / 2;
  const tasks = taskCount(weight[0] * weight[1], work);
  return {
    key: JSON.stringify(["directWeights", windows, layout, outputKey(output)]),
    pointers: [image, gradient, ...output.pointers],
    tasks,
    build: (f, code) => new Builder(f, code, { windows, layout, output, merged: merged !== undefined, tasks }).build(),
  };
}

/** One weight per output and input channel: where its taps are summed. */
interface Place {
  /** Channel of the output gradient, of all groups. */
  readonly channel: Local<"i32">;
  /** Channel of x in its group. */
  readonly input: Local<"i32">;
  /** Where both begin, in the first image. */
  readonly image: Local<"i32">;
  readonly gradient: Local<"i32">;
}

class Builder {
  readonly #f: FunctionBuilder;
  readonly #plan: Plan;
  readonly #lanes: Lanes;
  readonly #writer: EpilogueWriter;

  constructor(f: FunctionBuilder, code: Code, plan: Plan) {
    this.#f = f;
    this.#plan = plan;
    this.#lanes = code.lanes(f);
    this.#writer = outputWriter(f, code, this.#lanes, plan.output, 2);
  }

  build(): void {
    const f = this.#f;
    const { windows, layout, tasks } = this.#plan;
    const { groups, rows, depth, size, taps } = windows;
    const units = groups * rows * depth;
    const area = taps[0] * taps[1];
    forTasks(f, f.parameters.at(-1) as Local<"i32">, tasks, units, (unit) => {
      const channel = f.let(i32.divU(unit, depth));
      const input = f.let(i32.remU(unit, depth));
      const plane = f.let(i32.add(i32.mul(i32.divU(channel, rows), depth), input));
      const place: Place = {
        channel,
        input,
        image: f.let(i32.add(f.parameter(0, "i32"), i32.mul(plane, 4 * layout.plane))),
        gradient: f.let(i32.add(f.parameter(1, "i32"), i32.mul(channel, 4 * size[0] * size[1]))),
      };
      const { tall, tallCount, shortCount } = rowTiles(area, mostSums);
      let first = 0;
      for (let chunk = 0; chunk < tallCount + shortCount; chunk++) {
        const count = chunk < tallCount ? tall : tall - 1;
        this.#taps(place, first, count);
        first += count;
      }
    });
  }

  /** Sums of `count` taps from `first`, and their end. */
  #taps(place: Place, first: number, count: number): void {
    const f = this.#f;
    const { windows, layout } = this.#plan;
    const { images, groups, rows, depth, size, step, spread, taps } = windows;
    const zero = f.constant(f32x4.const([0, 0, 0, 0]));
    const sums = Array.from({ length: count }, () => f.local("v128"));
    for (const sum of sums) f.set(sum, zero);
    const offsets = sums.map((_, index) => {
      const tap = first + index;
      return 4 * (Math.floor(tap / taps[1]) * spread[0] * layout.row + (tap % taps[1]) * spread[1]);
    });
    const [n, y, x] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [imageStart, gradient] = [f.local("i32"), f.local("i32")];
    const image = f.local("i32");
    const [given, seen] = [f.local("v128"), f.local("v128")];
    const add = (at: number, lanes: number): void => {
      f.set(given, gatherStepped(gradient, 16 * at, 1, lanes));
      sums.forEach((sum, index) => {
        f.set(seen, this.#seen(image, (offsets[index] as number) + 16 * at * step[1], lanes));
        f.set(sum, this.#lanes.f32.madd(given, seen, sum) as V128);
      });
    };
    const vectors = Math.floor(size[1] / 4);
    const rest = size[1] % 4;
    const together = vectors % unrolledVectors === 0 ? unrolledVectors : 1;
    f.set(imageStart, place.image);
    f.set(gradient, place.gradient);
    f.for(n, 0, images, 1, () => {
      f.for(y, 0, size[0], 1, () => {
        f.set(image, i32.add(imageStart, i32.mul(y, 4 * step[0] * layout.row)));
        f.for(x, 0, vectors / together, 1, () => {
          for (let at = 0; at < together; at++) add(at, 4);
          f.set(image, i32.add(image, 16 * together * step[1]));
          f.set(gradient, i32.add(gradient, 16 * together));
        });
        if (rest === 0) return;
        add(0, rest);
        f.set(gradient, i32.add(gradient, 4 * rest));
      });
      f.set(imageStart, i32.add(imageStart, 4 * groups * depth * layout.plane));
      f.set(gradient, i32.add(gradient, 4 * (groups * rows - 1) * size[0] * size[1]));
    });
    for (let index = 0; index < count; index += 4) this.#finish(place, first + index, sums.slice(index, index + 4));
  }

  /** Four elements of the image, zeros beyond `lanes`: what lies there may be no number, which no zero makes one. */
  #seen(image: Local<"i32">, offset: number, lanes: number): V128 {
    const { windows, layout } = this.#plan;
    const step = windows.step[1];
    if (lanes === 4 || !layout.copied || step > 2) return gatherStepped(image, offset, step, lanes);
    const mask = this.#f.constant(i32x4.const([0, 1, 2, 3].map((lane) => (lane < lanes ? -1 : 0))));
    return v128.and(gatherStepped(image, offset, step), mask);
  }

  /** The epilogue of up to four taps from `first`. */
  #finish({ channel, input }: Place, first: number, sums: readonly Local<"v128">[]): void {
    const f = this.#f;
    const { windows, merged } = this.#plan;
    const { taps } = windows;
    const zero = f.constant(f32x4.const([0, 0, 0, 0]));
    const [a, b, c, d] = [0, 1, 2, 3].map((index) => sums[index] ?? zero) as [
      Local<"v128">,
      Local<"v128">,
      Local<"v128">,
      Local<"v128">,
    ];
    const halves = (one: Local<"v128">, other: Local<"v128">): Local<"v128"> =>
      f.let(f32x4.add(shuffle32(one, other, [0, 4, 1, 5]), shuffle32(one, other, [2, 6, 3, 7])));
    const [ab, cd] = [halves(a, b), halves(c, d)];
    const totals = f.let(f32x4.add(shuffle32(ab, cd, [0, 1, 4, 5]), shuffle32(ab, cd, [2, 3, 6, 7])));
    if (merged) {
      this.#writer.begin([channel, input, first], 2);
      this.#writer.write([0, 0, 0], sums.length, totals);
      return;
    }
    sums.forEach((_, index) => {
      const tap = first + index;
      const total = f.let(shuffle32(totals, totals, [index, index, index, index] as [number, number, number, number]));
      this.#writer.begin([channel, input, Math.floor(tap / taps[1]), tap % taps[1]], 3);
      this.#writer.write([0, 0, 0, 0], 1, total);
    });
  }
}
