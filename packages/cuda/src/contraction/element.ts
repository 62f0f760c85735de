/** In what operands are multiplied: which registers, and what float32 or 16-bit values become on their way there. */
import type { Target } from "../target.ts";
import type { Product } from "./product.ts";

export interface Element {
  /** Of device/tile.cuh. */
  readonly type: string;
  readonly bytes: number;
  readonly tensor: boolean;
  /** Bytes of an accumulator. */
  readonly sumBytes: number;
  /** Multiply-adds that a multiprocessor can do in one cycle, about. */
  readonly rate: number;
}

const tensorOf = (type: string, bytes: number, rate: number): Element => ({
  type,
  bytes,
  tensor: true,
  sumBytes: 4,
  rate,
});

// What mma.sync reaches on compute capability 8.0; newer ones have more that only other instructions reach.
const tf32 = tensorOf("Tf32Element", 4, 450);
const bfloat16 = tensorOf("BFloat16Element", 2, 900);
const float16 = tensorOf("Float16Element", 2, 900);
const float: Element = { type: "FloatElement", bytes: 4, tensor: false, sumBytes: 4, rate: 128 };
const double: Element = { type: "DoubleElement", bytes: 8, tensor: false, sumBytes: 8, rate: 64 };
const word: Element = { type: "WordElement", bytes: 4, tensor: false, sumBytes: 4, rate: 64 };

export function elementOf({ dtype, a, b }: Pick<Product, "dtype" | "a" | "b">, { precision }: Target): Element {
  if (dtype === "float64") return double;
  if (dtype !== "float32") return word;
  const narrow = [a.dtype, b.dtype].filter((operand) => operand !== "float32");
  // Products of 16-bit floats are exact; so are they, of either kind, in TF32.
  if (narrow.length === 2) {
    if (narrow[0] !== narrow[1]) return tf32;
    return narrow[0] === "bfloat16" ? bfloat16 : float16;
  }
  return precision === "tf32" ? tf32 : float;
}
