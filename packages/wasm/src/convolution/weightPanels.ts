/** Weights as tiles whose columns are channels of the result read them: in panels of channels, term by term. */
import { type FunctionBuilder, i32, type Local, type V128, v128 } from "../emit/index.ts";
import { type TransposedPanels, transposedPanels, writeTransposedPanels } from "./transposedPanels.ts";
import { type ReversedWeights, termsOf, type Windows } from "./windows.ts";

export const weightPanels = (windows: Windows): TransposedPanels =>
  transposedPanels(1, windows.groups, windows.rows, termsOf(windows));

/** More taps than this are taken row by row in a loop. */
const unrolledTaps = 9;

/** Writes panels `first` … `end` - 1, counted through groups and panels. */
export function writeWeightPanels(
  f: FunctionBuilder,
  windows: Windows,
  source: Local<"i32">,
  target: Local<"i32">,
  first: Local<"i32">,
  end: Local<"i32">,
): void {
  if (windows.weights) writeReversed(f, windows, windows.weights, source, target, first, end);
  else writeTransposedPanels(f, weightPanels(windows), source, target, first, end);
}

/** Out of the weights of an input gradient, channels exchanged and the last of the taps first. Each element by itself. */
function writeReversed(
  f: FunctionBuilder,
  windows: Windows,
  { kernel, first: firstTap, step }: ReversedWeights,
  source: Local<"i32">,
  target: Local<"i32">,
  first: Local<"i32">,
  end: Local<"i32">,
): void {
  const { rows, depth, taps } = windows;
  const { panels, lastChannels, lastWidth, groupBytes } = weightPanels(windows);
  // In elements: from a channel of the result to the next, then of the image; where the last row of taps begins.
  const area = kernel[0] * kernel[1];
  const channelStride = rows * area;
  const lastRow = (firstTap[0] + (taps[0] - 1) * step[0]) * kernel[1];
  const rowStep = step[0] * kernel[1];
  const inRow = (j: number): number => firstTap[1] + (taps[1] - 1 - j) * step[1];
  const whole = taps[0] * taps[1] <= unrolledTaps;
  const [at, channel, i] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const [start, line, to] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const term = (address: Local<"i32">, element: number, channels: number, offset: number): void => {
    for (let low = 0; low < channels; low += 4) {
      let vector: V128 = v128.load32Zero(address, 4 * (element + low * area));
      for (let lane = 1; lane < Math.min(4, channels - low); lane++) {
        vector = v128.load32Lane(address, vector, lane, 4 * (element + (low + lane) * area));
      }
      f.do(v128.store(to, vector, offset + 4 * low));
    }
  };
  const panel = (channels: number, width: number): void => {
    f.for(channel, 0, depth, 1, () => {
      if (whole) {
        for (let tap = 0; tap < taps[0] * taps[1]; tap++) {
          const row = lastRow - Math.floor(tap / taps[1]) * rowStep;
          term(start, row + inRow(tap % taps[1]), channels, 4 * width * tap);
        }
        f.set(to, i32.add(to, 4 * width * taps[0] * taps[1]));
      } else {
        f.set(line, i32.add(start, 4 * lastRow));
        f.for(i, 0, taps[0], 1, () => {
          for (let j = 0; j < taps[1]; j++) term(line, inRow(j), channels, 4 * width * j);
          f.set(line, i32.sub(line, 4 * rowStep));
          f.set(to, i32.add(to, 4 * width * taps[1]));
        });
      }
      f.set(start, i32.add(start, 4 * channelStride));
    });
  };
  f.for(at, first, end, 1, () => {
    const [group, number] = [f.let(i32.divU(at, panels)), f.let(i32.remU(at, panels))];
    f.set(start, i32.add(source, i32.add(i32.mul(group, 4 * depth * channelStride), i32.mul(number, 32 * area))));
    f.set(to, i32.add(target, i32.add(i32.mul(group, groupBytes), i32.mul(number, 32 * termsOf(windows)))));
    const last = (): void => panel(lastChannels, lastWidth);
    if (panels === 1) last();
    else if (lastChannels === 8) panel(8, 8);
    else f.if(i32.eq(number, panels - 1), last, () => panel(8, 8));
  });
}
