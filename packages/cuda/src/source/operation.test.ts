import {
  allocateHost,
  applyBinary,
  applyUnary,
  type BinaryOp,
  binaryOps,
  type ComputeDType,
  castValue,
  comparisonOps,
  type DType,
  decode,
  dtypes,
  encode,
  type HostArray,
  type Instruction,
  philoxWord,
  roundTo,
  type UnaryOp,
  unaryOps,
  type Value,
} from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { runBodies, type TestBody } from "./testBodies.ts";

const computeDTypes: readonly ComputeDType[] = ["float32", "float64", "int32", "uint32", "bool"];

interface Column {
  readonly dtype: DType;
  readonly values: readonly number[];
}

/** A body that loads columns, and whose results are stored to columns of their own, those of a dtype in one buffer. */
class Columns {
  readonly #body: Instruction[] = [];
  readonly #slots: { dtype: DType; data: HostArray }[] = [];
  readonly #length: number;
  readonly #stored: { dtype: DType; slot: number; offset: number }[] = [];
  #next = 0;

  constructor(length: number) {
    this.#length = length;
  }

  add(instruction: object): Value {
    const id = this.#next++;
    this.#body.push({ id, ...instruction } as Instruction);
    return id;
  }

  load({ dtype, values }: Column): Value {
    const data = allocateHost(dtype, values.length);
    values.forEach((value, i) => {
      encode(dtype, data, i, value);
    });
    const slot = this.#slots.push({ dtype, data }) - 1;
    return this.add({ op: "load", dtype: dtypes[dtype].compute, slot, at: { offset: 0, strides: [1] } });
  }

  constant(dtype: ComputeDType, value: number): Value {
    return this.add({ op: "constant", dtype, value });
  }

  /** Gives the number of the column. */
  store(dtype: DType, value: Value): number {
    const before = this.#stored.filter((column) => column.dtype === dtype);
    const slot = before[0]?.slot ?? this.#slots.push({ dtype, data: allocateHost(dtype, 0) }) - 1;
    const offset = before.length * Math.ceil(this.#length / 4) * 4;
    (this.#slots[slot] as { data: HostArray }).data = allocateHost(dtype, offset + this.#length);
    this.add({ op: "store", slot, at: { offset, strides: [1] }, value });
    return this.#stored.push({ dtype, slot, offset }) - 1;
  }

  /** The columns that were stored. */
  run(width = 2): HostArray[] {
    const test: TestBody = { body: this.#body, sizes: [this.#length], slots: this.#slots, width, counted: true };
    const [results] = runBodies([test]) as [HostArray[]];
    return this.#stored.map(({ slot, offset }) => (results[slot] as HostArray).slice(offset, offset + this.#length));
  }
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
  ...[0, -0, 1, -1, 0.5, -0.5, 1.5, -1.5, 2, 2.5, -2.5, 3, -3, 0.1, -0.3, 7, 10.25, -12.75, 88, -88, 100.5],
  ...[2 ** 23 - 0.5, 2 ** 24, -(2 ** 24), 2 ** 31, 2 ** 31 - 128, -(2 ** 31), -(2 ** 31) - 256],
  ...[2 ** 32, 2 ** 32 - 256, 1e10, -1e10],
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

/** Every pair. */
function pairs(values: readonly number[]): [a: number[], b: number[]] {
  const all = values.flatMap((a) => values.map((b) => [a, b] as const));
  return [all.map(([a]) => a), all.map(([, b]) => b)];
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

function agrees(dtype: DType, got: number, exact: number, allowed: number): boolean {
  const expected = roundTo(dtype, exact);
  if (Object.is(got, expected) || (dtype !== "float32" && dtype !== "float64" && got === expected)) return true;
  if (allowed === 0 || !Number.isFinite(got) || Number.isNaN(expected)) return false;
  if (dtype === "float64") return Math.abs(got - expected) <= 1e-14 * Math.abs(expected);
  return Math.abs(got - exact) <= allowed * ulp32(exact);
}

const shown = (x: number): string => (Object.is(x, -0) ? "-0" : `${x}`);

/** Lists what differs from `expected(i)`. */
function differences(
  dtype: DType,
  result: HostArray | undefined,
  expected: (index: number) => number,
  operands: (index: number) => readonly number[],
  allowed = 0,
): string[] {
  const array = result as HostArray;
  return Array.from(array, (_, i) => decode(dtype, array, i)).flatMap((got, index) =>
    agrees(dtype, got, expected(index), allowed)
      ? []
      : [`${operands(index).map(shown).join(", ")}: ${shown(got)}, not ${shown(roundTo(dtype, expected(index)))}`],
  );
}

const takes = (op: UnaryOp | BinaryOp, dtype: ComputeDType): boolean => {
  const { category } = dtypes[dtype];
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

const unaryOf = (dtype: ComputeDType): readonly UnaryOp[] => unaryOps.filter((op) => takes(op, dtype));
const binaryOf = (dtype: ComputeDType): readonly BinaryOp[] => binaryOps.filter((op) => takes(op, dtype));
const resultOf = (op: UnaryOp | BinaryOp, dtype: ComputeDType): ComputeDType =>
  op === "isNaN" || comparisonOps.has(op as BinaryOp) ? "bool" : dtype;

const constants: Readonly<Record<ComputeDType, readonly number[]>> = {
  bool: [0, 1],
  int32: [0, 1, -1, 2, 3, 7, 8, 16, 17, 40, -5, 1024, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)],
  uint32: [0, 1, 2, 3, 7, 8, 16, 17, 40, 1024, 2 ** 31, 2 ** 32 - 1],
  float32: [0, -0, 1, -1, 2, 3, 0.5, Math.fround(0.3), Number.NaN, Number.POSITIVE_INFINITY],
  float64: [0, -0, 1, -1, 2, 3, 0.5, 0.3, Number.NaN, Number.NEGATIVE_INFINITY],
};

describe.each(computeDTypes)("on %s", (dtype) => {
  it("operations of one value", () => {
    const values = table[dtype];
    const columns = new Columns(values.length);
    const a = columns.load({ dtype, values });
    const ops = unaryOf(dtype).map((op) => {
      const to = resultOf(op, dtype);
      return { op, to, column: columns.store(to, columns.add({ op, dtype: to, args: [a] })) };
    });
    const results = columns.run();
    const found = ops.map(({ op, to, column }) => {
      const expected = (i: number): number => applyUnary(op, dtype, values[i] as number);
      return [op, differences(to, results[column], expected, (i) => [values[i] as number], ulps[op])];
    });
    expect(found).toEqual(ops.map(({ op }) => [op, []]));
  });

  it("operations of two values", () => {
    const [x, y] = pairs(table[dtype]);
    const columns = new Columns(x.length);
    const args = [columns.load({ dtype, values: x }), columns.load({ dtype, values: y })];
    const ops = binaryOf(dtype).map((op) => {
      const to = resultOf(op, dtype);
      return { op, to, column: columns.store(to, columns.add({ op, dtype: to, args })) };
    });
    const results = columns.run();
    const found = ops.map(({ op, to, column }) => {
      const expected = (i: number): number => applyBinary(op, dtype, x[i] as number, y[i] as number);
      return [op, differences(to, results[column], expected, (i) => [x[i] as number, y[i] as number], ulps[op])];
    });
    expect(found).toEqual(ops.map(({ op }) => [op, []]));
  });

  it("operations with a constant", () => {
    const values = table[dtype];
    const columns = new Columns(values.length);
    const a = columns.load({ dtype, values });
    const uses = binaryOf(dtype).flatMap((op) =>
      constants[dtype].flatMap((constant) =>
        [false, true].map((first) => {
          const to = resultOf(op, dtype);
          const c = columns.constant(dtype, constant);
          const value = columns.add({ op, dtype: to, args: first ? [c, a] : [a, c] });
          return { op, to, constant, first, column: columns.store(to, value) };
        }),
      ),
    );
    const results = columns.run(1);
    const found = uses.flatMap(({ op, to, constant, first, column }) => {
      const operands = (i: number): [number, number] =>
        first ? [constant, values[i] as number] : [values[i] as number, constant];
      const expected = (i: number): number => applyBinary(op, dtype, ...operands(i));
      return differences(to, results[column], expected, operands, ulps[op]).map((text) => `${op} ${text}`);
    });
    expect(found).toEqual([]);
  });

  it("casts, choices and constants", () => {
    const values = table[dtype];
    const others = values.toReversed();
    const tests = values.map((_, i) => (i % 3 === 1 || i % 7 === 0 ? 1 : 0));
    const columns = new Columns(values.length);
    const a = columns.load({ dtype, values });
    const b = columns.load({ dtype, values: others });
    const test = columns.load({ dtype: "bool", values: tests });
    const casts = computeDTypes.map((to) => ({
      to,
      column: columns.store(to, columns.add({ op: "cast", dtype: to, args: [a] })),
    }));
    const chosen = columns.store(dtype, columns.add({ op: "where", dtype, args: [test, a, b] }));
    const literals = [...new Set(values)].map((value) => ({
      value,
      column: columns.store(dtype, columns.constant(dtype, value)),
    }));
    const results = columns.run();
    const operand = (i: number): readonly number[] => [values[i] as number];
    for (const { to, column } of casts) {
      const expected = (i: number): number => castValue(dtype, to, values[i] as number);
      expect(differences(to, results[column], expected, operand)).toEqual([]);
    }
    const expected = (i: number): number => (tests[i] ? values[i] : others[i]) as number;
    expect(differences(dtype, results[chosen], expected, operand)).toEqual([]);
    for (const { value, column } of literals) {
      expect(
        differences(
          dtype,
          results[column],
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
  const values = [...table[dtype], ...more.map((x) => roundTo(dtype, x))];
  const columns = new Columns(values.length);
  const a = columns.load({ dtype, values });
  const rounded = (["float32", "float64", "bfloat16", "float16"] as const).map((to) => ({
    to,
    column: columns.store(dtype, columns.add({ op: "roundTo", dtype, to, args: [a] })),
  }));
  const results = columns.run();
  for (const { to, column } of rounded) {
    const expected = (i: number): number => roundTo(to, values[i] as number);
    expect(differences(dtype, results[column], expected, (i) => [values[i] as number])).toEqual([]);
  }
});

it.each(["bfloat16", "float16"] as const)("loads every %s, and stores what it loads", (dtype) => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const values = Array.from(bits, (_, i) => decode(dtype, bits, i));
  const columns = new Columns(values.length);
  const a = columns.load({ dtype, values });
  const [wide, same] = [columns.store("float32", a), columns.store(dtype, a)];
  const results = columns.run();
  const expected = (i: number): number => values[i] as number;
  expect(differences("float32", results[wide], expected, (i) => [i])).toEqual([]);
  expect(differences(dtype, results[same], expected, (i) => [i])).toEqual([]);
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
  const columns = new Columns(rows.length);
  const args = [0, 1].map((i) => columns.load({ dtype: "float32", values: rows.map((row) => row[i] as number) }));
  const column = columns.store("float32", columns.add({ op: "mod", dtype: "float32", args }));
  const expected = (i: number): number => applyBinary("mod", "float32", ...(rows[i] as [number, number]));
  expect(differences("float32", columns.run()[column], expected, (i) => rows[i] as readonly number[])).toEqual([]);
});

it("gives the words of Philox", () => {
  const next = randomNumbers(11);
  const word = (): number => Math.floor(next() * 2 ** 32);
  const rows = Array.from({ length: 130 }, () => [
    Math.floor(next() * 2 ** 31),
    word(),
    word(),
    word(),
    2 ** 32 - 1,
  ]) as [number, number, number, number, number][];
  const columns = new Columns(rows.length);
  const args = [0, 1, 2, 3, 4].map((at) =>
    columns.load({ dtype: at === 0 ? "int32" : "uint32", values: rows.map((row) => row[at] as number) }),
  );
  const column = columns.store("uint32", columns.add({ op: "philox", dtype: "uint32", args }));
  expect([...(columns.run()[column] as HostArray)]).toEqual(rows.map((row) => philoxWord(...row)));
});
