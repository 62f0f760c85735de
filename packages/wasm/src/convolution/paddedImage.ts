/** Images with their padding written out, so that windows need no bounds tests. */
import { bulk, type FunctionBuilder, f32, i32, type Local, v128 } from "../emit/index.ts";

export interface PaddedImage {
  /** Images times channels. */
  readonly planes: number;
  /** Rows and columns of a plane of the source. */
  readonly source: readonly [number, number];
  /** Where row and column 0 of the source come to lie; negative where the first rows are not needed. */
  readonly low: readonly [number, number];
  /** Rows and columns that windows reach. */
  readonly size: readonly [number, number];
}

/** Elements read behind an image in scratch by vectors whose last lanes are not used. */
const slack = 16;

/** Whether windows would reach beyond the source, so that it has to be copied. */
export const needsCopy = ({ source, low, size }: PaddedImage): boolean =>
  ([0, 1] as const).some((axis) => low[axis] !== 0 || size[axis] > source[axis]);

export interface ImageLayout {
  /** Elements of a row, and of a plane. */
  readonly row: number;
  readonly plane: number;
  /** The image is a copy in scratch, with memory behind it that may be read. */
  readonly copied: boolean;
}

/** How the image that windows read lies in memory. */
export function imageLayout(image: PaddedImage): ImageLayout {
  const copied = needsCopy(image);
  const [rows, columns] = copied ? image.size : image.source;
  return { row: columns, plane: rows * columns, copied };
}

export const imageBytes = (image: PaddedImage): number =>
  64 * Math.ceil((4 * (image.planes * image.size[0] * image.size[1] + slack)) / 64);

/** Rows or columns of the source that come to lie inside the image: from, to. */
function needed({ source, low, size }: PaddedImage, axis: 0 | 1): readonly [number, number] {
  const from = Math.max(0, -low[axis]);
  const to = Math.min(source[axis], size[axis] - low[axis]);
  return [from, Math.max(from, to)];
}

/** Longer rows are copied in a loop. */
const unrolled = 32;

function copyRow(f: FunctionBuilder, from: Local<"i32">, to: Local<"i32">, count: number): void {
  const [source, target] = [f.local("i32"), f.local("i32")];
  const vectors = (elements: number): void => {
    for (let at = 0; at + 4 <= elements; at += 4) f.do(v128.store(target, v128.load(source, 4 * at), 4 * at));
  };
  f.set(source, from);
  f.set(target, to);
  let left = count;
  if (left > unrolled) {
    const at = f.local("i32");
    f.for(at, 0, Math.floor(count / unrolled), 1, () => {
      vectors(unrolled);
      f.set(source, i32.add(source, 4 * unrolled));
      f.set(target, i32.add(target, 4 * unrolled));
    });
    left %= unrolled;
  }
  vectors(left);
  const rest = left % 4;
  const done = left - rest;
  if (rest > 0 && count >= 4) {
    // The row's last four elements, some of them once more.
    const last = 4 * (left - 4);
    f.do(v128.store(i32.add(target, last), v128.load(i32.add(source, last))));
  } else {
    for (let at = done; at < left; at++) f.do(f32.store(target, f32.load(source, 4 * at), 4 * at));
  }
}

/** Writes planes `first` … `end` - 1 of the image at `target` from those at `source`. */
export function writePlanes(
  f: FunctionBuilder,
  image: PaddedImage,
  source: Local<"i32">,
  target: Local<"i32">,
  first: Local<"i32">,
  end: Local<"i32">,
): void {
  const [columns, width] = [image.source[1], image.size[1]];
  const [sourcePlane, plane] = [image.source[0] * columns, image.size[0] * width];
  const [fromRow, toRow] = needed(image, 0);
  const [fromColumn, toColumn] = needed(image, 1);
  const [at, row] = [f.local("i32"), f.local("i32")];
  const [from, to] = [f.local("i32"), f.local("i32")];
  f.for(at, first, end, 1, () => {
    f.set(to, i32.add(target, i32.mul(at, 4 * plane)));
    f.do(bulk.fill(to, 0, 4 * plane));
    if (fromRow >= toRow || fromColumn >= toColumn) return;
    const sourceOffset = 4 * (fromRow * columns + fromColumn);
    f.set(from, i32.add(i32.add(source, i32.mul(at, 4 * sourcePlane)), sourceOffset));
    const [top, left] = [image.low[0] + fromRow, image.low[1] + fromColumn];
    f.set(to, i32.add(to, 4 * (top * width + left)));
    f.for(row, fromRow, toRow, 1, () => {
      copyRow(f, from, to, toColumn - fromColumn);
      f.set(from, i32.add(from, 4 * columns));
      f.set(to, i32.add(to, 4 * width));
    });
  });
}

/** Zeros in planes `first` … `end` - 1 of `plane` elements each. */
export function writeZeros(
  f: FunctionBuilder,
  plane: number,
  target: Local<"i32">,
  first: Local<"i32">,
  end: Local<"i32">,
): void {
  f.do(bulk.fill(i32.add(target, i32.mul(first, 4 * plane)), 0, i32.mul(i32.sub(end, first), 4 * plane)));
}
