/**
 * Random graphs as data: a few leaves and a list of steps, each an operation with numbers that choose its operands and
 * attributes. Any numbers make a valid graph, so that fast-check can shrink a failing one to a small one.
 */
import * as fc from "fast-check";

export type LeafDType = "float64" | "float32" | "int32" | "bool";

export interface Leaf {
  readonly shape: readonly number[];
  readonly dtype: LeafDType;
  /** `spread`: distinct numbers; `ties`: few different ones; `special`: signed zeros, infinities and NaN among them. */
  readonly kind: "spread" | "ties" | "special";
  readonly seed: number;
}

export interface Step {
  readonly op: string;
  /** Consumed in order; what is missing reads as 0. */
  readonly numbers: readonly number[];
}

export interface Recipe {
  readonly leaves: readonly Leaf[];
  readonly steps: readonly Step[];
  /** Which of the tensors made are results, beside the last one. */
  readonly results: readonly number[];
}

export interface RecipeOptions {
  readonly ops: readonly string[];
  /** The first is the most frequent. */
  readonly dtypes: readonly LeafDType[];
  readonly kinds: readonly Leaf["kind"][];
  /** Zero sizes too. Default true. */
  readonly zeroSizes?: boolean;
  readonly maxSteps?: number;
}

export function recipes({ ops, dtypes, kinds, zeroSizes = true, maxSteps = 14 }: RecipeOptions): fc.Arbitrary<Recipe> {
  const size = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 5 }) },
    { weight: 2, arbitrary: fc.constant(1) },
    ...(zeroSizes ? [{ weight: 1, arbitrary: fc.constant(0) }] : []),
  );
  const leaf = fc.record({
    shape: fc.array(size, { maxLength: 4, size: "max" }),
    dtype: fc.oneof(
      ...dtypes.map((dtype, i) => ({ weight: i === 0 ? 2 * dtypes.length : 1, arbitrary: fc.constant(dtype) })),
    ),
    kind: fc.constantFrom(...kinds),
    seed: fc.integer({ min: 0, max: 50 }),
  });
  const step = fc.record({
    op: fc.constantFrom(...ops),
    numbers: fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 8, size: "max" }),
  });
  return fc.record({
    leaves: fc.array(leaf, { minLength: 1, maxLength: 3 }),
    steps: fc.array(step, { minLength: 1, maxLength: maxSteps, size: "max" }),
    results: fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 4, size: "max" }),
  });
}

const special = [0, -0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5, -2.5];

/** The elements of a leaf. Floats are exact in float32. */
export function leafValues({ shape, dtype, kind, seed }: Leaf): number[] {
  const count = shape.reduce((product, n) => product * n, 1);
  return Array.from({ length: count }, (_, i) => {
    const spread = ((i + 1) * 0.6180339887498949 + seed * 0.7548776662) % 1;
    if (dtype === "bool") return spread < 0.5 ? 1 : 0;
    if (dtype === "int32") return Math.floor(spread * (kind === "ties" ? 3 : 13)) - (kind === "ties" ? 1 : 6);
    if (kind === "ties") return Math.floor(spread * 5) / 2 - 1;
    if (kind === "special" && i % 3 === seed % 3) return special[Math.floor(spread * special.length)] as number;
    return Math.fround(spread * 4 - 2);
  });
}
