/** Kernels that go over the wrong elements: strides, masks, sizes, segments, memory. */
import type { Affine, LoopKernel } from "@thalweg/core/backend";
import { type Mutant, programMutant } from "./mutant.ts";
import {
  dtypesOf,
  exchanged,
  type InstructionOf,
  instructions,
  instructionsOf,
  instructionsOn,
  kernels,
  loops,
  mapBodies,
  withOperands,
} from "./rewrite.ts";

/** The first two strides that are not 0 and differ, exchanged. */
function withStridesExchanged(at: Affine): Affine {
  const used = [...at.strides.keys()].filter((i) => at.strides[i] !== 0);
  const [i, j] = [used[0], used.find((other) => at.strides[other] !== at.strides[used[0] ?? 0])];
  return i === undefined || j === undefined ? at : { ...at, strides: exchanged(at.strides, i, j) };
}

const withAccess = <I extends InstructionOf<"load" | "store">>(instruction: I, at: Affine): I =>
  at === instruction.at ? instruction : { ...instruction, at };

const masked = (change: (mask: { lo: number; hi: number }) => { lo: number; hi: number }) =>
  instructions((instruction) => {
    if (instruction.op !== "load" && instruction.op !== "inside") return instruction;
    const { conditions = [] } = instruction;
    if (conditions.length === 0) return instruction;
    return { ...instruction, conditions: conditions.map((condition) => ({ ...condition, ...change(condition) })) };
  });

/** One less where there is more than one. */
const less = (n: number): number => (n > 1 ? n - 1 : n);
const lastLess = (sizes: readonly number[]): readonly number[] =>
  sizes.map((n, i) => (i === sizes.length - 1 ? less(n) : n));

const accesses: readonly Mutant[] = [
  programMutant(
    "loads with two strides exchanged",
    instructionsOn("load", (load) => withAccess(load, withStridesExchanged(load.at))),
  ),
  programMutant(
    "stores with two strides exchanged",
    instructionsOn("store", (store) => withAccess(store, withStridesExchanged(store.at))),
  ),
  programMutant(
    "loads one element early",
    instructionsOn("load", (load) =>
      load.at.offset > 0 ? withAccess(load, { ...load.at, offset: load.at.offset - 1 }) : load,
    ),
  ),
  programMutant(
    "stores that forget their offset",
    instructionsOn("store", (store) => (store.at.offset > 0 ? withAccess(store, { ...store.at, offset: 0 }) : store)),
  ),
  programMutant(
    "backward loads forward",
    instructionsOn("load", (load) =>
      load.at.strides.some((n) => n < 0)
        ? withAccess(load, { ...load.at, strides: load.at.strides.map((n) => Math.abs(n)), offset: 0 })
        : load,
    ),
  ),
  programMutant(
    "masks that begin one late",
    masked(({ lo, hi }) => ({ lo: lo + 1, hi })),
  ),
  programMutant(
    "masks that end one early",
    masked(({ lo, hi }) => ({ lo, hi: hi - 1 })),
  ),
  programMutant(
    "masks of the first condition only",
    instructions((instruction) => {
      if (instruction.op !== "load" && instruction.op !== "inside") return instruction;
      const { conditions = [] } = instruction;
      return conditions.length > 1 ? { ...instruction, conditions: conditions.slice(0, 1) } : instruction;
    }),
  ),
  programMutant(
    "stored values of two slots exchanged",
    kernels((kernel) => {
      const dtypes = dtypesOf(kernel);
      return mapBodies(kernel, (body) => {
        const stores = body.filter((instruction): instruction is InstructionOf<"store"> => instruction.op === "store");
        const [first] = stores;
        const second = stores.find(
          ({ value }) => first && value !== first.value && dtypes.get(value) === dtypes.get(first.value),
        );
        if (!first || !second) return body;
        return body.map((instruction) =>
          instruction === first
            ? { ...first, value: second.value }
            : instruction === second
              ? { ...second, value: first.value }
              : instruction,
        );
      });
    }),
  ),
];

const storesIn = (kernel: LoopKernel, over: "inner" | "outer"): boolean =>
  kernel.stages.some((stage) => stage.over === over && stage.body.some(({ op }) => op === "store"));

const reductionsOf = (kernel: LoopKernel): InstructionOf<"reduce">[] =>
  instructionsOf(kernel).filter((instruction): instruction is InstructionOf<"reduce"> => instruction.op === "reduce");

const rows: readonly Mutant[] = [
  programMutant(
    "reductions that miss their last element",
    loops((kernel) => {
      const inner = lastLess(kernel.inner);
      return storesIn(kernel, "inner") || inner.join() === kernel.inner.join() ? kernel : { ...kernel, inner };
    }),
  ),
  programMutant(
    "row programs that leave the last element of a row out",
    loops((kernel) => {
      const inner = lastLess(kernel.inner);
      return !storesIn(kernel, "inner") || inner.join() === kernel.inner.join() ? kernel : { ...kernel, inner };
    }),
  ),
  programMutant(
    "loops that miss their last iteration",
    loops((kernel) => {
      const outer = lastLess(kernel.outer);
      return kernel.segments.length > 1 || outer.join() === kernel.outer.join() ? kernel : { ...kernel, outer };
    }),
  ),
  programMutant(
    "the second reduction of a row program gives the first one's result",
    loops((kernel) => {
      const [first, ...others] = reductionsOf(kernel);
      const second = others.find(({ dtype }) => dtype === first?.dtype);
      if (!first || !second) return kernel;
      return mapBodies(kernel, (body) =>
        body.map((instruction) => withOperands(instruction, (value) => (value === second.id ? first.id : value))),
      );
    }),
  ),
  programMutant(
    "max for sum",
    instructionsOn("reduce", (reduce) => (reduce.fn === "sum" ? { ...reduce, fn: "max" } : reduce)),
  ),
  programMutant(
    "sum for prod",
    instructionsOn("reduce", (reduce) => (reduce.fn === "prod" ? { ...reduce, fn: "sum" } : reduce)),
  ),
  programMutant(
    "min for max",
    instructionsOn("reduce", (reduce) => (reduce.fn === "max" ? { ...reduce, fn: "min" } : reduce)),
  ),
  programMutant(
    "argMax for argMin",
    instructionsOn("reduce", (reduce) => (reduce.fn === "argMin" ? { ...reduce, fn: "argMax" } : reduce)),
  ),
];

const segments: readonly Mutant[] = [
  programMutant(
    "the last segment is left out",
    loops((kernel) => {
      if (kernel.segments.length < 2) return kernel;
      const kept = kernel.segments.slice(0, -1);
      return { ...kernel, segments: kept, outer: [kept.reduce((total, { size }) => total + size, 0)] };
    }),
  ),
  programMutant(
    "two segments read each other's buffer",
    loops((kernel) => {
      const [first, second] = kernel.segments;
      const loaded = instructionsOf(kernel).find(
        (instruction) => instruction.op === "load" && instruction.at.strides[0] === 1,
      ) as InstructionOf<"load"> | undefined;
      if (!first || !second || !loaded || first.buffers[loaded.slot] === second.buffers[loaded.slot]) return kernel;
      const swapped = kernel.segments.map((segment, i) =>
        i > 1
          ? segment
          : {
              ...segment,
              buffers: segment.buffers.map((buffer, slot) =>
                slot === loaded.slot ? ((i === 0 ? second : first).buffers[slot] as number) : buffer,
              ),
            },
      );
      return { ...kernel, segments: swapped };
    }),
  ),
  programMutant(
    "every segment is as long as the shortest",
    loops((kernel) => {
      const size = Math.min(...kernel.segments.map((segment) => segment.size));
      if (kernel.segments.every((segment) => segment.size === size)) return kernel;
      return {
        ...kernel,
        segments: kernel.segments.map((segment) => ({ ...segment, size })),
        outer: [size * kernel.segments.length],
      };
    }),
  ),
];

const memory: readonly Mutant[] = [
  programMutant("temporaries that all start at 0", (program) => {
    const moved = program.buffers.map((buffer) =>
      buffer.kind === "temporary" && buffer.offset !== 0 ? { ...buffer, offset: 0 } : buffer,
    );
    return moved.every((buffer, i) => buffer === program.buffers[i]) ? program : { ...program, buffers: moved };
  }),
  programMutant("kernels in another order", (program) => {
    const { length } = program.kernels;
    return length > 1 ? { ...program, kernels: exchanged(program.kernels, length - 2, length - 1) } : program;
  }),
  programMutant("the last kernel is left out", (program) =>
    program.kernels.length > 1 ? { ...program, kernels: program.kernels.slice(0, -1) } : program,
  ),
];

export const accessMutants: readonly Mutant[] = [...accesses, ...rows, ...segments, ...memory];
