import { expect, it } from "vitest";
import { polylineOf } from "./curve.ts";

it("passes through every point", () => {
  const line = polylineOf([
    [0, 0],
    [0.5, 1],
    [1, 0],
  ]);
  expect(line.length).toBe(2 * 11);
  expect(line.slice(0, 2)).toEqual([0, 0]);
  expect(line.slice(10, 12)).toEqual([0.5, 1]);
  expect(line.slice(20)).toEqual([1, 0]);
});

it("keeps a straight line straight", () => {
  const line = polylineOf([
    [0, 0],
    [1, 2],
    [2, 4],
  ]);
  for (let i = 0; i < line.length; i += 2) expect(line[i + 1]).toBeCloseTo(2 * (line[i] as number), 12);
});

it("makes a corner where a point is repeated: nothing overshoots it", () => {
  const line = polylineOf([
    [0, 0],
    [1, 0],
    [1, 0],
    [1, 1],
  ]);
  expect(line.length).toBe(2 * 11);
  for (let i = 0; i < line.length; i += 2) {
    const [x, y] = [line[i] as number, line[i + 1] as number];
    expect(Math.min(y, 1 - x)).toBeCloseTo(0, 12);
    expect(x <= 1 && y >= 0).toBe(true);
  }
});
