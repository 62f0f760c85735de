/** Random numbers on the host, from core's generator. */
import { Generator, rand, randn } from "@thalweg/core";

/** Uniform in [0, 1), float64. */
export const uniform = async (count: number, seed: number): Promise<Float64Array> =>
  (await rand([count], { dtype: "float64", generator: new Generator(seed) }).data()) as Float64Array;

/** From the normal distribution, float64. */
export const normal = async (count: number, seed: number): Promise<Float64Array> =>
  (await randn([count], { dtype: "float64", generator: new Generator(seed) }).data()) as Float64Array;

/** 0 … count - 1 in random order. */
export async function shuffled(count: number, seed: number): Promise<number[]> {
  const keys = await uniform(count, seed);
  return Array.from({ length: count }, (_, i) => i).sort((a, b) => (keys[a] as number) - (keys[b] as number));
}
