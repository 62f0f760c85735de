/** Numbers to fill buffers with. */
import { type DType, isFloat } from "@thalweg/core/backend";

/** A whole number in [0, below). */
export type Random = (below: number) => number;

/** A seeded generator (Mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/**
 * Numbers of few bits: multiples of 1/4 (floats) from -2 to 2, whole numbers from -8 to 8, or 0 to 8 for uint32. Sums and
 * products of thousands of them are exact in float32, in whatever order they are added.
 */
export function fewBits(dtype: DType, size: number, seed = 1): number[] {
  const random = randomOf(seed);
  return Array.from({ length: size }, () => {
    if (dtype === "bool") return random(2);
    if (dtype === "uint32") return random(9);
    const whole = random(17) - 8;
    return isFloat(dtype) ? whole / 4 : whole;
  });
}

/** 1, 2, 3 …: each element shows where it came from. */
export const counting = (size: number): number[] => Array.from({ length: size }, (_, i) => i + 1);

/** Numbers of all sizes up to `most`, of both signs, with a fraction that is not short. */
export function spread(size: number, most: number, seed = 1): number[] {
  const random = randomOf(seed);
  return Array.from({ length: size }, () => ((random(2 ** 20) / 2 ** 19 - 1) * most) / 2 ** random(8));
}
