/** Loops over the tiles and panels of a part of a product. */
import { type Expression, type FunctionBuilder, type I32, i32, type Local } from "../emit/index.ts";
import { type Blocking, panelColumns, panelCount } from "./blocking.ts";

/** Columns that a panel's tiles compute and keep. */
export interface PanelShape {
  readonly vectors: number;
  /** Columns of the result. */
  readonly columns: number;
  /** Lanes that come before them: the last panel of an operand read where it lies begins within the one before. */
  readonly shift: number;
}

function panelShapes(blocking: Blocking): { readonly full: PanelShape; readonly last: PanelShape | undefined } {
  const width = panelColumns(blocking);
  const columns = blocking.product.columns % width;
  const vectors = Math.ceil(columns / 4);
  return {
    full: { vectors: blocking.vectors, columns: width, shift: 0 },
    last: columns > 0 ? { vectors, columns, shift: blocking.b === "direct" ? 4 * vectors - columns : 0 } : undefined,
  };
}

/** Where part `part` of `parts` of `count` things begins and ends; numbers when there is but one. */
export function range(f: FunctionBuilder, count: number, parts: number, part: I32): [I32, I32] {
  if (parts === 1) return [0, count];
  const start = (at: I32): Expression<"i32"> => i32.divU(i32.mul(at, count), parts);
  return [f.let(start(part)), f.let(start(i32.add(part, 1)))];
}

/** Rows of a part of the tiles. */
export function rowRange(f: FunctionBuilder, blocking: Blocking, parts: number, part: I32): [I32, I32] {
  const { tiles, tileRows, fullTiles, product } = blocking;
  const [from, to] = range(f, tiles, parts, part);
  if (typeof from === "number") return [0, product.rows];
  const row = (tile: I32): Local<"i32"> => {
    const full = i32.mul(tile, tileRows);
    if (fullTiles === tiles) return f.let(full);
    const beyond = f.let(i32.sub(tile, fullTiles));
    return f.let(i32.sub(full, i32.select(i32.gtS(beyond, 0), beyond, 0)));
  };
  return [row(from), row(to)];
}

/** Columns of a part of the panels; the end may lie beyond the last column. */
export function columnRange(f: FunctionBuilder, blocking: Blocking, parts: number, part: I32): [I32, I32] {
  const [from, to] = range(f, panelCount(blocking), parts, part);
  if (typeof from === "number") return [0, blocking.product.columns];
  const width = panelColumns(blocking);
  return [f.let(i32.mul(from, width)), f.let(i32.mul(to, width))];
}

/** The tiles from row `from` to row `to`; `body` is written once for every number of rows a tile has. */
export function forTiles(
  f: FunctionBuilder,
  { tileRows, fullTiles, tiles }: Blocking,
  from: I32,
  to: I32,
  body: (row: Local<"i32">, rows: number) => void,
): void {
  const row = f.local("i32");
  if (fullTiles === tiles) {
    f.for(row, from, to, tileRows, () => body(row, tileRows));
    return;
  }
  const rows = f.local("i32");
  f.set(rows, i32.const(tileRows));
  f.for(row, from, to, rows, () => {
    f.if(
      i32.ltS(row, fullTiles * tileRows),
      () => body(row, tileRows),
      () => {
        f.set(rows, i32.const(tileRows - 1));
        body(row, tileRows - 1);
      },
    );
  });
}

/** The panels from column `from` to column `to`; `body` is written once for whole panels and once for the last. */
export function forPanels(
  f: FunctionBuilder,
  blocking: Blocking,
  from: I32,
  to: I32,
  body: (column: Local<"i32">, shape: PanelShape) => void,
): void {
  const width = panelColumns(blocking);
  const { full, last } = panelShapes(blocking);
  const column = f.local("i32");
  const whole = blocking.product.columns - (last?.columns ?? 0);
  if (typeof to === "number") {
    if (whole > 0) f.for(column, from, whole, width, () => body(column, full));
    if (!last) return;
    f.set(column, i32.const(whole));
    body(column, last);
    return;
  }
  const end = last ? f.let(i32.select(i32.gtS(to, whole), whole, to)) : to;
  if (whole > 0) f.for(column, from, end, width, () => body(column, full));
  if (!last) return;
  f.if(i32.gtS(to, whole), () => {
    f.set(column, i32.const(whole));
    body(column, last);
  });
}
