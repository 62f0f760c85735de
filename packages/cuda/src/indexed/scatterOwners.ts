/** A scatterAdd of many columns and few steps in one launch: what sorting would tell, each block finds out by looking. */
import { kernelLaunch } from "../kernel/kernelLaunch.ts";
import type { KernelContext, KernelLaunch } from "../kernel/launch.ts";
import type { ScatterTexts } from "./scatterAdd.ts";
import { countOf, offsetText, ownerThreads } from "./scatterShape.ts";

const headers = '#include "scatter.cuh"\n';
/** Steps that a thread reads before it adds them. */
const together = 4;

/** A block for every step: the first that goes to a place adds all that do, a thread for each column. */
export function addByOwners(texts: ScatterTexts, context: KernelContext): KernelLaunch {
  const { shape, int, target, parameters } = texts;
  const { steps, stride, groups, columns } = shape;
  const all = countOf(columns);
  const threads = ownerThreads(shape);
  const warps = threads / 32;
  const place = (step: string): string => texts.place(`indexAt + (${int})(${step}) * ${shape.index}`);
  const body = `__shared__ int members[${threads}];
__shared__ int counts[${warps}];
const ${int} group = blockIdx.x / ${steps};
const int first = (int)(blockIdx.x % ${steps});
const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
const ${int} indexAt = ${texts.indexFrom} + ${offsetText(groups, "group", "index")};
const int to = ${place("first")};
bool earlier = false;
for (int step = threadIdx.x; step < first; step += ${threads}) earlier = earlier || ${place("step")} == to;
if (__syncthreads_or(earlier)) return;
const ${int} column = (${int})blockIdx.y * ${threads} + threadIdx.x;
const bool exists = column < ${all};
${target}::Storage* own = target + (${offsetText(groups, "group", "target")} + ${offsetText(columns, "column", "target")} + (${int})to * ${stride});
const ${int} sourceAt = ${texts.sourceFrom} + ${offsetText(groups, "group", "source")} + ${offsetText(columns, "column", "source")};
${target}::Compute sum = 0;
if (exists) sum = load<${target}>(own);
for (int begin = first; begin < ${steps}; begin += ${threads}) {
const int step = begin + threadIdx.x;
bool same = false;
if (step < ${steps}) same = ${place("step")} == to;
const unsigned equal = __ballot_sync(0xffffffffu, same);
if (lane == 0) counts[warp] = __popc(equal);
__syncthreads();
int before = __popc(equal & ((1u << lane) - 1u)), count = 0;
#pragma unroll
for (int i = 0; i < ${warps}; i++) {
if (i < warp) before += counts[i];
count += counts[i];
}
if (same) members[before] = step;
__syncthreads();
if (!exists) continue;
for (int next = 0; next < count; next += ${together}) {
${target}::Compute values[${together}];
#pragma unroll
for (int i = 0; i < ${together}; i++) {
values[i] = 0;
if (next + i < count) values[i] = ${texts.value(`sourceAt + (${int})members[next + i] * ${shape.source}`)};
}
#pragma unroll
for (int i = 0; i < ${together}; i++) if (next + i < count) sum = addStored<${target}>(sum, values[i]);
}
}
if (exists) store<${target}>(own, sum);`;
  return kernelLaunch(
    {
      parameters: Object.values(parameters),
      body,
      declarations: headers,
      grid: [countOf(groups) * steps, Math.ceil(all / threads), 1],
      block: threads,
    },
    context,
  );
}
