/** Packing of whole operands, as a launch before the product's own. */
import { type I32, i32, type Local } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { type Blocking, panelColumns, panelCount } from "./blocking.ts";
import { packPanel } from "./pack.ts";
import { elementBytes, type Side } from "./product.ts";
import { columnRange, forPanels, forTiles, rowRange } from "./ranges.ts";

/** Both operands, as far as they are packed ahead; the first tasks pack B. */
export function packLaunch(
  blocking: Blocking,
  buffers: { readonly a: number; readonly b: number },
  scratch: { readonly a: number; readonly b: number },
): Launch {
  const { product, tiles, tileRows } = blocking;
  const { k } = product;
  const [bTasks, aTasks] = [
    blocking.b === "launch" ? taskCount(panelCount(blocking), panelColumns(blocking) * k) : 0,
    blocking.a === "launch" ? taskCount(tiles, tileRows * k) : 0,
  ];
  const pointers: Pointer[] = [];
  if (aTasks > 0) {
    pointers.push({ kind: "buffer", buffer: buffers.a }, { kind: "scratch", offset: scratch.a });
  }
  if (bTasks > 0) {
    pointers.push({ kind: "buffer", buffer: buffers.b }, { kind: "scratch", offset: scratch.b });
  }
  return {
    key: JSON.stringify(["matmul pack", blocking, aTasks, bTasks]),
    pointers,
    tasks: aTasks + bTasks,
    build(f, code) {
      const lanes = code.lanes(f);
      const task = f.parameter(pointers.length, "i32");
      const packA = (part: I32): void => {
        const [from, to] = [f.parameter(0, "i32"), f.parameter(1, "i32")];
        const [row0, row1] = rowRange(f, blocking, aTasks, part);
        forTiles(f, blocking, row0, row1, (row, rows) =>
          packWhole(lanes, product.a, k, { from, to, line: row, lines: rows, width: rows }),
        );
      };
      const packB = (part: I32): void => {
        const first = aTasks > 0 ? 2 : 0;
        const [from, to] = [f.parameter(first, "i32"), f.parameter(first + 1, "i32")];
        const [column0, column1] = columnRange(f, blocking, bTasks, part);
        forPanels(f, blocking, column0, column1, (column, { columns: lines, vectors }) =>
          packWhole(lanes, product.b, k, { from, to, line: column, lines, width: 4 * vectors }),
        );
      };
      if (aTasks === 0) packB(task);
      else if (bTasks === 0) packA(task);
      else
        f.if(
          i32.ltS(task, bTasks),
          () => packB(task),
          () => packA(f.let(i32.sub(task, bTasks))),
        );
    },
  };
}

interface Panel {
  readonly from: Local<"i32">;
  readonly to: Local<"i32">;
  /** The panel's first line; lines before it are packed before it. */
  readonly line: Local<"i32">;
  readonly lines: number;
  readonly width: number;
}

function packWhole(
  lanes: Lanes,
  { offset, line: lineStride, k: kStride }: Side,
  k: number,
  { from, to, line, lines, width }: Panel,
): void {
  packPanel(
    lanes,
    { lines, width, lineStride, kStride },
    i32.add(from, i32.add(i32.mul(line, lineStride), offset)),
    i32.add(to, i32.mul(line, k * elementBytes)),
    k,
  );
}
