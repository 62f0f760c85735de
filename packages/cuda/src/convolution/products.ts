/** A form of a convolution by tiles: device/tile.cuh put together with the loaders of device/convolution.cuh. */
import { type ConvolutionKernel, type DType, isExpensive, mayOverlap } from "@thalweg/core/backend";
import { type Element, elementOf } from "../contraction/element.ts";
import { mayShareSums } from "../contraction/productText.ts";
import { chooseTiling } from "../contraction/tiling.ts";
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { bodyParameters, type IndexType, storageType } from "../source/index.ts";
import { epilogueText, sumsTogether } from "./epilogue.ts";
import type { ConvolutionForm } from "./form.ts";
import { windowsType } from "./gather.ts";
import { tapForm } from "./taps.ts";

/** What the convolution's two operands and its epilogue are as parameters. */
export function operandParameters(kernel: ConvolutionKernel, context: KernelContext): Parameter[] {
  const { program } = context;
  const { body, buffers } = kernel.epilogue;
  const stored = body.flatMap((instruction) =>
    instruction.op === "store" ? [buffers[instruction.slot] as number] : [],
  );
  return (["a", "b"] as const).map((which) => ({
    type: `const ${storageType(program.buffers[kernel[which]]?.dtype as DType)}*`,
    name: which === "a" ? "columnsFrom" : "rowsFrom",
    argument: { kind: "buffer", buffer: kernel[which] },
    restrict: !stored.some((buffer) => mayOverlap(program, buffer, kernel[which])),
  }));
}

export function multiplyForm(
  kernel: ConvolutionKernel,
  plain: ConvolutionForm,
  index: IndexType,
  context: KernelContext,
): CompiledKernel {
  const { program, target } = context;
  const { epilogue, geometry } = kernel;
  const element: Element = elementOf(
    {
      dtype: kernel.dtype,
      a: { dtype: program.buffers[kernel.a]?.dtype as DType },
      b: { dtype: program.buffers[kernel.b]?.dtype as DType },
    },
    target,
  );
  const { groups } = geometry;
  const byTaps = tapForm(kernel, plain, element, index, context);
  const form = byTaps?.form ?? plain;
  const { rows, columns, depth, gather, a, b } = form;
  const { tile, tileRows, tileColumns, parts, partDepth } = chooseTiling(
    { batch: groups, rows, columns, depth: Math.max(1, depth) },
    element,
    target,
    mayShareSums(epilogue.body, context),
  );
  const tiles = tileRows * tileColumns;
  const { parameters, slots } = bodyParameters([epilogue.body], epilogue.buffers, program);
  const width = sumsTogether(kernel, form, context);
  const split = parts > 1;
  const unroll = epilogue.body.some(isExpensive) ? 1 : 2;
  const text = `__shared__ __align__(128) unsigned char shared[Core::SHARED_BYTES];
const unsigned tile = blockIdx.x % ${tiles}u;
const ${index} group = blockIdx.x / ${tiles * parts}u;
const int part = (int)(blockIdx.x / ${tiles}u % ${parts}u);
int tileRow, tileColumn;
tileAt((int)tile, ${tileRows}, ${tileColumns}, tileRow, tileColumn);
const int firstRow = tileRow * Core::BM, firstColumn = tileColumn * Core::BN;
const int rows = ${rows} - firstRow, columns = ${columns} - firstColumn;
const int firstDepth = part * ${partDepth};
const int endDepth = ${depth} - firstDepth < ${partDepth} ? ${depth} : firstDepth + ${partDepth};
Core core;
${a.type("Core::TileA", "Core::THREADS")} a(${a.args("firstRow", "rows", "firstDepth", "endDepth")});
${b.type("Core::TileB", "Core::THREADS")} b(${b.args("firstColumn", "columns", "firstDepth", "endDepth")});
multiplyTiles(core, a, b, (endDepth - firstDepth + Core::DEPTH - 1) / Core::DEPTH, shared);
${
  split
    ? `const unsigned own = (unsigned)group * ${tiles}u + tile;
if (!combineParts(core, partials + (long long)own * (${parts} * Core::SUMS * Core::THREADS), tickets + own, part, ${parts}, shared)) return;
`
    : ""
}eachSum<${width}, ${unroll}>(core, shared, rows, columns, [&](int tileRow, int tileColumn, const Vec<Core::Accumulator, ${width}>& sum) {
const ${index} row = firstRow + tileRow, column = firstColumn + tileColumn;
${epilogueText(kernel, form, index, slots, width, (lane) => `sum.v[${lane}]`)}
});`;
  const weightBytes = byTaps?.weightBytes ?? 0;
  const splitParameters: Parameter[] = [
    { type: "Core::Accumulator*", name: "partials", argument: { kind: "scratch", offset: weightBytes } },
    { type: "unsigned*", name: "tickets", argument: { kind: "counters", offset: 0 } },
  ];
  const blocks = tiles * parts * groups;
  const operands = operandParameters(kernel, context).map((parameter): Parameter => {
    const ordered = byTaps && parameter.name === "rowsFrom";
    return ordered ? { ...parameter, argument: { kind: "scratch", offset: 0 }, restrict: true } : parameter;
  });
  const launch = kernelLaunch(
    {
      declarations: `#include "convolution.cuh"
using Core = ${tile.core(a.alongDepth, b.alongDepth)};
using Geometry = ${windowsType(gather)};
`,
      parameters: [...operands, ...(split ? splitParameters : []), ...parameters],
      body: text,
      grid: blocks,
      block: tile.threads,
      // Registers for what loaders keep: a large tile has most of a multiprocessor to itself.
      minimumBlocks: tile.threads > 128 ? 1 : element.tensor ? 3 : 4,
    },
    context,
  );
  return {
    launches: byTaps ? [byTaps.prepare, launch] : [launch],
    scratchBytes: weightBytes + (split ? blocks * tile.sums * tile.threads * element.sumBytes : 0),
    counterBytes: split ? tiles * groups * 4 : 0,
  };
}
