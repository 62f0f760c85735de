/**
 * Source of the function that copies the part of a batch of images a block needs into the shared `image` array, with its
 * padding written out: the packing after it needs no tests.
 */
import { type Axis, countOf, fromOf, longest } from "./axis.ts";

/** Where the windows of one spatial axis look: index · step + shift + tap, 0 ≤ tap < span. */
export interface Window {
  /** The axis of window positions. */
  readonly axis: Axis;
  readonly step: number;
  readonly shift: number;
  readonly span: number;
  /** Elements of the source along the axis. */
  readonly size: number;
}

export interface ImageSpec {
  readonly name: string;
  readonly read: (array: string, index: string) => string;
  readonly images: Axis;
  readonly channels: Axis;
  readonly rows: Window;
  readonly columns: Window;
  /** Channels of an image of the source. */
  readonly sourceChannels: number;
}

/** Whether a window never looks outside the source. */
export const staysInside = ({ axis, step, shift, span, size }: Window): boolean =>
  shift >= 0 && (axis.size - 1) * step + shift + span <= size;

const extent = ({ axis, step, span }: Window): number => (longest(axis) - 1) * step + span;

/** Strides of the image array over image, channel, row, column, for the longest blocks, and its length. */
export function imageLayout({ images, channels, rows, columns }: ImageSpec): {
  readonly strides: readonly [number, number, number, number];
  readonly length: number;
} {
  const width = extent(columns);
  const plane = width * extent(rows);
  const image = plane * longest(channels);
  return { strides: [image, plane, width, 1], length: image * longest(images) };
}

/** A function (source, firstImage, firstChannel, firstRow, firstColumn, images, channels, rows, columns). */
export function imageSource(spec: ImageSpec): string {
  const { name, read, rows, columns, sourceChannels } = spec;
  const [byImage, byChannel, byRow] = imageLayout(spec).strides;
  return `function ${name}(source, firstImage, firstChannel, firstRow, firstColumn, images, channels, rows, columns) {
const low = Math.min(Math.max(-firstColumn, 0), columns);
const high = Math.max(Math.min(${columns.size} - firstColumn, columns), low);
for (let n = 0; n < images; n = n + 1 | 0) {
for (let c = 0; c < channels; c = c + 1 | 0) {
const plane = Math.imul(Math.imul(firstImage + n, ${sourceChannels}) + firstChannel + c, ${rows.size * columns.size});
for (let r = 0; r < rows; r = r + 1 | 0) {
const to = Math.imul(n, ${byImage}) + Math.imul(c, ${byChannel}) + Math.imul(r, ${byRow}) | 0;
const row = firstRow + r | 0;
if (row < 0 || row >= ${rows.size}) {
for (let i = 0; i < columns; i = i + 1 | 0) image[to + i | 0] = 0;
} else {
const from = plane + Math.imul(row, ${columns.size}) + firstColumn | 0;
for (let i = 0; i < low; i = i + 1 | 0) image[to + i | 0] = 0;
for (let i = low; i < high; i = i + 1 | 0) image[to + i | 0] = ${read("source", "from + i | 0")};
for (let i = high; i < columns; i = i + 1 | 0) image[to + i | 0] = 0;
}
}
}
}
}`;
}

const startOf = ({ axis, step, shift }: Window): string => {
  const from = fromOf(axis);
  return from === "0" ? `${shift}` : `Math.imul(${from}, ${step}) + ${shift} | 0`;
};

const extentOf = ({ axis, step, span }: Window): string => {
  const count = countOf(axis);
  return /^\d+$/.test(count)
    ? `${(Number(count) - 1) * step + span}`
    : `Math.imul(${count} - 1, ${step}) + ${span} | 0`;
};

/** The call for the current blocks; `firstChannel` counts in the source. */
export const imageCall = (
  { name, images, channels, rows, columns }: ImageSpec,
  source: string,
  firstChannel: string,
): string =>
  `${name}(${[
    source,
    fromOf(images),
    firstChannel,
    startOf(rows),
    startOf(columns),
    countOf(images),
    countOf(channels),
    extentOf(rows),
    extentOf(columns),
  ].join(", ")});`;
