/**
 * Element types. bfloat16 and float16 are storage types: loads and stores convert, arithmetic is float32.
 */
import { DTypeError } from "./errors.ts";

export type DType = "float32" | "float64" | "int32" | "uint32" | "bool" | "bfloat16" | "float16";

/** The dtypes arithmetic is done in; what a scalar inside a kernel can have. */
export type ComputeDType = "float32" | "float64" | "int32" | "uint32" | "bool";

/** Typed array that holds elements of a dtype on the host: bool as 0/1 bytes, 16-bit floats as their bit patterns. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array | Uint16Array;

interface DTypeInfo {
  readonly bytes: number;
  readonly category: "bool" | "integer" | "float";
  readonly compute: ComputeDType;
  readonly hostArray: new (length: number) => HostArray;
  readonly hostView: new (buffer: ArrayBufferLike, byteOffset?: number, length?: number) => HostArray;
}

const info = (
  bytes: number,
  category: DTypeInfo["category"],
  compute: ComputeDType,
  array: DTypeInfo["hostArray"] & DTypeInfo["hostView"],
): DTypeInfo => ({ bytes, category, compute, hostArray: array, hostView: array });

export const dtypes: Readonly<Record<DType, DTypeInfo>> = {
  float32: info(4, "float", "float32", Float32Array),
  float64: info(8, "float", "float64", Float64Array),
  int32: info(4, "integer", "int32", Int32Array),
  uint32: info(4, "integer", "uint32", Uint32Array),
  bool: info(1, "bool", "bool", Uint8Array),
  bfloat16: info(2, "float", "float32", Uint16Array),
  float16: info(2, "float", "float32", Uint16Array),
};

export const isFloat = (dtype: DType): boolean => dtypes[dtype].category === "float";
export const isInteger = (dtype: DType): boolean => dtypes[dtype].category === "integer";
export const bytesPerElement = (dtype: DType): number => dtypes[dtype].bytes;
export const computeDType = (dtype: DType): ComputeDType => dtypes[dtype].compute;
export const allocateHost = (dtype: DType, length: number): HostArray => new dtypes[dtype].hostArray(length);

/** Throws unless `dtype` is one of Thalweg's. `subject` names the operation or option being checked. */
export function checkDType(subject: string, dtype: unknown): asserts dtype is DType {
  if (typeof dtype !== "string" || !Object.hasOwn(dtypes, dtype)) {
    throw new DTypeError(subject, `unknown dtype ${String(dtype)}; expected one of ${Object.keys(dtypes).join(", ")}`);
  }
}

const floatOrder: readonly DType[] = ["float32", "float64"];

/**
 * The dtype two dtypes promote to, as in PyTorch (`torch.promote_types`): bool < integer < float; bfloat16 with
 * float16 gives float32; int32 with uint32 has no common type here and throws.
 */
export function promoteTypes(subject: string, a: DType, b: DType): DType {
  if (a === b) return a;
  const [ca, cb] = [dtypes[a].category, dtypes[b].category];
  if (ca !== cb) {
    const rank = { bool: 0, integer: 1, float: 2 };
    return rank[ca] > rank[cb] ? a : b;
  }
  if (ca === "integer") {
    throw new DTypeError(subject, `${a} and ${b} have no common dtype; cast one of them first`);
  }
  const wide = Math.max(floatOrder.indexOf(a), floatOrder.indexOf(b));
  return wide < 0 ? "float32" : (floatOrder[wide] as DType);
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** Bits of the bfloat16 nearest to `x`, ties to even. NaN gives a quiet NaN. */
export function toBFloat16Bits(x: number): number {
  f32[0] = x;
  const bits = u32[0] as number;
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBFloat16Bits(bits: number): number {
  u32[0] = bits << 16;
  return f32[0] as number;
}

/** Bits of the IEEE binary16 nearest to `x`, ties to even. The value is first rounded to float32, as arithmetic is float32. */
export function toFloat16Bits(x: number): number {
  f32[0] = x;
  const bits = u32[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal half: adding 0.5 puts its 10 fraction bits in the low bits of the float, rounded by the hardware.
    f32[0] = Math.abs(f32[0] as number) + 0.5;
    return sign | ((u32[0] as number) - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** `value` as storage of `dtype` would give it back: rounded, wrapped or turned to 0/1. */
export function roundTo(dtype: DType, value: number): number {
  switch (dtype) {
    case "float32":
      return Math.fround(value);
    case "float64":
      return value;
    case "int32":
      return value | 0;
    case "uint32":
      return value >>> 0;
    case "bool":
      return value !== 0 ? 1 : 0;
    case "bfloat16":
      return fromBFloat16Bits(toBFloat16Bits(value));
    case "float16":
      return fromFloat16Bits(toFloat16Bits(value));
    default:
      return dtype satisfies never;
  }
}

/** One element of a host array as a number (a 16-bit float's bits are decoded). */
export function decode(dtype: DType, array: HostArray, index: number): number {
  const raw = array[index] as number;
  if (dtype === "bfloat16") return fromBFloat16Bits(raw);
  if (dtype === "float16") return fromFloat16Bits(raw);
  return raw;
}

/** Stores `value` as element `index` of a host array of `dtype`. */
export function encode(dtype: DType, array: HostArray, index: number, value: number): void {
  if (dtype === "bfloat16") array[index] = toBFloat16Bits(value);
  else if (dtype === "float16") array[index] = toFloat16Bits(value);
  else if (dtype === "bool") array[index] = value !== 0 ? 1 : 0;
  else array[index] = value;
}
