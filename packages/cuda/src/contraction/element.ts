/** In what operands are multiplied: which registers, and what float32 or 16-bit values become on their way there. */
import type { Target } from "../target.ts";
import type { Product, Side } from "./product.ts";

export interface Element {
  /** Of device/tile.cuh. */
  readonly type: string;
  readonly bytes: number;
  readonly tensor: boolean;
  /** Bytes of an accumulator. */
  readonly sumBytes: number;
  /** Multiply-adds that a multiprocessor can do in one cycle, with the instructions of our tiles. */
  readonly rate: number;
  /** What cuBLASLt reaches; it has instructions that we have not. 0: it does not multiply these. */
  readonly libraryRate: number;
}

/** What is multiplied, as far as elements go. */
export interface Operands extends Pick<Product, "dtype"> {
  readonly a: Pick<Side, "dtype">;
  readonly b: Pick<Side, "dtype">;
}

const isFloat32 = (dtype: string): boolean => dtype === "float32";

/** 16-bit tensor cores; those of compute capability 9 and 10 have more that only wgmma and tcgen05 reach. */
const narrowRate = 900;
const libraryNarrowRate = (architecture: number): number =>
  architecture >= 100 ? 2900 : architecture >= 90 ? 1300 : narrowRate;
/** float32 and float64 units per multiprocessor: fewer on 8.0, and few float64 ones but on 8.0, 9.0 and 10.0. */
const floatUnits = (architecture: number): number => (architecture === 80 ? 64 : 128);
const doubleUnits = (architecture: number): number => (architecture === 80 ? 32 : architecture % 10 === 0 ? 64 : 2);

export function elementOf({ dtype, a, b }: Operands, target: Target): Element {
  const { architecture, precision } = target;
  if (dtype === "float64") {
    const rate = doubleUnits(architecture);
    return { type: "DoubleElement", bytes: 8, tensor: false, sumBytes: 8, rate, libraryRate: rate };
  }
  if (dtype !== "float32") {
    return { type: "WordElement", bytes: 4, tensor: false, sumBytes: 4, rate: 64, libraryRate: 0 };
  }
  const same = a.dtype === b.dtype;
  const narrow = !isFloat32(a.dtype) && !isFloat32(b.dtype);
  const libraryRate = same ? libraryNarrowRate(architecture) : 0;
  const tensor = { tensor: true, sumBytes: 4 };
  if (narrow && same) {
    const type = a.dtype === "bfloat16" ? "BFloat16Element" : "Float16Element";
    return { type, bytes: 2, ...tensor, rate: narrowRate, libraryRate };
  }
  // Products of 16-bit floats are exact, and so they are in TF32, which has both kinds.
  if (narrow || precision === "tf32")
    return { type: "Tf32Element", bytes: 4, ...tensor, rate: narrowRate / 2, libraryRate: libraryRate / 2 };
  const rate = floatUnits(architecture);
  return { type: "FloatElement", bytes: 4, tensor: false, sumBytes: 4, rate, libraryRate: same ? 0.9 * rate : 0 };
}
