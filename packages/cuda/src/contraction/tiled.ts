/** Products by tiles of our own: device/tile.cuh put together for given sizes, operands and epilogue. */
import { isExpensive, type Program } from "@thalweg/core/backend";
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { bodyParameters, cType, linear, vectorWidth, writeBody } from "../source/index.ts";
import type { Element } from "./element.ts";
import { loaderType, type OperandLoader, operandLoader } from "./operandLoader.ts";
import { batchSize, type Product, type Side } from "./product.ts";
import { batchNames, indexTypeOf, operandParameters } from "./productText.ts";
import type { Tiling } from "./tiling.ts";

/** How many neighbouring sums a thread continues with: no more than divide the columns, so that all exist. */
export function sumsTogether({ epilogue, columnVariable, columns }: Product, program: Program): number {
  const dtypes = epilogue.buffers.map((buffer) => program.buffers[buffer]?.dtype ?? "float32");
  let width = vectorWidth([epilogue.body], dtypes, columnVariable, columns);
  // Lanes of long functions would not leave registers for the sums that wait.
  if (epilogue.body.some(isExpensive)) width = Math.min(width, 4);
  while (columns % width !== 0) width /= 2;
  return width;
}

/** How often the loop over a tile's sums is unrolled: loads of several turns are then in flight together. */
const cheapUnroll = 2;

/** Where a scalar loader of a large tile keeps what it fetched, two blocks per multiprocessor leave too few registers. */
function residentsOf({ tile }: Tiling, loaders: readonly OperandLoader[]): number {
  const scalar = loaders.some(({ width }) => width === 1);
  return scalar ? Math.max(1, tile.residents / 2) : tile.residents;
}

export function compileTiled(
  product: Product,
  tiling: Tiling,
  element: Element,
  context: KernelContext,
): CompiledKernel {
  const { program } = context;
  const { tile, tileRows, tileColumns, parts, partDepth } = tiling;
  const { a, b, rows, columns, depth, epilogue, batch } = product;
  const index = indexTypeOf(product, program);
  const loaders = [operandLoader(a, rows, product), operandLoader(b, columns, product)] as const;
  const tiles = tileRows * tileColumns;
  const blocks = tiles * parts * batchSize(product);
  const { parameters, slots } = bodyParameters([epilogue.body], epilogue.buffers, program);
  const split = parts > 1;
  const width = sumsTogether(product, program);
  const { text: batchText, names } = batchNames(product, "element", index);

  const variables = [...names];
  variables[product.rowVariable] = "i";
  variables[product.columnVariable] = "j";
  const sumType = cType(product.dtype);
  const body = writeBody(
    epilogue.body,
    {
      variables,
      vector: { variable: product.columnVariable, width },
      slots,
      known: new Map(),
      accumulator: (lane) => `${sumType}(sum.v[${lane}])`,
      index,
    },
    "e",
  );
  const unroll = epilogue.body.some(isExpensive) ? 1 : cheapUnroll;

  const start = ({ offset, batch: strides, line, depth: along }: Side, first: string): string =>
    linear({ offset, strides: [...strides, line, along] }, [...names, first, split ? "firstDepth" : "0"], index);
  const partialBytes = tile.sums * tile.threads * element.sumBytes;
  const text = [
    "__shared__ __align__(128) unsigned char shared[Core::SHARED_BYTES];",
    `const unsigned tile = blockIdx.x % ${tiles}u;`,
    split ? `const int part = (int)(blockIdx.x / ${tiles}u % ${parts}u);` : "",
    batch.length > 0 ? `const unsigned element = blockIdx.x / ${tiles * parts}u;` : "",
    batchText,
    "int tileRow, tileColumn;",
    `tileAt((int)tile, ${tileRows}, ${tileColumns}, tileRow, tileColumn);`,
    `const ${index} firstRow = tileRow * Core::BM, firstColumn = tileColumn * Core::BN;`,
    split
      ? `const ${index} firstDepth = part * ${partDepth};\nconst int depth = ${depth} - firstDepth < ${partDepth} ? (int)(${depth} - firstDepth) : ${partDepth};`
      : `const int depth = ${depth};`,
    `const int rows = (int)(${rows} - firstRow), columns = (int)(${columns} - firstColumn);`,
    "Core core;",
    `${loaderType("Core::TileA", a, loaders[0], index)} a(left + (${start(a, "firstRow")}), rows, depth);`,
    `${loaderType("Core::TileB", b, loaders[1], index)} b(right + (${start(b, "firstColumn")}), columns, depth);`,
    "multiplyTiles(core, a, b, (depth + Core::DEPTH - 1) / Core::DEPTH, shared);",
    split
      ? `const unsigned place = blockIdx.x / ${tiles * parts}u * ${tiles}u + tile;
if (!combineParts(core, partials + (long long)place * (${parts} * Core::SUMS * Core::THREADS), tickets + place, part, ${parts}, shared)) return;`
      : "",
    `eachSum<${width}, ${unroll}>(core, shared, rows, columns, [&](int row, int column, const Vec<Core::Accumulator, ${width}>& sum) {`,
    `const ${index} i = firstRow + row, j = firstColumn + column;`,
    body,
    "});",
  ];
  const splitParameters: Parameter[] = split
    ? [
        { type: "Core::Accumulator*", name: "partials", argument: { kind: "scratch", offset: 0 } },
        { type: "unsigned*", name: "tickets", argument: { kind: "counters", offset: 0 } },
      ]
    : [];
  const launch = kernelLaunch(
    {
      declarations: `#include "tile.cuh"\nusing Core = ${tile.core(loaders[0].alongDepth, loaders[1].alongDepth)};\n`,
      parameters: [...operandParameters(product, program), ...splitParameters, ...parameters],
      body: text.filter((line) => line !== "").join("\n"),
      grid: blocks,
      block: tile.threads,
      minimumBlocks: residentsOf(tiling, loaders),
    },
    context,
  );
  return {
    launches: [launch],
    scratchBytes: split ? blocks * partialBytes : 0,
    counterBytes: split ? tiles * batchSize(product) * 4 : 0,
  };
}
