/** Which loads of an element-wise body are contiguous along another variable than its stores, and go through shared memory. */
import { type Affine, bytesPerElement, type ComputeDType, type DType, sizeOf } from "@thalweg/core/backend";
import type { Target } from "../target.ts";
import { loadWidthAlong, vectorWidthAlong } from "./elementwisePlan.ts";
import { type ElementwiseSpace, isLoad, isStore, type Load } from "./elementwiseSpace.ts";

export interface TransposePlan {
  /** The variable the loads are contiguous along; the stores are along the last one. */
  readonly along: number;
  readonly loads: readonly Load[];
  /** Elements of a tile along `along`, and along the last variable. */
  readonly across: number;
  readonly down: number;
  /** Elements of the vectors that fill the tiles, and of those the rest of the body handles. */
  readonly loadWidth: number;
  readonly storeWidth: number;
}

/** Below this many elements per multiprocessor all of it is in flight at once, and caches see to the rest. */
const leastElements = 1 << 10;
/** Elements per multiprocessor from which there are enough blocks with tiles of 64 by 64. */
const largeElements = 1 << 13;
/** A warp that steps along a shorter variable still reads pieces of whole sectors. */
const leastSize = 16;
/** Neighbours that lie as many bytes apart are in different sectors of memory. */
const sectorBytes = 32;
/** Static shared memory that leaves room for several blocks on a multiprocessor. */
const sharedLimit = 36 * 1024;

/** As `ComputeDType`s lie in shared memory. */
const tileBytes = (dtype: ComputeDType): number => (dtype === "float64" ? 8 : dtype === "bool" ? 1 : 4);

const isStatic = ({ at, conditions = [] }: Load): boolean =>
  [at, ...conditions.map(({ affine }) => affine)].every((affine: Affine) => affine.dynamic === undefined);

/** Undefined where there is nothing to gain. */
export function transposePlan(
  space: ElementwiseSpace,
  dtypes: readonly DType[],
  { multiprocessors }: Target,
): TransposePlan | undefined {
  const { sizes, body } = space;
  const last = sizes.length - 1;
  const elements = sizeOf(sizes) / multiprocessors;
  if (last < 1 || elements < leastElements || (sizes[last] as number) < leastSize) return undefined;
  // Stores that are strided themselves gain nothing from neighbours along the last variable.
  if (!body.filter(isStore).every(({ at }) => at.strides[last] === 1)) return undefined;
  const byVariable = new Map<number, Load[]>();
  for (const load of body.filter(isLoad)) {
    const { strides } = load.at;
    const bytes = bytesPerElement(dtypes[load.slot] as DType);
    if (Math.abs(strides[last] as number) * bytes < sectorBytes || !isStatic(load)) continue;
    const along = strides.findIndex((stride, axis) => Math.abs(stride) === 1 && (sizes[axis] as number) >= leastSize);
    if (along < 0) continue;
    const found = byVariable.get(along);
    if (found) found.push(load);
    else byVariable.set(along, [load]);
  }
  const [best] = [...byVariable].sort(([, a], [, b]) => b.length - a.length);
  if (best === undefined) return undefined;
  const [along, candidates] = best;
  const isLarge = elements >= largeElements;
  const side = (variable: number): number => (isLarge && (sizes[variable] as number) > 32 ? 64 : 32);
  let [across, down] = [side(along), side(last)];
  const shared = (load: Load): number => tileBytes(load.dtype) * down * (across + 1);
  const total = (list: readonly Load[]): number => list.reduce((sum, load) => sum + shared(load), 0);
  if (total(candidates) > sharedLimit) [across, down] = [32, 32];
  const loads = [...candidates];
  while (total(loads) > sharedLimit) loads.pop();
  const widths = loads.map((load) =>
    loadWidthAlong(load, sizes[along] as number, along, bytesPerElement(dtypes[load.slot] as DType)),
  );
  const tiled = new Set(loads.map(({ id }) => id));
  const others = { sizes, body: body.filter(({ id }) => !tiled.has(id)) };
  return {
    along,
    loads,
    across,
    down,
    loadWidth: Math.min(4, ...widths),
    storeWidth: Math.min(4, vectorWidthAlong(others, last, dtypes, true)),
  };
}
