/** Tensors as text. */
import { type DType, isFloat } from "../graph/dtype.ts";
import { ThalwegError } from "../graph/errors.ts";
import { formatShape, type Shape, sizeOf } from "../graph/shape.ts";
import type { Tensor } from "./tensor.ts";

declare const console: { log(text: string): void };

export interface FormatOptions {
  /** Digits after the point, at most. Default 4. */
  precision?: number | undefined;
  /** Elements above which the middle of long axes is left out. Default 1000. */
  threshold?: number | undefined;
  /** Elements shown at either end of an axis then. Default 3. */
  edgeItems?: number | undefined;
}

/** How one number is written, given all numbers shown. */
function numberFormat(dtype: DType, shown: readonly number[], precision: number): (value: number) => string {
  if (dtype === "bool") return (value) => (value ? "true" : "false");
  if (!isFloat(dtype)) return String;
  const finite = shown.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  const [least, most] = [Math.min(...finite, 1e308), Math.max(...finite, 0)];
  const special = (value: number): string => (Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
  const scientific = most >= 1e8 || (finite.length > 0 && (least < 1e-4 || most / least > 1e7));
  if (scientific) return (value) => (Number.isFinite(value) ? value.toExponential(precision) : special(value));
  const whole = shown.every((value) => !Number.isFinite(value) || Number.isInteger(value));
  const places = whole
    ? 0
    : Math.max(
        1,
        ...shown
          .filter(Number.isFinite)
          .map((v) => (v.toFixed(precision).replace(/0+$/, "").split(".")[1] ?? "").length),
      );
  const sign = (value: number): string => (Object.is(value, -0) ? "-" : "");
  return (value) =>
    Number.isFinite(value) ? sign(value) + value.toFixed(places) + (whole ? "." : "") : special(value);
}

/**
 * Elements in nested brackets, aligned in columns; long tensors have "…" in the middle. Whole floats end in a point, so that
 * they differ from integers.
 */
export function formatElements(
  data: ArrayLike<number>,
  shape: Shape,
  dtype: DType,
  { precision = 4, threshold = 1000, edgeItems = 3 }: FormatOptions = {},
): string {
  const summarise = sizeOf(shape) > threshold;
  /** Indices of an axis that are shown; -1 is the gap. */
  const visible = (n: number): number[] =>
    summarise && n > 2 * edgeItems
      ? [
          ...Array.from({ length: edgeItems }, (_, i) => i),
          -1,
          ...Array.from({ length: edgeItems }, (_, i) => n - edgeItems + i),
        ]
      : Array.from({ length: n }, (_, i) => i);
  const shown: number[] = [];
  const collect = (axis: number, offset: number): void => {
    if (axis === shape.length) {
      shown.push(data[offset] as number);
      return;
    }
    for (const i of visible(shape[axis] as number)) if (i >= 0) collect(axis + 1, offset * (shape[axis] as number) + i);
  };
  collect(0, 0);
  const format = numberFormat(dtype, shown, precision);
  const width = shape.length === 0 ? 0 : shown.reduce((longest, value) => Math.max(longest, format(value).length), 0);
  const write = (axis: number, offset: number): string => {
    if (axis === shape.length) return format(data[offset] as number).padStart(width);
    const n = shape[axis] as number;
    const parts = visible(n).map((i) => (i < 0 ? "…" : write(axis + 1, offset * n + i)));
    const innermost = axis === shape.length - 1;
    const separator = innermost ? ", " : `,${"\n".repeat(shape.length - 1 - axis)}${" ".repeat(axis + 1)}`;
    return `[${parts.join(separator)}]`;
  };
  return write(0, 0);
}

const heading = (x: Tensor): string => `Tensor ${x.dtype} ${formatShape(x.shape)}`;

/** The elements of x with its dtype and shape above; computes them if need be. Throws BackendError on a backend that cannot block. */
export const formatTensor = (x: Tensor, options: FormatOptions = {}): string =>
  `${heading(x)}\n${formatElements(x.dataSync(), x.shape, x.dtype, options)}`;

/** Writes x to the console, on any backend. */
export async function print(x: Tensor, options: FormatOptions = {}): Promise<void> {
  const text = `${heading(x)}\n${formatElements(await x.data(), x.shape, x.dtype, options)}`;
  console.log(text);
}

/**
 * One look at x for debuggers and `console.log`: elements if they lie in memory already and can be read at once, else what
 * would compute them. Runs nothing, unless a parameter has yet to be given its initial value.
 */
export function inspect(x: Tensor): string {
  const { node } = x;
  if (node.op === "constant") return `${heading(x)} ${formatElements([node.attributes.value], [], x.dtype)}`;
  if (node.op !== "data" && node.op !== "parameter") return `${heading(x)} (lazy: ${node.op})`;
  try {
    return formatTensor(x);
  } catch (error) {
    if (error instanceof ThalwegError) return heading(x);
    throw error;
  }
}
