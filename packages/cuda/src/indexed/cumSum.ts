/**
 * cumSum: long rows are cut into chunks. First every chunk's sum, then what comes before each chunk, then the running sums:
 * the input is read twice, which is less than waiting for one row's blocks one after another. float32 is summed in float64,
 * whose errors stay below one rounding of the result.
 */
import { computeDType, type IndexedKernel } from "@thalweg/core/backend";
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { CompiledKernel, KernelContext, KernelLaunch } from "../kernel/launch.ts";
import { storageTag } from "../source/index.ts";
import { bufferParameter, dtypeOf, indexFor } from "./element.ts";

type CumSum = Extract<IndexedKernel, { kind: "cumSum" }>;

const headers = '#include "scan.cuh"\n';
const blockThreads = 256;
/** Elements that a thread takes at once. */
const each = 4;
/** Threads that keep a device busy; more are not made by cutting rows. */
const enoughThreads = 1 << 16;
/** Elements of a column below which it is not cut further. */
const leastColumn = 64;
/** Elements of a row that one block scans by itself, and of which its chunks are multiples. */
const rowUnit = blockThreads * each;
const leastRow = 4 * rowUnit;

export function compileCumSum(kernel: CumSum, context: KernelContext): CompiledKernel {
  const { outer, size, inner } = kernel;
  if (outer * size * inner === 0) return { launches: [], scratchBytes: 0, counterBytes: 0 };
  const plan = inner === 1 ? rowPlan(kernel, context) : columnPlan(kernel, context);
  const { lanes, chunks } = plan;
  if (chunks === 1) return { launches: [plan.scan([])], scratchBytes: 0, counterBytes: 0 };
  const sums: Parameter = {
    type: `${plan.sum}*`,
    name: "sums",
    argument: { kind: "scratch", offset: 0 },
    restrict: true,
  };
  return {
    launches: [plan.total([sums]), scanChunks(plan, sums, context), plan.scan([sums])],
    scratchBytes: lanes * chunks * (plan.sum === "double" ? 8 : 4),
    counterBytes: 0,
  };
}

interface Plan {
  /** Rows or columns, each summed by itself. */
  readonly lanes: number;
  readonly chunks: number;
  /** Type of sums. */
  readonly sum: "double" | "unsigned";
  /** Writes the sum of every chunk. */
  total(sums: readonly Parameter[]): KernelLaunch;
  /** Writes the running sums; with more than one chunk, `sums` holds what comes before each. */
  scan(sums: readonly Parameter[]): KernelLaunch;
}

/** From sums of chunks to what comes before each, a block for every lane. */
function scanChunks({ lanes, chunks, sum }: Plan, sums: Parameter, context: KernelContext): KernelLaunch {
  const body = `${sum}* own = sums + (long long)blockIdx.x * ${chunks};
${sum} start = 0;
for (int first = 0; first < ${chunks}; first += ${rowUnit}) {
const int at = first + threadIdx.x * ${each};
${sum} values[${each}];
${sum} together = 0;
#pragma unroll
for (int i = 0; i < ${each}; i++) {
values[i] = at + i < ${chunks} ? own[at + i] : ${sum}(0);
together += values[i];
}
${sum} total;
${sum} before = start + sumBeforeThread<${blockThreads}>(together, total);
#pragma unroll
for (int i = 0; i < ${each}; i++) {
if (at + i < ${chunks}) own[at + i] = before;
before += values[i];
}
start += total;
}`;
  return kernelLaunch({ parameters: [sums], body, declarations: headers, grid: lanes, block: blockThreads }, context);
}

interface Texts {
  readonly input: string;
  readonly output: string;
  readonly sum: Plan["sum"];
  /** Statement that stores the sum. */
  readonly store: (at: string, value: string) => string;
  readonly load: (at: string) => string;
  readonly source: Parameter;
  readonly target: Parameter;
}

function textsOf(kernel: CumSum, context: KernelContext): Texts {
  const [from, to] = [dtypeOf(context, kernel.input), dtypeOf(context, kernel.output)];
  const [input, output] = [storageTag(from), storageTag(to)];
  const sum = computeDType(from).startsWith("float") ? "double" : "unsigned";
  return {
    input,
    output,
    sum,
    load: (at) => `(${sum})load<${input}>(input + (${at}))`,
    store: (at, value) => `store<${output}>(output + (${at}), (${output}::Compute)(${value}));`,
    source: bufferParameter(context, kernel.input, "input", "read", true),
    target: bufferParameter(context, kernel.output, "output", "write", true),
  };
}

/** inner = 1: a row's neighbours belong to neighbouring threads, those of a warp for short rows, else of a block. */
function rowPlan(kernel: CumSum, context: KernelContext): Plan {
  const { outer, size } = kernel;
  const texts = textsOf(kernel, context);
  const { sum, input, output } = texts;
  const { multiprocessors } = context.target;
  // Four blocks of rows to a multiprocessor keep the memory busy; with fewer rows, chunks make up for it.
  const most = Math.max(leastRow, Math.ceil((outer * size) / (16 * multiprocessors)));
  const wanted = outer >= 4 * multiprocessors ? 1 : Math.ceil(size / most);
  const chunk = wanted === 1 ? size : Math.ceil(size / wanted / rowUnit) * rowUnit;
  const chunks = Math.ceil(size / chunk);
  const threads = chunk <= 4 * 32 * each ? 32 : blockThreads;
  const groups = outer * chunks;
  const perBlock = blockThreads / threads;
  const index = indexFor(outer * size);
  const vector = size % each === 0;
  const head = `const ${index} group = (${index})blockIdx.x * ${perBlock} + threadIdx.x / ${threads};
if (group >= ${groups}) return;
const ${index} row = group / ${chunks};
const ${index} begin = row * ${size};
const ${index} from = group % ${chunks} * ${chunk};
const ${index} to = from + ${chunk} < ${size} ? from + ${chunk} : ${size};
const int thread = threadIdx.x % ${threads};
`;
  const read = vector
    ? `const Vec<${input}::Compute, ${each}> values = loadVector<${input}, ${each}>(input + begin + at, to - at);`
    : `Vec<${input}::Compute, ${each}> values;
#pragma unroll
for (int i = 0; i < ${each}; i++) values.v[i] = at + i < to ? load<${input}>(input + begin + at + i) : ${input}::Compute(0);`;
  const write = vector
    ? `storeVector<${output}, ${each}>(output + begin + at, sums, to - at);`
    : `#pragma unroll
for (int i = 0; i < ${each}; i++) if (at + i < to) store<${output}>(output + begin + at + i, sums.v[i]);`;
  const add = `${sum} together = 0;
#pragma unroll
for (int i = 0; i < ${each}; i++) together += (${sum})values.v[i];`;
  const launch = (parameters: readonly Parameter[], body: string): KernelLaunch =>
    kernelLaunch(
      {
        parameters,
        body: head + body,
        declarations: headers,
        grid: Math.ceil(groups / perBlock),
        block: blockThreads,
        minimumBlocks: 4,
      },
      context,
    );
  return {
    lanes: outer,
    chunks,
    sum,
    total: (sums) =>
      launch(
        [texts.source, ...sums],
        `${sum} all = 0;
for (${index} at = from + thread * ${each}; at < to; at += ${threads * each}) {
${read}
${add}
all += together;
}
${sum} total;
sumBeforeThread<${threads}>(all, total);
if (thread == 0) sums[group] = total;`,
      ),
    scan: (sums) =>
      launch(
        [texts.source, texts.target, ...sums.map((parameter) => ({ ...parameter, name: "before" }))],
        `${sum} start = ${sums.length > 0 ? "before[group]" : "0"};
for (${index} first = from; first < to; first += ${threads * each}) {
const ${index} at = first + thread * ${each};
${read}
${add}
${sum} total;
${sum} running = start + sumBeforeThread<${threads}>(together, total);
Vec<${output}::Compute, ${each}> sums;
#pragma unroll
for (int i = 0; i < ${each}; i++) {
running += (${sum})values.v[i];
sums.v[i] = (${output}::Compute)running;
}
${write}
start += total;
}`,
      ),
  };
}

/** inner > 1: a thread for each column, or for each chunk of one; neighbouring columns are neighbours in memory. */
function columnPlan(kernel: CumSum, context: KernelContext): Plan {
  const { outer, size, inner } = kernel;
  const texts = textsOf(kernel, context);
  const { sum } = texts;
  const lanes = outer * inner;
  const wanted = Math.min(Math.ceil(enoughThreads / lanes), Math.ceil(size / leastColumn));
  const chunk = Math.ceil(size / wanted);
  const chunks = Math.ceil(size / chunk);
  const threads = lanes * chunks;
  const index = indexFor(Math.max(outer * size * inner, threads));
  // Neighbouring threads have neighbouring columns of the same chunk.
  const head = `const ${index} thread = (${index})blockIdx.x * ${blockThreads} + threadIdx.x;
if (thread >= ${threads}) return;
const ${index} column = thread % ${inner};
const ${index} part = thread / ${inner};
const ${index} lane = part / ${chunks} * ${inner} + column;
const ${index} from = part % ${chunks} * ${chunk};
const ${index} to = from + ${chunk} < ${size} ? from + ${chunk} : ${size};
const ${index} begin = part / ${chunks} * ${size * inner} + column;
const ${index} place = lane * ${chunks} + part % ${chunks};
`;
  const loop = (each4: string, rest: string): string => `${index} k = from;
for (; k + 4 <= to; k += 4) {
const ${index} at = begin + k * ${inner};
const ${sum} a = ${texts.load("at")};
const ${sum} b = ${texts.load(`at + ${inner}`)};
const ${sum} c = ${texts.load(`at + ${2 * inner}`)};
const ${sum} d = ${texts.load(`at + ${3 * inner}`)};
${each4}
}
for (; k < to; k++) {
const ${index} at = begin + k * ${inner};
running += ${texts.load("at")};
${rest}
}`;
  const launch = (parameters: readonly Parameter[], body: string): KernelLaunch =>
    kernelLaunch(
      { parameters, body: head + body, grid: Math.ceil(threads / blockThreads), block: blockThreads },
      context,
    );
  const stores = ["a", "b", "c", "d"].map(
    (name, i) => `running += ${name};\n${texts.store(`at + ${i * inner}`, "running")}`,
  );
  return {
    lanes,
    chunks,
    sum,
    total: (sums) =>
      launch(
        [texts.source, ...sums],
        `${sum} running = 0;\n${loop("running += a; running += b; running += c; running += d;", "")}\nsums[place] = running;`,
      ),
    scan: (sums) =>
      launch(
        [texts.source, texts.target, ...sums],
        `${sum} running = ${sums.length > 0 ? "sums[place]" : "0"};\n${loop(stores.join("\n"), texts.store("at", "running"))}`,
      ),
  };
}
