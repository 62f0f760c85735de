/** From the sums of a tile to memory, through the epilogue. */
import { type Epilogue, type Instruction, isExpensive } from "@thalweg/core/backend";
import type { EpilogueWriter } from "../body/index.ts";
import { type Expression, i32, type Local, shuffle32, type V128, v128 } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import type { Accumulators } from "./tile.ts";

/** Instructions an epilogue may come to when it is written once for every vector of a tile; beyond, it goes in a loop. */
const inlineWeight = 8;

/** About how many machine instructions one of the body is. */
function weightOf(instruction: Instruction): number {
  switch (instruction.op) {
    case "roundTo":
      return instruction.to === "float32" ? 0 : 8;
    case "constant":
    case "uniform":
    case "accumulator":
      return 0;
    case "mod":
      return 20;
    default:
      return isExpensive(instruction) ? 20 : 1;
  }
}

/** Whether the epilogue is too long to be written for every vector of a tile. */
export function isLong({ body }: Epilogue): boolean {
  return body.reduce((sum, instruction) => sum + weightOf(instruction), 0) > inlineWeight;
}

/** Where results stand in the epilogue's space. */
export interface Place {
  /** The batch variables. */
  readonly batch: readonly (Local<"i32"> | number)[];
  readonly swapped: boolean;
}

/** The epilogue's variables at a row and a column. */
export function originAt(
  { batch, swapped }: Place,
  row: Local<"i32"> | number,
  column: Local<"i32">,
): (Local<"i32"> | number)[] {
  return swapped ? [...batch, column, row] : [...batch, row, column];
}

/** The variable along which vectors lie. */
export const vectorOf = ({ batch, swapped }: Place): number => batch.length + (swapped ? 0 : 1);

/** So many rows and columns on, as integers per variable. */
export const addAt = ({ batch, swapped }: Place, row: number, column: number): number[] => [
  ...batch.map(() => 0),
  ...(swapped ? [column, row] : [row, column]),
];

/** The epilogue of all vectors of a tile one by one, from registers. Lanes of `columns` columns count. */
export function finishTile(
  writer: EpilogueWriter,
  place: Place,
  sums: Accumulators,
  columns: number,
  row: Local<"i32">,
  column: Local<"i32">,
): void {
  writer.begin(originAt(place, row, column), vectorOf(place));
  sums.forEach((vectors, r) => {
    vectors.slice(0, Math.ceil(columns / 4)).forEach((sum, v) => {
      writer.write(addAt(place, r, 4 * v), Math.min(4, columns - 4 * v), sum);
    });
  });
}

/** Puts the sums of a tile in memory, row by row. */
export function storeTile({ f }: Lanes, sums: Accumulators, to: Expression<"i32">, offset = 0): void {
  const target = f.let(to);
  sums.forEach((vectors, r) => {
    vectors.forEach((sum, v) => {
      f.do(v128.store(target, sum, offset + 16 * (r * vectors.length + v)));
    });
  });
}

/** The sums that `storeTile` put there. */
export function loadTile({ f }: Lanes, sums: Accumulators, from: Expression<"i32">): void {
  const source = f.let(from);
  sums.forEach((vectors, r) => {
    vectors.forEach((sum, v) => {
      f.set(sum, v128.load(source, 16 * (r * vectors.length + v)));
    });
  });
}

/** The epilogue of a tile in memory: its code is there once for every row, in a loop. */
export function finishStoredTile(
  { f }: Lanes,
  writer: EpilogueWriter,
  place: Place,
  tile: Local<"i32">,
  sums: Accumulators,
  columns: number,
  firstRow: Local<"i32">,
  column: Local<"i32">,
): void {
  const vectors = (sums[0] as Accumulators[0]).length;
  const row = f.local("i32");
  const end = f.let(i32.add(firstRow, sums.length));
  const source = f.local("i32");
  const sum = f.local("v128");
  f.set(source, tile);
  f.for(row, firstRow, end, 1, () => {
    writer.begin(originAt(place, row, column), vectorOf(place));
    for (let v = 0; v < Math.ceil(columns / 4); v++) {
      f.set(sum, v128.load(source, 16 * v));
      writer.write(addAt(place, 0, 4 * v), Math.min(4, columns - 4 * v), sum);
    }
    f.set(source, i32.add(source, 16 * vectors));
  });
}

/** Moves lanes `shift` … of each row's vectors to the front: of a panel that was read from further left than it begins. */
export function shiftColumns({ f }: Lanes, sums: Accumulators, shift: number): void {
  if (shift === 0) return;
  const lanes = [0, 1, 2, 3].map((lane) => lane + shift) as [number, number, number, number];
  for (const vectors of sums) {
    vectors.forEach((sum, v) => {
      const next: V128 = vectors[v + 1] ?? sum;
      f.set(sum, shuffle32(sum, next, lanes));
    });
  }
}
