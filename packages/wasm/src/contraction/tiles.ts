/** The code of one task of a blocked product: batch elements, blocks of k, panels and tiles. */
import type { EpilogueWriter } from "../body/index.ts";
import { type Expression, type I32, i32, type Local } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import { batchBase, batchVariables } from "./batch.ts";
import type { Blocking, ThreadLayout } from "./blocking.ts";
import { finishStoredTile, finishTile, loadTile, type Place, shiftColumns, storeTile } from "./finish.ts";
import { packPanel } from "./pack.ts";
import { batchSize, elementBytes, type Side } from "./product.ts";
import { columnRange, forPanels, forTiles, type PanelShape, range, rowRange } from "./ranges.ts";
import { type Accumulators, clearTile, tileAccumulators, tileLoop } from "./tile.ts";

export interface TaskParameters {
  /** The operands, or what they were packed into. */
  readonly a: Local<"i32">;
  readonly b: Local<"i32">;
  /** The task's own memory. */
  readonly memory: Local<"i32"> | undefined;
  readonly task: Local<"i32">;
}

/** A block of k: where it begins, how many steps it has, and the sums put aside (where the next tile has its own). */
interface KBlock {
  readonly start: Local<"i32"> | 0;
  readonly steps: Local<"i32"> | number;
  readonly kept: Local<"i32"> | undefined;
}

/** An element of the batch: where its operands begin. */
interface Element {
  readonly place: Place;
  readonly a: Local<"i32">;
  readonly b: Local<"i32">;
}

export class TaskWriter {
  readonly #lanes: Lanes;
  readonly #writer: EpilogueWriter;
  readonly #blocking: Blocking;
  /** The epilogue is written once, over tiles that were put into memory. */
  readonly #inMemory: boolean;
  readonly #layout: ThreadLayout;
  readonly #parameters: TaskParameters;
  readonly #sums: Accumulators;
  /** The task's part of the result. */
  readonly #rows: readonly [I32, I32];
  readonly #columns: readonly [I32, I32];
  readonly #batch: readonly [I32, I32];

  constructor(
    lanes: Lanes,
    writer: EpilogueWriter,
    blocking: Blocking,
    inMemory: boolean,
    layout: ThreadLayout,
    parameters: TaskParameters,
  ) {
    this.#lanes = lanes;
    this.#writer = writer;
    this.#blocking = blocking;
    this.#inMemory = inMemory;
    this.#layout = layout;
    this.#parameters = parameters;
    this.#sums = tileAccumulators(lanes, blocking.tileRows, blocking.vectors);
    const { f } = lanes;
    const { batchParts, rowParts, columnParts, product } = blocking;
    // Tasks are numbered by batch, then rows, then columns.
    const part = (parts: number, below: number, last: boolean): I32 => {
      if (parts === 1) return 0;
      const above = below === 1 ? parameters.task : i32.divU(parameters.task, below);
      return f.let(last ? above : i32.remU(above, parts));
    };
    this.#columns = columnRange(f, blocking, columnParts, part(columnParts, 1, rowParts * batchParts === 1));
    this.#rows = rowRange(f, blocking, rowParts, part(rowParts, columnParts, batchParts === 1));
    this.#batch = range(f, batchSize(product), batchParts, part(batchParts, columnParts * rowParts, true));
  }

  write(): void {
    const { f } = this.#lanes;
    const { k } = this.#blocking.product;
    const { kBlock } = this.#blocking;
    const index = f.local("i32");
    f.for(index, ...this.#batch, 1, () => {
      const element = this.#element(index);
      if (kBlock >= k) {
        this.#block(element, { start: 0, steps: k, kept: undefined });
        return;
      }
      const start = f.local("i32");
      const kept = f.local("i32");
      const steps = f.local("i32");
      f.for(start, 0, k, kBlock, () => {
        const left = f.let(i32.sub(k, start));
        f.set(steps, i32.select(i32.ltS(left, kBlock), left, kBlock));
        f.set(kept, this.#memory(this.#layout.sums));
        this.#block(element, { start, steps, kept });
      });
    });
  }

  #memory(offset: number): Expression<"i32"> {
    return i32.add(this.#parameters.memory as Local<"i32">, offset);
  }

  /** The variables of batch element `index`, and where its operands begin. */
  #element(index: Local<"i32">): Element {
    const { f } = this.#lanes;
    const { product, a, b } = this.#blocking;
    const variables = batchVariables(f, product, index);
    const { a: aPointer, b: bPointer } = this.#parameters;
    return {
      place: { batch: variables, swapped: product.swapped },
      a: a === "launch" ? aPointer : batchBase(f, aPointer, product.a, variables),
      b: b === "launch" ? bPointer : batchBase(f, bPointer, product.b, variables),
    };
  }

  #block(element: Element, block: KBlock): void {
    const { f } = this.#lanes;
    const blocking = this.#blocking;
    const forColumns = (body: (column: Local<"i32">, shape: PanelShape) => void): void =>
      forPanels(f, blocking, ...this.#columns, body);
    if (blocking.b === "task") forColumns((column, shape) => this.#packB(element, block, column, shape));
    // Rows of tiles one after the other: results are written along rows, A comes from L1 and B from L2.
    forTiles(f, blocking, ...this.#rows, (row, rows) => {
      if (blocking.a === "task") this.#packA(element, block, row, rows);
      forColumns((column, shape) => this.#tile(element, block, row, rows, column, shape));
    });
  }

  /** Where line `line` of an operand that is not packed has its first element of the block. */
  #direct(base: Local<"i32">, side: Side, line: Expression<"i32">, { start }: KBlock): Expression<"i32"> {
    return i32.add(i32.add(base, i32.mul(start, side.k)), i32.mul(line, side.line));
  }

  #packA({ a }: Element, block: KBlock, row: Local<"i32">, rows: number): void {
    const side = this.#blocking.product.a;
    packPanel(
      this.#lanes,
      { lines: rows, width: rows, lineStride: side.line, kStride: side.k },
      this.#direct(a, side, row, block),
      this.#memory(this.#layout.a),
      block.steps,
    );
  }

  #packB({ b }: Element, block: KBlock, column: Local<"i32">, { columns, vectors }: PanelShape): void {
    const side = this.#blocking.product.b;
    packPanel(
      this.#lanes,
      { lines: columns, width: 4 * vectors, lineStride: side.line, kStride: side.k },
      this.#direct(b, side, column, block),
      this.#packedB(column, block),
      block.steps,
    );
  }

  /** Where a panel stands among those of the task. */
  #packedB(column: Local<"i32">, { steps }: KBlock): Expression<"i32"> {
    const from = this.#columns[0];
    return i32.add(this.#memory(this.#layout.b), i32.mul(i32.mul(i32.sub(column, from), steps), elementBytes));
  }

  /** Operands packed by a launch: whole in k, one panel after the other. */
  #ahead(base: Local<"i32">, line: Local<"i32">, width: number, { start }: KBlock): Expression<"i32"> {
    return i32.add(
      i32.add(base, i32.mul(start, width * elementBytes)),
      i32.mul(line, this.#blocking.product.k * elementBytes),
    );
  }

  #addressA({ a }: Element, block: KBlock, row: Local<"i32">, rows: number): Expression<"i32"> {
    const { a: reading, product } = this.#blocking;
    switch (reading) {
      case "direct":
        return this.#direct(a, product.a, row, block);
      case "task":
        return this.#memory(this.#layout.a);
      case "launch":
        return this.#ahead(a, row, rows, block);
      default:
        return reading satisfies never;
    }
  }

  #addressB({ b }: Element, block: KBlock, column: Local<"i32">, shape: PanelShape): Expression<"i32"> {
    const { b: reading, product } = this.#blocking;
    switch (reading) {
      case "direct":
        return this.#direct(b, product.b, i32.sub(column, shape.shift), block);
      case "task":
        return this.#packedB(column, block);
      case "launch":
        return this.#ahead(b, column, 4 * shape.vectors, block);
      default:
        return reading satisfies never;
    }
  }

  /** One tile over one block of k, to its end: the epilogue, memory for it, or sums that are put aside. */
  #tile(
    element: Element,
    block: KBlock,
    row: Local<"i32">,
    rows: number,
    column: Local<"i32">,
    shape: PanelShape,
  ): void {
    const lanes = this.#lanes;
    const { f } = lanes;
    const { product, a: readingA, b: readingB } = this.#blocking;
    const sums = this.#sums.slice(0, rows).map((vectors) => vectors.slice(0, shape.vectors));
    const { start, steps, kept } = block;
    if (kept && start !== 0) {
      f.if(
        start,
        () => loadTile(lanes, sums, kept),
        () => clearTile(lanes, sums),
      );
    } else clearTile(lanes, sums);
    const a = f.local("i32");
    const b = f.local("i32");
    f.set(a, this.#addressA(element, block, row, rows));
    f.set(b, this.#addressB(element, block, column, shape));
    const directA = readingA === "direct";
    tileLoop(lanes, {
      sums,
      a,
      rowOffsets: sums.map((_, r) => r * (directA ? product.a.line : elementBytes)),
      kStride: directA ? product.a.k : rows * elementBytes,
      b,
      ...(readingB === "direct" ? { bStride: product.b.k } : {}),
      k: steps,
    });
    const finish = (): void => {
      shiftColumns(lanes, sums, shape.shift);
      if (!this.#inMemory) finishTile(this.#writer, element.place, sums, shape.columns, row, column);
      else {
        const tile = f.let(this.#memory(this.#layout.tile));
        storeTile(lanes, sums, tile);
        finishStoredTile(lanes, this.#writer, element.place, tile, sums, shape.columns, row, column);
      }
    };
    if (!kept) {
      finish();
      return;
    }
    f.if(this.#isLast(block), finish, () => storeTile(lanes, sums, kept));
    f.set(kept, i32.add(kept, 16 * rows * shape.vectors));
  }

  #isLast({ start, steps }: KBlock): I32 {
    return start === 0 ? 1 : i32.geS(i32.add(start, steps), this.#blocking.product.k);
  }
}
