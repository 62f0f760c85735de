/** How a product is cut: into tiles, into blocks that fit the caches, into tasks; and which operands are packed where. */
import type { Instruction } from "@thalweg/core/backend";
import { taskLimit, taskWork } from "../launch.ts";
import { batchSize, elementBytes, type Product } from "./product.ts";

/**
 * How an operand is read. `direct`: where it lies. `task`: each task packs what it needs into memory of its own.
 * `launch`: all is packed by a launch before.
 */
export type Reading = "direct" | "task" | "launch";

/** Multiplications that take as long as one simple operation on an element. */
const productsPerOperation = 8;

/** Into how many tasks a product is cut whose results go through `body`. */
export function productTasks(product: Product, body: readonly Instruction[]): number {
  const results = batchSize(product) * product.rows * product.columns;
  const work = results * (product.k / productsPerOperation + body.length / 2);
  return Math.max(1, Math.min(taskLimit / 2, Math.floor(work / taskWork)));
}

export interface Blocking {
  readonly product: Product;
  /** Rows of most tiles; the last ones have one less, so that no tile is a small remainder. */
  readonly tileRows: number;
  /** Tiles of `tileRows`. */
  readonly fullTiles: number;
  readonly tiles: number;
  /** Vectors of columns of a tile. */
  readonly vectors: number;
  readonly a: Reading;
  readonly b: Reading;
  /** Steps of k after which sums are put aside; all of k where that is not needed. */
  readonly kBlock: number;
  /** Into how many parts each is cut; tasks are their product. */
  readonly batchParts: number;
  readonly rowParts: number;
  readonly columnParts: number;
}

/** Rows in tiles of at most `limit`, as even as can be. */
export function cutRows(rows: number, limit: number): Pick<Blocking, "tileRows" | "tiles" | "fullTiles"> {
  const tiles = Math.max(1, Math.ceil(rows / limit));
  const tileRows = Math.ceil(rows / tiles);
  return { tiles, tileRows, fullTiles: tiles - (tiles * tileRows - rows) };
}

/** Columns of a whole panel. */
export const panelColumns = ({ vectors }: Blocking): number => 4 * vectors;

/** Panels, the last of which may be narrower. */
export const panelCount = (blocking: Blocking): number => Math.ceil(blocking.product.columns / panelColumns(blocking));

/** Columns of all panels with what fills up the last: whole vectors. */
export const paddedColumns = ({ product }: Blocking): number => 4 * Math.ceil(product.columns / 4);

const aligned = (bytes: number): number => 64 * Math.ceil(bytes / 64);

export interface ThreadLayout {
  readonly a: number;
  readonly b: number;
  /** Sums between blocks of k. */
  readonly sums: number;
  /** One tile on its way to the epilogue. */
  readonly tile: number;
  readonly bytes: number;
}

/** Memory of one task. */
export function threadLayout(blocking: Blocking, tileInMemory: boolean): ThreadLayout {
  const { product, tiles, rowParts, columnParts, kBlock, tileRows } = blocking;
  const rows = tileRows * Math.ceil(tiles / rowParts);
  const columns = panelColumns(blocking) * Math.ceil(panelCount(blocking) / columnParts);
  let bytes = 0;
  const place = (elements: number): number => {
    const start = bytes;
    bytes += aligned(elements * elementBytes);
    return start;
  };
  const a = place(blocking.a === "task" ? tileRows * kBlock : 0);
  const b = place(blocking.b === "task" ? columns * kBlock : 0);
  const sums = place(kBlock < product.k ? rows * columns : 0);
  const tile = place(tileInMemory ? tileRows * panelColumns(blocking) : 0);
  return { a, b, sums, tile, bytes };
}

/** Memory of the kernel: packed A, then packed B. */
export function scratchLayout(blocking: Blocking): { readonly a: number; readonly b: number; readonly bytes: number } {
  const { product } = blocking;
  const b = blocking.a === "launch" ? aligned(product.rows * product.k * elementBytes) : 0;
  const bytes = blocking.b === "launch" ? aligned(paddedColumns(blocking) * product.k * elementBytes) : 0;
  return { a: 0, b, bytes: b + bytes };
}
