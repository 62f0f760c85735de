/**
 * The weights of an input gradient in the order of a forward convolution's, [groups·rows, depth, taps]: input and output
 * channels exchanged, the last of its taps first.
 */
import { type FunctionBuilder, f32, i32, type Local, shuffle32, v128 } from "../emit/index.ts";
import { type ReversedWeights, termsOf, type Windows } from "./windows.ts";

export const reversedWeightsBytes = (windows: Windows): number => 4 * windows.groups * windows.rows * termsOf(windows);

/** Channels of the output gradient taken at once: what is written next to each other fills lines of the cache. */
const together = 8;

/** `count` elements, the last first: from `from` + offset downwards, every `step`-th, to `to` + target upwards. */
function reverse(
  f: FunctionBuilder,
  from: Local<"i32">,
  offset: number,
  step: number,
  to: Local<"i32">,
  target: number,
  count: number,
): void {
  let at = 0;
  if (step === 1) {
    for (; at + 4 <= count; at += 4) {
      const four = f.let(v128.load(from, offset - 4 * (at + 3)));
      f.do(v128.store(to, shuffle32(four, four, [3, 2, 1, 0]), target + 4 * at));
    }
  }
  for (; at < count; at++) f.do(f32.store(to, f32.load(from, offset - 4 * step * at), target + 4 * at));
}

/** Writes what channels `first` … `end` - 1 of the output gradient (of all groups) contribute. */
export function writeReversedWeights(
  f: FunctionBuilder,
  windows: Windows,
  source: Local<"i32">,
  target: Local<"i32">,
  first: Local<"i32">,
  end: Local<"i32">,
): void {
  const { rows, depth, taps } = windows;
  const { kernel, first: firstTap, step } = windows.weights as ReversedWeights;
  const kernelArea = kernel[0] * kernel[1];
  const area = taps[0] * taps[1];
  const terms = termsOf(windows);
  const [channel, last, row, at] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const [from, to, line, tap] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  // Rows of taps without a gap between them are one.
  const whole = step[0] === 1 && taps[1] === kernel[1];
  const [runs, length, spacing] = whole ? [1, area, 1] : [taps[0], taps[1], step[1]];
  const lastTap = (i: number): number =>
    (firstTap[0] + i * step[0]) * kernel[1] + firstTap[1] + (taps[1] - 1) * step[1];
  const copy = (): void => {
    if (area <= 64) {
      for (let run = 0; run < runs; run++) {
        reverse(f, from, 4 * lastTap(taps[0] - 1 - run), spacing, to, 4 * run * length, length);
      }
      return;
    }
    f.set(line, i32.add(from, 4 * lastTap(taps[0] - 1)));
    const written = f.local("i32");
    f.set(written, to);
    f.for(tap, 0, runs, 1, () => {
      const element = f.local("i32");
      const here = f.local("i32");
      f.set(here, line);
      f.for(element, 0, length, 1, () => {
        f.do(f32.store(written, f32.load(here)));
        f.set(here, i32.sub(here, 4 * spacing));
        f.set(written, i32.add(written, 4));
      });
      f.set(line, i32.sub(line, 4 * step[0] * kernel[1]));
    });
  };
  const smaller = (a: Local<"i32">, b: Local<"i32">) => i32.select(i32.ltS(a, b), a, b);
  f.set(channel, first);
  f.block((done) => {
    f.loop((again) => {
      f.brIf(done, i32.geS(channel, end));
      const group = f.let(i32.divU(channel, depth));
      const groupEnd = f.let(i32.mul(i32.add(group, 1), depth));
      f.set(last, i32.add(channel, together));
      f.set(last, smaller(last, end));
      f.set(last, smaller(last, groupEnd));
      const start = f.let(i32.add(source, i32.mul(channel, 4 * rows * kernelArea)));
      const inGroup = f.let(i32.sub(channel, i32.mul(group, depth)));
      const goal = f.let(i32.add(target, i32.add(i32.mul(group, 4 * rows * terms), i32.mul(inGroup, 4 * area))));
      f.for(row, 0, rows, 1, () => {
        f.set(from, start);
        f.set(to, goal);
        f.for(at, channel, last, 1, () => {
          copy();
          f.set(from, i32.add(from, 4 * rows * kernelArea));
          f.set(to, i32.add(to, 4 * area));
        });
        f.set(start, i32.add(start, 4 * kernelArea));
        f.set(goal, i32.add(goal, 4 * terms));
      });
      f.set(channel, last);
      f.br(again);
    });
  });
}
