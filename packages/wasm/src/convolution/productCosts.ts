/**
 * What the two ways to compute sums over windows as products cost: of pixels packed into panels (windowProducts.ts), or
 * of channels, pixels being read where they are (pixelProducts.ts). In cycles per term and image, as measured.
 */
import type { Line } from "./lines.ts";
import { rowTiles } from "./rowTiles.ts";
import { weightPanels } from "./weightPanels.ts";
import { termsOf, type Windows } from "./windows.ts";

/** What packing a vector of pixels costs. */
const pixelPacking = 1;

/** What packing a panel of weights costs. Those of input gradients are brought into another order either way. */
const weightPacking = 12;

/** What the end of a tile costs beyond that of one whose vectors lie along the pixels from the first, per vector. */
const tileEnd = 8;

/** A multiply-add takes half a cycle, but fewer than 8 sums wait for each other. */
const tileCost = (rows: number, vectors: number): number => Math.max((rows * vectors) / 2, 4);

/** The tiles of `rows` rows over a panel. */
function tilesCost(rows: number, vectors: number): { readonly cost: number; readonly tiles: number } {
  const { tall, tallCount, shortCount } = rowTiles(rows);
  const cost = tallCount * tileCost(tall, vectors) + shortCount * tileCost(tall - 1, vectors);
  return { cost, tiles: tallCount + shortCount };
}

/** Of a line in panels of packed pixels. */
function packedPixelsCost(rows: number, { length }: Line): number {
  const panel = (vectors: number): number => tilesCost(rows, vectors).cost + vectors * pixelPacking;
  const rest = length % 8;
  return Math.floor(length / 8) * panel(2) + (rest > 0 ? panel(rest > 4 ? 2 : 1) : 0);
}

/** Of a line in tiles of pixels. */
function tiledPixelsCost(windows: Windows, { length }: Line): number {
  const { panels, lastWidth } = weightPanels(windows);
  const panel = (vectors: number): number => {
    const { cost, tiles } = tilesCost(length, vectors);
    return cost + (tiles * vectors * tileEnd) / termsOf(windows);
  };
  return (panels - 1) * panel(2) + panel(lastWidth / 4);
}

/** Whether pixels are better read where they are than packed. */
export function favorsPixelTiles(windows: Windows, line: Line, lines: number): boolean {
  const packing = windows.weights ? 0 : (weightPacking * weightPanels(windows).panels) / (windows.images * lines);
  return tiledPixelsCost(windows, line) + packing < packedPixelsCost(windows.rows, line);
}
