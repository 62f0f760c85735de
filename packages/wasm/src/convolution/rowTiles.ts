/** How the rows of a product are cut into register tiles. */
import { tileRows } from "../contraction/tile.ts";

export interface RowTiles {
  /** Rows of the first `tallCount` tiles. */
  readonly tall: number;
  readonly tallCount: number;
  /** The tiles after those have one row less. */
  readonly shortCount: number;
}

/**
 * `count` things in groups of at most `most`, as even as can be. For rows of register tiles: a tile of five rows is as fast per row as one of six, while one of the two rows that may remain
 * has too few sums to hide the latency of a multiply-add.
 */
export function rowTiles(count: number, most: number = tileRows): RowTiles {
  const tiles = Math.ceil(count / most);
  const tall = Math.ceil(count / tiles);
  const shortCount = tall * tiles - count;
  return { tall, tallCount: tiles - shortCount, shortCount };
}
