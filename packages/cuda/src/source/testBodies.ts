/** Test support: runs bodies as kernels of one thread that walks through all points, lanes at a time, on the host. */
import { type DType, dtypes, type HostArray, type Instruction, type Program } from "@thalweg/core/backend";
import { kernelLaunch } from "../kernel/kernelLaunch.ts";
import { execute, TestIndexError } from "../testKernel.ts";
import { type BodyPlace, bodyParameters, writeBody } from "./index.ts";

export interface TestBody {
  readonly body: readonly Instruction[];
  /** Of the loops around the body; lanes lie along the last. */
  readonly sizes: readonly number[];
  /** Of each slot; a body may store to any. */
  readonly slots: readonly { readonly dtype: DType; readonly data: HostArray }[];
  readonly width?: number;
  readonly index?: BodyPlace["index"];
  /** Lanes behind the end of the last loop are left out by `count`; else its size is a multiple of the width. */
  readonly counted?: boolean;
  readonly accumulator?: (lane: number) => string;
}

const programOf = ({ slots }: TestBody): Program => ({
  buffers: slots.map(({ dtype, data }) => ({ dtype, size: data.length, kind: "input" })),
  uniforms: [],
  kernels: [],
  arenaBytes: 0,
});

/** Text of the kernel. */
export function bodyKernel(test: TestBody): ReturnType<typeof kernelLaunch> {
  const { body, sizes, width = 1, index = "int", counted = false, accumulator } = test;
  const last = sizes.length - 1;
  const { parameters, slots } = bodyParameters([body], [...test.slots.keys()], programOf(test));
  const text = writeBody(
    body,
    {
      variables: sizes.map((_, i) => `x${i}`),
      vector: { variable: last, width },
      slots,
      known: new Map(),
      index,
      ...(counted ? { count: "n" } : {}),
      ...(accumulator ? { accumulator } : {}),
    },
    "v",
  );
  const loops = sizes.map(
    (size, i) => `for (${index} x${i} = 0; x${i} < ${size}; x${i} += ${i === last ? width : 1}) {\n`,
  );
  const count = counted ? `const ${index} n = ${sizes[last]} - x${last};\n` : "";
  const code = `${loops.join("")}${count}${text}\n${"}".repeat(sizes.length)}`;
  return kernelLaunch({ parameters, body: code, grid: 1, block: 1 }, { guarded: false });
}

const bytesOf = (array: HostArray): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();

/** Of `Status` in device/status.cuh. */
const statusBytes = 32;

/** What the slots of each body hold after it ran. All are compiled as one text. `uniforms`: 8 bytes each. */
export function runBodies(tests: readonly TestBody[], uniforms: Uint8Array = new Uint8Array(8)): HostArray[][] {
  const blocks = [new Uint8Array(statusBytes), uniforms];
  const sources: string[] = [];
  const words: number[] = [];
  const first = tests.map((test) => {
    const start = blocks.length;
    blocks.push(...test.slots.map(({ data }) => bytesOf(data)));
    const launch = bodyKernel(test);
    const places = launch.arguments.flatMap((argument) =>
      argument.kind === "buffer" ? [start + argument.buffer, 0] : [argument.kind === "status" ? 0 : 1, 0],
    );
    words.push(0, sources.push(launch.source) - 1, 0, 1, 1, 1, 1, 1, 1, 0, launch.arguments.length, ...places);
    return start;
  });
  const results = execute(blocks, [], words, tests.length, sources);
  const status = new DataView((results[0] as Uint8Array).buffer);
  if (status.getInt32(0, true) !== 0) {
    throw new TestIndexError(`index ${status.getBigInt64(8, true)}, size ${status.getBigInt64(16, true)}`);
  }
  return tests.map(({ slots }, i) =>
    slots.map(({ dtype }, slot) => {
      const bytes = results[(first[i] as number) + slot] as Uint8Array;
      return new dtypes[dtype].hostView(bytes.slice().buffer);
    }),
  );
}
