/** scatterAdd, cumSum and argSort, executed by their definitions. */
import { dtypes, roundTo } from "../graph/dtype.ts";
import { applyBinary, compareForSort } from "../graph/scalar.ts";
import { contiguousStrides } from "../graph/shape.ts";
import { checkIndex } from "./interpretBody.ts";
import { forEachPoint, type ReferenceBuffer } from "./interpretLoop.ts";
import type { IndexedKernel } from "./program.ts";

export function runIndexed(kernel: IndexedKernel, buffers: readonly ReferenceBuffer[]): void {
  if (kernel.kind === "scatterAdd") {
    scatterAdd(kernel, buffers);
    return;
  }
  const input = buffers[kernel.input] as ReferenceBuffer;
  const output = buffers[kernel.output] as ReferenceBuffer;
  const { outer, size, inner } = kernel;
  const dtype = dtypes[input.dtype].compute;
  const lane: number[] = [];
  forEachPoint([outer, inner], lane, 0, () => {
    const at = (i: number) => ((lane[0] as number) * size + i) * inner + (lane[1] as number);
    if (kernel.kind === "cumSum") {
      let sum = 0;
      for (let i = 0; i < size; i++) {
        sum = applyBinary("add", dtype, sum, input.data[at(i)] as number);
        output.store(at(i), sum);
      }
      return;
    }
    // As elsewhere, float32 values are compared as float32 numbers: equal ones keep their order.
    const key = (i: number) => roundTo(input.dtype, input.data[at(i)] as number);
    const sign = kernel.descending ? -1 : 1;
    const order = Array.from({ length: size }, (_, i) => i).sort((a, b) => sign * compareForSort(key(a), key(b)));
    for (const [i, from] of order.entries()) output.store(at(i), from);
  });
}

function scatterAdd(
  { label, axis, shape, targetShape, target, index, source }: Extract<IndexedKernel, { kind: "scatterAdd" }>,
  buffers: readonly ReferenceBuffer[],
): void {
  const [sums, indices, added] = [target, index.buffer, source.buffer].map((buffer) => buffers[buffer]) as [
    ReferenceBuffer,
    ReferenceBuffer,
    ReferenceBuffer,
  ];
  const strides = contiguousStrides(targetShape);
  const point: number[] = [];
  const along = (offset: number, steps: readonly number[]) =>
    steps.reduce((total, stride, i) => total + stride * (point[i] as number), offset);
  forEachPoint(shape, point, 0, () => {
    const to = indices.data[along(index.offset, index.strides)] as number;
    const value = added.data[along(source.offset, source.strides)] as number;
    checkIndex(label, to, targetShape[axis] as number);
    const at = along(0, strides) + (to - (point[axis] as number)) * (strides[axis] as number);
    sums.store(at, (sums.data[at] as number) + value);
  });
}
