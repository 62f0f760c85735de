import { IndexError } from "@thalweg/core/backend";
import { describe, expect, test } from "vitest";
import { runProgram } from "../testKernel.ts";
import {
  at,
  buffer,
  constant,
  differenceOf,
  engines,
  load,
  loopProgram,
  numbers,
  operation,
  store,
} from "../testLoops.ts";

describe.each(engines)("%s", (_, features) => {
  const run = (...args: Parameters<typeof runProgram> extends [...infer A, unknown?] ? A : never) =>
    runProgram(args[0], args[1], args[2], features).map((array) => Array.from(array));

  test.each([
    ["the elements themselves", 1, 0],
    ["every second one", 2, 1],
    ["every third one", 3, 2],
    ["backwards", -1, 12],
    ["every second one backwards", -2, 25],
    ["the same one", 0, 4],
  ])("loads: %s", (_name, stride, offset) => {
    const program = loopProgram({
      buffers: [buffer(40), buffer(13, "output")],
      outer: [13],
      stages: [["outer", [load(0, at([stride], offset)), store(1, at([1]), 0)]]],
    });
    const [input, output] = run(program, [Float32Array.from({ length: 40 }, (_v, i) => i)]) as [number[], number[]];
    expect(output).toEqual(Array.from({ length: 13 }, (_v, i) => input[offset + stride * i]));
  });

  test("stores: transposed, and backwards", () => {
    const program = loopProgram({
      buffers: [buffer(15), buffer(15, "output"), buffer(15, "output")],
      outer: [3, 5],
      stages: [["outer", [load(0, at([5, 1])), store(1, at([1, 3]), 0), store(2, at([-5, -1], 14), 0)]]],
    });
    const [input, transposed, backwards] = run(program, [numbers(15)]) as [number[], number[], number[]];
    expect(transposed).toEqual(Array.from({ length: 15 }, (_v, i) => input[(i % 3) * 5 + Math.floor(i / 3)]));
    expect(backwards).toEqual(input.toReversed());
  });

  test("padding: 0 outside of the conditions, which also lie across vectors", () => {
    const inside = [
      { affine: at([1, 0]), lo: 3, hi: 8 },
      { affine: at([0, 1]), lo: 3, hi: 10 },
    ];
    const program = loopProgram({
      buffers: [buffer(35), buffer(143, "output")],
      outer: [11, 13],
      stages: [["outer", [load(0, at([7, 1], -24), { conditions: inside }), store(1, at([13, 1]), 0)]]],
    });
    const [input, output] = run(program, [numbers(35)]) as [number[], number[]];
    const expected = Array.from({ length: 143 }, (_v, i) => {
      const [y, x] = [Math.floor(i / 13) - 3, (i % 13) - 3];
      return y >= 0 && y < 5 && x >= 0 && x < 7 ? input[y * 7 + x] : 0;
    });
    expect(output).toEqual(expected);
  });

  test("index and inside as values", () => {
    const program = loopProgram({
      buffers: [buffer(42, "output", "int32"), buffer(42, "output", "bool"), buffer(42, "output", "bool")],
      outer: [6, 7],
      stages: [
        [
          "outer",
          [
            { op: "index", dtype: "int32", affine: at([100, -3], 5) },
            store(0, at([7, 1]), 0),
            { op: "inside", dtype: "bool", conditions: [{ affine: at([1, 1]), lo: 2, hi: 8 }] },
            store(1, at([7, 1]), 2),
            { op: "inside", dtype: "bool", conditions: [{ affine: at([1, 0]), lo: 2, hi: 4 }] },
            store(2, at([7, 1]), 4),
          ],
        ],
      ],
    });
    const [indices, across, rows] = run(program, []) as [number[], number[], number[]];
    const place = (i: number): [number, number] => [Math.floor(i / 7), i % 7];
    expect(indices).toEqual(indices.map((_v, i) => 5 + 100 * place(i)[0] - 3 * place(i)[1]));
    expect(across).toEqual(
      across.map((_v, i) => Number(place(i)[0] + place(i)[1] >= 2 && place(i)[0] + place(i)[1] < 8)),
    );
    expect(rows).toEqual(rows.map((_v, i) => Number(place(i)[0] >= 2 && place(i)[0] < 4)));
  });

  test("uniforms of every dtype", () => {
    const dtypes = ["float32", "float64", "int32", "uint32", "bool"] as const;
    const program = loopProgram({
      buffers: dtypes.map((dtype) => buffer(5, "output", dtype)),
      outer: [5],
      uniforms: dtypes.map((dtype) => ({ name: dtype, dtype })),
      stages: [
        [
          "outer",
          dtypes.flatMap((dtype, uniform) => [{ op: "uniform", dtype, uniform }, store(uniform, at([1]), 2 * uniform)]),
        ],
      ],
    });
    expect(run(program, [], [0.5, 1e300, -7, 4e9, 1])).toEqual(
      [0.5, 1e300, -7, 4e9, 1].map((x) => new Array(5).fill(x)),
    );
  });

  describe("gathered indices", () => {
    const rows = loopProgram({
      buffers: [buffer(3, "input", "int32"), buffer(35), buffer(21, "output")],
      outer: [3, 7],
      stages: [
        [
          "outer",
          [
            { ...load(0, at([1, 0])), dtype: "int32" },
            load(1, at([0, 1], 0, [{ value: 0, stride: 7, size: 5 }])),
            store(2, at([7, 1]), 1),
          ],
        ],
      ],
    });
    const elements = loopProgram({
      buffers: [buffer(6, "input", "uint32"), buffer(10), buffer(6, "output")],
      outer: [6],
      stages: [
        [
          "outer",
          [
            { ...load(0, at([1])), dtype: "uint32" },
            load(1, at([0], 9, [{ value: 0, stride: -2, size: 5 }])),
            store(2, at([1]), 1),
          ],
        ],
      ],
    });

    test("rows, and elements one by one", () => {
      const table = numbers(35);
      expect(run(rows, [Int32Array.of(4, 0, 2), table])[2]).toEqual(
        [4, 0, 2].flatMap((row) => Array.from(table.subarray(7 * row, 7 * row + 7))),
      );
      const [, values, output] = run(elements, [Uint32Array.of(4, 0, 2, 1, 1, 3), numbers(10)]) as number[][];
      expect(output).toEqual([4, 0, 2, 1, 1, 3].map((index) => values?.[9 - 2 * index]));
    });

    test("out of range", () => {
      for (const bad of [5, -1]) {
        expect(() => run(rows, [Int32Array.of(0, bad, 0), numbers(35)])).toThrow(IndexError);
        expect(() => run(rows, [Int32Array.of(0, bad, 0), numbers(35)])).toThrow(
          `index ${bad} is out of range for size 5`,
        );
      }
      for (const place of [0, 3, 5]) {
        const indices = new Uint32Array(6);
        indices[place] = 4294967295;
        expect(() => run(elements, [indices, numbers(10)])).toThrow("index 4294967295 is out of range for size 5");
      }
    });

    test("not looked at where a condition fails, and conditions of their own", () => {
      const dynamic = [{ value: 0, stride: 1, size: 5 }];
      const program = loopProgram({
        buffers: [buffer(9, "input", "int32"), buffer(5), buffer(9, "output"), buffer(9, "output")],
        outer: [9],
        stages: [
          [
            "outer",
            [
              { ...load(0, at([1])), dtype: "int32" },
              load(1, at([0], 0, dynamic), { conditions: [{ affine: at([1]), lo: 2, hi: 8 }] }),
              store(2, at([1]), 1),
              load(1, at([0], 0, dynamic), { conditions: [{ affine: at([0], 0, dynamic), lo: 1, hi: 5 }] }),
              store(3, at([1]), 3),
            ],
          ],
        ],
      });
      const indices = Int32Array.of(-1, 2147483647, 0, 1, 4, 3, 2, 1, 99);
      const [, values, some, ranged] = run(program, [indices, numbers(5)]) as number[][];
      expect(some).toEqual([0, 0, 0, 1, 4, 3, 2, 1, 0].map((index, i) => (i < 2 || i > 7 ? 0 : values?.[index])));
      expect(ranged).toEqual(Array.from(indices, (index) => (index >= 1 && index < 5 ? values?.[index] : 0)));
      indices[7] = 5;
      expect(() => run(program, [indices, numbers(5)])).toThrow("index 5 is out of range for size 5");
    });
  });

  test.each(["float32", "float64", "int32", "uint32", "bool", "bfloat16", "float16"] as const)(
    "%s: arithmetic and comparison at every count of lanes",
    (dtype) => {
      const compute = dtype === "bfloat16" || dtype === "float16" ? "float32" : dtype;
      for (const size of [1, 2, 3, 4, 6, 21]) {
        const program = loopProgram({
          buffers: [buffer(size, "input", dtype), buffer(size, "output", dtype), buffer(size, "output", "bool")],
          outer: [size],
          stages: [
            [
              "outer",
              [
                { ...load(0, at([1])), dtype: compute },
                { ...constant(1), dtype: compute },
                { ...operation("add", 0, 1), dtype: compute },
                store(1, at([1]), 2),
                { ...operation("less", 1, 0), dtype: "bool" },
                store(2, at([1]), 4),
              ],
            ],
          ],
        });
        expect(differenceOf(program, [numbers(size, dtype)], [], features)).toBeUndefined();
      }
    },
  );

  test("an element is read before it is overwritten", () => {
    const program = loopProgram({
      buffers: [buffer(37, "parameter"), buffer(37, "output")],
      outer: [37],
      stages: [
        [
          "outer",
          [load(0, at([1])), operation("neg", 0), store(0, at([1]), 1), load(0, at([1])), store(1, at([1]), 3)],
        ],
      ],
    });
    const given = numbers(37);
    const negated = Array.from(given, (x) => -x);
    expect(run(program, [given])).toEqual([negated, negated]);
  });
});
