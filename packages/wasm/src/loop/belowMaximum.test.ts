import type { LoopKernel } from "@thalweg/core/backend";
import { describe, expect, test } from "vitest";
import { runProgram } from "../testKernel.ts";
import {
  at,
  buffer,
  constant,
  engines,
  type Loose,
  load,
  loopProgram,
  operation,
  reduce,
  store,
} from "../testLoops.ts";
import { exponentialsBelowMaximum } from "./belowMaximum.ts";

const [rows, columns] = [5, 39];
const element = load(0, at([columns, 1]));
/** -∞ where the second input is not above 0, else three times the first. */
const masked = (first: number, otherwise = Number.NEGATIVE_INFINITY, factor = 3): Loose[] => [
  element,
  constant(factor),
  operation("mul", first, first + 1),
  load(1, at([0, 1])),
  constant(0),
  { op: "less", dtype: "bool", args: [first + 4, first + 3] },
  constant(otherwise),
  { op: "where", dtype: "float32", args: [first + 5, first + 2, first + 6] },
];

/** Sums of the exponentials of `of` less what the values of `all` reduce to; `between` stands in an outer stage. */
function sumOfExponentials(
  all: readonly Loose[],
  of: (first: number) => readonly Loose[],
  between?: Loose,
  fn = "max",
) {
  const greatest = all.length + (between ? 1 : 0);
  const body = of(greatest + 1);
  const x = greatest + body.length;
  return loopProgram({
    buffers: [buffer(rows * columns + 1), buffer(columns), buffer(rows, "output")],
    outer: [rows],
    inner: [columns],
    stages: [
      ["inner", [...all, reduce(fn, all.length - 1)]],
      ...(between ? ([["outer", [between]]] as const) : []),
      ["inner", [...body, operation("sub", x, greatest), operation("exp", x + 1), reduce("sum", x + 2)]],
      ["outer", [store(2, at([1, 0]), x + 3)]],
    ],
  });
}

const found = (program: ReturnType<typeof loopProgram>, written = false): number =>
  exponentialsBelowMaximum(program.kernels[0] as LoopKernel, () => written).size;

const rounded = (to: string): Loose => ({ op: "roundTo", dtype: "float32", to, args: [1] });
const plain = (): Loose[] => [element];

test("the same element, computed alike", () => {
  expect(found(sumOfExponentials(plain(), plain))).toBe(1);
  expect(found(sumOfExponentials(masked(0), masked))).toBe(1);
  expect(found(sumOfExponentials(plain(), plain, rounded("float32")))).toBe(1);
});

test("nothing that may be above the maximum", () => {
  expect(found(sumOfExponentials(plain(), () => [load(0, at([columns, 1], 1))]))).toBe(0);
  expect(found(sumOfExponentials(plain(), plain), true)).toBe(0);
  expect(found(sumOfExponentials(plain(), plain, undefined, "min"))).toBe(0);
  expect(found(sumOfExponentials(plain(), plain, rounded("bfloat16")))).toBe(0);
  expect(found(sumOfExponentials(plain(), plain, operation("neg", 1)))).toBe(0);
  expect(found(sumOfExponentials(masked(0), (first) => masked(first, Number.POSITIVE_INFINITY)))).toBe(0);
  expect(found(sumOfExponentials(masked(0), (first) => masked(first, undefined, 4)))).toBe(0);
  expect(found(sumOfExponentials(masked(0), plain))).toBe(0);
});

describe.each(engines)("%s", (_, features) => {
  test("results have the bits they have where nothing is known", () => {
    const infinite = Number.POSITIVE_INFINITY;
    const x = Float32Array.from({ length: rows * columns + 1 }, (_value, i) => Math.sin(i * 1.7) * 60);
    for (const [row, value] of [Number.NaN, infinite, -infinite].entries()) x[columns * (row + 1) + 7] = value;
    x.fill(-infinite, columns * (rows - 1));
    const mask = Float32Array.from({ length: columns }, (_value, i) => (i % 3) - 0.5);
    const sums = (of: (first: number) => readonly Loose[]): number[] => {
      const program = sumOfExponentials(masked(0), of);
      return [...(runProgram(program, [x, mask], [], features)[2] as Float32Array)];
    };
    const known = sums(masked);
    expect(known).toEqual(sums((first) => [...masked(first), ...unchanged(first + 7)]));
    expect(known[0]).toBeGreaterThan(1);
    expect(known.slice(1, 3)).toEqual([Number.NaN, Number.NaN]);
    expect(known[3]).toBeGreaterThanOrEqual(1);
    expect(known[4]).toBeNaN();
  });
});

/** `value`, in a roundabout way. */
const unchanged = (value: number): Loose[] => [operation("neg", value), operation("neg", value + 1)];
