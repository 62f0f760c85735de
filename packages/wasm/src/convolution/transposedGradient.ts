/**
 * The output gradient as the weight gradient reads it: per image and group, panels of 8 channels, [pixels][8] each, the last
 * of them [pixels][4] where no more than 4 channels remain. Channels that do not exist are zeros.
 */
import type { ConvolutionKernel } from "@thalweg/core/backend";
import { type FunctionBuilder, f32x4, i32, type Local, shuffle32, type V128, v128 } from "../emit/index.ts";

export interface GradientPanels {
  readonly images: number;
  readonly groups: number;
  /** Channels in a group. */
  readonly channels: number;
  readonly pixels: number;
  /** Panels in a group. */
  readonly panels: number;
  /** Channels of the last panel, there or not: 8 or 4. */
  readonly lastWidth: 4 | 8;
  /** Bytes of a group of an image. */
  readonly groupBytes: number;
}

export function gradientPanels({ geometry: { groups }, y }: ConvolutionKernel): GradientPanels {
  const channels = y[1] / groups;
  const pixels = y[2] * y[3];
  const panels = Math.ceil(channels / 8);
  const lastWidth = channels - 8 * (panels - 1) <= 4 ? 4 : 8;
  return {
    images: y[0],
    groups,
    channels,
    pixels,
    panels,
    lastWidth,
    groupBytes: 4 * pixels * (8 * (panels - 1) + lastWidth),
  };
}

/** Transposes what lies at `from` + row·`stride`, four columns; a row beyond `rows` is zeros. */
function transposed(f: FunctionBuilder, from: Local<"i32">, offset: number, stride: number, rows: number): V128[] {
  const zero = f.constant(f32x4.const([0, 0, 0, 0]));
  const line = (row: number): V128 => (row < rows ? f.let(v128.load(from, offset + row * stride)) : zero);
  const [a, b, c, d] = [line(0), line(1), line(2), line(3)];
  const [ab, cd] = [f.let(shuffle32(a, b, [0, 4, 1, 5])), f.let(shuffle32(c, d, [0, 4, 1, 5]))];
  const [abHigh, cdHigh] = [f.let(shuffle32(a, b, [2, 6, 3, 7])), f.let(shuffle32(c, d, [2, 6, 3, 7]))];
  return [
    shuffle32(ab, cd, [0, 1, 4, 5]),
    shuffle32(ab, cd, [2, 3, 6, 7]),
    shuffle32(abHigh, cdHigh, [0, 1, 4, 5]),
    shuffle32(abHigh, cdHigh, [2, 3, 6, 7]),
  ];
}

/** One panel of `width` channels, of which `channels` exist. `from` and `to` are used up. */
function writePanel(
  f: FunctionBuilder,
  from: Local<"i32">,
  to: Local<"i32">,
  pixels: number,
  width: 4 | 8,
  channels: number,
): void {
  const at = f.local("i32");
  const plane = 4 * pixels;
  f.for(at, 0, Math.floor(pixels / 4), 1, () => {
    for (let first = 0; first < width; first += 4) {
      transposed(f, from, first * plane, plane, channels - first).forEach((vector, pixel) => {
        f.do(v128.store(to, vector, 4 * (width * pixel + first)));
      });
    }
    f.set(from, i32.add(from, 16));
    f.set(to, i32.add(to, 16 * width));
  });
  const zero = f.constant(f32x4.const([0, 0, 0, 0]));
  for (let pixel = 0; pixel < pixels % 4; pixel++) {
    for (let first = 0; first < width; first += 4) {
      let vector: V128 = first < channels ? v128.load32Zero(from, 4 * pixel + first * plane) : zero;
      for (let lane = 1; lane < Math.min(4, channels - first); lane++) {
        vector = v128.load32Lane(from, vector, lane, 4 * pixel + (first + lane) * plane);
      }
      f.do(v128.store(to, vector, 4 * (width * pixel + first)));
    }
  }
}

/** Writes panels `first` … `end` - 1, counted through images, groups and panels. */
export function writeGradientPanels(
  f: FunctionBuilder,
  { channels, pixels, panels, lastWidth, groupBytes }: GradientPanels,
  source: Local<"i32">,
  target: Local<"i32">,
  first: Local<"i32">,
  end: Local<"i32">,
): void {
  const [at, from, to] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.for(at, first, end, 1, () => {
    const imageAndGroup = f.let(i32.divU(at, panels));
    const panel = f.let(i32.remU(at, panels));
    f.set(from, i32.add(source, i32.mul(i32.add(i32.mul(imageAndGroup, channels), i32.mul(panel, 8)), 4 * pixels)));
    f.set(to, i32.add(target, i32.add(i32.mul(imageAndGroup, groupBytes), i32.mul(panel, 32 * pixels))));
    const last = (): void => writePanel(f, from, to, pixels, lastWidth, channels - 8 * (panels - 1));
    const whole = (): void => writePanel(f, from, to, pixels, 8, 8);
    if (panels === 1) last();
    else if (channels % 8 === 0) whole();
    else f.if(i32.eq(panel, panels - 1), last, whole);
  });
}
