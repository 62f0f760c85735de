import type { DType, Program } from "@thalweg/core/backend";
import { describe, expect, test } from "vitest";
import { runProgram, TestIndexError, testTarget } from "../testKernel.ts";
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
  store,
  uniform,
} from "../testLoops.ts";
import { elementwiseLaunch } from "./elementwise.ts";

/** So small a device that a few hundred elements fill it, and threads get vectors and several of them. */
const small = { ...testTarget, multiprocessors: 1 };

const body = (...instructions: Loose[]) => [["outer", instructions]] as const;

/** y = relu(x) · 2 over views of `sizes` with these strides. */
function viewed(
  sizes: readonly number[],
  from: readonly number[],
  to: readonly number[],
  offset = 0,
  dtype: DType = "float32",
): Program {
  const reach = (strides: readonly number[]) =>
    sizes.reduce((sum, size, axis) => sum + Math.max(0, (size - 1) * (strides[axis] as number)), 1);
  const lowest = sizes.reduce((sum, size, axis) => sum + Math.min(0, (size - 1) * (from[axis] as number)), 0);
  const begin = offset - lowest;
  return loopProgram({
    buffers: [buffer(begin + reach(from), "input", dtype), buffer(reach(to), "output", dtype)],
    outer: sizes,
    stages: body(
      load(0, at(from, begin)),
      operation("relu", 0),
      constant(2),
      operation("mul", 1, 2),
      store(1, at(to), 3),
    ),
  });
}

test("sizes with tails, none and one of nothing at all", () => {
  const sizes = [0, 1, 3, 4, 31, 255, 256, 257, 1023, 1024, 1025, 2047, 4099, 9001];
  expect(differenceOf(sizes.map((size) => viewed([size], [1], [1])))).toBeUndefined();
  expect(
    differenceOf(
      sizes.map((size) => viewed([size], [1], [1])),
      { target: small },
    ),
  ).toBeUndefined();
});

test("no loops at all", () => {
  const program = loopProgram({
    buffers: [buffer(3), buffer(2, "output")],
    outer: [],
    stages: [
      ["outer", [load(0, at([], 2)), store(1, at([], 1), 0)]],
      ["outer", [operation("neg", 0), store(1, at([]), 2)]],
    ],
  });
  expect(differenceOf([program])).toBeUndefined();
});

test("broadcast, permuted, strided, backwards, misaligned", () => {
  const programs = [
    viewed([40, 32], [0, 1], [32, 1]),
    viewed([40, 32], [1, 0], [32, 1]),
    viewed([40, 33], [33, 1], [33, 1], 1),
    viewed([40, 32], [1, 40], [32, 1]),
    viewed([8, 10, 12], [12, 96, 1], [120, 12, 1]),
    viewed([8, 10, 12], [1, 8, 80], [120, 12, 1]),
    viewed([8, 10, 12], [120, 12, 1], [1, 8, 80]),
    viewed([1200], [-1], [1]),
    viewed([1200], [2], [1]),
    viewed([1200], [1], [2]),
    viewed([30, 40], [-40, -1], [40, 1]),
    viewed([30, 40], [80, 1], [40, 1], 3),
    viewed([7, 1, 300], [300, 5, 1], [300, 7, 1]),
    viewed([1200], [0], [1]),
    // Rows that are no whole vectors, though they begin at aligned places.
    viewed([40, 34], [36, 1], [36, 1]),
    viewed([40, 36], [36, 1], [37, 1]),
  ];
  expect(differenceOf(programs)).toBeUndefined();
  expect(differenceOf(programs, { target: small })).toBeUndefined();
});

test("every dtype, and several in one kernel", () => {
  const dtypes = ["float32", "float64", "int32", "uint32", "bool", "bfloat16", "float16"] as const;
  const programs = dtypes.flatMap((dtype) => {
    const of = dtype === "bfloat16" || dtype === "float16" ? "float32" : dtype;
    const copy = (size: number) =>
      loopProgram({
        buffers: [buffer(size, "input", dtype), buffer(size, "output", dtype)],
        outer: [size],
        stages: body({ ...load(0, at([1])), dtype: of }, store(1, at([1]), 0)),
      });
    const compared = loopProgram({
      buffers: [buffer(1003, "input", dtype), buffer(1003, "input", dtype), buffer(1003, "output", "bool")],
      outer: [1003],
      stages: body(
        { ...load(0, at([1])), dtype: of },
        { ...load(1, at([1])), dtype: of },
        { op: "less", dtype: "bool", args: [0, 1] },
        store(2, at([1]), 2),
      ),
    });
    const widened = loopProgram({
      buffers: [buffer(1003, "input", dtype), buffer(1003, "output")],
      outer: [1003],
      stages: body(
        { ...load(0, at([1])), dtype: of },
        { op: "cast", dtype: "float32", args: [0] },
        store(1, at([1]), 1),
      ),
    });
    return [copy(5), copy(1003), copy(8192), compared, widened];
  });
  expect(differenceOf(programs, { target: small })).toBeUndefined();
});

describe("in place", () => {
  /** m = m · b + g, p = p - rate · m: two buffers read and written. */
  const momentum = (size: number) =>
    loopProgram({
      buffers: [buffer(size, "parameter"), buffer(size), buffer(size, "parameter")],
      outer: [size],
      uniforms: [
        { name: "beta", dtype: "float32" },
        { name: "rate", dtype: "float32" },
      ],
      stages: [
        [
          "outer",
          [
            load(0, at([1])),
            uniform(0),
            operation("mul", 0, 1),
            load(1, at([1])),
            operation("add", 2, 3),
            store(0, at([1]), 4),
          ],
        ],
        [
          "outer",
          [
            uniform(1),
            operation("mul", 4, 6),
            load(2, at([1])),
            operation("sub", 8, 7),
            store(2, at([1]), 9),
            // What was stored before is read again.
            load(0, at([1])),
            operation("add", 11, 9),
            store(1 + 1, at([1]), 12),
          ],
        ],
      ],
    });

  test("parameters", () => {
    const programs = [1, 77, 1024, 5003].map(momentum);
    expect(differenceOf(programs, { uniforms: [0.9, 0.01], target: small })).toBeUndefined();
  });

  test("several vectors per thread, not all of which exist", () => {
    const doubled = (size: number) =>
      loopProgram({
        buffers: [buffer(size, "parameter")],
        outer: [size],
        stages: body(load(0, at([1])), constant(2), operation("mul", 0, 1), store(0, at([1]), 2)),
      });
    expect(differenceOf([doubled(4100), doubled(40_000)], { target: small })).toBeUndefined();
  });

  test("temporaries in the same bytes", () => {
    const size = 1501;
    const step = (from: number, to: number, op: string) => ({
      kind: "loop" as const,
      label: op,
      outer: [size],
      inner: [],
      stages: [
        {
          over: "outer" as const,
          body: [
            { id: 0, ...load(0, at([1])) },
            { id: 1, ...operation(op, 0) },
            { id: 2, ...store(1, at([1]), 1) },
          ],
        },
      ],
      segments: [{ size, buffers: [from, to] }],
    });
    const program = {
      buffers: [
        buffer(size),
        { ...buffer(size, "temporary"), offset: 64 },
        { ...buffer(size, "temporary"), offset: 64 },
        buffer(size, "output"),
      ],
      uniforms: [],
      arenaBytes: 64 + 4 * size + 60,
      kernels: [step(0, 1, "neg"), step(1, 2, "relu"), step(2, 3, "abs")],
    } as unknown as Program;
    expect(differenceOf([program], { target: small })).toBeUndefined();
  });
});

test("what all elements share is computed from scalars and uniforms", () => {
  const program = loopProgram({
    buffers: [buffer(1), buffer(900), buffer(900, "output"), buffer(1, "input", "int32"), buffer(9)],
    outer: [900],
    uniforms: [{ name: "rate", dtype: "float32" }],
    stages: body(
      load(0, at([0])),
      uniform(0),
      operation("mul", 0, 1),
      operation("sqrt", 2),
      load(1, at([1])),
      operation("mul", 3, 4),
      { ...load(3, at([0])), dtype: "int32" },
      load(4, at([0], 0, [{ value: 6, stride: 1, size: 9 }])),
      operation("add", 5, 7),
      store(2, at([1]), 8),
    ),
  });
  const contents = { 0: Float32Array.of(3), 3: Int32Array.of(7) };
  expect(differenceOf([program], { uniforms: [0.5], contents, target: small })).toBeUndefined();
});

describe("conditions", () => {
  const inside = (strides: readonly number[], lo: number, hi: number, offset = 0) => ({
    affine: at(strides, offset),
    lo,
    hi,
  });

  test("padding, concatenation by rows and inside of rows, never and always", () => {
    const concatenated = (rows: number, width: number, border: number) =>
      loopProgram({
        buffers: [buffer(rows * width), buffer(rows * width), buffer(rows * width, "output", "float32")],
        outer: [rows, width],
        stages: body(
          load(0, at([width, 1]), { conditions: [inside([width, 1], 0, border)] }),
          load(1, at([width, 1], -border), { conditions: [inside([width, 1], border, rows * width)] }),
          { op: "inside", dtype: "bool", conditions: [inside([width, 1], 0, border)] },
          { op: "where", dtype: "float32", args: [2, 0, 1] },
          store(2, at([width, 1]), 3),
        ),
      });
    const padded = (size: number, before: number) =>
      loopProgram({
        buffers: [buffer(20 * size), buffer(20 * (size + 5), "output")],
        outer: [20, size + 5],
        stages: body(
          load(0, at([size, 1], -before), { conditions: [inside([0, 1], before, before + size)] }),
          store(1, at([size + 5, 1]), 0),
        ),
      });
    const programs = [
      concatenated(12, 64, 256),
      concatenated(12, 64, 250),
      concatenated(12, 33, 66),
      concatenated(12, 64, 0),
      concatenated(12, 64, 768),
      padded(27, 4),
      padded(91, 1),
      padded(32, 0),
    ];
    expect(differenceOf(programs, { target: small })).toBeUndefined();
    expect(differenceOf(programs)).toBeUndefined();
  });
});

describe("dynamic indices", () => {
  const embedding = (rows: number, width: number, table: number) =>
    loopProgram({
      buffers: [buffer(rows, "input", "int32"), buffer(table * width), buffer(rows * width, "output")],
      outer: [rows, width],
      stages: body(
        { ...load(0, at([1, 0])), dtype: "int32" },
        load(1, at([0, 1], 0, [{ value: 0, stride: width, size: table }])),
        store(2, at([width, 1]), 1),
      ),
    });
  const indices = (rows: number, table: number) => Int32Array.from({ length: rows }, (_, i) => (i * 7) % table);

  test("rows of a table, and single elements", () => {
    const programs = [embedding(37, 64, 11), embedding(37, 63, 11), embedding(900, 1, 400)];
    const contents = { 0: indices(37, 11), 3: indices(37, 11), 6: indices(900, 400) };
    expect(differenceOf(programs, { contents, target: small })).toBeUndefined();
    expect(differenceOf(programs, { contents })).toBeUndefined();
  });

  test("out of range is reported", () => {
    const bad = indices(37, 11).with(36, 11);
    const given = [bad, numbers(11 * 64), new Float32Array(37 * 64)];
    for (const target of [small, testTarget]) {
      expect(() => runProgram(embedding(37, 64, 11), given, [], target)).toThrow(TestIndexError);
      expect(() => runProgram(embedding(37, 64, 11), given, [], target)).toThrow(
        "index 11 is out of range for size 11",
      );
    }
  });
});

test("the index itself, and random words", () => {
  const program = (size: number, stride: number) =>
    loopProgram({
      buffers: [buffer(size, "output", "int32"), buffer(size, "output", "uint32")],
      outer: [size],
      uniforms: [{ name: "seed", dtype: "uint32" }],
      stages: body(
        { op: "index", dtype: "int32", affine: at([stride], 8) },
        uniform(0, "uint32"),
        constant(5, "uint32"),
        { op: "philox", dtype: "uint32", args: [0, 1, 2, 1, 2] },
        store(0, at([1]), 0),
        store(1, at([1]), 3),
      ),
    });
  const programs = [program(10, 1), program(1500, 1), program(1501, 3)];
  expect(differenceOf(programs, { uniforms: [77], target: small })).toBeUndefined();
});

test("more elements than 32-bit integers count", () => {
  const size = 3 * 2 ** 30;
  const program = viewed([size], [1], [1]);
  const launch = elementwiseLaunch(program.kernels[0] as never, [0, 1], {
    program,
    target: testTarget,
    guarded: false,
  });
  expect(launch?.grid).toEqual([size / (4 * 4 * 256), 1, 1]);
  expect(launch?.source).toContain("const long long first");
  const one = viewed([2 ** 20], [1], [1]);
  const other = elementwiseLaunch(one.kernels[0] as never, [0, 1], {
    program: one,
    target: testTarget,
    guarded: false,
  });
  expect(other?.source).not.toContain("long long first");
});

test("vectors where the stores are aligned", () => {
  const source = (program: Program) =>
    elementwiseLaunch(program.kernels[0] as never, [0, 1], { program, target: testTarget, guarded: false })?.source;
  const rows = 4096;
  for (const program of [
    viewed([rows, 64], [64, 1], [64, 1]),
    viewed([rows, 64], [64, 1], [68, 1]),
    viewed([rows, 64], [64, 1], [64, 1], 1),
    viewed([rows * 64 + 1], [1], [1]),
  ])
    expect(source(program)).toContain("storeVector<Float32, 4>");
  for (const program of [
    viewed([rows, 65], [0, 1], [65, 1]),
    viewed([rows, 64], [64, 1], [65, 1]),
    viewed([rows, 64], [64, 1], [128, 2]),
    loopProgram({
      buffers: [buffer(rows * 64), buffer(rows * 64 + 1, "output")],
      outer: [rows * 64],
      stages: body(load(0, at([1])), store(1, at([1], 1), 0)),
    }),
  ])
    expect(source(program)).not.toMatch(/storeVector|\) \* [48];/);
  expect(source(viewed([rows, 66], [66, 1], [70, 1]))).toContain("storeVector<Float32, 2>");
  expect(source(viewed([rows, 62], [64, 1], [64, 1]))).toContain("storeVector<Float32, 2>");
});

test("sizes of one dimension share a function", () => {
  const source = (size: number) => {
    const program = viewed([size], [1], [1]);
    return elementwiseLaunch(program.kernels[0] as never, [0, 1], { program, target: testTarget, guarded: false })
      ?.source;
  };
  expect(source(2 ** 22)).toBe(source(3 * 2 ** 22));
});
