/** C types and literals of Thalweg's dtypes. */
import type { ComputeDType, DType } from "@thalweg/core/backend";

const computeTypes: Readonly<Record<ComputeDType, string>> = {
  float32: "float",
  float64: "double",
  int32: "int",
  uint32: "unsigned",
  bool: "bool",
};

const storageTypes: Readonly<Record<DType, string>> = {
  float32: "float",
  float64: "double",
  int32: "int",
  uint32: "unsigned",
  bool: "unsigned char",
  bfloat16: "unsigned short",
  float16: "unsigned short",
};

const storageTags: Readonly<Record<DType, string>> = {
  float32: "Float32",
  float64: "Float64",
  int32: "Int32",
  uint32: "UInt32",
  bool: "Bool",
  bfloat16: "BFloat16",
  float16: "Float16",
};

/** What a value of the dtype is in registers. */
export const cType = (dtype: ComputeDType): string => computeTypes[dtype];

/** What an element of the dtype is in memory. */
export const storageType = (dtype: DType): string => storageTypes[dtype];

/** The type of device/storage.cuh that says how elements of the dtype are read and written: `load<BFloat16>(p)`. */
export const storageTag = (dtype: DType): string => storageTags[dtype];

/**
 * A float as the shortest decimal that gives it back, which any compiler rounds to the same bits: a decimal as short as
 * tells a double from its neighbours lies far nearer to it than half the distance of two floats.
 */
function floatLiteral(value: number, suffix: string): string {
  const text = `${Math.abs(value)}`;
  const whole = /^\d+$/.test(text) ? `${text}.0${suffix}` : `${text}${suffix}`;
  return value < 0 || Object.is(value, -0) ? `(-${whole})` : whole;
}

/** `value` as a constant of the dtype's C type, exactly: an atom, negative ones in parentheses. */
export function literal(dtype: ComputeDType, value: number): string {
  switch (dtype) {
    case "float32": {
      const rounded = Math.fround(value);
      if (Number.isNaN(rounded)) return "asFloat(0x7fc00000u)";
      if (!Number.isFinite(rounded)) return rounded > 0 ? "asFloat(0x7f800000u)" : "asFloat(0xff800000u)";
      return floatLiteral(rounded, "f");
    }
    case "float64":
      if (Number.isNaN(value)) return "asDouble(0x7ff8000000000000ull)";
      if (!Number.isFinite(value))
        return value > 0 ? "asDouble(0x7ff0000000000000ull)" : "asDouble(0xfff0000000000000ull)";
      return floatLiteral(value, "");
    case "int32": {
      const whole = value | 0;
      // C has no negative literals: 2147483648 would be a long.
      if (whole === -(2 ** 31)) return "(-2147483647 - 1)";
      return whole < 0 ? `(${whole})` : `${whole}`;
    }
    case "uint32":
      return `${value >>> 0}u`;
    case "bool":
      return value !== 0 ? "true" : "false";
    default:
      return dtype satisfies never;
  }
}
