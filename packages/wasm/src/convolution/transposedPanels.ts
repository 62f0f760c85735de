/**
 * Rows brought into panels: in every group, panels of 8 channels, [length][8] each, the last of them [length][4] where no
 * more than 4 channels remain. Channels that do not exist are zeros. So a product reads its columns: the weight gradient
 * the output gradient, sums over windows their weights.
 */
import { type FunctionBuilder, f32x4, i32, type Local, type V128, v128 } from "../emit/index.ts";
import { transposed } from "./transpose.ts";

export interface TransposedPanels {
  readonly images: number;
  readonly groups: number;
  /** Channels in a group. */
  readonly channels: number;
  /** Elements of a channel. */
  readonly length: number;
  /** Panels in a group. */
  readonly panels: number;
  /** Channels of the last panel that exist, and of how many it consists. */
  readonly lastChannels: number;
  readonly lastWidth: 4 | 8;
  /** Bytes of a group of an image. */
  readonly groupBytes: number;
}

/** Of [images, groups·channels, length]. */
export function transposedPanels(images: number, groups: number, channels: number, length: number): TransposedPanels {
  const panels = Math.ceil(channels / 8);
  const lastChannels = channels - 8 * (panels - 1);
  const lastWidth = lastChannels <= 4 ? 4 : 8;
  const groupBytes = 4 * length * (8 * (panels - 1) + lastWidth);
  return { images, groups, channels, length, panels, lastChannels, lastWidth, groupBytes };
}

/** One panel of `width` channels, of which `channels` exist. `from` and `to` are used up. */
function writePanel(
  f: FunctionBuilder,
  from: Local<"i32">,
  to: Local<"i32">,
  length: number,
  width: 4 | 8,
  channels: number,
): void {
  const at = f.local("i32");
  const plane = 4 * length;
  const zero = f.constant(f32x4.const([0, 0, 0, 0]));
  f.for(at, 0, Math.floor(length / 4), 1, () => {
    for (let first = 0; first < width; first += 4) {
      const rows = [0, 1, 2, 3].map((row) =>
        first + row < channels ? f.let(v128.load(from, (first + row) * plane)) : zero,
      );
      transposed(f, rows).forEach((vector, column) => {
        f.do(v128.store(to, vector, 4 * (width * column + first)));
      });
    }
    f.set(from, i32.add(from, 16));
    f.set(to, i32.add(to, 16 * width));
  });
  for (let element = 0; element < length % 4; element++) {
    for (let first = 0; first < width; first += 4) {
      let vector: V128 = first < channels ? v128.load32Zero(from, 4 * element + first * plane) : zero;
      for (let lane = 1; lane < Math.min(4, channels - first); lane++) {
        vector = v128.load32Lane(from, vector, lane, 4 * element + (first + lane) * plane);
      }
      f.do(v128.store(to, vector, 4 * (width * element + first)));
    }
  }
}

/** Writes panels `first` … `end` - 1, counted through images, groups and panels. */
export function writeTransposedPanels(
  f: FunctionBuilder,
  { channels, length, panels, lastChannels, lastWidth, groupBytes }: TransposedPanels,
  source: Local<"i32">,
  target: Local<"i32">,
  first: Local<"i32">,
  end: Local<"i32">,
): void {
  const [at, from, to] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.for(at, first, end, 1, () => {
    const imageAndGroup = f.let(i32.divU(at, panels));
    const panel = f.let(i32.remU(at, panels));
    f.set(from, i32.add(source, i32.mul(i32.add(i32.mul(imageAndGroup, channels), i32.mul(panel, 8)), 4 * length)));
    f.set(to, i32.add(target, i32.add(i32.mul(imageAndGroup, groupBytes), i32.mul(panel, 32 * length))));
    const last = (): void => writePanel(f, from, to, length, lastWidth, lastChannels);
    const whole = (): void => writePanel(f, from, to, length, 8, 8);
    if (panels === 1) last();
    else if (channels % 8 === 0) whole();
    else f.if(i32.eq(panel, panels - 1), last, whole);
  });
}
