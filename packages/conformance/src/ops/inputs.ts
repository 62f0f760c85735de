/** Inputs of the table of operations: values by rule, in layouts of memory that kernels must follow. */
import { expand, flip, permute, slice, type Tensor, tensor } from "@thalweg/core";
import { sizeOf } from "@thalweg/core/backend";
import type { FloatDType } from "../golden/schema.ts";

/** How an input lies in memory. All but `contiguous` are views of a larger or rearranged tensor. */
export type Layout =
  | "contiguous"
  /** The axes in reverse order. */
  | "permuted"
  /** Every other element of the last axis, with NaN between. */
  | "sliced"
  /** Back to front along every axis. */
  | "reversed"
  /** One index of the first axis, repeated: the values of the others are not used. */
  | "expanded";

export interface Input {
  readonly shape: readonly number[];
  /** `float`: the dtype of floats that is tested. */
  readonly dtype: "float" | "int32" | "uint32" | "bool";
  /** Row-major. Floats are exact in float32. */
  readonly values: readonly number[];
  readonly layout: Layout;
}

/** Distinct numbers over (from, to), the same every time: a golden-ratio sequence. */
export const spread = (count: number, from: number, to: number, seed = 0): number[] =>
  Array.from({ length: count }, (_, i) =>
    Math.fround(from + (to - from) * (((i + 1) * 0.6180339887498949 + seed * 0.7548776662) % 1)),
  );

/** Floats: a golden-ratio sequence over (from, to). */
export const floats = (
  shape: readonly number[],
  { from = -2, to = 2, seed = 0, layout = "contiguous" }: FloatOptions = {},
): Input => ({ shape, dtype: "float", values: spread(sizeOf(shape), from, to, seed), layout });

export interface FloatOptions {
  readonly from?: number;
  readonly to?: number;
  readonly seed?: number;
  readonly layout?: Layout;
}

/** Floats given one by one. */
export const floatsOf = (values: readonly number[], shape: readonly number[] = [values.length]): Input => ({
  shape,
  dtype: "float",
  values,
  layout: "contiguous",
});

/** Quarters from -2 to 2: many equal ones among them, and sums and quotients of them are exact. */
export const quarters = (shape: readonly number[], seed = 0, layout: Layout = "contiguous"): Input => ({
  shape,
  dtype: "float",
  values: spread(sizeOf(shape), -8, 9, seed).map((x) => Math.floor(x) / 4 + 0),
  layout,
});

/** Whole numbers in [from, to). */
export const integers = (
  shape: readonly number[],
  from: number,
  to: number,
  { seed = 0, layout = "contiguous" }: { readonly seed?: number; readonly layout?: Layout } = {},
): Input => ({
  shape,
  dtype: "int32",
  values: spread(sizeOf(shape), 0, 1, seed).map((x) => Math.min(to - 1, from + Math.floor(x * (to - from)))),
  layout,
});

export const integersOf = (values: readonly number[], shape: readonly number[] = [values.length]): Input => ({
  shape,
  dtype: "int32",
  values,
  layout: "contiguous",
});

export const unsigned = (values: readonly number[], shape: readonly number[] = [values.length]): Input => ({
  shape,
  dtype: "uint32",
  values,
  layout: "contiguous",
});

export const booleans = (shape: readonly number[], seed = 0, layout: Layout = "contiguous"): Input => ({
  shape,
  dtype: "bool",
  values: spread(sizeOf(shape), 0, 1, seed).map((x) => (x < 0.5 ? 1 : 0)),
  layout,
});

/** Floats where definitions have their exceptions. */
export const specialFloats: readonly number[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1,
  -1,
  0.5,
  -2.5,
  3,
  2 ** 100,
  -(2 ** 100),
  2 ** -100,
];

/** Integers whose sums and products leave 32 bits. */
export const extremeIntegers: readonly number[] = [
  -(2 ** 31),
  2 ** 31 - 1,
  -1,
  0,
  1,
  2,
  -7,
  46341,
  65536,
  -123456789,
  16777217,
];

/** Unsigned integers with and without the highest bit. */
export const unsignedIntegers: readonly number[] = [
  0,
  1,
  2,
  3,
  77,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  3000000019,
  2 ** 32 - 1,
];

/** Values in row-major order of `shape`, read at coordinates. */
function rearranged(
  shape: readonly number[],
  size: number,
  values: readonly number[],
  source: (coordinates: readonly number[]) => readonly number[] | undefined,
  from: readonly number[],
  junk: number,
): number[] {
  const coordinates = shape.map(() => 0);
  return Array.from({ length: size }, (_, flat) => {
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      coordinates[axis] = rest % (shape[axis] as number);
      rest = Math.floor(rest / (shape[axis] as number));
    }
    const at = source(coordinates);
    return at === undefined
      ? junk
      : (values[at.reduce((position, i, axis) => position * (from[axis] as number) + i, 0)] as number);
  });
}

/** The input as a tensor, floats of dtype `floatDType`: a view where its layout asks for one. */
export function makeTensor({ shape, dtype, values, layout }: Input, floatDType: FloatDType): Tensor {
  const type = dtype === "float" ? floatDType : dtype;
  const make = (list: readonly number[], of: readonly number[]): Tensor =>
    tensor(Float64Array.from(list), { shape: of, dtype: type });
  if (layout === "contiguous" || shape.length === 0) return make(values, shape);
  const junk = dtype === "float" ? Number.NaN : 1;
  const base = (of: readonly number[], source: (at: readonly number[]) => readonly number[] | undefined): Tensor =>
    make(rearranged(of, sizeOf(of), values, source, shape, junk), of);
  const axes = [...shape.keys()];
  const last = shape.length - 1;
  switch (layout) {
    case "permuted":
      return permute(
        base(shape.toReversed(), (at) => at.toReversed()),
        axes.toReversed(),
      );
    case "sliced": {
      const wide = shape.with(last, 2 * (shape[last] as number) + 1);
      const source = (at: readonly number[]): readonly number[] | undefined => {
        const i = at[last] as number;
        return i % 2 === 1 ? at.with(last, (i - 1) / 2) : undefined;
      };
      return slice(base(wide, source), { axis: last, start: 1, step: 2 });
    }
    case "reversed":
      return flip(
        base(shape, (at) => at.map((i, axis) => (shape[axis] as number) - 1 - i)),
        axes,
      );
    case "expanded":
      return expand(
        base(shape.with(0, 1), (at) => at),
        shape,
      );
    default:
      return layout satisfies never;
  }
}
