/** The golden files' format: numbers, inputs, and how they become tensors. */
import { type DType, permute, type Tensor, tensor } from "@thalweg/core";

/** NaN and the infinities are strings, since JSON has no numbers for them. */
export type GoldenNumber = number | "NaN" | "Infinity" | "-Infinity";

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly dtype: "float64" | "int32" | "bool";
  readonly values: readonly GoldenNumber[];
}

export interface GoldenInput extends GoldenTensor {
  readonly name: string;
  /** The input is `base.permute(p)` of a contiguous base. */
  readonly storagePermutation?: readonly number[];
}

/** The dtype float inputs are given in. */
export type FloatDType = "float64" | "float32";

export const decodeNumber = (value: GoldenNumber): number => Number(value);

export const decodeNumbers = (values: readonly GoldenNumber[]): Float64Array =>
  Float64Array.from(values, (value) => Number(value));

/** The dtype a golden dtype has when floats are `floats`. */
export const dtypeOf = (dtype: GoldenTensor["dtype"], floats: FloatDType): DType =>
  dtype === "float64" ? floats : dtype;

/** Values, with the shape and dtype they are of, as a tensor; floats as `floats`. */
export function makeTensor({ shape, dtype, values }: GoldenTensor, floats: FloatDType): Tensor {
  return tensor(decodeNumbers(values), { shape, dtype: dtypeOf(dtype, floats) });
}

/** An input, with the strides the reference gave it. */
export function makeInput(input: GoldenInput, floats: FloatDType): Tensor {
  const p = input.storagePermutation;
  if (!p) return makeTensor(input, floats);
  // input = base.permute(p), so base = input.permute(p⁻¹): reorder the values on the host.
  const baseShape = p.map((_, axis) => input.shape[p.indexOf(axis)] as number);
  const baseStrides = baseShape.map((_, axis) => baseShape.slice(axis + 1).reduce((size, n) => size * n, 1));
  const values = new Array<GoldenNumber>(input.values.length);
  input.values.forEach((value, flat) => {
    let rest = flat;
    let position = 0;
    for (let axis = input.shape.length - 1; axis >= 0; axis--) {
      const n = input.shape[axis] as number;
      position += (rest % n) * (baseStrides[p[axis] as number] as number);
      rest = Math.floor(rest / n);
    }
    values[position] = value;
  });
  return permute(makeTensor({ shape: baseShape, dtype: input.dtype, values }, floats), p);
}
