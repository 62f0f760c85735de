import { contiguousStrides, type DType, type IndexedKernel, sizeOf } from "@thalweg/core/backend";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { testFeatures } from "../testFunction.ts";
import { expectReference, runIndexed, type TestBuffer } from "./testIndexed.ts";

type ScatterAdd = Extract<IndexedKernel, { kind: "scatterAdd" }>;
interface View {
  readonly offset: number;
  readonly strides: readonly number[];
  readonly size: number;
}
interface Options {
  readonly axis: number;
  readonly target: readonly number[];
  readonly shape: readonly number[];
  readonly index?: View;
  readonly source?: View;
  readonly dtype?: DType;
  readonly sourceDType?: DType;
  readonly indexDType?: "int32" | "uint32";
  readonly indices?: (i: number) => number;
}

/** A number of few bits for every i, negative ones among them, without a pattern that a mistake could share. */
const value = (dtype: DType, i: number): number => {
  const whole = (Math.imul(i + 1, 0x9e3779b1) >>> 20) % 97;
  return dtype === "uint32" ? whole : dtype === "int32" ? whole - 48 : (whole - 48) / 8;
};

const whole = (shape: readonly number[]): View => ({
  offset: 0,
  strides: contiguousStrides(shape),
  size: sizeOf(shape),
});

function scatter(options: Options): { kernel: ScatterAdd; buffers: TestBuffer[] } {
  const { axis, target, shape, dtype = "float32", sourceDType = dtype, indexDType = "int32" } = options;
  const { index = whole(shape), source = whole(shape) } = options;
  const { indices = (i) => (Math.imul(i + 7, 0x85ebca6b) >>> 8) % (target[axis] as number) } = options;
  const numbers = (of: DType, size: number, from: number) =>
    Array.from({ length: size }, (_, i) => value(of, from + i));
  return {
    kernel: {
      kind: "scatterAdd",
      label: "scatter",
      axis,
      targetShape: target,
      shape,
      target: 0,
      index: { buffer: 1, offset: index.offset, strides: index.strides },
      source: { buffer: 2, offset: source.offset, strides: source.strides },
    },
    buffers: [
      { dtype, values: numbers(dtype, sizeOf(target), 0) },
      { dtype: indexDType, values: Array.from({ length: index.size }, (_, i) => indices(i)) },
      { dtype: sourceDType, values: numbers(sourceDType, source.size, 1000) },
    ],
  };
}

const expectSums = (options: Options): void => {
  const { kernel, buffers } = scatter(options);
  expectReference(kernel, buffers);
};

const tasksOf = (options: Options): number => {
  const { kernel, buffers } = scatter(options);
  return runIndexed(kernel, buffers, (testFeatures[0] as (typeof testFeatures)[0]).features).tasks;
};

const perRow = (rows: number): View => ({ offset: 0, strides: [1, 0], size: rows });

describe("scatterAdd", () => {
  it("adds rows that come several times, by hand", () => {
    for (const { features } of testFeatures) {
      const { buffers } = runIndexed(
        {
          kind: "scatterAdd",
          label: "rows",
          axis: 0,
          targetShape: [3, 2],
          shape: [4, 2],
          target: 0,
          index: { buffer: 1, offset: 0, strides: [1, 0] },
          source: { buffer: 2, offset: 0, strides: [2, 1] },
        },
        [
          { dtype: "float32", values: [100, 200, 300, 400, 500, 600] },
          { dtype: "int32", values: [2, 0, 2, 2] },
          { dtype: "float32", values: [1, 2, 3, 4, 5, 6, 7, 8] },
        ],
        features,
      );
      expect(buffers[0]).toEqual([103, 204, 300, 400, 513, 616]);
    }
  });

  it("adds to one element in the order of the source, each sum rounded", () => {
    const values = [2 ** 24, 1, 1, -(2 ** 24), 1];
    for (const { features } of testFeatures) {
      const run = (axisLast: boolean) =>
        runIndexed(
          {
            kind: "scatterAdd",
            label: "order",
            axis: axisLast ? 1 : 0,
            targetShape: axisLast ? [1, 2] : [2, 1],
            shape: axisLast ? [1, 5] : [5, 1],
            target: 0,
            index: { buffer: 1, offset: 0, strides: [0, 0] },
            source: { buffer: 2, offset: 0, strides: axisLast ? [5, 1] : [1, 1] },
          },
          [
            { dtype: "float32", values: [0, 0] },
            { dtype: "int32", values: [1] },
            { dtype: "float32", values },
          ],
          features,
        ).buffers[0];
      expect(run(true)).toEqual([0, 1]);
      expect(run(false)).toEqual([0, 1]);
    }
  });

  it.each(["float32", "float64", "int32", "uint32", "bfloat16", "float16"] as const)(
    "of %s, along every axis",
    (dtype) => {
      expectSums({ axis: 0, target: [5], shape: [33], dtype });
      expectSums({ axis: 0, target: [7, 6], shape: [7, 6], dtype });
      expectSums({ axis: 1, target: [4, 9], shape: [4, 17], dtype });
      expectSums({ axis: 1, target: [3, 8, 5], shape: [3, 4, 5], dtype });
      expectSums({ axis: 2, target: [2, 3, 6], shape: [2, 3, 40], dtype });
      for (const columns of [1, 2, 3, 4, 5, 15, 16, 17, 39]) {
        expectSums({ axis: 0, target: [6, columns], shape: [10, columns], index: perRow(10), dtype });
      }
    },
  );

  it("wraps integers", () => {
    for (const dtype of ["int32", "uint32"] as const) {
      for (const { features } of testFeatures) {
        const most = dtype === "int32" ? 2 ** 31 - 1 : 2 ** 32 - 1;
        const { kernel } = scatter({ axis: 0, target: [2, 4], shape: [1, 4], index: perRow(1), dtype });
        const buffers = [new Array(8).fill(most), [1], new Array(4).fill(3)].map((values, i) => ({
          dtype: i === 1 ? ("int32" as const) : dtype,
          values: values as number[],
        }));
        const wrapped = dtype === "int32" ? -(2 ** 31) + 2 : 2;
        expect(runIndexed(kernel, buffers, features).buffers[0]?.slice(4)).toEqual(new Array(4).fill(wrapped));
      }
    }
  });

  it("of a source stored in another way than the target", () => {
    for (const [dtype, sourceDType] of [
      ["float32", "bfloat16"],
      ["float16", "float32"],
      ["bfloat16", "float16"],
    ] as const) {
      expectSums({ axis: 0, target: [5, 21], shape: [9, 21], index: perRow(9), dtype, sourceDType });
      expectSums({ axis: 1, target: [3, 8], shape: [3, 13], dtype, sourceDType });
    }
  });

  it("into a target larger on every axis", () => {
    expectSums({ axis: 0, target: [6, 9], shape: [4, 5] });
    expectSums({ axis: 1, target: [5, 7, 8], shape: [2, 9, 3] });
    expectSums({ axis: 0, target: [6, 29], shape: [4, 18], index: perRow(4) });
  });

  it("of strided, turned and repeated operands", () => {
    expectSums({
      axis: 0,
      target: [3, 4],
      shape: [3, 3],
      index: { offset: 1, strides: [1, 0], size: 4 },
      source: { offset: 1, strides: [5, 1], size: 15 },
    });
    expectSums({
      axis: 1,
      target: [4, 6],
      shape: [4, 5],
      index: { offset: 19, strides: [-5, -1], size: 20 },
      source: { offset: 19, strides: [-5, -1], size: 20 },
    });
    const turned = { offset: 0, strides: [1, 30], size: 240 };
    expectSums({ axis: 0, target: [9, 8], shape: [30, 8], index: perRow(30), source: turned });
    const one = { offset: 0, strides: [0, 0], size: 1 };
    expectSums({ axis: 0, target: [9, 8], shape: [30, 8], index: perRow(30), source: one });
    expectSums({ axis: 0, target: [9, 8], shape: [30, 8], index: one });
    expectSums({ axis: 1, target: [7, 5], shape: [7, 11], index: { offset: 0, strides: [0, 1], size: 11 } });
  });

  it("leaves all as it is where there is nothing to add", () => {
    expectSums({ axis: 0, target: [3, 4], shape: [0, 4] });
    expectSums({ axis: 0, target: [3, 0], shape: [5, 0] });
    expect(tasksOf({ axis: 0, target: [3, 4], shape: [0, 4] })).toBe(0);
  });

  it("with axes of one element", () => {
    expectSums({ axis: 1, target: [1, 5, 1], shape: [1, 1, 1] });
    expectSums({ axis: 1, target: [3, 1, 4], shape: [3, 1, 4] });
    expectSums({ axis: 0, target: [1], shape: [9] });
  });

  it("shares out every axis but the scattered one, in more than one task", () => {
    const embedding = { axis: 0, target: [65, 300], shape: [500, 300], index: perRow(500) };
    const pooling = { axis: 2, target: [16, 40, 64], shape: [16, 40, 49] };
    const middle = { axis: 1, target: [3, 11, 407], shape: [3, 40, 407] };
    const columns = { axis: 0, target: [11, 407], shape: [120, 407] };
    const turned = {
      axis: 0,
      target: [11, 407],
      shape: [120, 407],
      source: { offset: 407 * 120 - 1, strides: [-407, -1], size: 407 * 120 },
    };
    // More than a megabyte in rows too short to be cut: tasks have places of the target instead.
    const places = { axis: 0, target: [40, 68], shape: [4000, 68], index: perRow(4000) };
    const wide = { axis: 0, target: [3, 600], shape: [500, 600], index: perRow(500) };
    for (const options of [embedding, pooling, middle, columns, turned, places, wide]) {
      expect(tasksOf(options)).toBeGreaterThan(1);
      expectSums(options);
    }
    expectSums({ ...places, indices: (i) => (i === 3000 ? 40 : i % 40) });
    expect(tasksOf({ axis: 0, target: [65], shape: [100_000] })).toBe(1);
  });

  it.each([
    ["int32", -1],
    ["int32", 6],
    ["int32", -(2 ** 31)],
    ["uint32", 6],
    ["uint32", 2 ** 32 - 1],
  ] as const)("reports an index out of range: %s %i", (indexDType, wrong) => {
    for (const options of [
      { axis: 0, target: [6, 8], shape: [9, 8], index: perRow(9) },
      { axis: 1, target: [2, 6], shape: [2, 7] },
    ]) {
      for (const { features } of testFeatures) {
        const { kernel, buffers } = scatter({ ...options, indexDType, indices: (i) => (i === 5 ? wrong : i % 6) });
        expect(runIndexed(kernel, buffers, features).failure).toEqual({ index: wrong, size: 6 });
      }
      expectSums({ ...options, indexDType });
    }
  });

  it("of any shapes and strides", () => {
    const options = fc
      .record({
        shape: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
        dtype: fc.constantFrom<DType>("float32", "float64", "int32", "float16"),
        axis: fc.nat(3),
        extra: fc.array(fc.nat(2), { minLength: 4, maxLength: 4 }),
        kept: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        last: fc.integer({ min: 1, max: 40 }),
        wrong: fc.option(fc.nat(60), { freq: 8 }),
      })
      .map(({ shape: sizes, dtype, axis: any, extra, kept, last, wrong }): Options => {
        const shape = sizes.with(-1, last);
        const axis = any % shape.length;
        const target = shape.map((size, i) =>
          i === axis ? 1 + (extra[i] as number) * 3 : size + (extra[i] as number),
        );
        const view = (from: number): View => {
          const expanded = shape.map((size, i) => (kept[from + i] ? size : 1));
          const strides = contiguousStrides(expanded).map((stride, i) => (kept[from + i] ? stride : 0));
          return { offset: 0, strides, size: sizeOf(expanded) };
        };
        const places = target[axis] as number;
        return {
          axis,
          target,
          shape,
          dtype,
          index: view(0),
          source: view(4),
          indices: (i) => (i === wrong ? places : (i * 5) % places),
        };
      });
    fc.assert(fc.property(options, expectSums), { numRuns: 150 });
  });
});
