/** Launches that sort rows of words: within shared memory where a row fits, by merging sorted runs in scratch otherwise. */
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { KernelContext, KernelLaunch } from "../kernel/launch.ts";

/** What is sorted; rows, positions and the words themselves are named by C expressions. */
export interface SortedRows {
  readonly rows: number;
  /** Words of each row, fewer than 2³¹. */
  readonly size: number;
  /** Keys of 32 or of 64 bits. */
  readonly wide: boolean;
  /** Neighbouring rows lie closer together in memory than neighbours of a row: which are read first. */
  readonly rowsAdjacent: boolean;
  readonly index: "int" | "long long";
  /** What `key` names. */
  readonly inputs: readonly Parameter[];
  readonly key: (row: string, position: string) => string;
  /** What `put` names, a statement that keeps the word that has come to a position. */
  readonly outputs: readonly Parameter[];
  readonly put: (row: string, position: string, word: string) => string;
  /** Where in the kernel's scratch there is room for merging. */
  readonly scratchFrom: number;
}

export interface RowSorting {
  readonly launches: readonly KernelLaunch[];
  /** From `scratchFrom` on. */
  readonly scratchBytes: number;
}

const headers = '#include "sort.cuh"\n';
/** Words that a block holds in shared memory, 32 KB of them; and sorts at once before runs are merged. */
const mostWords = { narrow: 4096, wide: 2048 } as const;
const runWords = 2048;
/** Merging: threads of a block, and words that each of them puts in order. */
const mergeThreads = 256;
const mergeWords = { narrow: 8, wide: 4 } as const;

const powerFrom = (size: number): number => 2 ** Math.ceil(Math.log2(Math.max(2, size)));
const aligned = (bytes: number): number => Math.ceil(bytes / 256) * 256;

export function sortRows(sorted: SortedRows, context: Pick<KernelContext, "guarded">): RowSorting {
  const { rows, size, wide, scratchFrom } = sorted;
  const width = wide ? "wide" : "narrow";
  if (size <= mostWords[width]) {
    return { launches: [sortWithin(sorted, powerFrom(size), sorted.outputs, sorted.put, context)], scratchBytes: 0 };
  }
  const bytes = aligned(rows * size * (wide ? 16 : 8));
  const half = (which: number, name: string, constant: boolean): Parameter => ({
    type: `${constant ? "const " : ""}${wordOf(sorted)}*`,
    name,
    argument: { kind: "scratch", offset: scratchFrom + which * bytes },
    restrict: true,
  });
  const at = (row: string, position: string): string => `(${sorted.index})${row} * ${size} + ${position}`;
  const keep = (row: string, position: string, word: string): string => `to[${at(row, position)}] = ${word};`;
  const launches = [sortWithin(sorted, runWords, [half(0, "to", false)], keep, context)];
  let from = 0;
  for (let run = runWords; run < size; run *= 2) {
    const last = 2 * run >= size;
    const outputs = last ? sorted.outputs : [half(1 - from, "to", false)];
    launches.push(
      mergeRuns(
        sorted,
        run,
        [half(from, "from", true), ...outputs],
        last ? sorted.put : keep,
        mergeWords[width],
        context,
      ),
    );
    from = 1 - from;
  }
  return { launches, scratchBytes: 2 * bytes };
}

const wordOf = ({ wide }: SortedRows): string => (wide ? "WideWord" : "NarrowWord");

/** Sorts runs of `run` words, a power of two, of which a row has one or more; several short rows to a block. */
function sortWithin(
  sorted: SortedRows,
  run: number,
  outputs: readonly Parameter[],
  put: SortedRows["put"],
  context: Pick<KernelContext, "guarded">,
): KernelLaunch {
  const { rows, size, inputs, key, index, rowsAdjacent } = sorted;
  const word = wordOf(sorted);
  const runs = Math.ceil(size / run);
  const all = rows * runs;
  // Short rows: as many to a block as 512 words hold, unless there are fewer.
  const together = Math.max(1, Math.min(512 / run, powerFrom(all)), 64 / run);
  const count = run * together;
  const threads = Math.min(512, Math.max(32, count / 2));
  const threadsUsed = count <= 1024 ? Math.min(256, threads) : threads;
  // Which of a block's words a thread takes: along the row, or across rows where those are the neighbours in memory.
  const split =
    rowsAdjacent && together > 1
      ? `const int own = i % ${together};\nconst int position = i / ${together};`
      : `const int own = i / ${run};\nconst int position = i % ${run};`;
  const place =
    runs === 1
      ? `${split}\nconst ${index} row = (${index})blockIdx.x * ${together} + own;\nconst bool exists = row < ${rows} && position < ${size};`
      : `const int own = 0;\nconst ${index} row = blockIdx.x / ${runs};\nconst int inRun = i;\nconst int position = (int)(blockIdx.x % ${runs}) * ${run} + inRun;\nconst bool exists = position < ${size};`;
  const slot = runs === 1 ? `own * ${run} + position` : "own + inRun";
  const body = `__shared__ ${word} held[${count}];
for (int i = threadIdx.x; i < ${count}; i += ${threadsUsed}) {
${place}
held[${slot}] = exists ? ${word}::of(${key("row", "position")}, (int)position) : ${word}::last();
}
sortRuns<${count}, ${run}, ${threadsUsed}>(held);
for (int i = threadIdx.x; i < ${count}; i += ${threadsUsed}) {
${place}
if (exists) {
const ${word} word = held[${slot}];
${put("row", "position", "word")}
}
}`;
  return kernelLaunch(
    {
      parameters: [...inputs, ...outputs],
      body,
      declarations: headers,
      grid: Math.ceil(all / together),
      block: threadsUsed,
    },
    context,
  );
}

/** Merges runs of `run` words two by two. */
function mergeRuns(
  { rows, size, index, wide }: SortedRows,
  run: number,
  parameters: readonly Parameter[],
  put: SortedRows["put"],
  each: number,
  context: Pick<KernelContext, "guarded">,
): KernelLaunch {
  const tile = mergeThreads * each;
  const tiles = Math.ceil(size / tile);
  const word = wide ? "WideWord" : "NarrowWord";
  const body = `__shared__ ${word} held[${tile}];
const ${index} row = blockIdx.x / ${tiles};
const int first = (int)(blockIdx.x % ${tiles}) * ${tile};
const int pair = first / ${2 * run} * ${2 * run};
const int left = ${size} - pair;
const int sizeA = left < ${run} ? left : ${run};
const int sizeB = left - sizeA < ${run} ? left - sizeA : ${run};
const ${word}* runs = from + row * ${size} + pair;
mergeTile<${mergeThreads}, ${each}>(runs, sizeA, runs + sizeA, sizeB, first - pair, held);
for (int i = threadIdx.x; i < ${tile}; i += ${mergeThreads}) {
const int position = first + i;
if (position < ${size}) {
const ${word} word = held[i];
${put("row", "position", "word")}
}
}`;
  return kernelLaunch({ parameters, body, declarations: headers, grid: rows * tiles, block: mergeThreads }, context);
}
