/**
 * Random numbers: counter-based, by Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), so
 * that the same seed gives the same numbers on every backend, whatever the number of threads.
 *
 * The recipe. A generator has a seed and a position, both whole numbers below 2^53. Each random operation takes the next
 * position as its stream. Word i of a stream is lane i mod 4 of the Philox block with key (seed mod 2^32, ⌊seed / 2^32⌋)
 * and counter (⌊i / 4⌋, 0, stream mod 2^32, ⌊stream / 2^32⌋). Element i of n is then made of
 * - `rand` float32: (word[i] >>> 8)·2^-24; float64: ((word[i] >>> 5)·2^26 + (word[n + i] >>> 6))·2^-53; 16-bit floats: the
 *   float32, rounded towards zero to 2^-8 or 2^-11, so that 1 never comes up;
 * - `randn`: √(-2 ln(1 - u))·cos(2π·v), where u is element i and v element n + i of `rand` for 2n elements (1 - u is never
 *   0); 16-bit floats: the float32, rounded;
 * - `randint`: low + ⌊word[i]·(high - low) / 2^32⌋;
 * - `bernoulli`: rand[i] < p;
 * - `permutation`: the stable sort order of the n words.
 *
 * Inside a compiled function every run takes the next streams, exactly as building the graph afresh would.
 */
import { checkDType, type DType, dtypes, isFloat, isInteger } from "../graph/dtype.ts";
import { ArgumentError, DTypeError } from "../graph/errors.ts";
import { makeNode } from "../graph/node.ts";
import { checkShape, type Shape, sizeOf } from "../graph/shape.ts";
import { onRun, uniformScalar } from "../runtime/context.ts";
import { asTensor, castTo, constant, reshapeTo, type TensorLike, wrap } from "./convert.ts";
import { add, cos, less, log, mul, mulHigh, neg, shiftRight, sqrt, sub } from "./elementwise.ts";
import { argSort } from "./indexing.ts";
import { Tensor } from "./tensor.ts";
import { slice } from "./views.ts";

const low32 = (n: number): number => n % 2 ** 32;
const high32 = (n: number): number => Math.floor(n / 2 ** 32);

function checkWhole(subject: string, name: string, n: number): void {
  if (!Number.isSafeInteger(n) || n < 0)
    throw new ArgumentError(subject, `expected ${name} to be a whole number from 0 to 2^53 - 1, got ${n}`);
}

/** A source of random streams. `state` and `restore` save and continue it. */
export class Generator {
  #seed: number;
  #position: number;

  /** Throws ArgumentError unless both are whole numbers below 2^53. */
  constructor(seed = 0, position = 0) {
    checkWhole("Generator", "seed", seed);
    checkWhole("Generator", "position", position);
    this.#seed = seed;
    this.#position = position;
  }

  get seed(): number {
    return this.#seed;
  }
  /** Streams taken since the seed was set. */
  get position(): number {
    return this.#position;
  }

  /** Starts over from `seed`; in a compiled function, at every run. */
  manualSeed(seed: number): void {
    checkWhole("manualSeed", "seed", seed);
    onRun(() => {
      this.#seed = seed;
      this.#position = 0;
    });
  }

  /** What `restore` takes to continue from here. */
  state(): { seed: number; position: number } {
    return { seed: this.#seed, position: this.#position };
  }
  /** Continues from a state saved before. */
  restore({ seed, position }: { seed: number; position: number }): void {
    checkWhole("Generator", "seed", seed);
    checkWhole("Generator", "position", position);
    this.#seed = seed;
    this.#position = position;
  }

  /** `count` words of the next stream (uint32). */
  words(count: number): Tensor {
    checkShape("random", [count]);
    let stream = 0;
    // Uniforms are asked in this order at every run; the first takes the stream.
    const stream0 = uniformScalar("stream", "uint32", () => {
      stream = this.#position++;
      return low32(stream);
    });
    const stream1 = uniformScalar("stream (high)", "uint32", () => high32(stream));
    const key0 = uniformScalar("seed", "uint32", () => low32(this.#seed));
    const key1 = uniformScalar("seed (high)", "uint32", () => high32(this.#seed));
    return wrap(makeNode("random", [key0, key1, stream0, stream1], {}, [count], "uint32"));
  }
}

/** The generator used where none is given. Its seed is 0 until `manualSeed`. */
export const defaultGenerator = new Generator();

/** Seeds the default generator: the same seed gives the same numbers on every backend. */
export const manualSeed = (seed: number): void => defaultGenerator.manualSeed(seed);

export interface RandomOptions {
  /** Default float32 (randint and permutation: int32). */
  dtype?: DType | undefined;
  /** Default: the default generator. */
  generator?: Generator | undefined;
}

/** Fraction bits that keep a number below 1 a number below 1 when it is stored. */
const uniformBits = { float32: 24, bfloat16: 8, float16: 11 } as const;

/** `count` uniform numbers in [0, 1). */
function uniform(subject: string, count: number, dtype: DType, generator: Generator): Tensor {
  checkDType(subject, dtype);
  if (dtype === "float64") {
    const words = generator.words(2 * count);
    const part = (start: number, drop: number): Tensor =>
      castTo(shiftRight(slice(words, { axis: 0, start, end: start + count }), constant(drop, "uint32")), "float64");
    return mul(add(mul(part(0, 5), 2 ** 26), part(count, 6)), 2 ** -53);
  }
  if (dtype !== "float32" && dtype !== "bfloat16" && dtype !== "float16")
    throw new DTypeError(subject, `expected a float dtype, got ${dtype}`);
  const bits = uniformBits[dtype];
  const words = shiftRight(generator.words(count), constant(32 - bits, "uint32"));
  return castTo(mul(castTo(words, "float32"), 2 ** -bits), dtype);
}

/** Uniform numbers in [0, 1). */
export function rand(shape: Shape, { dtype = "float32", generator = defaultGenerator }: RandomOptions = {}): Tensor {
  checkShape("rand", shape);
  return reshapeTo(uniform("rand", sizeOf(shape), dtype, generator), shape);
}

/** Normal numbers of mean 0 and variance 1, by the Box-Muller transform. */
export function randn(shape: Shape, { dtype = "float32", generator = defaultGenerator }: RandomOptions = {}): Tensor {
  checkShape("randn", shape);
  checkDType("randn", dtype);
  if (!isFloat(dtype)) throw new DTypeError("randn", `expected a float dtype, got ${dtype}`);
  const n = sizeOf(shape);
  const pairs = uniform("randn", 2 * n, dtypes[dtype].compute, generator);
  const u = slice(pairs, { axis: 0, end: n });
  const v = slice(pairs, { axis: 0, start: n });
  const radius = sqrt(mul(neg(log(sub(1, u))), 2));
  return castTo(reshapeTo(mul(radius, cos(mul(v, 2 * Math.PI))), shape), dtype);
}

/** Whole numbers from `low` to `high` - 1, equally likely. At most 2^31 of them, within int32. Default dtype int32. */
export function randint(
  low: number,
  high: number,
  shape: Shape,
  { dtype = "int32", generator = defaultGenerator }: RandomOptions = {},
): Tensor {
  checkShape("randint", shape);
  checkDType("randint", dtype);
  const inside = (n: number): boolean => Number.isInteger(n) && n >= -(2 ** 31) && n <= 2 ** 31;
  if (!inside(low) || !inside(high) || high <= low || high - low > 2 ** 31) {
    throw new ArgumentError(
      "randint",
      `expected whole bounds low < high in int32, at most 2^31 apart, got ${low} and ${high}`,
    );
  }
  if (dtype === "bool" || (dtype === "uint32" && low < 0))
    throw new ArgumentError("randint", `numbers from ${low} do not fit ${dtype}`);
  const drawn = castTo(mulHigh(generator.words(sizeOf(shape)), constant(high - low, "uint32")), "int32");
  const shifted = low === 0 ? drawn : add(drawn, constant(low, "int32"));
  return castTo(reshapeTo(shifted, shape), dtype);
}

export interface BernoulliOptions extends RandomOptions {
  /** Default: the shape of p. */
  shape?: Shape | undefined;
}

/** 1 with probability p, else 0. p is a number or a tensor of them. Default dtype float32, or that of a float tensor p. */
export function bernoulli(
  p: TensorLike,
  { shape, dtype, generator = defaultGenerator }: BernoulliOptions = {},
): Tensor {
  if (typeof p === "number" && !(p >= 0 && p <= 1))
    throw new ArgumentError("bernoulli", `expected a probability in [0, 1], got ${p}`);
  const probability = asTensor(p);
  const type = dtype ?? (p instanceof Tensor && isFloat(p.dtype) ? p.dtype : "float32");
  const drawn = rand(shape ?? probability.shape, {
    dtype: dtypes[probability.dtype].compute === "float64" ? "float64" : "float32",
    generator,
  });
  return castTo(less(drawn, castTo(probability, drawn.dtype)), type);
}

/** The numbers 0 … n-1 in random order: int32, or another number dtype. */
export function permutation(n: number, { dtype = "int32", generator = defaultGenerator }: RandomOptions = {}): Tensor {
  checkDType("permutation", dtype);
  if (!isInteger(dtype) && !isFloat(dtype))
    throw new DTypeError("permutation", `expected a number dtype, got ${dtype}`);
  return castTo(argSort(generator.words(n)), dtype);
}
