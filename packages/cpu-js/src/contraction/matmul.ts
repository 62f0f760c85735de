/** Matrix products as JavaScript: direct where they are small or thin, in packed blocks otherwise. */
import type { MatmulKernel } from "@thalweg/core/backend";
import type { EpilogueEmitter } from "../kernelSource.ts";
import { countOf, evenAxis, fromOf, isWhole, sumOf } from "./axis.ts";
import { assemble, blockedSource, sumStride } from "./blocked.ts";
import { columnTarget, depthTarget, rowTarget } from "./blocking.ts";
import { directSource } from "./direct.ts";
import { type Arguments, isIntegerKernel } from "./operands.ts";

/** Products of so few multiplications are done before packing would have begun to pay. */
const smallProduct = 2048;
/** With so few rows or columns each packed element is used too rarely. */
const thin = 4;

const isDirect = ({ m, n, k }: MatmulKernel): boolean => Math.min(m, n) <= thin || k <= 2 || m * n * k <= smallProduct;

export function matmulSource(
  kernel: MatmulKernel,
  values: Arguments,
  emit: EpilogueEmitter,
): { readonly source: string; readonly usesUniforms: boolean } {
  if (isDirect(kernel)) return directSource(kernel, values, emit);
  const { batch, m, n, k, a, b, dtype, epilogue } = kernel;
  const rank = batch.length;
  const rows = evenAxis("i", m, rowTarget, 3);
  const columns = evenAxis("j", n, columnTarget, 3);
  const depth = evenAxis("k", k, depthTarget, 4);
  const names = batch.map((_, axis) => `batch${axis}`);
  const byBatch = (operand: typeof a) => names.map((name, axis) => [operand.strides[axis] as number, name] as const);
  const [rowStride, depthA] = a.strides.slice(rank) as [number, number];
  const [depthB, columnStride] = b.strides.slice(rank) as [number, number];
  const [arrayA, arrayB] = [values.array(a.buffer), values.array(b.buffer)];
  const slots = epilogue.buffers.map((buffer) => values.array(buffer));
  const problem = blockedSource({
    suffix: "",
    dtype,
    integer: isIntegerKernel(kernel),
    outer: names.map((name, axis) => ({ name, size: batch[axis] as number })),
    rows,
    columns: [columns],
    depth: [depth],
    a: {
      array: arrayA,
      read: values.reader(a.buffer),
      start: sumOf([...byBatch(a), [rowStride, fromOf(rows)], [depthA, fromOf(depth)]], a.offset),
      lanes: [rowStride],
      depth: [depthA],
    },
    b: {
      array: arrayB,
      read: values.reader(b.buffer),
      start: sumOf([...byBatch(b), [columnStride, fromOf(columns)], [depthB, fromOf(depth)]], b.offset),
      lanes: [columnStride],
      depth: [depthB],
    },
    variables: [
      ...names.map((name) => ({ name })),
      ...[rows, columns].map((axis) => ({
        name: axis.name,
        loop: {
          count: countOf(axis),
          value: isWhole(axis) ? `${axis.name}Step` : `${axis.name}From + ${axis.name}Step | 0`,
          stride: axis === rows ? `${sumStride([columns])}` : "1",
        },
      })),
    ],
    slots,
    emit,
    arrays: values.names,
  });
  return assemble([problem], values);
}
