/** Packing of whole operands, as a launch before the product's own. */
import { type I32, i32 } from "../emit/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { type Blocking, panelColumns, panelCount } from "./blocking.ts";
import { packPanel } from "./pack.ts";
import { elementBytes } from "./product.ts";
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
        forTiles(f, blocking, row0, row1, (row, rows) => {
          packPanel(
            lanes,
            { lines: rows, width: rows, lineStride: product.a.line, kStride: product.a.k },
            i32.add(from, i32.add(i32.mul(row, product.a.line), product.a.offset)),
            i32.add(to, i32.mul(row, k * elementBytes)),
            k,
          );
        });
      };
      const packB = (part: I32): void => {
        const first = aTasks > 0 ? 2 : 0;
        const [from, to] = [f.parameter(first, "i32"), f.parameter(first + 1, "i32")];
        const [column0, column1] = columnRange(f, blocking, bTasks, part);
        forPanels(f, blocking, column0, column1, (column, shape) => {
          packPanel(
            lanes,
            { lines: shape.columns, width: 4 * shape.vectors, lineStride: product.b.line, kStride: product.b.k },
            i32.add(from, i32.add(i32.mul(column, product.b.line), product.b.offset)),
            i32.add(to, i32.mul(column, k * elementBytes)),
            k,
          );
        });
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
