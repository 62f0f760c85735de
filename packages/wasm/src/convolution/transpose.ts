/** 4 × 4 elements in registers, rows and columns exchanged. */
import { type FunctionBuilder, type Local, shuffle32, type V128 } from "../emit/index.ts";

/** The columns of 1 … 4 rows. Lanes of rows that are not there hold anything. */
export function transposed(f: FunctionBuilder, rows: readonly Local<"v128">[]): V128[] {
  const [a, b = a, c, d = c] = rows as readonly [Local<"v128">, Local<"v128">?, Local<"v128">?, Local<"v128">?];
  if (rows.length === 1) return [a, ...[1, 2, 3].map((lane) => shuffle32(a, a, [lane, lane, lane, lane]))];
  const ab = f.let(shuffle32(a, b, [0, 4, 1, 5]));
  const abHigh = f.let(shuffle32(a, b, [2, 6, 3, 7]));
  if (!c || !d) return [ab, shuffle32(ab, ab, [2, 3, 2, 3]), abHigh, shuffle32(abHigh, abHigh, [2, 3, 2, 3])];
  const cd = f.let(shuffle32(c, d, [0, 4, 1, 5]));
  const cdHigh = f.let(shuffle32(c, d, [2, 6, 3, 7]));
  return [
    shuffle32(ab, cd, [0, 1, 4, 5]),
    shuffle32(ab, cd, [2, 3, 6, 7]),
    shuffle32(abHigh, cdHigh, [0, 1, 4, 5]),
    shuffle32(abHigh, cdHigh, [2, 3, 6, 7]),
  ];
}
