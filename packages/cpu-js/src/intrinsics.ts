/**
 * Functions that generated kernels call by name: what is too long to write out at every use. The meaning of each is
 * core's (graph/scalar.ts); those with the same name there are the same functions.
 */
import {
  applyBinary,
  erf,
  fromBFloat16Bits,
  fromFloat16Bits,
  IndexError,
  pow,
  remainder,
  roundHalfEven,
  sigmoid,
  softplus,
  toBFloat16Bits,
  toFloat16Bits,
  unary,
} from "@thalweg/core/backend";
import { argSortRow } from "./argSort.ts";
import { contractionIntrinsics } from "./contraction/index.ts";
import { mulHighUint32, philox } from "./philox.ts";

function decodeTable(decode: (bits: number) => number): () => Float32Array {
  let table: Float32Array | undefined;
  return () => {
    table ??= Float32Array.from({ length: 65536 }, (_, bits) => decode(bits));
    return table;
  };
}

/** Every value of the 16-bit floats by bit pattern, made at first use: a load is one look-up. */
const bfloat16Table = decodeTable(fromBFloat16Bits);
const float16Table = decodeTable(fromFloat16Bits);

function fail(label: string, index: number, size: number): never {
  throw new IndexError(label, `index ${index} is out of range for size ${size}`);
}

const pair = new Float64Array(2);

export const intrinsics = {
  /** Scratch of `choice` (scalarSource.ts), of whichever kernel runs. */
  $pair: (): Float64Array => pair,
  $erf: erf,
  $softplus: softplus,
  $sigmoid: sigmoid,
  $round: roundHalfEven,
  $sign: unary.sign,
  $pow: pow,
  $mod: remainder,
  $powInt32: (a: number, b: number): number => applyBinary("pow", "int32", a, b),
  $powUint32: (a: number, b: number): number => applyBinary("pow", "uint32", a, b),
  $mulHighUint32: mulHighUint32,
  /** Signed from unsigned: each negative factor subtracts the other from the high word. */
  $mulHighInt32: (a: number, b: number): number => (mulHighUint32(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0,
  $toInt32: (x: number): number => (x >= 2147483647 ? 2147483647 : x <= -2147483648 ? -2147483648 : x | 0),
  $toUint32: (x: number): number => (x >= 4294967295 ? 4294967295 : x > 0 ? x >>> 0 : 0),
  $toBFloat16: toBFloat16Bits,
  $toFloat16: toFloat16Bits,
  $roundBFloat16: (x: number): number => fromBFloat16Bits(toBFloat16Bits(x)),
  $roundFloat16: (x: number): number => fromFloat16Bits(toFloat16Bits(x)),
  $bfloat16Table: bfloat16Table,
  $float16Table: float16Table,
  $philox: philox,
  $fail: fail,
  /** The index, or IndexError. */
  $check: (label: string, index: number, size: number): number => {
    if (index >>> 0 >= size) fail(label, index, size);
    return index;
  },
  $argSort: argSortRow,
  ...contractionIntrinsics,
} as const;

export const intrinsicNames: readonly string[] = Object.keys(intrinsics);
export const intrinsicValues: readonly unknown[] = Object.values(intrinsics);
