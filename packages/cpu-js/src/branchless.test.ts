/** Operations that are written without branches, on every pair of the numbers where that could go wrong. */
import {
  clamp,
  fromHost,
  greater,
  isNaN as isNotNumber,
  logicalAnd,
  logicalOr,
  maximum,
  maxPool2d,
  minimum,
  pow,
  relu,
  sign,
  sub,
  sum,
  type Tensor,
  tensor,
  useBackend,
  where,
} from "@thalweg/core";
import { beforeAll, describe, expect, test } from "vitest";
import { cpuSync } from "./index.ts";

const special = [0, -0, 1, -1, 4, -4, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const pairs = special.flatMap((a) => special.map((b) => [a, b] as const));
const pow05 = (a: number): number => (a === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : Math.sqrt(a) + 0);

beforeAll(() => useBackend(cpuSync()));

describe.each(["float32", "float64"] as const)("%s", (dtype) => {
  const of = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
    fromHost(dtype === "float32" ? Float32Array.from(values) : Float64Array.from(values), shape, dtype);
  const read = (t: Tensor): number[] => Array.from(t.dataSync() as Float64Array);
  const firsts = pairs.map(([a]) => a);
  const seconds = pairs.map(([, b]) => b);

  test.each<[string, (x: Tensor) => Tensor, (x: number) => number]>([
    ["relu", relu, (x) => (x < 0 ? 0 : x)],
    ["sign", sign, (x) => (x > 0 ? 1 : x < 0 ? -1 : 0)],
    ["pow of one half", (x) => pow(x, 0.5), pow05],
    ["clamp", (x) => clamp(x, { min: -1.5, max: 1.5 }), (x) => Math.min(Math.max(x, -1.5), 1.5)],
  ])("%s", (_, operation, expected) => {
    expect(read(operation(of(special)))).toEqual(special.map(expected));
  });

  test("maximum, minimum and where of two elements", () => {
    const [a, b] = [of(firsts), of(seconds)];
    expect(read(maximum(a, b))).toEqual(pairs.map(([x, y]) => Math.max(x, y)));
    expect(read(minimum(a, b))).toEqual(pairs.map(([x, y]) => Math.min(x, y)));
    expect(read(where(greater(a, b), a, b))).toEqual(pairs.map(([x, y]) => (x > y ? x : y)));
    const mixed = where(logicalOr(logicalAnd(greater(a, 0), greater(b, 0)), isNotNumber(a)), sub(a, 1), b);
    expect(read(mixed)).toEqual(pairs.map(([x, y]) => ((x > 0 && y > 0) || Number.isNaN(x) ? x - 1 : y)));
    expect(sum(greater(a, b)).itemSync()).toBe(pairs.filter(([x, y]) => x > y).length);
  });

  test("windows", () => {
    const x = tensor(
      [
        [
          [...special, 3],
          [5, -7, ...special.slice(1)],
        ],
      ],
      { dtype },
    );
    const columns = [0, 2, 4, 6, 8];
    const [top, bottom] = [
      [...special, 3],
      [5, -7, ...special.slice(1)],
    ] as [number[], number[]];
    expect(read(maxPool2d(x, { kernelSize: 2 }))).toEqual(
      columns.map((i) => Math.max(...top.slice(i, i + 2), ...bottom.slice(i, i + 2))),
    );
  });
});
