import type { DType } from "@thalweg/core/backend";
import { describe, expect, test } from "vitest";
import { runProgram } from "../testKernel.ts";
import {
  at,
  buffer,
  constant,
  differenceOf,
  engines,
  type Loose,
  load,
  loopProgram,
  numbers,
  operation,
  reduce,
  store,
} from "../testLoops.ts";

const softmax = (rows: number, columns: number, row: number, column: number) =>
  loopProgram({
    buffers: [buffer(rows * columns), buffer(rows * columns, "output")],
    outer: [rows],
    inner: [columns],
    stages: [
      ["inner", [load(0, at([row, column])), reduce("max", 0)]],
      ["inner", [load(0, at([row, column])), operation("sub", 2, 1), operation("exp", 3), reduce("sum", 4)]],
      [
        "inner",
        [
          load(0, at([row, column])),
          operation("sub", 6, 1),
          operation("exp", 7),
          operation("div", 8, 5),
          store(1, at([row, column]), 9),
        ],
      ],
    ],
  });

const reduction = (fn: string, rows: number, columns: number, strides: readonly number[], dtype: DType = "float32") => {
  const result = fn.startsWith("arg") ? "int32" : dtype;
  return loopProgram({
    buffers: [buffer(rows * columns, "input", dtype), buffer(rows, "output", result)],
    outer: [rows],
    inner: [columns],
    stages: [
      ["inner", [{ ...load(0, at(strides)), dtype }, reduce(fn, 0, result)]],
      ["outer", [store(1, at([1, 0]), 1)]],
    ],
  });
};

describe.each(engines)("%s", (_, features) => {
  const run = (program: ReturnType<typeof loopProgram>, inputs: Parameters<typeof runProgram>[1]) =>
    runProgram(program, inputs, [], features).map((array) => Array.from(array));

  describe.each(["sum", "prod", "max", "min", "argMax", "argMin"])("%s", (fn) => {
    const shapes = [
      [1, 1],
      [3, 5],
      [5, 4],
      [10, 128],
      [70, 3],
      [33, 40],
      [2, 3000],
    ] as const;
    test.each(shapes)("of [%i, %i], along rows and along columns", (rows, columns) => {
      for (const strides of [
        [columns, 1],
        [1, rows],
      ]) {
        const program = reduction(fn, rows, columns, strides);
        const input = numbers(rows * columns).map((x) => (fn === "prod" ? 1 + x / 100 : x));
        expect(differenceOf(program, [input], [], features, 1e-4)).toBeUndefined();
      }
    });

    test.each(["float64", "int32", "uint32", "bool"] as const)("of %s", (dtype) => {
      if (dtype === "bool" && (fn === "sum" || fn === "prod")) return;
      for (const strides of [
        [11, 1],
        [1, 6],
      ]) {
        const program = reduction(fn, 6, 11, strides, dtype);
        expect(differenceOf(program, [numbers(66, dtype)], [], features)).toBeUndefined();
      }
    });
  });

  test("the first extreme counts, NaN is most, and max and min keep it", () => {
    const rows = [
      [1, 5, 5, 2, 5, 0, -1, 5, 4],
      [1, 5, Number.NaN, 2, 9, Number.NaN, 0, 0, 7],
      new Array<number>(9).fill(Number.NEGATIVE_INFINITY),
    ];
    for (const byColumn of [false, true]) {
      const input = Float32Array.from({ length: 27 }, (_v, i) =>
        byColumn ? (rows[i % 3]?.[Math.floor(i / 3)] as number) : (rows[Math.floor(i / 9)]?.[i % 9] as number),
      );
      const strides = byColumn ? [1, 3] : [9, 1];
      const result = (fn: string) => run(reduction(fn, 3, 9, strides), [input])[1];
      expect(result("argMax")).toEqual([1, 2, 0]);
      expect(result("argMin")).toEqual([6, 2, 0]);
      expect(result("max")).toEqual([5, Number.NaN, Number.NEGATIVE_INFINITY]);
      expect(result("min")).toEqual([-1, Number.NaN, Number.NEGATIVE_INFINITY]);
    }
  });

  test("nothing to reduce, and nothing to do it for", () => {
    for (const [fn, identity] of [
      ["sum", 0],
      ["prod", 1],
      ["max", Number.NEGATIVE_INFINITY],
      ["argMin", 0],
    ] as const) {
      expect(run(reduction(fn, 3, 0, [0, 1]), [new Float32Array(0)])[1]).toEqual([identity, identity, identity]);
      expect(run(reduction(fn, 0, 3, [3, 1]), [new Float32Array(0)])[1]).toEqual([]);
    }
  });

  test.each([
    [1, 5],
    [7, 64],
    [100, 13],
    [50, 3],
    [3, 4000],
  ])("softmax of [%i, %i], over rows and over columns", (rows, columns) => {
    const input = numbers(rows * columns);
    expect(differenceOf(softmax(rows, columns, columns, 1), [input], [], features)).toBeUndefined();
    expect(differenceOf(softmax(rows, columns, 1, rows), [input], [], features)).toBeUndefined();
  });

  test("the position in windows that are written out", () => {
    const program = loopProgram({
      buffers: [buffer(480), buffer(120, "output", "int32"), buffer(120, "output")],
      outer: [6, 4, 5],
      inner: [2, 2],
      stages: [
        ["inner", [load(0, at([80, 20, 2, 10, 1])), reduce("argMax", 0), reduce("max", 0)]],
        ["outer", [store(1, at([20, 5, 1, 0, 0]), 1), store(2, at([20, 5, 1, 0, 0]), 2)]],
      ],
    });
    expect(differenceOf(program, [numbers(480)], [], features)).toBeUndefined();
  });

  test("a matrix product as loops", () => {
    const program = loopProgram({
      buffers: [buffer(7 * 50), buffer(50 * 22), buffer(7 * 22, "output")],
      outer: [7, 22],
      inner: [50],
      stages: [
        ["inner", [load(0, at([50, 0, 1])), load(1, at([0, 1, 22])), operation("mul", 0, 1), reduce("sum", 2)]],
        ["outer", [store(2, at([22, 1, 0]), 3)]],
      ],
    });
    expect(differenceOf(program, [numbers(350), numbers(1100)], [], features, 1e-5)).toBeUndefined();
  });

  describe("few reductions over very much", () => {
    const size = 40_001;
    test.each(["max", "argMax", "argMin", "min"])("%s", (fn) => {
      const input = numbers(3 * size) as Float32Array;
      for (const strides of [
        [size, 1],
        [1, 3],
      ]) {
        const program = reduction(fn, 3, size, strides);
        expect(differenceOf(program, [input], [], features)).toBeUndefined();
        expect(differenceOf(program, [input.with(size + 1, Number.NaN)], [], features)).toBeUndefined();
      }
    });

    test("sums of ones are exact", () => {
      const input = new Float32Array(3 * size).fill(1);
      expect(run(reduction("sum", 3, size, [size, 1]), [input])[1]).toEqual([size, size, size]);
    });

    test("several passes, each needing the one before", () => {
      const program = loopProgram({
        buffers: [buffer(size), buffer(1), buffer(size, "output"), buffer(1, "output")],
        outer: [],
        inner: [size],
        stages: [
          ["outer", [load(1, at([0]))]],
          ["inner", [load(0, at([1])), operation("mul", 1, 0), reduce("max", 2)]],
          ["inner", [load(0, at([1])), operation("sub", 4, 3), operation("exp", 5), reduce("sum", 6)]],
          ["outer", [operation("sqrt", 7), store(3, at([0]), 8)]],
          ["inner", [load(0, at([1])), operation("div", 10, 8), store(2, at([1]), 11)]],
        ],
      });
      expect(differenceOf(program, [numbers(size), numbers(1)], [], features, 1e-5)).toBeUndefined();
    });

    test("two axes, the first of them shorter", () => {
      const program = loopProgram({
        buffers: [buffer(3 * 40 * 1001), buffer(3, "output"), buffer(3, "output", "int32")],
        outer: [3],
        inner: [40, 1001],
        stages: [
          ["inner", [load(0, at([1001, 3003, 1])), reduce("max", 0), reduce("argMax", 0)]],
          ["outer", [store(1, at([1, 0, 0]), 1), store(2, at([1, 0, 0]), 2)]],
        ],
      });
      expect(differenceOf(program, [numbers(3 * 40 * 1001)], [], features)).toBeUndefined();
    });
  });

  test("segments of all sizes, some with scalars of their own", () => {
    const sizes = [1, 0, 7, 64, 65, 3, 5000, 2, 16, 30_000];
    const buffers = sizes.flatMap((size) => [buffer(size, "parameter"), buffer(1), buffer(size)]);
    const program = loopProgram({
      buffers,
      outer: [sizes.reduce((a, b) => a + b)],
      segments: sizes,
      uniforms: [{ name: "rate", dtype: "float32" }],
      stages: [
        [
          "outer",
          [
            load(0, at([1])),
            load(1, at([0])),
            load(2, at([1])),
            { op: "uniform", dtype: "float32", uniform: 0 },
            operation("mul", 2, 3),
            operation("mul", 4, 1),
            operation("sub", 0, 5),
            store(0, at([1]), 6),
          ],
        ],
      ],
    });
    const inputs = buffers.map(({ size }, index) => numbers(size, "float32", index));
    expect(differenceOf(program, inputs, [0.3], features)).toBeUndefined();
  });

  test("segments of different dtypes", () => {
    const program = loopProgram({
      buffers: [buffer(9, "parameter", "bfloat16"), buffer(9), buffer(70, "parameter"), buffer(70)],
      outer: [79],
      segments: [9, 70],
      stages: [["outer", [load(0, at([1])), load(1, at([1])), operation("add", 0, 1), store(0, at([1]), 2)]]],
    });
    const inputs = [numbers(9, "bfloat16"), numbers(9), numbers(70), numbers(70)];
    expect(differenceOf(program, inputs, [], features)).toBeUndefined();
  });

  test("random kernels", () => {
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    /** Strides of a permuted contiguous buffer, some axes broadcast. */
    const strides = (sizes: readonly number[]): number[] => {
      const order = sizes.map((_v, axis) => axis).sort(() => random(3) - 1);
      const result = new Array<number>(sizes.length).fill(0);
      let stride = 1;
      for (const axis of order) {
        if (random(5) === 0) continue;
        result[axis] = stride;
        stride *= sizes[axis] as number;
      }
      return result;
    };
    const dense = (sizes: readonly number[]): number[] =>
      sizes.map((_v, axis) => sizes.slice(axis + 1).reduce((a, b) => a * b, 1));
    for (let round = 0; round < 120; round++) {
      const outer = Array.from({ length: random(4) }, () => 1 + random(9));
      const inner = Array.from({ length: random(3) }, () => 1 + random(12));
      const sizes = [...outer, ...inner];
      const points = sizes.reduce((a, b) => a * b, 1);
      const rows = outer.reduce((a, b) => a * b, 1);
      const condition = { affine: at(sizes.map(() => random(3) - 1)), lo: random(4) - 2, hi: random(12) };
      const first: Loose[] = [
        load(0, at(strides(sizes))),
        load(1, at(strides(sizes)), random(2) ? { conditions: [condition] } : {}),
        operation("mul", 0, 1),
        operation(random(3) ? "add" : "exp", 2, ...[0].slice(random(1))),
      ];
      if ((first[3] as { op: string }).op === "exp") first[3] = operation("exp", 0);
      const fn = ["sum", "max", "argMin"][random(3)] as string;
      const program = loopProgram({
        buffers: [
          buffer(points),
          buffer(points),
          buffer(rows, "output", fn === "argMin" ? "int32" : "float32"),
          buffer(points, "output"),
        ],
        outer,
        inner,
        stages: [
          ["inner", [...first, reduce(fn, 3)]],
          ["outer", [store(2, at([...dense(outer), ...inner.map(() => 0)]), 4)]],
          [
            "inner",
            [
              ...first.map((instruction) =>
                "args" in instruction
                  ? { ...instruction, args: (instruction.args as number[]).map((arg) => arg + 6) }
                  : instruction,
              ),
              constant(2),
              operation("add", 9, 10),
              store(3, at(dense(sizes)), 11),
            ],
          ],
        ],
      });
      const difference = differenceOf(program, [numbers(points), numbers(points, "float32", 1)], [], features, 1e-4);
      expect(difference, `round ${round}: outer ${outer}, inner ${inner}`).toBeUndefined();
    }
  });
});
