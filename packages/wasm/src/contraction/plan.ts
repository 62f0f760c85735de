/**
 * Chooses how a product is computed, from its sizes and strides alone. The numbers were measured on an x86 processor with
 * 32 KiB of L1 and 1 MiB of L2 cache per core; they need only be about right elsewhere.
 */
import type { Instruction, MatmulKernel } from "@thalweg/core/backend";
import { type Blocking, cutRows, productTasks, type Reading } from "./blocking.ts";
import { batchSize, elementBytes, type Product, productOf, type Side } from "./product.ts";
import { tileRows } from "./tile.ts";

/** Bytes of B that a task goes over again and again: half of L2, so that rows of A and results have room beside it. */
const blockBytes = 1 << 19;
/** k is cut only beyond this length; up to it panels of B come from L2 fast enough. */
const longestK = 4096;
/** Steps of the blocks it is then cut into. */
const kBlockSteps = 1024;
/** Tiles of rows of a task then at least, where there are so many. */
const tilesPerBlock = 8;
/** A larger B that is used once or twice only is read row by row, a few at a time, as it lies in memory. */
const streamedElements = 1 << 17;
const streamedSteps = 8;
/** Columns of its tasks at least: neighbours in memory that are read together. */
const streamedColumns = 1024;
/** With fewer rows a packed panel is used too rarely. */
const rowsWorthPacking = 48;
/** With fewer rows than this, and vectors along columns, more columns keep the multipliers busy. */
const wideVectors: Readonly<Record<number, number>> = { 1: 8, 2: 6, 3: 3 };

/** How a product is computed: in tiles, or, where few lines meet lines along k, as dot products. */
export type Plan =
  | { readonly kind: "blocked"; readonly blocking: Blocking }
  | { readonly kind: "dot"; readonly product: Product };

export function planOf({ epilogue, ...kernel }: MatmulKernel): Plan {
  const both = [false, true].map((swapped) => productOf(kernel, swapped));
  for (const product of both) if (isDot(product)) return { kind: "dot", product };
  let best: { readonly product: Product; readonly shape: TileShape; readonly cost: number } | undefined;
  for (const product of both) {
    for (const shape of shapesOf(product)) {
      const cost = costOf(product, shape, epilogue.body);
      if (!best || cost < best.cost) best = { product, shape, cost };
    }
  }
  const { product, shape } = best as NonNullable<typeof best>;
  return { kind: "blocked", blocking: block(product, shape, epilogue.body) };
}

/** Whether vectors run along k: few rows, and both operands have k contiguous. */
function isDot({ rows, k, a, b }: Product): boolean {
  return rows <= 3 && k >= 4 && a.k === elementBytes && b.k === elementBytes && a.line >= 0 && b.line >= 0;
}

/** Whether columns can be read as vectors where they lie. Tiles that go beyond the last column begin further left instead. */
function hasVectors({ b, columns }: Product): boolean {
  return b.line === elementBytes && b.k >= 0 && (columns >= 8 || columns === 4);
}

/** Most rows of a tile, and its vectors of columns. */
interface TileShape {
  readonly rows: number;
  readonly vectors: number;
}

/** Tiles that suit a product. Over columns read where they lie there is a whole one, so that the last can begin within it. */
function shapesOf(product: Product): TileShape[] {
  const { rows, columns } = product;
  const wide = hasVectors(product) ? wideVectors[rows] : undefined;
  if (wide !== undefined) return [{ rows, vectors: Math.max(2, Math.min(wide, Math.floor(columns / 4))) }];
  const usual: TileShape = { rows: tileRows, vectors: 2 };
  return columns > 8 && columns <= 12 && packsB(product) ? [usual, { rows: 3, vectors: 3 }] : [usual];
}

function packsB(product: Product): boolean {
  if (product.k === 0) return false;
  if (!hasVectors(product)) return true;
  return product.rows >= rowsWorthPacking && product.k > 16;
}

function packsA({ a, k, rows, columns }: Product): boolean {
  if (k === 0) return false;
  if (a.k < 0 || a.line < 0) return true;
  // Rows a multiple of 4 KiB apart fall on the same places of a cache, unless they fill the space between.
  if (a.k === elementBytes) return a.line % 4096 === 0 && a.line > 2 * k * elementBytes && rows > 8;
  // Each step of k reads from another cache line.
  return columns > 64 || a.k * k > 1 << 14;
}

/** Cycles per element for packing. */
function packingCost({ line, k }: Side): number {
  if (line === elementBytes) return 0.35;
  return k === elementBytes ? 0.5 : 2;
}

/** About how many cycles a product takes. */
function costOf(product: Product, shape: TileShape, body: readonly Instruction[]): number {
  const { rows, columns, k, a, b, batch, swapped } = product;
  const { vectors } = shape;
  const tile = (r: number, v: number): number => k * Math.max((r * v) / 2, (r + v) / 2, 4) + 12 + 2 * r * v;
  const { tileRows: most, tiles, fullTiles } = cutRows(rows, shape.rows);
  const panel = (v: number): number =>
    fullTiles * tile(most, v) + (tiles > fullTiles ? (tiles - fullTiles) * tile(most - 1, v) : 0);
  const rest = columns % (4 * vectors);
  let cost = Math.floor(columns / (4 * vectors)) * panel(vectors) + (rest > 0 ? panel(Math.ceil(rest / 4)) : 0);
  if (packsB(product)) cost += columns * k * packingCost(b);
  if (packsA(product)) cost += rows * k * packingCost(a);
  // Lanes that are not neighbours in memory are read and written one by one.
  const vector = batch.length + (swapped ? 0 : 1);
  for (const instruction of body) {
    if (instruction.op !== "load" && instruction.op !== "store") continue;
    const stride = instruction.at.strides[vector];
    cost += rows * columns * (stride === 0 ? 0 : stride === 1 ? 0.4 : 1.5);
  }
  return cost;
}

function block(product: Product, { rows: limit, vectors }: TileShape, body: readonly Instruction[]): Blocking {
  const { rows, columns } = product;
  const cut = cutRows(rows, limit);
  const panels = Math.max(1, Math.ceil(columns / (4 * vectors)));
  const elements = batchSize(product);
  const steps = kStepsOf(product);
  const tasks = productTasks(product, body);
  const batchParts = Math.min(elements, tasks);
  const wanted = Math.ceil(tasks / batchParts);

  // All tiles of rows of a task go over all of its panels, which therefore are to stay in the cache.
  const fitting = Math.max(1, Math.floor(blockBytes / (steps * elementBytes * 4 * vectors)));
  const needed = Math.max(1, Math.ceil(panels / fitting));
  const narrowest = isStreamed(product) ? Math.ceil(streamedColumns / (4 * vectors)) : 1;
  const most = Math.max(1, Math.floor(panels / narrowest));
  const [packA, packB] = [packsA(product), packsB(product)];
  // Parts of rows write neighbours; but elements of a batch, which are packed anew for each part, pack less in columns.
  const inColumns = elements > 1 && packB && !packA ? wanted : needed;
  // Between blocks of k a task comes back to none of B: several tiles are to have used it before.
  const mostRows = steps < product.k ? Math.ceil(cut.tiles / tilesPerBlock) : cut.tiles;
  const rowParts = Math.min(mostRows, Math.ceil(wanted / Math.min(most, inColumns)));
  const columnParts = Math.min(most, Math.max(needed, Math.ceil(wanted / rowParts)));

  const reading = (packs: boolean, parts: number): Reading =>
    packs ? (parts > 1 && elements === 1 ? "launch" : "task") : "direct";
  return {
    product,
    ...cut,
    vectors,
    a: reading(packA, columnParts),
    b: reading(packB, rowParts),
    kBlock: steps,
    batchParts,
    rowParts,
    columnParts,
  };
}

/** Whether B is read where it lies, by few rows, and too large to stay in a cache for those that there are. */
function isStreamed(product: Product): boolean {
  return product.rows in wideVectors && hasVectors(product) && product.columns * product.k > streamedElements;
}

/** Steps of k in a block: all, as far as panels that long leave room in the cache. */
function kStepsOf(product: Product): number {
  const { k } = product;
  if (isStreamed(product)) return streamedSteps;
  const blocks = k > longestK ? Math.ceil(k / kBlockSteps) : 1;
  return blocks === 1 ? k : 4 * Math.ceil(k / blocks / 4);
}
