/** The end of a tile: its sums go to the epilogue, all rows at once or, where that would be long code, in a loop. */
import type { Epilogue } from "@thalweg/core/backend";
import { isLong } from "../contraction/finish.ts";
import { type Accumulators, tileRows } from "../contraction/tile.ts";
import { type FunctionBuilder, i32, type Local, v128 } from "../emit/index.ts";

/** Bytes of memory in which sums wait for their turn. */
export const tileBytes = 2 * 16 * tileRows;

/**
 * `write(some, row)` for rows `row` … of the tile, with their sums in `some`: written once for all rows, or once for a
 * single row in a loop. `memory`: `tileBytes` that are free.
 */
export function endTile(
  f: FunctionBuilder,
  epilogue: Epilogue,
  sums: Accumulators,
  memory: Local<"i32">,
  write: (some: Accumulators, row: Local<"i32"> | 0) => void,
): void {
  const [first] = sums;
  if (!first || sums.length === 1 || !isLong(epilogue)) {
    write(sums, 0);
    return;
  }
  sums.forEach((vectors, r) => {
    vectors.forEach((sum, v) => {
      f.do(v128.store(memory, sum, 16 * (r * vectors.length + v)));
    });
  });
  const [row, from] = [f.local("i32"), f.local("i32")];
  f.set(from, memory);
  f.for(row, 0, sums.length, 1, () => {
    first.forEach((sum, v) => {
      f.set(sum, v128.load(from, 16 * v));
    });
    write([first], row);
    f.set(from, i32.add(from, 16 * first.length));
  });
}
