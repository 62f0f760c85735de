import { expect, it } from "vitest";
import { HostRandom } from "./random.ts";

it("gives the same numbers for the same seed, others for seeds that differ in any bit", () => {
  const first = (seed: number) => new HostRandom(seed).uint32();
  expect(first(5)).toBe(first(5));
  expect(new Set([0, 1, 2, 2 ** 32, 2 ** 40, 2 ** 53 - 1].map(first)).size).toBe(6);
});

it("is uniform in [0, 1) and bell-shaped where asked", () => {
  const random = new HostRandom(1);
  let [sum, squares, bell, bellSquares, outside] = [0, 0, 0, 0, 0];
  const n = 100_000;
  for (let i = 0; i < n; i++) {
    const u = random.uniform();
    if (u < 0 || u >= 1) outside++;
    sum += u;
    squares += u * u;
    const b = random.bell(2);
    bell += b;
    bellSquares += b * b;
  }
  expect(outside).toBe(0);
  expect(sum / n).toBeCloseTo(0.5, 2);
  expect(squares / n).toBeCloseTo(1 / 3, 2);
  expect(bell / n).toBeCloseTo(0, 1);
  expect(bellSquares / n).toBeCloseTo(4, 1);
});

it("permutes", () => {
  const order = new HostRandom(2).permutation(100);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect([...order]).not.toEqual([...order].sort((a, b) => a - b));
});
