/** Chooses the tiles of a product, and into how many parts its sums are cut, from its sizes and the device alone. */
import type { Target } from "../target.ts";
import type { Element } from "./element.ts";

/** A core of device/tile.cuh. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly threads: number;
  /** Of a thread. */
  readonly sums: number;
  /** Blocks that should fit on a multiprocessor. */
  readonly residents: number;
  /** C++ type, given how the operands lie in shared memory. */
  core(aAlongDepth: boolean, bAlongDepth: boolean): string;
  /** Part of the element's rate that is reached with enough blocks, and by one block alone. */
  readonly together: number;
  readonly alone: number;
}

function vectorTile(
  element: Element,
  [warpsM, warpsN]: readonly [number, number],
  [rowGroups, rows]: readonly [number, number],
  [columnGroups, columns]: readonly [number, number],
  depth: number,
  rest: Pick<Tile, "residents" | "together" | "alone">,
): Tile {
  const parts = [warpsM, warpsN, rowGroups, rows, columnGroups, columns, depth].join(", ");
  return {
    rows: warpsM * rowGroups * 4 * rows,
    columns: warpsN * columnGroups * 8 * columns,
    depth,
    threads: 32 * warpsM * warpsN,
    sums: rowGroups * rows * columnGroups * columns,
    core: () => `VectorCore<${element.type}, ${parts}>`,
    ...rest,
  };
}

function tensorTile(
  element: Element,
  [warpsM, warpsN]: readonly [number, number],
  [tilesM, tilesN]: readonly [number, number],
  rest: Pick<Tile, "residents" | "together" | "alone">,
): Tile {
  return {
    rows: warpsM * tilesM * 16,
    columns: warpsN * tilesN * 8,
    depth: 64 / element.bytes,
    threads: 32 * warpsM * warpsN,
    sums: tilesM * tilesN * 4,
    core: (a, b) => `TensorCore<${[element.type, warpsM, warpsN, tilesM, tilesN, a, b].join(", ")}>`,
    ...rest,
  };
}

const large = { residents: 2, together: 0.7, alone: 0.5 };
const middle = { residents: 4, together: 0.6, alone: 0.4 };
const small = { residents: 6, together: 0.4, alone: 0.15 };

/** From the largest to the smallest. */
export function tilesOf(element: Element): readonly Tile[] {
  if (element.tensor) {
    return [
      tensorTile(element, [2, 4], [4, 4], large),
      tensorTile(element, [2, 2], [2, 4], middle),
      tensorTile(element, [2, 2], [1, 2], small),
    ];
  }
  if (element.bytes === 8) {
    return [
      vectorTile(element, [4, 2], [2, 2], [2, 2], 8, { ...middle, residents: 2 }),
      vectorTile(element, [4, 1], [1, 2], [2, 2], 8, small),
    ];
  }
  return [
    vectorTile(element, [4, 2], [2, 4], [2, 4], 16, large),
    vectorTile(element, [2, 2], [2, 4], [1, 4], 16, middle),
    vectorTile(element, [4, 1], [1, 2], [1, 4], 16, small),
  ];
}

export interface Sizes {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

export interface Tiling {
  readonly tile: Tile;
  /** Tiles in each direction. */
  readonly tileRows: number;
  readonly tileColumns: number;
  /** Blocks that share the depth of a tile, and how much of it each takes (the last one what is left). */
  readonly parts: number;
  readonly partDepth: number;
  /** Cycles it may take. */
  readonly cycles: number;
}

/** Cycles until what a step has asked of global memory is in shared memory. */
const stepLatency = 600;
/** Cycles of a launch, and those of the exchange between blocks where the depth is cut. */
export const launchCycles = 3000;
const combineCycles = 2000;
/** Bytes per cycle that one block reads from the cache that all share. */
const combineRate = 64;
/** The same of all blocks together, per multiprocessor: what memory gives. */
const exchangeRate = 16;
/** Parts that are tried. */
const partCounts = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/** Steps of a part at least. */
const stepsPerPart = 4;

function cyclesOf(tile: Tile, blocks: number, steps: number, parts: number, element: Element, target: Target): number {
  const { rows, columns, depth } = tile;
  const step = (rows * columns * depth) / element.rate;
  const alone = steps * Math.max(step / tile.alone, stepLatency);
  const together = Math.ceil(blocks / target.multiprocessors) * steps * (step / tile.together);
  const sumBytes = rows * columns * element.sumBytes;
  const exchanged =
    (parts * sumBytes) / combineRate + (2 * blocks * sumBytes) / (exchangeRate * target.multiprocessors);
  const combine = parts === 1 ? 0 : combineCycles + exchanged;
  return launchCycles + Math.max(alone, together) + combine;
}

/** `mayShare`: several blocks may share a sum. */
export function chooseTiling(sizes: Sizes, element: Element, target: Target, mayShare = true): Tiling {
  const candidates = tilesOf(element).flatMap((tile) => {
    const tileRows = Math.ceil(sizes.rows / tile.rows);
    const tileColumns = Math.ceil(sizes.columns / tile.columns);
    const tiles = tileRows * tileColumns * sizes.batch;
    const allSteps = Math.ceil(sizes.depth / tile.depth);
    return partCounts.flatMap((wanted): Tiling[] => {
      const steps = Math.ceil(allSteps / wanted);
      const parts = Math.ceil(allSteps / steps);
      const fewTiles = tiles < 2 * target.multiprocessors;
      if (wanted > 1 && (!mayShare || parts !== wanted || steps < stepsPerPart || !fewTiles)) return [];
      const cycles = cyclesOf(tile, tiles * parts, steps, parts, element, target);
      return [{ tile, tileRows, tileColumns, parts, partDepth: steps * tile.depth, cycles }];
    });
  });
  return candidates.reduce((best, other) => (other.cycles < best.cycles ? other : best));
}
