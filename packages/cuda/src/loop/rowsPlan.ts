/**
 * How a kernel with reductions is laid over threads. A *team* of threads shares a row (one point of the outer space): its
 * threads go over the inner space in strides of the team, so that neighbours in memory are read by neighbouring threads. In
 * `rows` neighbours lie along the inner space and a team is a part of a warp, a warp or a block; in `columns` they lie along
 * an outer variable, and the threads of a team lie across the warps. Everything follows from sizes alone, so that results are
 * the same on every device.
 */
import {
  type Affine,
  bytesPerElement,
  type DType,
  type Instruction,
  isExpensive,
  type Stage,
  sizeOf,
} from "@thalweg/core/backend";
import { type KeptValues, nothingKept } from "./rowsKept.ts";
import { meetingBytes } from "./rowsReduce.ts";

export interface RowSpace {
  readonly outer: readonly number[];
  readonly inner: readonly number[];
  readonly stages: readonly Stage[];
}

export interface RowPlan {
  readonly mode: "rows" | "columns";
  /** Elements that a thread handles at once, along `vector`. */
  readonly width: number;
  /** The variable along which they lie: an inner one in `rows`, an outer one in `columns`. */
  readonly vector: number | undefined;
  /** Variables from the slowest to the one whose neighbours are neighbouring threads. */
  readonly outerOrder: readonly number[];
  readonly innerOrder: readonly number[];
  /** Teams' worth of outer points: `width` of them at a time in `columns`. */
  readonly groups: number;
  /** Inner points of a row, `width` at a time in `rows`. */
  readonly units: number;
  /** Threads of a team, teams of a block. */
  readonly team: number;
  readonly teams: number;
  /** Blocks that share a row, and units each of them has at most. */
  readonly splits: number;
  readonly unitsPerSplit: number;
  /** Where values are kept between stages. */
  readonly keep: "registers" | "shared" | "nowhere";
}

/** Blocks that fill any device this is for, a few times over on the smaller ones. */
const manyBlocks = 528;
/** Partial results of a row that the last block combines. */
const mostSplits = 2048;
/** Numbers that a thread adds up one by one, as far as there are threads: rounding errors grow with the length of such runs. */
const longestRun = 2048;
/** Simple instructions that a stage may be written out to. */
const writtenOut = 4096;
/** Shared memory that is left to the reductions themselves, and to a few numbers that blocks share. */
const sharedReserve = meetingBytes + 1024;

type Access = Instruction & ({ readonly op: "load" } | { readonly op: "store" });
const isAccess = (instruction: Instruction): instruction is Access =>
  instruction.op === "load" || instruction.op === "store";

const stride = ({ strides }: Affine, variable: number): number => strides[variable] as number;
const powerBelow = (x: number): number => 2 ** Math.floor(Math.log2(Math.max(1, x)));
const powerAbove = (x: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, x)));

/** Largest power of two, at most `cap`, of which offset and all strides but that along `variable` are multiples. */
function alignedWidth(
  { offset, strides, dynamic = [] }: Affine,
  variable: number,
  sizes: readonly number[],
  cap: number,
) {
  const others = [
    offset,
    ...strides.filter((_stride, index) => index !== variable && sizes[index] !== 1),
    ...dynamic.map((term) => term.stride),
  ];
  let width = cap;
  while (width > 1 && others.some((step) => step % width !== 0)) width /= 2;
  return width;
}

/** Neighbours along `variable` that one thread can load at once. */
function widthAlong(accesses: readonly Access[], variable: number, sizes: readonly number[], dtypes: readonly DType[]) {
  const size = sizes[variable] as number;
  // What is as large as the whole space counts; a row that all others share comes from the cache.
  const extent = (access: Access): number =>
    sizes.reduce((product, length, index) => product * (stride(access.at, index) === 0 ? 1 : length), 1);
  const contiguous = accesses.filter(({ at }) => stride(at, variable) === 1);
  const largest = Math.max(...contiguous.map(extent));
  const widths = contiguous
    .filter((access) => extent(access) === largest)
    .map(({ at, slot }) => alignedWidth(at, variable, sizes, 16 / bytesPerElement(dtypes[slot] as DType)));
  let width = widths.length === 0 ? 1 : Math.min(8, ...widths);
  while (size % width !== 0) width /= 2;
  return width;
}

/** The variable along which most accesses are contiguous, and how many are. */
function mostContiguous(accesses: readonly Access[], from: number, sizes: readonly number[], until: number) {
  let [best, most] = [until - 1, 0];
  for (let variable = until - 1; variable >= from; variable--) {
    const count = accesses.filter(({ at }) => Math.abs(stride(at, variable)) === 1).length;
    if ((sizes[variable] as number) > 1 && count > most) [best, most] = [variable, count];
  }
  return { variable: best, count: most };
}

const withLast = (from: number, until: number, last: number | undefined): number[] => {
  const variables = Array.from({ length: until - from }, (_, index) => from + index);
  return last === undefined ? variables : [...variables.filter((variable) => variable !== last), last];
};

/** Threads of a block per row; sizes that divide the row are better than a remainder for some threads only. */
function blockTeam(units: number, perThread: number): number {
  const least = Math.min(1024, Math.max(64, Math.ceil(units / perThread / 32) * 32));
  for (let threads = least; threads <= Math.min(1024, 1.5 * least); threads += 32) {
    if (units % threads === 0) return threads;
  }
  return least;
}

/** Values that the threads of a team can keep in registers each. */
const registersFor = (threads: number): number => (threads > 512 ? 32 : 64);

/** What a body costs per element, in simple instructions. */
export const workOf = (body: readonly Instruction[]): number =>
  body.reduce((sum, instruction) => sum + (isExpensive(instruction) ? 20 : instruction.op === "constant" ? 0 : 1), 0);

/** Of one number in shared memory. */
export const keptBytes = ({ rows }: KeptValues): number => (rows.some(({ dtype }) => dtype === "float64") ? 8 : 4);

interface Layout {
  readonly team: number;
  readonly teams: number;
  readonly splits: number;
}

function rowsLayout(rows: number, units: number, width: number, stages: number, kept: number): Layout {
  if (units <= 2) return { team: 1, teams: 128, splits: 1 };
  const perWarp = Math.max(1, 32 / width);
  if (units <= 32 * perWarp && (rows >= manyBlocks || units <= 64)) {
    const team = Math.min(32, powerAbove(units));
    const threads = rows * team >= 256 * manyBlocks ? 256 : 128;
    return { team, teams: threads / team, splits: 1 };
  }
  // A block of many threads for few rows, else so many that each has some loads in flight.
  const perThread = rows < 132 ? 1 : Math.max(2, 16 / width);
  const team = blockTeam(units, perThread);
  const alone = stages === 1;
  if (rows >= (alone ? manyBlocks / 2 : 132) || units < 4096 * (alone ? 0.5 : 2)) {
    return { team: kept > 0 ? team : Math.min(team, rows < 132 ? 1024 : 512), teams: 1, splits: 1 };
  }
  return { team: 256, teams: 1, splits: splitsFor(rows, units, 256, 8) };
}

/** Blocks per row, when each thread should have at least `least` units. */
function splitsFor(blocks: number, units: number, team: number, least: number): number {
  const most = Math.min(mostSplits, Math.floor(units / (team * least)));
  const wanted = Math.max(Math.ceil((2 * manyBlocks) / blocks), Math.ceil(units / (team * 1024)));
  return Math.max(1, Math.min(most, wanted));
}

function columnsLayout(groups: number, units: number, near: boolean, width: number, kept: number): Layout {
  const few = units <= 8 || (near && units <= 32);
  if ((few && groups >= 2048) || units <= 1 || (groups >= 1 << 17 && units <= longestRun)) {
    return { team: 1, teams: groups < 1 << 15 ? 64 : 256, splits: 1 };
  }
  let teams = Math.min(32, powerAbove(groups));
  const threads = 256;
  let team = Math.max(32 / teams, Math.min(threads / teams, powerBelow(units)));
  team = Math.max(team, Math.min(1024 / teams, powerAbove(units / longestRun)));
  if (kept > 0) {
    // More threads per column until its values fit into their registers.
    const fits = (): boolean => Math.ceil(units / team) * width * kept <= registersFor(team * teams);
    while (!fits() && team * teams < 1024) team *= 2;
    if (!fits() && teams > 8 && Math.ceil(units / (1024 / 8)) * width * kept <= registersFor(1024)) {
      [teams, team] = [8, 128];
    }
  }
  const blocks = Math.ceil(groups / teams);
  // Meeting again costs about as much as some loads one after the other; several passes meet several times.
  const split = blocks < manyBlocks / 4 && units >= team * (kept === 0 ? 32 : 256);
  return { team, teams, splits: split ? splitsFor(blocks, units, team, kept === 0 ? 8 : 32) : 1 };
}

/**
 * `choices`: see `keptChoices`. `mayShare`: several blocks may work on a row, in several launches. `sharedBytes`: what a
 * block can have; it decides what is kept, which shows in no result.
 */
export function planRows(
  space: RowSpace,
  dtypes: readonly DType[],
  choices: readonly KeptValues[],
  mayShare: boolean,
  sharedBytes: number,
): { plan: RowPlan; kept: KeptValues } {
  const { outer, inner, stages } = space;
  const sizes = [...outer, ...inner];
  const rank = outer.length;
  const within = (over: Stage["over"]): Access[] =>
    stages.flatMap((stage) => (stage.over === over ? stage.body.filter(isAccess) : []));
  const innerAccesses = within("inner");
  const all = [...innerAccesses, ...within("outer")];
  const points = sizeOf(inner);
  const rows = sizeOf(outer);
  const alongInner = mostContiguous(innerAccesses, rank, sizes, sizes.length);
  const alongOuter = mostContiguous(points <= 1 ? all : innerAccesses, 0, sizes, rank);
  const anyOuter = mostContiguous(all, 0, sizes, rank);
  // A thread per row is best where neighbouring rows lie next to each other anyway, as windows do.
  const near =
    points <= 32 && anyOuter.count > 0 && innerAccesses.every(({ at }) => Math.abs(stride(at, anyOuter.variable)) <= 4);
  const columns = points <= 1 || alongOuter.count > alongInner.count || (near && rows >= 2048);
  const mode = columns ? "columns" : "rows";
  let vector: number | undefined;
  let width = 1;
  if (mode === "rows") {
    vector = inner.length > 0 ? alongInner.variable : undefined;
    if (vector !== undefined) width = widthAlong(innerAccesses, vector, sizes, dtypes);
  } else {
    vector = rank > 0 ? (alongOuter.count > 0 ? alongOuter : anyOuter).variable : undefined;
    const fits =
      vector !== undefined &&
      innerAccesses.every(({ at }) => stride(at, vector as number) === 0 || stride(at, vector as number) === 1);
    if (vector !== undefined && fits) width = widthAlong(points <= 1 ? all : innerAccesses, vector, sizes, dtypes);
    // Too few threads otherwise.
    while (width > 1 && (rows / width) * Math.max(1, points / 64) < 4096) width /= 2;
  }
  const groups = mode === "rows" ? rows : rows / width;
  const units = mode === "rows" ? points / width : points;
  const fewest = (choices.at(-1) as KeptValues).live;
  const innerStages = stages.filter(({ over }) => over === "inner").length;
  const layout =
    mode === "rows"
      ? rowsLayout(groups, units, width, innerStages, fewest)
      : columnsLayout(groups, units, near, width, innerStages > 1 ? Math.max(1, fewest) : 0);
  const splits = mayShare ? layout.splits : 1;
  const unitsPerSplit = splits === 1 ? units : Math.ceil(units / splits / layout.team) * layout.team;
  const threads = layout.team * layout.teams;
  const chunks = Math.ceil(unitsPerSplit / layout.team);
  // What is in registers is written out for each of them.
  const work = Math.max(0, ...stages.map(({ over, body }) => (over === "inner" ? workOf(body) : 0)));
  const inRegisters = ({ live }: KeptValues): boolean =>
    chunks * width * live <= registersFor(threads) && chunks * width * work <= writtenOut;
  const inShared = (values: KeptValues): boolean =>
    chunks * threads * width * keptBytes(values) * values.live <= sharedBytes - sharedReserve;
  const fits = splits > 1 ? undefined : (choices.find(inRegisters) ?? choices.find(inShared));
  const kept = fits ?? nothingKept;
  const plan: RowPlan = {
    mode,
    width,
    vector,
    outerOrder: withLast(0, rank, mode === "columns" ? vector : undefined),
    innerOrder: withLast(rank, sizes.length, mode === "rows" ? vector : undefined),
    groups,
    units,
    team: layout.team,
    teams: layout.teams,
    splits: Math.max(1, Math.ceil(units / Math.max(1, unitsPerSplit))),
    unitsPerSplit,
    keep: kept.live === 0 ? "nowhere" : inRegisters(kept) ? "registers" : "shared",
  };
  return { plan, kept };
}
