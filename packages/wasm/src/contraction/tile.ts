/**
 * The register tile of matrix products and convolutions: up to 6 rows × 8 columns of sums in vector registers while k
 * runs. Twelve accumulators, two vectors of B and one element of A in all lanes are 15 registers, which is what engines
 * have to give of the 16 there are on x86; a thirteenth accumulator would be spilled at every step.
 */
import { i32, type Local, type V128, v128 } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import { forSteps } from "./steps.ts";

/** Rows a tile has at most. */
export const tileRows = 6;

/** Steps of k per turn of the loop. */
const unroll = 4;

/** Sums of a tile: one list per row, of one vector per four columns. */
export type Accumulators = readonly (readonly Local<"v128">[])[];

/** Locals for the sums of a tile; made once per function and used by all of its tiles. */
export function tileAccumulators({ f }: Lanes, rows: number, vectors: number): Accumulators {
  return Array.from({ length: rows }, () => Array.from({ length: vectors }, () => f.local("v128")));
}

/** Sums begin at 0. */
export function clearTile(lanes: Lanes, sums: Accumulators): void {
  const zero = lanes.f32.constant(0) as Local<"v128">;
  for (const row of sums) for (const sum of row) lanes.f.set(sum, zero);
}

export interface TileLoop {
  /** Rows and vectors of columns are as many as it has. */
  readonly sums: Accumulators;
  /** Address of row 0 of A at the first k; is advanced by k · `kStride`. */
  readonly a: Local<"i32">;
  /** Bytes from `a` to each row, none negative. */
  readonly rowOffsets: readonly number[];
  /** Bytes from one k to the next in A, not negative. */
  readonly kStride: number;
  /** Address of the panel, [k][columns] without gaps; is advanced by its length. */
  readonly b: Local<"i32">;
  /** Bytes from one k to the next in B; as many as the columns take where it is not given. */
  readonly bStride?: number;
  /** Steps to take. */
  readonly k: number | Local<"i32">;
}

/**
 * sums += A · B over k. Of a step's elements of A and vectors of B those are held in registers of which there are fewer;
 * the others pass through one. Each sum takes its products one by one in the order of k, whatever the tile's shape, so that an
 * element has the same bits in a tile of any size.
 */
export function tileLoop(lanes: Lanes, { sums, a, rowOffsets, kStride, b, bStride, k }: TileLoop): void {
  const { f, f32 } = lanes;
  const vectors = (sums[0] as readonly Local<"v128">[]).length;
  const step = bStride ?? 16 * vectors;
  const byRows = sums.length >= vectors;
  const held = Array.from({ length: byRows ? vectors : sums.length }, () => f.local("v128"));
  const passing = f.local("v128");
  const column = (v: number, at: number): V128 => v128.load(b, at * step + 16 * v);
  const element = (r: number, at: number): V128 => v128.load32Splat(a, (rowOffsets[r] as number) + at * kStride);
  const add = (r: number, v: number, x: Local<"v128">, y: Local<"v128">): void => {
    const sum = (sums[r] as readonly Local<"v128">[])[v] as Local<"v128">;
    f.set(sum, f32.madd(x, y, sum) as V128);
  };
  const oneStep = (at: number): void => {
    held.forEach((local, i) => {
      f.set(local, byRows ? column(i, at) : element(i, at));
    });
    for (let other = 0; other < (byRows ? sums.length : vectors); other++) {
      f.set(passing, byRows ? element(other, at) : column(other, at));
      held.forEach((local, i) => {
        if (byRows) add(other, i, passing, local);
        else add(i, other, local, passing);
      });
    }
  };
  const steps = (count: number): void => {
    for (let at = 0; at < count; at++) oneStep(at);
    f.set(a, i32.add(a, count * kStride));
    f.set(b, i32.add(b, count * step));
  };
  forSteps(f, k, unroll, steps);
}
