/** argSort: each row's numbers become integers of the same order, with the position they came from below. */
import type { IndexedKernel } from "@thalweg/core/backend";
import type { CompiledKernel, KernelContext } from "../kernel/launch.ts";
import { storageTag } from "../source/index.ts";
import { bufferParameter, dtypeOf, indexFor } from "./element.ts";
import { sortRows } from "./sortRows.ts";

type ArgSort = Extract<IndexedKernel, { kind: "argSort" }>;

export function compileArgSort(kernel: ArgSort, context: KernelContext): CompiledKernel {
  const { outer, size, inner, descending, input, output } = kernel;
  const rows = outer * inner;
  if (rows * size === 0) return { launches: [], scratchBytes: 0, counterBytes: 0 };
  const dtype = dtypeOf(context, input);
  const wide = dtype === "float64";
  const index = indexFor(rows * size);
  const at = (row: string, position: string): string => {
    if (inner === 1) return `(${index})${row} * ${size} + ${position}`;
    return `((${index})(${row} / ${inner}) * ${size} + ${position}) * ${inner} + ${row} % ${inner}`;
  };
  const { launches, scratchBytes } = sortRows(
    {
      rows,
      size,
      wide,
      rowsAdjacent: inner > 1,
      index,
      inputs: [bufferParameter(context, input, "input", "read", true)],
      // Descending, the order of keys is turned round, not that of the sorted, so that equals keep theirs.
      key: (row, position) =>
        `${descending ? "~" : ""}sortKey(loadReadOnly<${storageTag(dtype)}>(input + (${at(row, position)})))`,
      outputs: [bufferParameter(context, output, "output", "write", true)],
      put: (row, position, word) => `output[${at(row, position)}] = ${word}.position();`,
      scratchFrom: 0,
    },
    context,
  );
  return { launches, scratchBytes, counterBytes: 0 };
}
