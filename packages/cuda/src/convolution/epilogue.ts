/** What becomes of a convolution's sums, as text. */
import { type ConvolutionKernel, type DType, type Instruction, mapAffines } from "@thalweg/core/backend";
import type { KernelContext } from "../kernel/launch.ts";
import { cType, type IndexType, type SlotSource, vectorWidth, writeBody } from "../source/index.ts";
import type { ConvolutionForm, Place } from "./form.ts";

/** The body without the variables that the last one walks over as well: vector accesses depend on the strides that are left. */
function bodyAt({ epilogue }: ConvolutionKernel, { variables }: Place): Instruction[] {
  return epilogue.body.map((instruction) =>
    mapAffines(instruction, (affine) => ({
      ...affine,
      strides: affine.strides.map((stride, i) => (variables[i] === undefined ? 0 : stride)),
    })),
  );
}

/** Neighbouring sums that a thread continues with: all of them exist, and lie side by side in the result. */
export function sumsTogether(
  kernel: ConvolutionKernel,
  { place, vector }: ConvolutionForm,
  { program }: Pick<KernelContext, "program">,
): number {
  const dtypes = kernel.epilogue.buffers.map((buffer) => program.buffers[buffer]?.dtype as DType);
  let width = vectorWidth([bodyAt(kernel, place)], dtypes, vector.variable, vector.size);
  while (vector.size % width !== 0) width /= 2;
  return width;
}

/** Statements from `group`, `row` and `column` to the stores. `sum`: the accumulated sum of a lane. */
export function epilogueText(
  kernel: ConvolutionKernel,
  { place, vector }: ConvolutionForm,
  index: IndexType,
  slots: readonly SlotSource[],
  width: number,
  sum: (lane: number) => string,
): string {
  const names = place.variables.flatMap((variable, i) =>
    variable === undefined ? [] : [`const ${index} at${i} = ${variable};\n`],
  );
  const body = writeBody(
    bodyAt(kernel, place),
    {
      variables: place.variables.map((variable, i) => (variable === undefined ? "0" : `at${i}`)),
      vector: { variable: vector.variable, width },
      slots,
      known: new Map(),
      accumulator: (lane) => `${cType(kernel.dtype)}(${sum(lane)})`,
      index,
    },
    "e",
  );
  return `${place.text}${names.join("")}${body}`;
}
