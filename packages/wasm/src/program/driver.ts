/**
 * The part of a module that runs a Program: calls each launch's function, with pointers from the table, for each of its
 * tasks; alone, or together with the workers.
 */
import type { Program } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import {
  callEffect,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  type Label,
  type Local,
} from "../emit/index.ts";
import type { CompiledKernel, Launch, Pointer } from "../launch.ts";
import { emitParallel, emitWork } from "../threads/claim.ts";
import { control } from "../threads/control.ts";
import { type TableLayout, tableOffsets } from "./table.ts";

export interface DriverOptions {
  /** Whether workers take part. */
  readonly parallel: boolean;
  /** Whether the calling thread may sleep. */
  readonly mayWait: boolean;
  /** Bytes of each thread's own memory. */
  readonly threadBytes: number;
}

interface Placed {
  readonly launch: Launch;
  readonly reference: FunctionReference;
  /** Which kernel of the Program it belongs to. */
  readonly kernel: number;
}

function pointerValue(
  pointer: Pointer,
  program: Program,
  layout: TableLayout,
  table: Local<"i32">,
  thread: Expression<"i32"> | number,
  threadBytes: number,
): Expression<"i32"> {
  switch (pointer.kind) {
    case "buffer": {
      const bound = layout.bound[pointer.buffer];
      if (bound !== undefined) return i32.load(table, bound);
      return i32.add(i32.load(table, tableOffsets.arena), program.buffers[pointer.buffer]?.offset as number);
    }
    case "uniforms":
      return i32.add(table, layout.uniforms);
    case "table":
      return i32.add(table, layout.tables.get(pointer) as number);
    case "scratch":
      return i32.add(i32.load(table, tableOffsets.scratch), pointer.offset);
    case "thread":
      return i32.add(i32.load(table, tableOffsets.thread), i32.mul(thread, threadBytes));
    default:
      return pointer satisfies never;
  }
}

/**
 * Adds the kernels and exports
 * - `run`: (table) → the number of the kernel that failed, counted from 1, or 0
 * - `work`, if parallel: (executable, thread), see `emitWork`.
 */
export function emitDriver(
  code: Code,
  program: Program,
  kernels: readonly CompiledKernel[],
  layout: TableLayout,
  { parallel, mayWait, threadBytes }: DriverOptions,
): void {
  const { module } = code;
  const placed: Placed[] = [];
  kernels.forEach(({ launches }, kernel) => {
    for (const launch of launches) {
      const parameters = [...launch.pointers, "task"].map(() => "i32" as const);
      const reference = module.shared(`kernel ${launch.key}`, parameters, [], (f) => launch.build(f, code));
      placed.push({ launch, reference, kernel });
    }
  });
  const invoke = (
    f: FunctionBuilder,
    { launch, reference }: Placed,
    task: Expression<"i32">,
    table: Local<"i32">,
    thread: Expression<"i32"> | number,
  ): void => {
    const pointers = launch.pointers.map((pointer) =>
      pointerValue(pointer, program, layout, table, thread, threadBytes),
    );
    f.do(callEffect(reference, [...pointers, task]));
  };

  const shared = parallel ? placed.filter(({ launch }) => launch.tasks > 1) : [];
  const perform =
    shared.length === 0
      ? undefined
      : module.function(["i32", "i32", "i32", "i32"], [], (f) => {
          const [number, task, thread, table] = [0, 1, 2, 3].map((index) => f.parameter(index, "i32"));
          emitCases(f, number as Local<"i32">, shared.length, (index) =>
            invoke(f, shared[index] as Placed, task as Local<"i32">, table as Local<"i32">, thread as Local<"i32">),
          );
        });
  const together = perform && emitParallel(module, perform, mayWait);

  const run = module.function(["i32"], ["i32"], (f) => {
    const table = f.parameter(0, "i32");
    const task = f.local("i32");
    for (const item of placed) {
      const { launch, kernel } = item;
      const ordinal = shared.indexOf(item);
      if (together && ordinal >= 0) {
        f.do(callEffect(together, [i32.const(ordinal), i32.const(launch.tasks), table]));
      } else {
        f.for(task, 0, launch.tasks, 1, () => invoke(f, item, task, table, 0));
      }
      f.if(i32.load(0, control.failed), () => f.return(i32.const(kernel + 1)));
    }
    f.return(i32.const(0));
  });
  module.export("run", run);
  if (perform) module.export("work", emitWork(module, perform));
}

/** What `build` writes for case `index` of `count`, chosen at run time. */
function emitCases(f: FunctionBuilder, index: Local<"i32">, count: number, build: (index: number) => void): void {
  const labels: Label[] = [];
  const nest = (depth: number): void => {
    if (depth === 0) {
      f.brTable(index, labels, labels[0] as Label);
      return;
    }
    f.block((exit) => {
      labels.push(exit);
      nest(depth - 1);
    });
    build(count - depth);
    f.return();
  };
  // Leaving a block leads to its case, which stands behind it; the innermost holds the choice alone.
  nest(count);
}
