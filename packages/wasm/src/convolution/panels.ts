/**
 * Panels of pixels: what the windows of up to 8 neighbouring pixels see, as [terms][8] (or [terms][4]), so that a register
 * tile reads it from one end to the other. Made anew for every panel: an image as columns never exists as a whole.
 */
import { type FunctionBuilder, i32, i32x4, type Local, type V128, v128 } from "../emit/index.ts";
import { gatherStepped } from "./gather.ts";
import type { Line } from "./lines.ts";
import type { ImageLayout } from "./paddedImage.ts";
import type { Windows } from "./windows.ts";

/** More taps than this are looped over. */
const unrolledTaps = 32;

/** Loads what a term needs for the four pixels of a vector, at a distance from its first term. */
type Gather = (offset: number) => V128;

export class PanelWriter {
  readonly #f: FunctionBuilder;
  readonly #windows: Windows;
  readonly #layout: ImageLayout;
  readonly #line: Line;

  constructor(f: FunctionBuilder, windows: Windows, layout: ImageLayout, line: Line) {
    this.#f = f;
    this.#windows = windows;
    this.#layout = layout;
    this.#line = line;
  }

  /** Address of what the first window tap of pixel `pixel` sees in the first channel. */
  #address(line: Local<"i32">, pixel: Local<"i32">): Local<"i32"> {
    const { size, step } = this.#windows;
    const { row } = this.#layout;
    if (!this.#line.wholeImage) return this.#f.let(i32.add(line, i32.mul(pixel, 4 * step[1])));
    const y = i32.divU(pixel, size[1]);
    const x = i32.remU(pixel, size[1]);
    return this.#f.let(i32.add(line, i32.add(i32.mul(y, 4 * step[0] * row), i32.mul(x, 4 * step[1]))));
  }

  /**
   * Packs `count` (1 … 8) pixels from `pixel` of the line that begins at `line`, to `target`, which is advanced. Lanes
   * beyond `count` hold anything.
   */
  write(line: Local<"i32">, pixel: Local<"i32">, target: Local<"i32">, count: number): void {
    const { step, size } = this.#windows;
    const vectors = count > 4 ? 2 : 1;
    const whole = count === 4 * vectors;
    // Vectors may read behind the last pixel in a copy only; lanes one by one never do.
    const vectorwise = step[1] <= 2 && (whole || this.#layout.copied) && (!this.#line.wholeImage || size[1] >= 4);
    if (!vectorwise) this.#byLanes(line, pixel, target, count);
    else if (!this.#line.wholeImage || size[1] % 4 === 0) this.#inRows(line, pixel, target, vectors);
    else if (!whole) this.#acrossRows(line, pixel, target, vectors, true);
    else {
      const f = this.#f;
      const x = f.let(i32.remU(pixel, size[1]));
      f.if(
        i32.gtS(x, size[1] - 4 * vectors),
        () => this.#acrossRows(line, pixel, target, vectors, false),
        () => this.#inRow(line, pixel, target, vectors),
      );
    }
  }

  /** All pixels in one row. */
  #inRow(line: Local<"i32">, pixel: Local<"i32">, target: Local<"i32">, vectors: number): void {
    const step = this.#windows.step[1];
    const address = this.#address(line, pixel);
    this.#terms(
      [address],
      target,
      Array.from({ length: vectors }, (_, v) => (offset) => gatherStepped(address, offset + 16 * v * step, step)),
    );
  }

  /** Each vector in one row. */
  #inRows(line: Local<"i32">, pixel: Local<"i32">, target: Local<"i32">, vectors: number): void {
    const f = this.#f;
    const { step, size } = this.#windows;
    if (vectors === 1 || !this.#line.wholeImage || size[1] % 8 === 0) {
      this.#inRow(line, pixel, target, vectors);
      return;
    }
    const addresses = [this.#address(line, pixel), this.#address(line, f.let(i32.add(pixel, 4)))];
    this.#terms(
      addresses,
      target,
      addresses.map((address) => (offset) => gatherStepped(address, offset, step[1])),
    );
  }

  /**
   * Vectors that may begin in one row and end in the next: both parts are loaded, and one chosen by lane. `ends`: the line
   * ends within the last vector, so that this one lies in one row, and there is no next.
   */
  #acrossRows(line: Local<"i32">, pixel: Local<"i32">, target: Local<"i32">, vectors: number, ends: boolean): void {
    const f = this.#f;
    const { step, size } = this.#windows;
    const lanes = f.constant(i32x4.const([0, 1, 2, 3]));
    const parts = Array.from({ length: vectors }, (_, v) => {
      const first = v === 0 ? pixel : f.let(i32.add(pixel, 4 * v));
      const start = this.#address(line, first);
      if (ends && v === vectors - 1) return { start };
      // Pixels of the vector in its first row; the second part's lanes lie as if its row had continued.
      const here = f.let(i32.sub(size[1], i32.remU(first, size[1])));
      const ahead = 4 * (step[0] * this.#layout.row - step[1] * size[1]);
      // Where rows follow each other without a gap, the vector lies in one piece.
      if (ahead === 0) return { start };
      const next = f.let(i32.add(start, i32.mul(i32.ltS(here, 4), ahead)));
      return { start, next, mask: f.let(i32x4.ltS(lanes, i32x4.splat(here))) };
    });
    this.#terms(
      parts.flatMap(({ start, next }) => (next ? [start, next] : [start])),
      target,
      parts.map(({ start, next, mask }) => (offset) => {
        const vector = gatherStepped(start, offset, step[1]);
        return next ? v128.bitselect(vector, gatherStepped(next, offset, step[1]), mask) : vector;
      }),
    );
  }

  /** Pixels anywhere. */
  #byLanes(line: Local<"i32">, pixel: Local<"i32">, target: Local<"i32">, count: number): void {
    const f = this.#f;
    const vectors = count > 4 ? 2 : 1;
    const addresses = Array.from({ length: count }, (_, lane) =>
      this.#address(line, lane === 0 ? pixel : f.let(i32.add(pixel, lane))),
    );
    const at = (lane: number): Local<"i32"> => addresses[Math.min(lane, count - 1)] as Local<"i32">;
    this.#terms(
      addresses,
      target,
      Array.from({ length: vectors }, (_, v) => (offset) => {
        let vector = v128.load32Zero(at(4 * v), offset);
        for (let lane = 1; lane < 4; lane++) vector = v128.load32Lane(at(4 * v + lane), vector, lane, offset);
        return vector;
      }),
    );
  }

  /** Runs over channels and taps. `pointers`: what the gathers' addresses are made of, moved from channel to channel. */
  #terms(pointers: readonly Local<"i32">[], target: Local<"i32">, gathers: readonly Gather[]): void {
    const f = this.#f;
    const { depth, taps, spread } = this.#windows;
    const { row, plane } = this.#layout;
    const advance = (elements: number): void => {
      for (const pointer of pointers) f.set(pointer, i32.add(pointer, 4 * elements));
    };
    const some = (rows: number, columns: number): void => {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const offset = 4 * (i * spread[0] * row + j * spread[1]);
          const to = 16 * gathers.length * (i * columns + j);
          gathers.forEach((gather, v) => {
            f.do(v128.store(target, gather(offset), to + 16 * v));
          });
        }
      }
      f.set(target, i32.add(target, 16 * gathers.length * rows * columns));
    };
    const [channel, i, j] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const columns = (): void => {
      if (taps[1] <= unrolledTaps) {
        some(1, taps[1]);
        return;
      }
      f.for(j, 0, taps[1], 1, () => {
        some(1, 1);
        advance(spread[1]);
      });
      advance(-taps[1] * spread[1]);
    };
    f.for(channel, 0, depth, 1, () => {
      if (taps[0] * taps[1] <= unrolledTaps) {
        some(taps[0], taps[1]);
        advance(plane);
        return;
      }
      f.for(i, 0, taps[0], 1, () => {
        columns();
        advance(spread[0] * row);
      });
      advance(plane - taps[0] * spread[0] * row);
    });
  }
}
