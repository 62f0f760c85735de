/** scatterAdd without atomic additions of floats: each element of the target has one thread, which adds in row-major order. */
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { CompiledKernel, KernelContext, KernelLaunch } from "../kernel/launch.ts";
import { storageTag } from "../source/index.ts";
import { bufferParameter, dtypeOf, indexFor } from "./element.ts";
import { addByOwners } from "./scatterOwners.ts";
import {
  countOf,
  manyColumns,
  offsetText,
  type ScatterAdd,
  type ScatterShape,
  scatterShape,
  scatterWay,
} from "./scatterShape.ts";
import { sumColumns, sumRuns } from "./scatterSums.ts";
import { sortRows } from "./sortRows.ts";

/** What the texts of all ways are written with. */
export interface ScatterTexts {
  readonly shape: ScatterShape;
  /** Types of device/storage.cuh. */
  readonly target: string;
  readonly source: string;
  /** Integer that counts elements of any operand. */
  readonly int: "int" | "long long";
  readonly parameters: { readonly [operand in "target" | "index" | "source" | "status"]: Parameter };
  /** The index at an offset of its buffer, checked. */
  readonly place: (offset: string) => string;
  readonly value: (offset: string) => string;
  /** Offsets from which the operands' strides count. */
  readonly indexFrom: number;
  readonly sourceFrom: number;
}

const headers = '#include "scatter.cuh"\n';
const threads = 256;
/** Blocks of the launch that checks indices; each thread checks several. */
const checkBlocks = 1024;

export function compileScatterAdd(kernel: ScatterAdd, context: KernelContext): CompiledKernel {
  if (kernel.shape.includes(0)) return { launches: [], scratchBytes: 0, counterBytes: 0 };
  const texts = textsOf(kernel, context);
  // What outlives the run must not be changed by halves: all indices are looked at before the first addition.
  const checked = context.program.buffers[kernel.target]?.kind !== "temporary";
  const { launches, scratchBytes } = addition(texts, checked ? { ...context, guarded: true } : context);
  return { launches: checked ? [checkAll(texts, context), ...launches] : launches, scratchBytes, counterBytes: 0 };
}

function textsOf(kernel: ScatterAdd, context: KernelContext): ScatterTexts {
  const { target, index, source, targetShape } = kernel;
  const { program } = context;
  const sizeOf = (buffer: number): number => program.buffers[buffer]?.size as number;
  const shape = scatterShape(kernel);
  const most = Math.max(...[target, index.buffer, source.buffer].map(sizeOf), countOf(shape.lanes) * shape.steps);
  const read = (buffer: number, name: string): Parameter => bufferParameter(context, buffer, name, "read", true);
  const status: Parameter = { type: "Status*", name: "status", argument: { kind: "status" } };
  const [ofTarget, ofSource, ofIndex] = [target, source.buffer, index.buffer].map((buffer) =>
    storageTag(dtypeOf(context, buffer)),
  ) as [string, string, string];
  return {
    shape,
    target: ofTarget,
    source: ofSource,
    int: indexFor(most),
    parameters: {
      target: bufferParameter(context, target, "target", "write", false),
      index: read(index.buffer, "index"),
      source: read(source.buffer, "source"),
      status,
    },
    place: (offset) => `(int)checkIndex(status, load<${ofIndex}>(index + (${offset})), ${targetShape[kernel.axis]})`,
    value: (offset) => `load<${ofSource}>(source + (${offset}))`,
    indexFrom: index.offset,
    sourceFrom: source.offset,
  };
}

function addition(texts: ScatterTexts, context: KernelContext): { launches: KernelLaunch[]; scratchBytes: number } {
  const { shape } = texts;
  const way = scatterWay(shape);
  if (way === "threads") return { launches: [addByThreads(texts, context)], scratchBytes: 0 };
  if (way === "warps") return { launches: [addByWarps(texts, context)], scratchBytes: 0 };
  if (way === "owners") return { launches: [addByOwners(texts, context)], scratchBytes: 0 };
  const rows = countOf(shape.groups);
  const wordBytes = Math.ceil((rows * shape.steps * 8) / 256) * 256;
  const words = (constant: boolean): Parameter => ({
    type: constant ? "const NarrowWord*" : "NarrowWord*",
    name: "words",
    argument: { kind: "scratch", offset: 0 },
    restrict: true,
  });
  const sorting = sortRows(
    {
      rows,
      size: shape.steps,
      wide: false,
      rowsAdjacent: false,
      index: texts.int,
      inputs: [texts.parameters.index, texts.parameters.status],
      key: (row, position) =>
        `(unsigned)${texts.place(`${texts.indexFrom} + ${offsetText(shape.groups, row, "index")} + (${texts.int})${position} * ${shape.index}`)}`,
      outputs: [words(false)],
      put: (row, position, word) => `words[(${texts.int})${row} * ${shape.steps} + ${position}] = ${word};`,
      scratchFrom: wordBytes,
    },
    context,
  );
  const sums = countOf(shape.columns) >= manyColumns ? sumColumns : sumRuns;
  return {
    launches: [...sorting.launches, sums(texts, words(true), context)],
    scratchBytes: wordBytes + sorting.scratchBytes,
  };
}

/** Only looks at the indices. */
function checkAll({ shape, int, place, parameters, indexFrom }: ScatterTexts, context: KernelContext): KernelLaunch {
  const all = countOf(shape.groups) * shape.steps;
  const grid = Math.min(checkBlocks, Math.ceil(all / threads));
  const body = `for (${int} i = (${int})blockIdx.x * ${threads} + threadIdx.x; i < ${all}; i += ${grid * threads}) {
const ${int} group = i / ${shape.steps};
${place(`${indexFrom} + ${offsetText(shape.groups, "group", "index")} + i % ${shape.steps} * ${shape.index}`)};
}`;
  return kernelLaunch({ parameters: [parameters.index, parameters.status], body, grid, block: threads }, context);
}

const laneText = ({ shape, int, indexFrom, sourceFrom }: ScatterTexts, lane: string): string =>
  `const ${int} lane = ${lane};
if (lane >= ${countOf(shape.lanes)}) return;
const ${int} targetAt = ${offsetText(shape.lanes, "lane", "target")};
const ${int} indexAt = ${indexFrom} + ${offsetText(shape.lanes, "lane", "index")};
const ${int} sourceAt = ${sourceFrom} + ${offsetText(shape.lanes, "lane", "source")};
`;

/** Four steps at a time, so that a thread does not wait for each addition's memory before it asks for the next. */
function addByThreads(texts: ScatterTexts, context: KernelContext): KernelLaunch {
  const { shape, int, target, parameters } = texts;
  const { steps, stride } = shape;
  const several = Math.min(4, steps);
  const rest = steps % several;
  const add = (count: number): string => `int to[${count}];
${target}::Compute values[${count}], sums[${count}];
#pragma unroll
for (int i = 0; i < ${count}; i++) to[i] = ${texts.place(`indexAt + (${int})(step + i) * ${shape.index}`)};
#pragma unroll
for (int i = 0; i < ${count}; i++) values[i] = ${texts.value(`sourceAt + (${int})(step + i) * ${shape.source}`)};
#pragma unroll
for (int i = 0; i < ${count}; i++) sums[i] = load<${target}>(target + targetAt + (${int})to[i] * ${stride});
#pragma unroll
for (int i = 0; i < ${count}; i++) {
#pragma unroll
for (int earlier = 0; earlier < i; earlier++) if (to[earlier] == to[i]) sums[i] = sums[earlier];
sums[i] = addStored<${target}>(sums[i], values[i]);
}
#pragma unroll
for (int i = 0; i < ${count}; i++) store<${target}>(target + targetAt + (${int})to[i] * ${stride}, sums[i]);`;
  const body = `${laneText(texts, `(${int})blockIdx.x * ${threads} + threadIdx.x`)}int step = 0;
for (; step < ${steps - rest}; step += ${several}) {
${add(several)}
}
${rest === 0 ? "" : `{\n${add(rest)}\n}\n`}`;
  return kernelLaunch(
    {
      parameters: Object.values(parameters),
      body,
      declarations: headers,
      grid: Math.ceil(countOf(shape.lanes) / threads),
      block: threads,
    },
    context,
  );
}

function addByWarps(texts: ScatterTexts, context: KernelContext): KernelLaunch {
  const { shape, int, target, parameters } = texts;
  const { steps, stride } = shape;
  const warps = threads / 32;
  // The next steps are read while these are added.
  const body = `${laneText(texts, `(${int})blockIdx.x * ${warps} + threadIdx.x / 32`)}const auto read = [&](int step, int& to, ${target}::Compute& value) {
to = -1;
value = 0;
if (step < ${steps}) {
to = ${texts.place(`indexAt + (${int})step * ${shape.index}`)};
value = ${texts.value(`sourceAt + (${int})step * ${shape.source}`)};
}
};
int to, nextTo;
${target}::Compute value, nextValue;
read(threadIdx.x % 32, to, value);
for (int first = 0; first < ${steps}; first += 32) {
read(first + 32 + threadIdx.x % 32, nextTo, nextValue);
addByWarp<${target}>(target + targetAt, to, ${stride}, value);
to = nextTo;
value = nextValue;
}`;
  return kernelLaunch(
    {
      parameters: Object.values(parameters),
      body,
      declarations: headers,
      grid: Math.ceil(countOf(shape.lanes) / warps),
      block: threads,
    },
    context,
  );
}
