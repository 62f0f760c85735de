/** Products with few rows (or few columns, seen the other way round): device/fewRows.cuh put together. */
import type { DType } from "@thalweg/core/backend";
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { bodyParameters, cType, indexLiteral, linear, storageTag, writeBody } from "../source/index.ts";
import type { Target } from "../target.ts";
import { type OperandLoader, operandLoader } from "./operandLoader.ts";
import { batchSize, type Product, swapped } from "./product.ts";
import { batchNames, indexTypeOf, operandParameters } from "./productText.ts";

/** More rows than this are better multiplied by tiles. */
const mostRows = 8;
/** Elements of the large operand, and steps of k, from which it pays. */
const leastElements = 1 << 14;
const leastDepth = 32;

const threads = 256;
const warps = threads / 32;
/** Steps that a thread takes at least, where k is divided over blocks. */
const stepsPerPart = 8;

/** Bytes of shared memory that need not be asked for, but for a few numbers that the block shares. */
const mostShared = 47 * 1024;

interface Plan {
  readonly product: Product;
  /** How the large operand is read, and whether the small one has neighbours along k side by side, too. */
  readonly large: OperandLoader;
  readonly together: boolean;
  /** Columns of a block. */
  readonly columns: number;
  /** Columns of a warp, where lines lie along k. */
  readonly warpColumns: number;
  readonly parts: number;
  readonly partDepth: number;
}

/** Columns of a thread whose sums, of all warps, fit into shared memory. */
function widest(rows: number, { dtype }: Product): number {
  const sums = mostShared / (threads * rows * (dtype === "float64" ? 8 : 4));
  return 2 ** Math.floor(Math.log2(sums));
}

/** Undefined where tiles are the better way. `mayShare`: several blocks may share a sum. */
export function planFewRows(given: Product, target: Target, mayShare = true): Plan | undefined {
  const product = given.rows <= given.columns ? given : swapped(given);
  const { rows, columns, depth, a, b } = product;
  if (rows > mostRows || columns * depth < leastElements || depth < leastDepth) return undefined;
  const read = operandLoader(b, columns, product);
  const large = read.alongDepth ? read : { ...read, width: Math.min(read.width, widest(rows, product)) };
  if ((large.alongDepth ? b.depth : b.line) !== 1) return undefined;
  const small = operandLoader(a, rows, product);
  const together = large.alongDepth && small.alongDepth && small.width >= large.width && a.depth === 1;
  const warpColumns = rows <= 4 ? 4 : 2;
  const perBlock = large.alongDepth ? warps * warpColumns : 32 * large.width;
  const blocks = Math.ceil(columns / perBlock) * batchSize(product);
  const step = large.alongDepth ? 32 * large.width : warps;
  const most = Math.floor(depth / (step * stepsPerPart));
  const wanted = mayShare ? Math.max(1, Math.min(most, Math.ceil((2 * target.multiprocessors) / blocks))) : 1;
  const partDepth = Math.ceil(Math.ceil(depth / wanted) / step) * step;
  return { product, large, together, columns: perBlock, warpColumns, parts: Math.ceil(depth / partDepth), partDepth };
}

const elementTypes: Record<Product["dtype"], string> = {
  float32: "FloatElement",
  float64: "DoubleElement",
  int32: "WordElement",
  uint32: "WordElement",
  bool: "WordElement",
};

export function compileFewRows(plan: Plan, context: KernelContext): CompiledKernel {
  const { program } = context;
  const { product, large, together, columns: perBlock, warpColumns, parts, partDepth } = plan;
  const { rows, columns, depth, a, b, epilogue, batch } = product;
  const index = indexTypeOf(product, program);
  const { parameters, slots } = bodyParameters([epilogue.body], epilogue.buffers, program);
  const { text: batchText, names } = batchNames(product, "element", index);
  const columnBlocks = Math.ceil(columns / perBlock);
  const blocks = columnBlocks * parts * batchSize(product);
  const split = parts > 1;
  const element = elementTypes[product.dtype];
  const tag = (dtype: DType): string => storageTag(dtype);
  const strides = (...values: readonly number[]): string[] => values.map((value) => indexLiteral(value, index));

  const variables = [...names];
  variables[product.rowVariable] = "i";
  variables[product.columnVariable] = "j";
  const sumType = cType(product.dtype);
  const body = writeBody(
    epilogue.body,
    { variables, slots, known: new Map(), accumulator: () => `${sumType}(sum)`, index },
    "e",
  );
  const first = split ? "firstDepth" : "0";
  const left = linear({ offset: a.offset, strides: [...a.batch, a.depth] }, [...names, first], index);
  const right = linear(
    { offset: b.offset, strides: [...b.batch, b.line, b.depth] },
    [...names, "firstColumn", first],
    index,
  );
  const combine = split
    ? `const unsigned place = blockIdx.x / ${columnBlocks * parts}u * ${columnBlocks}u + block;
if (!combineParts(core, partials + (long long)place * (${parts} * Core::SUMS * Core::THREADS), tickets + place, part, ${parts}, shared)) return;`
    : "";
  const text = [
    `const unsigned block = blockIdx.x % ${columnBlocks}u;`,
    split ? `const int part = (int)(blockIdx.x / ${columnBlocks}u % ${parts}u);` : "",
    batch.length > 0 ? `const unsigned element = blockIdx.x / ${columnBlocks * parts}u;` : "",
    batchText,
    split
      ? `const ${index} firstDepth = part * ${partDepth};\nconst int depth = ${depth} - firstDepth < ${partDepth} ? (int)(${depth} - firstDepth) : ${partDepth};`
      : `const int depth = ${depth};`,
  ];
  let core: string;
  if (large.alongDepth) {
    core = `ThreadSums<${element}::Compute, 1, ${threads}>`;
    const types = [element, tag(a.dtype), tag(b.dtype), rows, warpColumns, large.width, together, index];
    text.push(
      split ? "__shared__ __align__(16) unsigned char shared[16];" : "",
      "const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;",
      `${index} firstColumn = (${index})block * ${perBlock} + warp * ${warpColumns};`,
      // A warp past the end reads the last columns again: every thread has to come to the barriers.
      `const int columns = firstColumn < ${columns} ? (int)(${columns} - firstColumn) : 0;`,
      `if (columns == 0) firstColumn = ${columns - 1};`,
      "Core core;",
      `core.sums[0] = sumAlongDepth<${[...types, ...strides(a.line, a.depth, b.line)].join(", ")}>(left + (${left}), right + (${right}), columns, depth);`,
      combine,
      `const int row = lane / ${warpColumns}, column = lane % ${warpColumns};`,
      `if (row < ${rows} && column < columns) {`,
      `const Core::Accumulator sum = core.sums[0];`,
      `const ${index} i = row, j = firstColumn + column;`,
      body,
      "}",
    );
  } else {
    const types = [element, tag(a.dtype), tag(b.dtype), rows, large.width, warps, index];
    core = `LineSums<${[...types, ...strides(a.line, a.depth, b.depth)].join(", ")}>`;
    text.push(
      "__shared__ __align__(16) unsigned char shared[Core::SHARED_BYTES];",
      `const ${index} firstColumn = (${index})block * ${perBlock};`,
      `const int columns = ${columns} - firstColumn < ${perBlock} ? (int)(${columns} - firstColumn) : ${perBlock};`,
      `Core core(left + (${left}), right + (${right}), columns, depth, shared);`,
      combine,
      "#pragma unroll",
      "for (int s = 0; s < Core::SUMS; s++) {",
      "const int place = s * Core::THREADS + (int)threadIdx.x;",
      "const int row = place / Core::COLUMNS, column = place % Core::COLUMNS;",
      `if (row >= ${rows} || column >= columns) continue;`,
      "const Core::Accumulator sum = core.sums[s];",
      `const ${index} i = row, j = firstColumn + column;`,
      body,
      "}",
    );
  }
  const splitParameters: Parameter[] = split
    ? [
        { type: "Core::Accumulator*", name: "partials", argument: { kind: "scratch", offset: 0 } },
        { type: "unsigned*", name: "tickets", argument: { kind: "counters", offset: 0 } },
      ]
    : [];
  const launch = kernelLaunch(
    {
      declarations: `#include "fewRows.cuh"\nusing Core = ${core};\n`,
      parameters: [...operandParameters(product, program), ...splitParameters, ...parameters],
      body: text.filter((line) => line !== "").join("\n"),
      grid: blocks,
      block: threads,
    },
    context,
  );
  const sums = large.alongDepth ? 1 : Math.ceil((rows * large.width) / warps);
  const sumBytes = product.dtype === "float64" ? 8 : 4;
  return {
    launches: [launch],
    scratchBytes: split ? blocks * sums * threads * sumBytes : 0,
    counterBytes: split ? columnBlocks * batchSize(product) * 4 : 0,
  };
}
