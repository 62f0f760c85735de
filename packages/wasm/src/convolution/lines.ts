/** Runs of pixels that a product numbers through. */
import { mergedOutput, type Output } from "./output.ts";
import type { Windows } from "./windows.ts";

/** Where pixels are numbered through: the whole result of an image and channel, or one row of it. */
export interface Line {
  readonly wholeImage: boolean;
  readonly length: number;
}

export interface Lines {
  readonly line: Line;
  /** Lines of an image. */
  readonly lines: number;
  /** The output, with the variables of a line as one. */
  readonly output: Output;
}

/** Lines as long as the output allows. */
export function linesOf({ images, groups, rows, size }: Windows, output: Output): Lines {
  const merged = mergedOutput(output, [images, groups * rows, ...size], 2);
  return merged
    ? { line: { wholeImage: true, length: size[0] * size[1] }, lines: 1, output: merged }
    : { line: { wholeImage: false, length: size[1] }, lines: size[0], output };
}
