/**
 * Source of a matrix product that reads its operands where they lie: for small products, and for those with so few rows
 * or columns that copying the other operand would cost more than it saves.
 */
import type { MatmulKernel } from "@thalweg/core/backend";
import type { EpilogueEmitter } from "../kernelSource.ts";
import { type Axis, blockLoops, countNames, countOf, evenAxis, fromNames, fromOf, isWhole, sumOf } from "./axis.ts";
import { finishSource } from "./finish.ts";
import { type Arguments, isIntegerKernel } from "./operands.ts";

/** Rows and columns that are summed at once: few enough for the registers, enough to hide the latency of additions. */
function tileOf(m: number, n: number): readonly [rows: number, columns: number] {
  if (m === 1) return [1, Math.min(n, 8)];
  if (n === 1) return [Math.min(m, 8), 1];
  if (m === 2) return [2, Math.min(n, 4)];
  if (n === 2) return [Math.min(m, 4), 2];
  return [3, 3];
}

/** Columns whose sums are collected before the epilogue runs over them. */
const columnBlock = 480;

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

interface TileSpec {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly kernel: MatmulKernel;
  readonly sumStride: number;
  readonly readA: (array: string, index: string) => string;
  readonly readB: (array: string, index: string) => string;
}

/** A function (a, b, p, q, to): the sums of a tile, p and q being where its operands start. */
function tileSource({ name, rows, columns, kernel, sumStride, readA, readB }: TileSpec): string {
  const integer = isIntegerKernel(kernel);
  const rank = kernel.batch.length;
  const { k, a, b } = kernel;
  const [rowStride, depthA] = a.strides.slice(rank) as [number, number];
  const [depthB, columnStride] = b.strides.slice(rank) as [number, number];
  // One or two sums alone would wait for each addition: four partial sums each, over every fourth term.
  const parts = rows * columns <= 2 && k >= 16 ? 4 : 1;
  const sum = (i: number, j: number, part: number) => `c${i}_${j}_${part}`;
  const multiplyAdd = (c: string, x: string, y: string) =>
    integer ? `${c} = ${c} + Math.imul(${x}, ${y}) | 0;` : `${c} += ${x} * ${y};`;
  const at = (base: string, offset: number) => (offset === 0 ? base : `${base} + ${offset} | 0`);
  const step = (part: number) => {
    const loads = range(rows).map(
      (i) => `const a${i}_${part} = ${readA("a", at("p", i * rowStride + part * depthA))};`,
    );
    const sums = range(columns).map((j) => {
      const load = `const b${j}_${part} = ${readB("b", at("q", j * columnStride + part * depthB))};`;
      const terms = range(rows).map((i) => multiplyAdd(sum(i, j, part), `a${i}_${part}`, `b${j}_${part}`));
      // Keeps V8 from computing all products before all sums, as in microKernel.ts.
      return `${load} ${terms.join(" ")}${rows * columns >= 9 && !integer ? " barrier[0] = 0;" : ""}`;
    });
    return [...loads, ...sums].join("\n");
  };
  const loop = (to: number, count: number) =>
    `for (; d < ${to}; d = d + ${count} | 0, p = p + ${count * depthA} | 0, q = q + ${count * depthB} | 0) {\n${range(count).map(step).join("\n")}\n}`;
  const whole = k - (k % parts);
  const tiles = range(rows).flatMap((i) => range(columns).map((j) => [i, j] as const));
  const total = (i: number, j: number) =>
    parts === 1 ? sum(i, j, 0) : `(${sum(i, j, 0)} + ${sum(i, j, 1)}) + (${sum(i, j, 2)} + ${sum(i, j, 3)})`;
  return `function ${name}(a, b, p, q, to) {
let ${tiles.flatMap(([i, j]) => range(parts).map((part) => `${sum(i, j, part)} = 0`)).join(", ")};
let d = 0;
${loop(whole, parts)}
${whole < k ? loop(k, 1) : ""}
${tiles.map(([i, j]) => `sums[${at("to", i * sumStride + j)}] = ${total(i, j)}${integer ? " | 0" : ""};`).join(" ")}
}`;
}

export function directSource(
  kernel: MatmulKernel,
  values: Arguments,
  emit: EpilogueEmitter,
): { readonly source: string; readonly usesUniforms: boolean } {
  const { batch, m, n, a, b, dtype, epilogue } = kernel;
  const rank = batch.length;
  const [arrayA, arrayB] = [values.array(a.buffer), values.array(b.buffer)];
  const [readA, readB] = [values.reader(a.buffer), values.reader(b.buffer)];
  const slots = epilogue.buffers.map((buffer) => values.array(buffer));
  const batchNames = batch.map((_, axis) => `batch${axis}`);
  const [tileRows, tileColumns] = tileOf(m, n);
  const columns: Axis = evenAxis("j", n, columnBlock, tileColumns);
  const stride = Math.min(columns.block, n);

  const finishParameters = [
    ...values.names,
    "uniforms",
    ...batchNames,
    "iFrom",
    "iCount",
    ...fromNames([columns]),
    ...countNames([columns]),
  ];
  const finish = finishSource({
    name: "finish",
    dtype,
    emit,
    slots,
    parameters: finishParameters,
    sums: "sums",
    variables: [
      ...batchNames.map((name) => ({ name })),
      { name: "i", loop: { count: "iCount", value: "iFrom + iStep | 0", stride: `${stride}` } },
      {
        name: "j",
        loop: { count: countOf(columns), value: isWhole(columns) ? "jStep" : "jFrom + jStep | 0", stride: "1" },
      },
    ],
  });

  const tiles = new Map<string, string>();
  const tile = (rows: number, width: number): string => {
    const name = `tile${rows}x${width}`;
    if (!tiles.has(name)) {
      tiles.set(name, tileSource({ name, rows, columns: width, kernel, sumStride: stride, readA, readB }));
    }
    return name;
  };
  const columnStride = b.strides[rank + 1] as number;
  const rowsOfTiles = (rows: number): string => {
    const call = (width: number) =>
      `${tile(rows, width)}(${arrayA}, ${arrayB}, startA + ${sumOf([[a.strides[rank] as number, "iFrom"]])} | 0, startB + ${sumOf([[columnStride, "j"]])} | 0, j);`;
    const rest = n % tileColumns;
    const count = countOf(columns);
    return `const iCount = ${rows};
let j = 0;
for (; (j + ${tileColumns - 1} | 0) < ${count}; j = j + ${tileColumns} | 0) ${call(tileColumns)}
${rest > 0 ? `if (j < ${count}) ${call(rest)}` : ""}
finish(${finishParameters.join(", ")});`;
  };
  const wholeRows = m - (m % tileRows);
  const body = `const startB = blockB + ${sumOf([[columnStride, fromOf(columns)]])} | 0;
${wholeRows > 0 ? `for (let iFrom = 0; iFrom < ${wholeRows}; iFrom = iFrom + ${tileRows} | 0) {\n${rowsOfTiles(tileRows)}\n}` : ""}
${m > wholeRows ? `{\nconst iFrom = ${wholeRows};\n${rowsOfTiles(m - wholeRows)}\n}` : ""}`;
  const start = (operand: typeof a) =>
    sumOf(
      batchNames.map((name, axis) => [operand.strides[axis] as number, name] as const),
      operand.offset,
    );
  const oneBatch = `const startA = ${start(a)};\nconst blockB = ${start(b)};\n${blockLoops([columns], `{\n${body}\n}`)}`;
  const loops = batchNames.reduceRight(
    (inner, name, axis) => `for (let ${name} = 0; ${name} < ${batch[axis]}; ${name} = ${name} + 1 | 0) {\n${inner}\n}`,
    m === 0 || n === 0 ? "" : oneBatch,
  );
  const parameters = [...values.names, ...(finish.usesUniforms ? ["uniforms"] : [])];
  const source = `(() => {
${values.comment}
const { c: sums } = $contractionScratch(0, 0, ${tileRows * stride}, 0);
const barrier = new Int32Array(1);
${values.declarations}
${[...tiles.values()].join("\n")}
${finish.source}
return function (${parameters.join(", ")}) {
${finish.usesUniforms ? "" : "const uniforms = undefined;"}
${loops}
};
})()`;
  return { source, usesUniforms: finish.usesUniforms };
}
