import { type LoopKernel, type Program, validateProgram } from "@thalweg/core/backend";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import {
  at,
  buffer,
  constant,
  differenceOf,
  type Loose,
  load,
  loopProgram,
  numbers,
  operation,
  reduce,
  store,
  together,
  uniform,
} from "../testLoops.ts";
import { bothWays, functions, reduction, run, softmax } from "./testRows.ts";

const order = "THALWEG_CUDA_EMULATION_ORDER";
afterEach(() => {
  delete process.env[order];
});

describe("row programs", () => {
  test("softmax over rows and over columns", () => {
    const shapes = [
      [1, 5],
      [7, 64],
      [100, 13],
      [50, 3],
      [3000, 8],
      [530, 520],
      [140, 1500],
      [3, 4000],
      [2, 20_000],
      [3, 40_000],
    ] as const;
    const programs = shapes.flatMap(([rows, columns]) =>
      bothWays(rows, columns).map(([row, column]) => softmax(rows, columns, row, column)),
    );
    expect(differenceOf(programs)).toBeUndefined();
  });

  test("softmax of bfloat16", () => {
    const programs = [softmax(20, 128, 128, 1, "bfloat16"), softmax(64, 48, 1, 64, "bfloat16")];
    expect(differenceOf(programs)).toBeUndefined();
  });

  test("passes over what an earlier one has stored, by one block and by several", () => {
    const norm = (rows: number, columns: number) => {
      const all = at([columns, 1]);
      return loopProgram({
        buffers: [
          buffer(rows * columns),
          buffer(rows * columns, "parameter"),
          buffer(columns),
          buffer(rows, "output"),
          buffer(rows * columns, "output"),
        ],
        outer: [rows],
        inner: [columns],
        stages: [
          ["inner", [load(0, all), load(1, all), operation("add", 0, 1), reduce("sum", 2), store(1, all, 2)]],
          ["outer", [constant(columns), operation("div", 3, 5), store(3, at([1, 0]), 6)]],
          ["inner", [load(1, all), operation("sub", 8, 6), operation("mul", 9, 9), reduce("sum", 10)]],
          ["outer", [operation("div", 11, 5), constant(1e-5), operation("add", 12, 13), operation("rsqrt", 14)]],
          [
            "inner",
            [
              load(1, all),
              operation("sub", 16, 6),
              operation("mul", 17, 15),
              load(2, at([0, 1])),
              operation("mul", 18, 19),
              store(4, all, 20),
            ],
          ],
        ],
      });
    };
    const programs = [norm(5, 12), norm(40, 128), norm(9, 1001), norm(2, 40_000), norm(3, 20_001)];
    expect(differenceOf(programs, { tolerance: 1e-5 })).toBeUndefined();
  });

  test("what does not fit into registers is kept in shared memory", () => {
    // The outer value is overwritten before the last pass, so that one block has to do all of a row.
    const size = 33_001;
    const program = loopProgram({
      buffers: [buffer(size), buffer(1, "parameter"), buffer(size, "output")],
      outer: [],
      inner: [size],
      stages: [
        ["outer", [load(1, at([0]))]],
        ["inner", [load(0, at([1])), reduce("max", 1)]],
        ["outer", [store(1, at([0]), 2)]],
        ["inner", [load(0, at([1])), operation("sub", 4, 2), operation("exp", 5), reduce("sum", 6)]],
        [
          "inner",
          [
            load(0, at([1])),
            operation("sub", 8, 2),
            operation("exp", 9),
            operation("div", 10, 7),
            operation("mul", 11, 0),
            store(2, at([1]), 12),
          ],
        ],
      ],
    });
    expect(differenceOf([program], { tolerance: 1e-5 })).toBeUndefined();
  });

  test("several passes in several launches, with outer values, uniforms and stores between", () => {
    const size = 40_001;
    const passes = (rows: number, row: number, column: number) =>
      loopProgram({
        buffers: [
          buffer(rows * size),
          buffer(rows),
          buffer(rows * size, "output"),
          buffer(rows, "output"),
          buffer(rows, "parameter"),
          buffer(rows, "output", "int32"),
        ],
        uniforms: [{ name: "rate", dtype: "float32" }],
        outer: [rows],
        inner: [size],
        stages: [
          ["outer", [load(1, at([1, 0]))]],
          ["inner", [load(0, at([row, column])), operation("mul", 1, 0), reduce("max", 2), reduce("argMax", 2)]],
          ["outer", [store(5, at([1, 0]), 4)]],
          ["inner", [load(0, at([row, column])), operation("sub", 6, 3), operation("exp", 7), reduce("sum", 8)]],
          [
            "outer",
            [
              operation("sqrt", 9),
              store(3, at([1, 0]), 10),
              load(4, at([1, 0])),
              uniform(0),
              operation("mul", 12, 13),
              operation("add", 14, 10),
              store(4, at([1, 0]), 15),
            ],
          ],
          [
            "inner",
            [
              load(0, at([row, column])),
              operation("div", 17, 10),
              operation("add", 18, 0),
              store(2, at([row, column]), 19),
            ],
          ],
        ],
      });
    const programs = [passes(1, size, 1), passes(3, size, 1), passes(3, 1, 3)];
    expect(differenceOf(programs, { uniforms: [0.25], tolerance: 1e-4 })).toBeUndefined();
  });

  test("outer stages that read what they have written, in teams of all sizes", () => {
    const inPlace = (rows: number, columns: number, row: number, column: number) =>
      loopProgram({
        buffers: [buffer(rows * columns), buffer(rows, "parameter"), buffer(rows * columns, "output")],
        outer: [rows],
        inner: [columns],
        stages: [
          ["outer", [load(1, at([1, 0])), constant(2), operation("mul", 0, 1), store(1, at([1, 0]), 2)]],
          ["inner", [load(0, at([row, column])), load(1, at([1, 0])), operation("mul", 4, 5), reduce("sum", 6)]],
          ["outer", [load(1, at([1, 0])), operation("add", 8, 7), store(1, at([1, 0]), 9)]],
          [
            "inner",
            [
              load(1, at([1, 0])),
              load(0, at([row, column])),
              operation("sub", 12, 11),
              store(2, at([row, column]), 13),
            ],
          ],
        ],
      });
    const programs = [
      [5, 2],
      [7, 20],
      [33, 100],
      [3, 3000],
      [2, 40_000],
    ].flatMap(([rows, columns]) =>
      bothWays(rows as number, columns as number).map(([row, column]) =>
        inPlace(rows as number, columns as number, row, column),
      ),
    );
    for (const threads of ["forward", "reverse", "shuffled"]) {
      process.env[order] = threads;
      expect(differenceOf(programs, { tolerance: 1e-4 })).toBeUndefined();
    }
  });

  test("gathered elements, conditions, random words", () => {
    const crossEntropy = (rows: number, classes: number) => {
      const all = at([classes, 1]);
      return loopProgram({
        buffers: [
          buffer(rows * classes),
          buffer(rows, "input", "int32"),
          buffer(rows, "output"),
          buffer(rows * classes, "output"),
        ],
        uniforms: [{ name: "key", dtype: "uint32" }],
        outer: [rows],
        inner: [classes],
        stages: [
          ["outer", [load(1, at([1, 0]), { dtype: "int32" })]],
          ["inner", [load(0, all), reduce("max", 1)]],
          ["inner", [load(0, all), operation("sub", 3, 2), operation("exp", 4), reduce("sum", 5)]],
          [
            "outer",
            [
              operation("log", 6),
              load(0, at([classes, 0], 0, [{ value: 0, stride: 1, size: classes }])),
              operation("sub", 8, 2),
              operation("sub", 7, 9),
              store(2, at([1, 0]), 10),
            ],
          ],
          [
            "inner",
            [
              load(0, all),
              operation("sub", 12, 2),
              operation("exp", 13),
              operation("div", 14, 6),
              { op: "index", dtype: "int32", affine: all },
              uniform(0, "uint32"),
              { op: "philox", dtype: "uint32", args: [16, 17, 17, 17, 17] },
              constant(2 ** 31, "uint32"),
              { op: "less", dtype: "bool", args: [18, 19] },
              load(0, at([classes, 1], -1), { conditions: [{ affine: at([0, 1]), lo: 1, hi: classes }] }),
              { op: "where", dtype: "float32", args: [20, 15, 21] },
              store(3, all, 22),
            ],
          ],
        ],
      });
    };
    const shapes = [
      [5, 10],
      [33, 65],
      [600, 128],
      [3, 2048],
      [2, 33_000],
    ] as const;
    const contents = Object.fromEntries(
      shapes.map(([rows, classes], index) => [
        4 * index + 1,
        Int32Array.from({ length: rows }, (_v, i) => (i * 7 + 3) % classes),
      ]),
    );
    const programs = shapes.map(([rows, classes]) => crossEntropy(rows, classes));
    expect(differenceOf(programs, { contents, uniforms: [12345], tolerance: 1e-5 })).toBeUndefined();
    contents[1] = Int32Array.of(3, 3, 10, 3, 3);
    expect(() => differenceOf(programs, { contents, uniforms: [12345] })).toThrow(/range/);
  });
});

describe("spaces of several axes", () => {
  test("windows, positions in them, and axes in any order", () => {
    const pooling = loopProgram({
      buffers: [buffer(480), buffer(120, "output", "int32"), buffer(120, "output")],
      outer: [6, 4, 5],
      inner: [2, 2],
      stages: [
        ["inner", [load(0, at([80, 20, 2, 10, 1])), reduce("argMax", 0), reduce("max", 0)]],
        ["outer", [store(1, at([20, 5, 1, 0, 0]), 1), store(2, at([20, 5, 1, 0, 0]), 2)]],
      ],
    });
    const axes = (inner: readonly number[], strides: readonly number[], outer: number, step: number) =>
      loopProgram({
        buffers: [
          buffer(outer * inner.reduce((a, b) => a * b)),
          buffer(outer, "output"),
          buffer(outer, "output", "int32"),
        ],
        outer: [outer],
        inner,
        stages: [
          ["inner", [load(0, at([step, ...strides])), reduce("max", 0), reduce("argMax", 0)]],
          ["outer", [store(1, at([1, 0, 0]), 1), store(2, at([1, 0, 0]), 2)]],
        ],
      });
    const product = loopProgram({
      buffers: [buffer(7 * 50), buffer(50 * 22), buffer(7 * 22, "output")],
      outer: [7, 22],
      inner: [50],
      stages: [
        ["inner", [load(0, at([50, 0, 1])), load(1, at([0, 1, 22])), operation("mul", 0, 1), reduce("sum", 2)]],
        ["outer", [store(2, at([22, 1, 0]), 3)]],
      ],
    });
    const programs = [
      pooling,
      product,
      axes([40, 1001], [3003, 1], 3, 1001),
      axes([40, 1001], [1, 40], 3, 40_040),
      axes([30, 16], [1, 30], 5, 480),
      axes([6, 7], [7 * 64, 64], 64, 1),
    ];
    expect(differenceOf(programs, { tolerance: 1e-5 })).toBeUndefined();
  });

  type Random = (below: number) => number;

  const randomKernels = (random: Random): Program[] => {
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
    const programs = Array.from({ length: 40 }, () => {
      const outer = Array.from({ length: random(4) }, () => 1 + random(9));
      const inner = Array.from({ length: random(3) }, () => 1 + random(random(3) ? 12 : 80));
      const sizes = [...outer, ...inner];
      const points = sizes.reduce((a, b) => a * b, 1);
      const rows = outer.reduce((a, b) => a * b, 1);
      const condition = { affine: at(sizes.map(() => random(3) - 1)), lo: random(4) - 2, hi: random(12) };
      const first: Loose[] = [
        load(0, at(strides(sizes))),
        load(1, at(strides(sizes)), random(2) ? { conditions: [condition] } : {}),
        operation("mul", 0, 1),
        random(3) ? operation("add", 2, 0) : operation("exp", 0),
      ];
      const fn = functions[[0, 2, 5][random(3)] as number] as string;
      const second = first.map((instruction) =>
        "args" in instruction
          ? { ...instruction, args: (instruction.args as number[]).map((arg) => arg + 6) }
          : instruction,
      );
      return loopProgram({
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
          ["inner", [...second, constant(2), operation("add", 9, 10), store(3, at(dense(sizes)), 11)]],
        ],
      });
    });
    return programs;
  };

  test("random kernels", () => {
    const property = fc.property(fc.gen(), (draw) => {
      const programs = randomKernels((below) => draw(fc.nat, { max: below - 1 }));
      expect(differenceOf(programs, { tolerance: 1e-4 })).toBeUndefined();
    });
    fc.assert(property, { numRuns: 3, seed: 6, endOnFailure: true });
  });
});

test("a result over the bytes of what it is computed from", () => {
  const overlaid = (rows: number, columns: number, row: number, column: number): Program => {
    const size = rows * columns;
    const [kernel] = softmax(rows, columns, row, column).kernels as readonly LoopKernel[];
    const copy = (from: number, to: number): LoopKernel => ({
      kind: "loop",
      label: "copy",
      outer: [size],
      inner: [],
      stages: [
        {
          over: "outer",
          body: [
            { id: 0, op: "load", dtype: "float32", slot: 0, at: at([1]) },
            { id: 1, op: "store", slot: 1, at: at([1]), value: 0 },
          ],
        },
      ],
      segments: [{ size, buffers: [from, to] }],
    });
    const over = (kind: "temporary") => ({ dtype: "float32" as const, size, kind, offset: 0 });
    return {
      buffers: [buffer(size), over("temporary"), over("temporary"), buffer(size, "output")],
      uniforms: [],
      arenaBytes: 4 * size,
      kernels: [copy(0, 1), { ...(kernel as LoopKernel), segments: [{ size: rows, buffers: [1, 2] }] }, copy(2, 3)],
    };
  };
  const programs = [overlaid(40, 64, 64, 1), overlaid(64, 40, 1, 64), overlaid(2, 40_000, 40_000, 1)];
  for (const program of programs) validateProgram(program);
  expect(differenceOf(programs)).toBeUndefined();
});

test("the order of threads and blocks does not show in the bits", () => {
  const programs = [
    softmax(30, 200, 200, 1),
    softmax(200, 30, 1, 200),
    softmax(2, 40_000, 40_000, 1),
    reduction("sum", 3, 50_000, [1, 3]),
  ];
  const whole = together(programs);
  const inputs = whole.buffers.filter(({ kind }) => kind === "input").map(({ size }) => numbers(size));
  const forward = run(whole, ...inputs);
  for (const other of ["reverse", "shuffled"]) {
    process.env[order] = other;
    expect(run(whole, ...inputs)).toEqual(forward);
  }
});
