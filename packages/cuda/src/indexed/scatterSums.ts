/** The sums of a scatterAdd whose indices were sorted: a run of equal ones is a place of the target and its steps in order. */
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { KernelContext, KernelLaunch } from "../kernel/launch.ts";
import type { ScatterTexts } from "./scatterAdd.ts";
import { countOf, offsetText } from "./scatterShape.ts";

const headers = '#include "sort.cuh"\n#include "scatter.cuh"\n';
/** Steps of a run that a thread reads before it adds them. */
const together = 8;
const mostBlocksAcross = 65535;

const parametersOf = ({ parameters }: ScatterTexts, words: Parameter): Parameter[] => [
  parameters.target,
  parameters.source,
  words,
];

/** A block for every sorted word; those at the beginning of a run add its steps, a thread for each column. */
export function sumColumns(texts: ScatterTexts, words: Parameter, context: KernelContext): KernelLaunch {
  const { shape, int, target } = texts;
  const { steps, stride, groups, columns } = shape;
  const all = countOf(columns);
  const threads = Math.min(256, Math.ceil(all / 32) * 32);
  const across = Math.min(mostBlocksAcross, Math.ceil(all / threads));
  const sourceAt = `${texts.sourceFrom} + ${offsetText(groups, "group", "source")} + ${offsetText(columns, "column", "source")}`;
  const body = `const ${int} group = blockIdx.x / ${steps};
const int first = (int)(blockIdx.x % ${steps});
const NarrowWord* row = words + group * ${steps};
const unsigned to = row[first].key();
if (first > 0 && row[first - 1].key() == to) return;
for (${int} column = (${int})blockIdx.y * ${threads} + threadIdx.x; column < ${all}; column += ${across * threads}) {
${target}::Storage* place = target + (${offsetText(groups, "group", "target")} + ${offsetText(columns, "column", "target")} + (${int})to * ${stride});
const ${int} sourceAt = ${sourceAt};
${target}::Compute sum = load<${target}>(place);
for (int next = first; next < ${steps}; next += ${together}) {
NarrowWord run[${together}];
${target}::Compute values[${together}];
#pragma unroll
for (int i = 0; i < ${together}; i++) run[i] = next + i < ${steps} ? row[next + i] : NarrowWord::last();
#pragma unroll
for (int i = 0; i < ${together}; i++) {
values[i] = 0;
if (run[i].key() == to) values[i] = ${texts.value(`sourceAt + (${int})run[i].position() * ${shape.source}`)};
}
#pragma unroll
for (int i = 0; i < ${together}; i++) if (run[i].key() == to) sum = addStored<${target}>(sum, values[i]);
if (run[${together - 1}].key() != to) break;
}
store<${target}>(place, sum);
}`;
  return kernelLaunch(
    {
      parameters: parametersOf(texts, words),
      body,
      declarations: headers,
      grid: [countOf(groups) * steps, across, 1],
      block: threads,
      minimumBlocks: 4,
    },
    context,
  );
}

/**
 * A warp for 32 sorted words: the lane where a run begins adds what its neighbours have read. The run that goes on behind the
 * last word is added by the whole warp, up to its end.
 */
export function sumRuns(texts: ScatterTexts, words: Parameter, context: KernelContext): KernelLaunch {
  const { shape, int, target } = texts;
  const { steps, stride, groups, columns } = shape;
  const windows = Math.ceil(steps / 32);
  const warps = countOf(groups) * windows;
  const perBlock = 8;
  const sourceAt = `${texts.sourceFrom} + ${offsetText(groups, "group", "source")} + ${offsetText(columns, "column", "source")}`;
  const value = (word: string): string => texts.value(`sourceAt + (${int})${word}.position() * ${shape.source}`);
  const body = `const ${int} warp = (${int})blockIdx.x * ${perBlock} + threadIdx.x / 32;
if (warp >= ${warps}) return;
const ${int} group = warp / ${windows};
const int begin = (int)(warp % ${windows}) * 32;
const int lane = threadIdx.x % 32;
const NarrowWord* row = words + group * ${steps};
const bool exists = begin + lane < ${steps};
const NarrowWord word = exists ? row[begin + lane] : NarrowWord::last();
const unsigned to = word.key();
unsigned before = __shfl_up_sync(0xffffffffu, to, 1);
if (lane == 0) before = begin == 0 ? NarrowWord::last().key() : row[begin - 1].key();
const bool starts = exists && to != before;
const unsigned firsts = __ballot_sync(0xffffffffu, starts);
if (firsts == 0) return;
const unsigned above = firsts & ~((2u << lane) - 1u);
const int end = above != 0 ? __ffs((int)above) - 1 : min(32, ${steps} - begin);
const int length = starts ? end - lane : 0;
const int last = 31 - __clz((int)firsts);
const unsigned open = __shfl_sync(0xffffffffu, to, last);
for (int column = 0; column < ${countOf(columns)}; column++) {
const ${int} sourceAt = ${sourceAt};
${target}::Storage* place = target + (${offsetText(groups, "group", "target")} + ${offsetText(columns, "column", "target")} + (${int})to * ${stride});
${target}::Compute value = 0;
if (exists) value = ${value("word")};
${target}::Compute sum = 0;
if (starts) sum = load<${target}>(place);
for (int turn = 0; __any_sync(0xffffffffu, turn < length); turn++) {
const ${target}::Compute other = __shfl_sync(0xffffffffu, value, (lane + turn) % 32);
if (turn < length) sum = addStored<${target}>(sum, other);
}
${target}::Compute whole = __shfl_sync(0xffffffffu, sum, last);
for (int next = begin + 32; next < ${steps}; next += 32) {
const NarrowWord more = next + lane < ${steps} ? row[next + lane] : NarrowWord::last();
const bool same = more.key() == open;
const int count = __popc(__ballot_sync(0xffffffffu, same));
value = 0;
if (same) value = ${value("more")};
for (int turn = 0; turn < count; turn++) whole = addStored<${target}>(whole, __shfl_sync(0xffffffffu, value, turn));
if (count < 32) break;
}
if (starts) store<${target}>(place, lane == last ? whole : sum);
}`;
  return kernelLaunch(
    {
      parameters: parametersOf(texts, words),
      body,
      declarations: headers,
      grid: Math.ceil(warps / perBlock),
      block: 32 * perBlock,
    },
    context,
  );
}
