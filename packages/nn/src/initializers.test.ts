import { erf, manualSeed, type Tensor, tensor, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  calculateGain,
  conv2d,
  convTranspose2d,
  embedding,
  gruCell,
  kaimingNormal,
  kaimingUniform,
  linear,
  multiHeadAttention,
  normal,
  orthogonal,
  truncatedNormal,
  uniform,
  xavierNormal,
  xavierUniform,
} from "./index.ts";
import { inverseErf } from "./initializers.ts";

beforeAll(() => useBackend(referenceBackend()));
beforeEach(() => manualSeed(7));

const statistics = (x: Tensor) => {
  const values = Array.from(x.dataSync());
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  return { mean, std, min: Math.min(...values), max: Math.max(...values) };
};

/** All within the bounds, near them at both ends, and with the standard deviation of a uniform distribution. */
const expectUniform = (x: Tensor, bound: number): void => {
  const { min, max, std } = statistics(x);
  expect(min).toBeGreaterThanOrEqual(-bound);
  expect(max).toBeLessThanOrEqual(bound);
  expect(min).toBeLessThan(-0.9 * bound);
  expect(max).toBeGreaterThan(0.9 * bound);
  expect(std / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
};

describe("distributions", () => {
  it("uniform and normal have the moments asked for", () => {
    const u = statistics(uniform([2000], { low: 2, high: 5 }));
    expect([u.min >= 2, u.max < 5]).toEqual([true, true]);
    expect(u.mean).toBeCloseTo(3.5, 0);
    const n = statistics(normal([4000], { mean: -3, std: 0.5 }));
    expect(Math.abs(n.mean + 3)).toBeLessThan(0.03);
    expect(Math.abs(n.std - 0.5)).toBeLessThan(0.02);
  });

  it("kaiming and xavier scale by the fans", () => {
    expectUniform(kaimingUniform([60, 50]), Math.sqrt(6 / 50));
    expectUniform(kaimingUniform([60, 50], { mode: "fanOut", nonlinearity: "tanh" }), (5 / 3) * Math.sqrt(3 / 60));
    expectUniform(kaimingUniform([40, 10, 3, 3], { a: Math.sqrt(5) }), 1 / Math.sqrt(90));
    expectUniform(xavierUniform([60, 40], { gain: 2 }), 2 * Math.sqrt(6 / 100));
    expect(statistics(kaimingNormal([60, 50])).std / Math.sqrt(2 / 50)).toBeCloseTo(1, 1);
    expect(statistics(xavierNormal([60, 40])).std / Math.sqrt(2 / 100)).toBeCloseTo(1, 1);
    expect(() => kaimingUniform([3])).toThrow(
      "kaimingUniform: a weight of rank 2 or more has a fan in and a fan out, got shape [3]",
    );
  });

  it("gains are PyTorch's", () => {
    expect(calculateGain("linear")).toBe(1);
    expect(calculateGain("tanh")).toBe(5 / 3);
    expect(calculateGain("relu")).toBe(Math.SQRT2);
    expect(calculateGain("leakyRelu")).toBe(Math.sqrt(2 / 1.0001));
    expect(calculateGain("leakyRelu", 2)).toBe(Math.sqrt(0.4));
    expect(calculateGain("selu")).toBe(0.75);
  });

  it("the same seed gives the same values", () => {
    manualSeed(3);
    const a = linear(5, 5).weight.dataSync();
    manualSeed(3);
    expect(linear(5, 5).weight.dataSync()).toEqual(a);
    expect(linear(5, 5).weight.dataSync()).not.toEqual(a);
  });
});

describe("truncatedNormal", () => {
  it("keeps to its bounds with the spread of a truncated Gaussian", () => {
    const x = statistics(truncatedNormal([4000], { mean: 1, std: 0.5, low: 0, high: 2 }));
    expect([x.min >= 0, x.max <= 2]).toEqual([true, true]);
    // A unit Gaussian cut at ±2 has the standard deviation 0.8796.
    expect(Math.abs(x.std - 0.8796 * 0.5)).toBeLessThan(0.015);
    expect(Math.abs(x.mean - 1)).toBeLessThan(0.03);
  });

  it("far cuts do no harm", () => {
    const x = statistics(truncatedNormal([4000], { low: -100, high: 100 }));
    expect(Number.isFinite(x.std)).toBe(true);
    expect(Math.abs(x.std - 1)).toBeLessThan(0.05);
    expect(() => truncatedNormal([1], { low: 2, high: 2 })).toThrow(
      "truncatedNormal: expected low < high and std > 0, got low 2, high 2, std 1",
    );
  });

  it("the inverse of erf undoes erf", () => {
    const points = [-0.999999, -0.9, -0.5, -1e-4, 0, 1e-9, 0.3, 0.8, 0.9999];
    const back = erf(inverseErf(tensor(points, { dtype: "float64" }))).dataSync();
    for (const [i, point] of points.entries()) expect(Math.abs((back[i] as number) - point)).toBeLessThan(1e-14);
  });
});

describe("orthogonal", () => {
  it.each([
    [[8, 5], "float32"],
    [[5, 8], "float32"],
    [[24, 24], "float32"],
    [[1, 1], "float32"],
    [[6, 2, 3, 3], "float32"],
    [[12, 12], "float64"],
  ] as const)("%j %s: rows or columns are orthonormal", (shape, dtype) => {
    const rows = shape[0];
    const values = orthogonal(shape, { gain: 2, dtype }).dataSync();
    const columns = values.length / rows;
    const at = (i: number, j: number): number => values[i * columns + j] as number;
    const [few, many] = [Math.min(rows, columns), Math.max(rows, columns)];
    let worst = 0;
    for (let a = 0; a < few; a++) {
      for (let b = 0; b < few; b++) {
        let dot = 0;
        for (let k = 0; k < many; k++) dot += rows <= columns ? at(a, k) * at(b, k) : at(k, a) * at(k, b);
        worst = Math.max(worst, Math.abs(dot - (a === b ? 4 : 0)));
      }
    }
    expect(worst).toBeLessThan(dtype === "float64" ? 1e-12 : 4e-5);
  });

  it("wants a matrix", () => {
    expect(() => orthogonal([3])).toThrow("orthogonal: expected a shape of rank 2 or more, got [3]");
  });
});

describe("layers start as PyTorch's", () => {
  it("linear and convolutions: U(±1/√fanIn)", () => {
    const dense = linear(100, 40);
    expectUniform(dense.weight, 0.1);
    expectUniform(linear(4, 500).bias as Tensor, 0.5);
    expectUniform(conv2d(4, 40, 5).weight, 0.1);
    expectUniform(conv2d(4, 400, 5).bias as Tensor, 0.1);
    // PyTorch takes the fan of a transposed convolution from the second axis, too.
    expectUniform(convTranspose2d(40, 4, 5).weight, 0.1);
  });

  it("embedding N(0, 1), cells U(±1/√hidden), attention xavierUniform and zeros", () => {
    const { mean, std } = statistics(embedding(100, 30).weight);
    expect(Math.abs(mean)).toBeLessThan(0.06);
    expect(Math.abs(std - 1)).toBeLessThan(0.06);
    const cell = gruCell(20, 25);
    for (const weight of [cell.weightIH, cell.weightHH]) expectUniform(weight, 0.2);
    expect(statistics(cell.biasIH as Tensor).max).toBeLessThanOrEqual(0.2);
    const attention = multiHeadAttention(30, 3);
    expectUniform(attention.inProjWeight, Math.sqrt(6 / 120));
    expectUniform(attention.outProj.weight, 1 / Math.sqrt(30));
    expect(statistics(attention.inProjBias as Tensor).max).toBe(0);
    expect(statistics(attention.outProj.bias as Tensor).max).toBe(0);
  });
});
