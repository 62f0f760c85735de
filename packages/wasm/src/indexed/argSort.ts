/** argSort: each row's numbers become integers of the same order, which a sort of integers brings in order. */
import { bytesPerElement, type DType, type IndexedKernel, type Program } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import { call, type Expression, type FunctionBuilder, f32, f64, i32, i64, type Local } from "../emit/index.ts";
import { scalarLanes } from "../lanes/index.ts";
import { type CompiledKernel, taskCount } from "../launch.ts";
import { loadVector } from "../storage/index.ts";
import { type ElementLayout, narrowElement, sortFunction, spareBytes, wideElement } from "./sortRow.ts";
import { taskShare } from "./taskShare.ts";

type ArgSort = Extract<IndexedKernel, { kind: "argSort" }>;

export function compileArgSort(kernel: ArgSort, program: Program): CompiledKernel {
  const { outer, size, inner, input, output } = kernel;
  const rows = outer * inner;
  if (rows * size === 0) return { launches: [], scratchBytes: 0 };
  const dtype = program.buffers[input]?.dtype as DType;
  const layout = dtype === "float64" ? wideElement : narrowElement;
  const tasks = taskCount(rows, size * Math.min(100, 16 + 2 * size));
  const sortBytes = size * layout.bytes + spareBytes(layout, size);
  // A single task needs the memory once, not once for every thread.
  const shared = tasks === 1;
  const buffers = [input, output].map((buffer) => ({ kind: "buffer" as const, buffer }));
  return {
    launches: [
      {
        key: JSON.stringify(["argSort", dtype, kernel.descending, rows, size, inner]),
        pointers: [...buffers, shared ? { kind: "scratch", offset: 0 } : { kind: "thread" }],
        tasks,
        ...(shared ? {} : { threadBytes: sortBytes }),
        build: (f, code) => writeArgSort(f, code, { dtype, layout, kernel, rows, tasks }),
      },
    ],
    scratchBytes: shared ? sortBytes : 0,
  };
}

interface Plan {
  readonly dtype: DType;
  readonly layout: ElementLayout;
  readonly kernel: ArgSort;
  readonly rows: number;
  readonly tasks: number;
}

function writeArgSort(f: FunctionBuilder, code: Code, { dtype, layout, kernel, rows, tasks }: Plan): void {
  const { size, inner, descending } = kernel;
  const { bytes } = layout;
  const width = bytesPerElement(dtype);
  const [input, output, elements] = [0, 1, 2].map((parameter) => f.parameter(parameter, "i32")) as [
    Local<"i32">,
    Local<"i32">,
    Local<"i32">,
  ];
  const sort = sortFunction(code, layout, size);
  const share = taskShare(f, f.parameter(3, "i32"), rows, tasks);
  const [row, first, at, k] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const element = f.local("i32");
  f.for(row, share.from, share.to, 1, () => {
    f.set(first, i32.add(i32.mul(i32.divU(row, inner), size * inner), i32.remU(row, inner)));
    f.set(at, i32.add(input, i32.mul(first, width)));
    f.set(element, elements);
    f.for(k, 0, size, 1, () => {
      const [number] = loadVector(scalarLanes(f), dtype, at, 0, 1).parts as [Local];
      if (layout === wideElement) {
        f.do(i64.store(element, wideKey(f, number as Local<"f64">, descending)));
        f.do(i64.store(element, i64.extendI32U(k), 8));
      } else {
        const key = i64.extendI32U(narrowKey(f, dtype, number, descending));
        f.do(i64.store(element, i64.or(i64.shl(key, 32n), i64.extendI32U(k))));
      }
      f.set(at, i32.add(at, inner * width));
      f.set(element, i32.add(element, bytes));
    });
    f.set(element, call("i32", sort, [elements, i32.add(elements, size * bytes), i32.const(size)]));
    f.set(at, i32.add(output, i32.mul(first, 4)));
    f.for(k, 0, size, 1, () => {
      // Little-endian: the position lies in the low half of its word.
      f.do(i32.store(at, i32.load(element, bytes - 8)));
      f.set(at, i32.add(at, inner * 4));
      f.set(element, i32.add(element, bytes));
    });
  });
}

/**
 * An integer that is smaller as unsigned where `number` comes before; equal for -0 and 0, and for all NaN. Descending the
 * order of keys is turned round, not that of the sorted, so that equals keep theirs.
 */
function narrowKey(f: FunctionBuilder, dtype: DType, number: Local, descending: boolean): Expression<"i32"> {
  const turned = (key: Expression<"i32">): Expression<"i32"> => (descending ? i32.xor(key, -1) : key);
  switch (dtype) {
    case "bool":
    case "uint32":
      return turned(number as Local<"i32">);
    case "int32":
      return turned(i32.xor(number as Local<"i32">, -(2 ** 31)));
    default: {
      const x = number as Local<"f32">;
      // -0 + 0 is 0. Negative numbers are turned round as a whole, positive ones put above them.
      const bits = f.let(i32.reinterpretF32(f32.add(x, 0)));
      const key = i32.xor(bits, i32.or(i32.shrS(bits, 31), -(2 ** 31)));
      return turned(i32.select(f32.eq(x, x), key, -1));
    }
  }
}

function wideKey(f: FunctionBuilder, x: Local<"f64">, descending: boolean): Expression<"i64"> {
  const bits = f.let(i64.reinterpretF64(f64.add(x, 0)));
  const key = i64.xor(bits, i64.or(i64.shrS(bits, 63n), -(2n ** 63n)));
  const ordered = i64.select(f64.eq(x, x), key, -1n);
  return descending ? i64.xor(ordered, -1n) : ordered;
}
