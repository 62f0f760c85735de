import { pow, unary } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { type Expression, f32, i32, type V128, v128 } from "../emit/index.ts";
import type { Features } from "../features.ts";
import type { Part } from "../lanes/index.ts";
import { testFeatures, testFunction } from "../testFunction.ts";
import { expOfAtMostZero, mathFunction, type UnaryMath } from "./index.ts";

/** Largest error in units in the last place, over all kinds of engine; measured on far more values than are tried here. */
const bounds: Readonly<Record<UnaryMath, number>> = {
  exp: 2.5,
  expm1: 1.7,
  log: 0.9,
  log1p: 1.5,
  sin: 1.5,
  cos: 1.5,
  tan: 0.51,
  tanh: 1.95,
  sigmoid: 2,
  softplus: 1.8,
  erf: 1.2,
};
const names = Object.keys(bounds) as UnaryMath[];

/** `name` of all elements in one call; arrays are cut to a multiple of four. */
function evaluate(
  features: Features,
  name: UnaryMath | "pow" | typeof expOfAtMostZero,
  ...operands: readonly Float32Array[]
): Float32Array {
  const count = operands[0] as Float32Array;
  const bytes = count.length * 4;
  const starts = [0, 1, 2].map((array) => 4096 + array * bytes) as [number, number, number];
  const run = testFunction(
    features,
    1,
    (f, code) => {
      const lanes = code.lanes(f);
      const end = f.parameter(0, "i32");
      const at = f.local("i32");
      f.loop((again) => {
        const args = operands.map((_, i) => {
          const address = i32.add(at, starts[i] as number);
          return f.let<"v128" | "f32">(lanes.count === 4 ? v128.load(address) : f32.load(address));
        });
        const result =
          typeof name === "function" ? name(lanes, args[0] as Part) : mathFunction(code, lanes, name, ...args);
        const to = i32.add(at, starts[2]);
        f.do(lanes.count === 4 ? v128.store(to, result as V128) : f32.store(to, result as Expression<"f32">));
        f.set(at, i32.add(at, 4 * lanes.count));
        f.brIf(again, i32.ltU(at, end));
      });
    },
    Math.ceil((starts[2] + bytes) / 65536),
  );
  for (const [i, values] of operands.entries()) new Float32Array(run.memory, starts[i], values.length).set(values);
  run.call(bytes);
  return new Float32Array(run.memory, starts[2], count.length);
}

/** Distance of a float32 from a float64 in units of the latter's last place; ∞ beside NaN or a zero of another sign. */
function error(got: number, expected: number): number {
  const rounded = Math.fround(expected);
  if (Object.is(got, rounded) && (rounded === 0 || !Number.isFinite(rounded))) return 0;
  if (Number.isNaN(got) || Number.isNaN(expected) || got < 0 !== expected < 0) return Number.POSITIVE_INFINITY;
  if (got === 0 && rounded === 0) return Number.POSITIVE_INFINITY;
  const finite = (x: number): number => Math.min(Math.max(x, -(2 ** 128)), 2 ** 128);
  const size = Math.min(Math.max(Math.abs(expected), 2 ** -126), 2 ** 127);
  return Math.abs(finite(got) - finite(expected)) / 2 ** (Math.floor(Math.log2(size)) - 23);
}

interface Worst {
  readonly error: number;
  readonly of: string;
}

function worstOf(
  got: Float32Array,
  expected: (index: number) => number,
  describeCase: (index: number) => string,
): Worst {
  let worst: Worst = { error: 0, of: "" };
  for (const [i, value] of got.entries()) {
    const e = error(value, expected(i));
    if (e > worst.error) worst = { error: e, of: `${describeCase(i)} = ${value}, not ${expected(i)}` };
  }
  return worst;
}

const special = [
  ...[0, 2 ** -149, 3e-42, 2 ** -127, 2 ** -126, 1e-30, 2 ** -25, 2 ** -24, 1e-4, 0.25, 0.34657359, 0.5, Math.SQRT1_2],
  ...[0.75, 0.92773438, 1, 1.0000001, Math.SQRT2, Math.PI / 4, Math.PI / 2, 2, 2.5, 3, Math.PI, 4, 9, 9.0109, 10, 16.6],
  ...[25, 30, 40, 79, 87.3365, 88.72284, 88.8, 89, 100, 103.27893, 103.9721, 103.98, 104, 105, 150, 1000, 7 ** 6],
  ...[2 ** 20, 2 ** 20 + 1, 2 ** 23, 2 ** 24, 2 ** 31, 1e10, 1e30, 1.7e38, 2.5e38, 3.4028234663852886e38],
].map(Math.fround);
const exactly = [...special, Number.POSITIVE_INFINITY].flatMap((x) => [x, -x]);

/** Every exponent of both signs, some 150 values of each, and all neighbours of the special ones. */
function sweep(): Float32Array<ArrayBuffer> {
  const bits: number[] = [];
  for (let b = 0; b < 2 ** 32; b += 2 ** 16 - 2039) bits.push(b);
  const start = new Uint32Array(Float32Array.from(exactly).buffer);
  for (const b of start) for (let near = -300; near <= 300; near++) bits.push(b + near);
  return new Float32Array(Uint32Array.from(bits.slice(0, bits.length - (bits.length % 4))).buffer);
}

describe.each(testFeatures)("math, $name", ({ features }) => {
  it.each(names)("%s is exact to its bound", (name) => {
    const x = sweep();
    const worst = worstOf(
      evaluate(features, name, x),
      (i) => unary[name](x[i] as number),
      (i) => `${name}(${x[i]})`,
    );
    expect(worst.error, worst.of).toBeLessThanOrEqual(bounds[name]);
    // A test that saw nothing would find no error at all.
    expect(worst.error).toBeGreaterThan(0.45);
  });

  it.each(names)("%s of zeros, infinities, NaN and where it reaches its limits", (name) => {
    const x = Float32Array.of(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -1, -110, 250);
    const finite = (value: number): boolean => Number.isFinite(value) && value !== 0 && Math.abs(value) !== 1;
    const got = [...evaluate(features, name, x)];
    const expected = [...x].map((value) => Math.fround(unary[name](value)));
    for (const [i, value] of expected.entries()) {
      if (finite(value)) expect(error(got[i] as number, value)).toBeLessThanOrEqual(2);
      else expect(got[i], `${name}(${x[i]})`).toBe(value);
    }
  });

  it("exp of what is not above 0 is exp", () => {
    const x = sweep().map((value) => (value > 0 ? -value : value));
    expect(evaluate(features, expOfAtMostZero, x)).toEqual(evaluate(features, "exp", x));
  });

  it("exp of 0 is 1, and below where it is a subnormal number it is 0", () => {
    const x = Float32Array.of(0, -0, -103.97, -104, -3e38, 88.7228, 88.7229, 3e38);
    const infinite = Number.POSITIVE_INFINITY;
    const [largest, ...rest] = [...evaluate(features, "exp", x)].slice(5);
    expect([...evaluate(features, "exp", x)].slice(0, 5)).toEqual([1, 1, 2 ** -149, 0, 0]);
    expect(largest).toBeGreaterThan(3.4e38);
    expect(rest).toEqual([infinite, infinite]);
  });

  it("keeps arguments that are their own function value", () => {
    const tiny = Float32Array.of(0, -0, 2 ** -149, -(2 ** -149), 3e-40, -3e-40, 1e-20, -1e-20);
    for (const name of ["expm1", "log1p", "sin", "tan", "tanh"] as const) {
      expect([...evaluate(features, name, tiny)], name).toEqual([...tiny]);
    }
  });

  it("sin, cos and tan of large arguments", () => {
    const x = Float32Array.from({ length: 4000 }, (_, i) => 2 ** 18 * 1.025 ** i * (i % 2 ? -1 : 1));
    for (const name of ["sin", "cos", "tan"] as const) {
      const worst = worstOf(
        evaluate(features, name, x),
        (i) => unary[name](x[i] as number),
        (i) => `${name}(${x[i]})`,
      );
      expect(worst.error, worst.of).toBeLessThanOrEqual(1.5);
    }
  });

  it("pow is rounded as if exact, nearly", () => {
    const random = numbers(7);
    const a: number[] = [];
    const b: number[] = [];
    for (let i = 0; i < 80000; i++) {
      const base = Math.fround(Math.exp((random() - 0.5) * (i % 3 === 0 ? 180 : 6)));
      const exponent = ((random() - 0.5) * 320) / (Math.abs(Math.log2(base)) + 1e-3);
      const whole = i % 7 === 0;
      a.push(whole ? -base : base);
      b.push(Math.fround(whole ? Math.round(exponent) : exponent));
    }
    for (const base of exactly) {
      for (const exponent of [0.5, -0.5, 2, -2, 3, 1 / 3, 7, -1, 1]) {
        a.push(base);
        b.push(Math.fround(exponent));
      }
    }
    a.length -= a.length % 4;
    const worst = worstOf(
      evaluate(features, "pow", Float32Array.from(a), Float32Array.from(b.slice(0, a.length))),
      (i) => pow(a[i] as number, b[i] as number),
      (i) => `pow(${a[i]}, ${b[i]})`,
    );
    expect(worst.error, worst.of).toBeLessThanOrEqual(0.51);
    expect(worst.error).toBeGreaterThan(0.45);
  });

  it("pow has the special cases of C99", () => {
    const values = [0, 1, 0.5, 2, 3, 2.5, 1.0000001, 0.99999994, 2 ** -149, 16777215, 16777216, 3e38, 1 / 0].flatMap(
      (x) => [Math.fround(x), -Math.fround(x)],
    );
    values.push(Number.NaN, Math.fround(1e-20));
    const pairs = values.flatMap((a) => values.map((b) => [a, b] as const));
    const got = evaluate(
      features,
      "pow",
      Float32Array.from(pairs, ([a]) => a),
      Float32Array.from(pairs, ([, b]) => b),
    );
    for (const [i, [a, b]] of pairs.entries()) {
      const expected = pow(a, b);
      expect(error(got[i] as number, expected), `pow(${a}, ${b}) = ${got[i]}, not ${expected}`).toBeLessThan(0.51);
    }
    const cases = Float32Array.of(1, Number.NaN, -1, -1, -0, -0, 0, -8);
    const powers = Float32Array.of(Number.NaN, 0, Number.NEGATIVE_INFINITY, 2, -3, 3, -2, 1 / 3);
    expect([...evaluate(features, "pow", cases, powers)]).toEqual([
      ...[1, 1, 1, 1, Number.NEGATIVE_INFINITY, -0, Number.POSITIVE_INFINITY, Number.NaN],
    ]);
  });

  it("does not depend on the lane or on its neighbours", () => {
    const random = numbers(3);
    const x = Float32Array.from({ length: 400 }, () => (random() - 0.3) * 40);
    const wild = [Number.NaN, 1e30, -1e30, 0, 2 ** -149, Number.NEGATIVE_INFINITY];
    const apart = Float32Array.from({ length: 4 * x.length }, (_, i) =>
      i % 4 === (i >> 2) % 4 ? (x[i >> 2] as number) : (wild[i % wild.length] as number),
    );
    for (const name of names) {
      const together = evaluate(features, name, x);
      const alone = evaluate(features, name, apart).filter((_, i) => i % 4 === (i >> 2) % 4);
      expect([...alone], name).toEqual([...together]);
    }
    const power = evaluate(features, "pow", x.map(Math.abs), x);
    const alone = evaluate(features, "pow", apart.map(Math.abs), apart).filter((_, i) => i % 4 === (i >> 2) % 4);
    expect([...alone]).toEqual([...power]);
  });
});

/** Reproducible numbers in [0, 1). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
