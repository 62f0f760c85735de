/**
 * Products of few rows whose operands both have k contiguous, as matrix-vector products do: vectors lie along k, and the
 * lanes of each sum are added up at the end.
 */
import type { Epilogue, Program } from "@thalweg/core/backend";
import { type EpilogueWriter, epilogueWriter, usesUniforms } from "../body/index.ts";
import { f32x4, type I32, i32, type Local, type V128, v128 } from "../emit/index.ts";
import type { Lanes } from "../lanes/index.ts";
import type { CompiledKernel, Pointer } from "../launch.ts";
import { batchBase, batchVariables } from "./batch.ts";
import { productTasks } from "./blocking.ts";
import { addAt, originAt, type Place, vectorOf } from "./finish.ts";
import { epilogueKey } from "./key.ts";
import { loadLanes, transpose } from "./pack.ts";
import { batchSize, elementBytes, type Product } from "./product.ts";
import { range } from "./ranges.ts";
import { forSteps } from "./steps.ts";

/** Sums that grow at once, so that one need not wait for the other. */
const chains = 8;

/** Vector registers that engines have to give on x86. */
const registers = 15;

/** Columns taken at once: whole vectors of results, few enough for all sums to stay in registers. */
const groupColumns = ({ rows, columns }: Product): number => Math.min(columns, rows === 1 ? 8 : 4);

export function dotKernel(
  product: Product,
  buffers: { readonly a: number; readonly b: number },
  epilogue: Epilogue,
  program: Program,
): CompiledKernel {
  const groups = Math.ceil(product.columns / groupColumns(product));
  const elements = batchSize(product);
  const tasks = productTasks(product, epilogue.body);
  const batchParts = Math.min(elements, tasks);
  const columnParts = Math.min(groups, Math.ceil(tasks / batchParts));
  const readsUniforms = usesUniforms(epilogue.body);
  const pointers: Pointer[] = [buffers.a, buffers.b, ...epilogue.buffers].map((buffer) => ({ kind: "buffer", buffer }));
  if (readsUniforms) pointers.push({ kind: "uniforms" });
  return {
    launches: [
      {
        key: JSON.stringify(["matmul dot", product, batchParts, columnParts, epilogueKey(epilogue, program)]),
        pointers,
        tasks: batchParts * columnParts,
        build(f, code) {
          const lanes = code.lanes(f);
          const slots = epilogue.buffers.map((_, slot) => f.parameter(2 + slot, "i32"));
          const uniforms = readsUniforms ? f.parameter(pointers.length - 1, "i32") : undefined;
          const writer = epilogueWriter(code, lanes, epilogue, program, slots, uniforms);
          const task = f.parameter(pointers.length, "i32");
          const batchPart = batchParts === 1 ? 0 : f.let(i32.divU(task, columnParts));
          const columnPart = columnParts === 1 ? 0 : f.let(i32.remU(task, columnParts));
          const groupRange = range(f, groups, columnParts, columnPart);
          const index = f.local("i32");
          f.for(index, ...range(f, elements, batchParts, batchPart), 1, () => {
            const variables = batchVariables(f, product, index);
            writeGroups(lanes, writer, product, { batch: variables, swapped: product.swapped }, groupRange, {
              a: batchBase(f, f.parameter(0, "i32"), product.a, variables),
              b: batchBase(f, f.parameter(1, "i32"), product.b, variables),
            });
          });
        },
      },
    ],
    scratchBytes: 0,
  };
}

interface Bases {
  readonly a: Local<"i32">;
  readonly b: Local<"i32">;
}

/** The groups of columns of a task; the last may have fewer columns. */
function writeGroups(
  lanes: Lanes,
  writer: EpilogueWriter,
  product: Product,
  place: Place,
  [from, to]: readonly [I32, I32],
  bases: Bases,
): void {
  const { f } = lanes;
  const width = groupColumns(product);
  const whole = Math.floor(product.columns / width);
  const rest = product.columns % width;
  const group = f.local("i32");
  const column = f.local("i32");
  const end = typeof to === "number" ? Math.min(to, whole) : f.let(i32.select(i32.gtS(to, whole), whole, to));
  f.for(group, from, end, 1, () => {
    f.set(column, i32.mul(group, width));
    writeGroup(lanes, writer, product, place, bases, column, width);
  });
  if (rest === 0) return;
  const last = (): void => {
    f.set(column, i32.const(whole * width));
    writeGroup(lanes, writer, product, place, bases, column, rest);
  };
  if (typeof to === "number") last();
  else f.if(i32.gtS(to, whole), last);
}

function writeGroup(
  lanes: Lanes,
  writer: EpilogueWriter,
  { rows, columns: all, k, a, b }: Product,
  place: Place,
  bases: Bases,
  column: Local<"i32">,
  columns: number,
): void {
  const { f, f32 } = lanes;
  // The same for a last group of fewer columns, so that every element is summed alike.
  const streams = Math.max(1, Math.floor(chains / (rows * Math.min(all, 4))));
  const sums = Array.from({ length: streams }, () =>
    Array.from({ length: rows }, () => Array.from({ length: columns }, () => f.local("v128"))),
  );
  const zero = f32.constant(0) as Local<"v128">;
  for (const sum of sums.flat(2)) f.set(sum, zero);
  const [x, y] = [f.local("i32"), f.local("i32")];
  f.set(x, bases.a);
  f.set(y, i32.add(bases.b, i32.mul(column, b.line)));
  const held = Array.from({ length: rows }, () => f.local("v128"));
  const passing = f.local("v128");
  type Load = (address: Local<"i32">, offset: number) => V128;
  const loadRow = (r: number, load: Load, at: number): void =>
    f.set(held[r] as Local<"v128">, load(x, r * a.line + at * elementBytes));
  const add = (stream: number, r: number, c: number): void => {
    const sum = sums[stream]?.[r]?.[c] as Local<"v128">;
    f.set(sum, f32.madd(held[r] as Local<"v128">, passing, sum) as V128);
  };
  // Where registers do not suffice for all rows, columns are loaded anew for each row.
  const fits = rows * columns + rows + 1 <= registers;
  const step = (stream: number, load: Load, at: number): void => {
    const loadColumn = (c: number): void => f.set(passing, load(y, c * b.line + at * elementBytes));
    if (fits) {
      for (let r = 0; r < rows; r++) loadRow(r, load, at);
      for (let c = 0; c < columns; c++) {
        loadColumn(c);
        for (let r = 0; r < rows; r++) add(stream, r, c);
      }
      return;
    }
    for (let r = 0; r < rows; r++) {
      loadRow(r, load, at);
      for (let c = 0; c < columns; c++) {
        loadColumn(c);
        add(stream, r, c);
      }
    }
  };
  const unroll = Math.max(2, streams);
  forSteps(f, Math.floor(k / 4), unroll, (steps) => {
    for (let at = 0; at < steps; at++) step(at % streams, v128.load, 4 * at);
    for (const pointer of [x, y]) f.set(pointer, i32.add(pointer, 16 * steps));
  });
  if (k % 4 > 0) step(0, (address, offset) => loadLanes(lanes, address, offset, k % 4), 0);

  writer.begin(originAt(place, 0, column), vectorOf(place));
  for (let r = 0; r < rows; r++) {
    for (let first = 0; first < columns; first += 4) {
      const count = Math.min(4, columns - first);
      const totals = Array.from({ length: count }, (_, c) =>
        f.let(sums.map((stream) => stream[r]?.[first + c] as V128).reduce((total, sum) => f32x4.add(total, sum))),
      );
      const [c0, c1, c2, c3] = transpose(lanes, totals);
      const result = f.let(f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)));
      writer.write(addAt(place, r, first), count, result);
    }
  }
}
