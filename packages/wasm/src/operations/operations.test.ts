import {
  allocateHost,
  applyBinary,
  applyUnary,
  type BinaryOp,
  binaryOps,
  bytesPerElement,
  type ComputeDType,
  castValue,
  comparisonOps,
  computeDType,
  type DType,
  dtypes,
  type HostArray,
  philoxWord,
  roundTo,
  type UnaryOp,
  unaryOps,
} from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import type { Code } from "../code.ts";
import { type FunctionBuilder, i32 } from "../emit/index.ts";
import type { Features } from "../features.ts";
import type { Lanes, Vector } from "../lanes/index.ts";
import { loadVector, storeVector } from "../storage/index.ts";
import { testFeatures, testFunction } from "../testFunction.ts";
import {
  binaryOperation,
  castOperation,
  constantVector,
  philoxOperation,
  roundToOperation,
  unaryOperation,
  whereOperation,
} from "./index.ts";

const computeDTypes: readonly ComputeDType[] = ["float32", "float64", "int32", "uint32", "bool"];

/** Applies `compute` to columns of equal length, which is a multiple of 4; gives the column of results. */
function evaluate(
  features: Features,
  columns: readonly { readonly dtype: DType; readonly values: readonly number[] }[],
  to: DType,
  compute: (code: Code, lanes: Lanes, args: Vector[]) => Vector,
): HostArray {
  const length = columns[0]?.values.length as number;
  const starts = columns.map((_, index) => 8 * length * index);
  const result = 8 * length * columns.length;
  const build = (f: FunctionBuilder, code: Code): void => {
    const lanes = code.lanes(f);
    const at = f.local("i32");
    f.for(at, 0, length, lanes.count, () => {
      const args = columns.map(({ dtype }, index) =>
        loadVector(lanes, dtype, f.let(i32.mul(at, bytesPerElement(dtype))), starts[index] as number, lanes.count),
      );
      const value = compute(code, lanes, args);
      expect(value.dtype).toBe(computeDType(to));
      storeVector(lanes, to, f.let(i32.mul(at, bytesPerElement(to))), result, value, lanes.count);
    });
  };
  const { memory, call } = testFunction(features, 0, build, 1 + Math.ceil((result + 8 * length) / 65536));
  for (const [index, { dtype, values }] of columns.entries()) {
    new dtypes[dtype].hostView(memory, starts[index], length).set(values);
  }
  call();
  const array = allocateHost(to, length);
  array.set(new dtypes[to].hostView(memory, result, length));
  return array;
}

/** A generator of numbers in [0, 1), the same every time. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const specialFloats = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  -1.5,
  2,
  2.5,
  -2.5,
  3,
  -3,
  0.1,
  -0.3,
  7,
  10.25,
  -12.75,
  88,
  -88,
  100.5,
  ...[
    2 ** 23 - 0.5,
    2 ** 24,
    -(2 ** 24),
    2 ** 31,
    2 ** 31 - 128,
    -(2 ** 31),
    -(2 ** 31) - 256,
    2 ** 32,
    2 ** 32 - 256,
    1e10,
    -1e10,
  ],
  ...[1e-3, -1e-6, 1e-20, 2 ** -126, -(2 ** -126), 1e-40, -1e-44, 2 ** -24, 65504, 65520, -65536, 3e38, -3e38],
  ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN],
];
const specialIntegers = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 33, 100, 255, 1000, 65535, 65536, 2 ** 24 + 1, 1e9, 2 ** 30, 2 ** 31 - 1],
  ...[2 ** 31, 2 ** 31 + 1, 2 ** 32 - 3, 2 ** 32 - 2, 2 ** 32 - 1],
];

function samples(dtype: ComputeDType, random: () => number): number[] {
  switch (dtype) {
    case "bool":
      return [0, 1];
    case "int32":
    case "uint32":
      return [
        ...specialIntegers,
        ...specialIntegers.map((x) => -x),
        ...Array.from({ length: 40 }, () => Math.floor(random() * 2 ** 32)),
        ...Array.from({ length: 20 }, () => Math.floor((random() - 0.5) * 40)),
      ].map((x) => roundTo(dtype, x));
    default:
      return [
        ...specialFloats,
        ...Array.from({ length: 60 }, () => (random() - 0.5) * 20),
        ...Array.from({ length: 30 }, () => (random() - 0.5) * 2 ** Math.floor(random() * 240 - 120)),
        ...Array.from({ length: 10 }, () => Math.floor((random() - 0.5) * 50)),
      ].map((x) => roundTo(dtype, x));
  }
}

const random = randomNumbers(7);
const table = Object.fromEntries(computeDTypes.map((dtype) => [dtype, samples(dtype, random)])) as Record<
  ComputeDType,
  number[]
>;

/** Repeats values up to a multiple of 4. */
const filled = (values: readonly number[]): number[] =>
  Array.from({ length: Math.ceil(values.length / 4) * 4 }, (_, i) => values[i % values.length] as number);

/** Every pair. */
function pairs(values: readonly number[]): [a: number[], b: number[]] {
  const all = values.flatMap((a) => values.map((b) => [a, b] as const));
  return [filled(all.map(([a]) => a)), filled(all.map(([, b]) => b))];
}

/** Units in the last place that a float32 function may be off, where it is not rounded exactly. */
const ulps: Partial<Record<UnaryOp | BinaryOp, number>> = {
  exp: 4,
  log: 4,
  log1p: 4,
  expm1: 4,
  sin: 4,
  cos: 4,
  tan: 4,
  tanh: 4,
  sigmoid: 4,
  softplus: 4,
  erf: 4,
  rsqrt: 2,
  pow: 16,
};

function ulp32(x: number): number {
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(x))), -126);
  return 2 ** (exponent - 23);
}

function agrees(dtype: ComputeDType, got: number, exact: number, allowed: number): boolean {
  const expected = roundTo(dtype, exact);
  if (Object.is(got, expected) || (dtype !== "float32" && dtype !== "float64" && got === expected)) return true;
  if (allowed === 0 || !Number.isFinite(got) || Number.isNaN(expected)) return false;
  if (dtype === "float64") return Math.abs(got - expected) <= 1e-14 * Math.abs(expected);
  return Math.abs(got - exact) <= allowed * ulp32(exact);
}

const shown = (x: number): string => (Object.is(x, -0) ? "-0" : `${x}`);

/** Lists what differs from `expected(i)`. */
function differences(
  dtype: ComputeDType,
  result: HostArray,
  expected: (index: number) => number,
  operands: (index: number) => readonly number[],
  allowed = 0,
): string[] {
  return [...result].flatMap((got, index) =>
    agrees(dtype, got, expected(index), allowed)
      ? []
      : [`${operands(index).map(shown).join(", ")}: ${shown(got)}, not ${shown(roundTo(dtype, expected(index)))}`],
  );
}

const takes = (op: UnaryOp | BinaryOp, dtype: ComputeDType): boolean => {
  const category = dtypes[dtype].category;
  switch (op) {
    case "not":
    case "and":
    case "or":
    case "xor":
      return category !== "float";
    case "shiftLeft":
    case "shiftRight":
    case "mulHigh":
      return category === "integer";
    case "add":
    case "mul":
    case "maximum":
    case "minimum":
      return true;
    case "neg":
    case "abs":
    case "sign":
    case "relu":
    case "floor":
    case "ceil":
    case "round":
    case "trunc":
    case "isNaN":
    case "sub":
    case "div":
    case "pow":
    case "mod":
      return category !== "bool";
    default:
      return comparisonOps.has(op as BinaryOp) || category === "float";
  }
};

describe.each(testFeatures)("with $name", ({ features }) => {
  describe.each(computeDTypes)("on %s", (dtype) => {
    it.each(unaryOps.filter((op) => takes(op, dtype)))("%s", (op) => {
      const values = filled(table[dtype]);
      const to = op === "isNaN" ? "bool" : dtype;
      const result = evaluate(features, [{ dtype, values }], to, (code, lanes, [a]) =>
        unaryOperation(code, lanes, op, a as Vector),
      );
      const expected = (i: number): number => applyUnary(op, dtype, values[i] as number);
      expect(differences(to, result, expected, (i) => [values[i] as number], ulps[op])).toEqual([]);
    });

    it.each(binaryOps.filter((op) => takes(op, dtype)))("%s", (op) => {
      const [a, b] = pairs(table[dtype]);
      const to = comparisonOps.has(op) ? "bool" : dtype;
      const columns = [
        { dtype, values: a },
        { dtype, values: b },
      ];
      const result = evaluate(features, columns, to, (code, lanes, [x, y]) =>
        binaryOperation(code, lanes, op, x as Vector, y as Vector),
      );
      const expected = (i: number): number => applyBinary(op, dtype, a[i] as number, b[i] as number);
      expect(differences(to, result, expected, (i) => [a[i] as number, b[i] as number], ulps[op])).toEqual([]);
    });

    it.each(binaryOps.filter((op) => takes(op, dtype)))("%s with a constant", (op) => {
      const values = filled(table[dtype]);
      const constants = {
        bool: [0, 1],
        int32: [0, 1, -1, 2, 3, 7, 8, 16, 17, 40, -5, 1024, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)],
        uint32: [0, 1, 2, 3, 7, 8, 16, 17, 40, 1024, 2 ** 31, 2 ** 32 - 1],
        float32: [0, -0, 1, -1, 2, 0.5, Math.fround(0.3), Number.NaN, Number.POSITIVE_INFINITY],
        float64: [0, -0, 1, -1, 2, 0.5, 0.3, Number.NaN, Number.NEGATIVE_INFINITY],
      }[dtype];
      const to = comparisonOps.has(op) ? "bool" : dtype;
      for (const constant of constants) {
        for (const first of [false, true]) {
          const result = evaluate(features, [{ dtype, values }], to, (code, lanes, [x]) => {
            const other = constantVector(lanes, dtype, constant);
            return first
              ? binaryOperation(code, lanes, op, other, x as Vector)
              : binaryOperation(code, lanes, op, x as Vector, other);
          });
          const operands = (i: number): [number, number] => {
            const value = values[i] as number;
            return first ? [constant, value] : [value, constant];
          };
          const expected = (i: number): number => applyBinary(op, dtype, ...operands(i));
          expect(differences(to, result, expected, operands, ulps[op])).toEqual([]);
        }
      }
    });

    it.each(computeDTypes)("cast to %s", (to) => {
      const values = filled(table[dtype]);
      const result = evaluate(features, [{ dtype, values }], to, (code, lanes, [a]) =>
        castOperation(code, lanes, to, a as Vector),
      );
      const expected = (i: number): number => castValue(dtype, to, values[i] as number);
      expect(differences(to, result, expected, (i) => [values[i] as number])).toEqual([]);
    });

    it("where, also with zeros and known tests", () => {
      const values = filled(table[dtype]);
      const others = values.toReversed();
      const tests = values.map((_, i) => (i % 3 === 1 || i % 7 === 0 ? 1 : 0));
      const columns = [
        { dtype: "bool" as const, values: tests },
        { dtype, values },
        { dtype, values: others },
      ];
      const zero = (lanes: Lanes): Vector => constantVector(lanes, dtype, 0);
      const known = (lanes: Lanes, test: number): Vector => constantVector(lanes, "bool", test);
      type Case = [compute: (lanes: Lanes, args: Vector[]) => [Vector, Vector, Vector], of: (i: number) => number];
      const [x, y] = [(i: number) => values[i] as number, (i: number) => others[i] as number];
      const cases: Case[] = [
        [(_, [t, a, b]) => [t, a, b] as [Vector, Vector, Vector], (i) => (tests[i] ? x(i) : y(i))],
        [(lanes, [t, a]) => [t as Vector, a as Vector, zero(lanes)], (i) => (tests[i] ? x(i) : 0)],
        [(lanes, [t, a]) => [t as Vector, zero(lanes), a as Vector], (i) => (tests[i] ? 0 : x(i))],
        [(lanes, [, a, b]) => [known(lanes, 1), a as Vector, b as Vector], x],
        [(lanes, [, a, b]) => [known(lanes, 0), a as Vector, b as Vector], y],
      ];
      for (const [operands, expected] of cases) {
        const result = evaluate(features, columns, dtype, (_, lanes, args) =>
          whereOperation(lanes, ...operands(lanes, args)),
        );
        expect(differences(dtype, result, expected, (i) => [tests[i] as number, x(i), y(i)])).toEqual([]);
      }
    });

    it("constants", () => {
      for (const value of new Set(table[dtype])) {
        const result = evaluate(features, [{ dtype, values: [0, 0, 0, 0] }], dtype, (_, lanes) =>
          constantVector(lanes, dtype, value),
        );
        expect(
          differences(
            dtype,
            result,
            () => value,
            () => [value],
          ),
        ).toEqual([]);
      }
    });
  });

  it.each(["float32", "float64"] as const)("rounds %s to every float dtype", (dtype) => {
    const next = randomNumbers(3);
    const more = Array.from({ length: 4000 }, () => (next() - 0.5) * 2 ** Math.floor(next() * 60 - 36));
    const values = filled([...table[dtype], ...more.map((x) => roundTo(dtype, x))]);
    for (const to of ["float32", "float64", "bfloat16", "float16"] as const) {
      const result = evaluate(features, [{ dtype, values }], dtype, (code, lanes, [a]) =>
        roundToOperation(code, lanes, to, a as Vector),
      );
      const expected = (i: number): number => roundTo(to, values[i] as number);
      expect(differences(dtype, result, expected, (i) => [values[i] as number])).toEqual([]);
    }
  });

  it("gives remainders of float32 beside whole quotients", () => {
    const next = randomNumbers(5);
    const bits = new Int32Array(1);
    const float = new Float32Array(bits.buffer);
    const rows = Array.from({ length: 20000 }, () => {
      const b = Math.fround((next() - 0.5) * 2 ** Math.floor(next() * 20));
      float[0] = b * Math.floor(next() * 2 ** Math.floor(next() * 34)) * (next() < 0.5 ? -1 : 1);
      bits[0] = (bits[0] as number) + Math.floor(next() * 3) - 1;
      return [float[0], b] as const;
    });
    const [a, b] = [rows.map(([x]) => x), rows.map(([, y]) => y)];
    const columns = [
      { dtype: "float32" as const, values: a },
      { dtype: "float32" as const, values: b },
    ];
    const result = evaluate(features, columns, "float32", (code, lanes, [x, y]) =>
      binaryOperation(code, lanes, "mod", x as Vector, y as Vector),
    );
    const expected = (i: number): number => applyBinary("mod", "float32", a[i] as number, b[i] as number);
    expect(differences("float32", result, expected, (i) => rows[i] as readonly number[])).toEqual([]);
  });

  it("gives the words of Philox", () => {
    const next = randomNumbers(11);
    const word = (): number => Math.floor(next() * 2 ** 32);
    const rows = Array.from({ length: 256 }, (_, i) =>
      i < 96
        ? // Whole blocks.
          [i, 12, 2 ** 32 - 34, 56 + (i >> 2), 78]
        : i < 128
          ? [i + 1, 12, 34, 56, 78]
          : i < 192
            ? // Neighbours of a block by their index, but of several streams.
              [i, 12 + (i === 130 ? 1 : 0), 34 + (i % 16), 56, 78 + (i >> 4)]
            : [Math.floor(next() * 2 ** 31), word(), word(), word(), 2 ** 32 - 1],
    );
    const columns = [0, 1, 2, 3, 4].map((at) => ({
      dtype: at === 0 ? ("int32" as const) : ("uint32" as const),
      values: rows.map((row) => row[at] as number),
    }));
    const result = evaluate(features, columns, "uint32", (code, lanes, args) => philoxOperation(code, lanes, args));
    expect([...result]).toEqual(rows.map((row) => philoxWord(...(row as [number, number, number, number, number]))));
  });
});
