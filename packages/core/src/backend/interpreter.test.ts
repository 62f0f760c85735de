import { describe, expect, test } from "vitest";
import { allocateHost, type ComputeDType, type DType, encode, type HostArray } from "../graph/dtype.ts";
import { BackendError, IndexError, ProgramError } from "../graph/errors.ts";
import type { ReduceOp } from "../graph/node.ts";
import { philoxWord } from "../graph/scalar.ts";
import { contiguousStrides } from "../graph/shape.ts";
import { type ReferenceOptions, referenceBackend } from "./interpreter.ts";
import type {
  Affine,
  BufferSpec,
  Condition,
  ConvolutionKernel,
  Instruction,
  Kernel,
  LoopKernel,
  Program,
  Stage,
} from "./program.ts";

const host = (dtype: DType, values: readonly number[]): HostArray => {
  const array = allocateHost(dtype, values.length);
  for (const [index, value] of values.entries()) encode(dtype, array, index, value);
  return array;
};

interface Bound {
  readonly dtype: DType;
  readonly values: readonly number[];
  readonly kind?: "input" | "parameter";
}

interface Case {
  /** Bound buffers, first in the Program. */
  readonly bound?: readonly Bound[];
  readonly outputs?: readonly (readonly [DType, number])[];
  readonly temporaries?: readonly BufferSpec[];
  readonly uniforms?: readonly (readonly [ComputeDType, number])[];
  readonly kernels: readonly Kernel[];
  readonly options?: ReferenceOptions;
}

/** Runs a Program once and gives outputs, then parameters, as arrays of numbers. */
function execute({ bound = [], outputs = [], temporaries = [], uniforms = [], kernels, options }: Case): number[][] {
  const backend = referenceBackend(options);
  const buffers: BufferSpec[] = [
    ...bound.map(({ dtype, values, kind = "input" }) => ({ dtype, size: values.length, kind })),
    ...outputs.map(([dtype, size]) => ({ dtype, size, kind: "output" as const })),
    ...temporaries,
  ];
  const program: Program = {
    buffers,
    uniforms: uniforms.map(([dtype], index) => ({ name: `u${index}`, dtype })),
    kernels,
    arenaBytes: 4096,
  };
  const handles = buffers
    .filter(({ kind }) => kind !== "temporary")
    .map(({ dtype, size }) => backend.allocate(dtype, size));
  for (const [index, { dtype, values }] of bound.entries()) {
    backend.write(handles[index] as object, host(dtype, values));
  }
  backend.run(
    backend.compile(program),
    handles,
    uniforms.map(([, value]) => value),
  );
  const read = [
    ...outputs.map((_, i) => bound.length + i),
    ...bound.flatMap(({ kind }, i) => (kind === "parameter" ? [i] : [])),
  ];
  return read.map((index) => Array.from(backend.readSync?.(handles[index] as object) ?? []));
}

const affine = (offset: number, ...strides: number[]): Affine => ({ offset, strides });
const loop = (outer: number[], inner: number[], stages: Stage[], buffers: number[]): LoopKernel => ({
  kind: "loop",
  label: "test loop",
  outer,
  inner,
  stages,
  segments: [{ size: outer.reduce((a, b) => a * b, 1), buffers }],
});
const outer = (...body: Instruction[]): Stage => ({ over: "outer", body });
const inner = (...body: Instruction[]): Stage => ({ over: "inner", body });
const f32 = (...values: number[]): Bound => ({ dtype: "float32", values });
const i32 = (...values: number[]): Bound => ({ dtype: "int32", values });

/** Stores the last value of `body` (over 1 variable) of each of n iterations. */
function elementwise(n: number, bound: Bound[], dtype: DType, body: Instruction[], more: Partial<Case> = {}): number[] {
  const last = body[body.length - 1] as Instruction;
  const store: Instruction = { id: 99, op: "store", slot: bound.length, at: affine(0, 1), value: last.id };
  const kernel = loop([n], [], [outer(...body, store)], [...bound.keys(), bound.length]);
  return execute({ bound, outputs: [[dtype, n]], kernels: [kernel], ...more })[0] as number[];
}

const load = (
  id: number,
  slot: number,
  dtype: ComputeDType,
  at: Affine = affine(0, 1),
  conditions?: Condition[],
): Instruction => (conditions ? { id, op: "load", dtype, slot, at, conditions } : { id, op: "load", dtype, slot, at });

describe("instructions", () => {
  test("constant, uniform, index, inside", () => {
    expect(elementwise(2, [], "float32", [{ id: 0, op: "constant", dtype: "float32", value: 1.5 }])).toEqual([
      1.5, 1.5,
    ]);
    expect(
      elementwise(1, [], "float64", [{ id: 0, op: "uniform", dtype: "float64", uniform: 1 }], {
        uniforms: [
          ["int32", 3],
          ["float64", 0.1],
        ],
      }),
    ).toEqual([0.1]);
    expect(elementwise(3, [], "int32", [{ id: 0, op: "index", dtype: "int32", affine: affine(7, -2) }])).toEqual([
      7, 5, 3,
    ]);
    const conditions = [
      { affine: affine(0, 1), lo: 1, hi: 4 },
      { affine: affine(0, -1), lo: -2, hi: 9 },
    ];
    expect(elementwise(5, [], "bool", [{ id: 0, op: "inside", dtype: "bool", conditions }])).toEqual([0, 1, 1, 0, 0]);
  });

  test("strided, reversed, broadcast and masked loads", () => {
    const x = f32(1, 2, 3, 4, 5, 6);
    expect(elementwise(3, [x], "float32", [load(0, 0, "float32", affine(1, 2))])).toEqual([2, 4, 6]);
    expect(elementwise(3, [x], "float32", [load(0, 0, "float32", affine(5, -1))])).toEqual([6, 5, 4]);
    expect(elementwise(2, [x], "float32", [load(0, 0, "float32", affine(2, 0))])).toEqual([3, 3]);
    const padded = load(0, 0, "float32", affine(-1, 1), [{ affine: affine(-1, 1), lo: 0, hi: 6 }]);
    expect(elementwise(8, [x], "float32", [padded])).toEqual([0, 1, 2, 3, 4, 5, 6, 0]);
  });

  test("unary, binary, where, cast, roundTo", () => {
    const x = f32(-2, 0.5, 3);
    const v = load(0, 0, "float32");
    expect(elementwise(3, [x], "float32", [v, { id: 1, op: "relu", dtype: "float32", args: [0] }])).toEqual([
      0, 0.5, 3,
    ]);
    expect(elementwise(3, [x], "float32", [v, { id: 1, op: "mul", dtype: "float32", args: [0, 0] }])).toEqual([
      4, 0.25, 9,
    ]);
    expect(elementwise(3, [x], "int32", [v, { id: 1, op: "cast", dtype: "int32", args: [0] }])).toEqual([-2, 0, 3]);
    const third = { id: 1, op: "constant", dtype: "float32", value: 1 / 3 } as const;
    expect(
      elementwise(1, [], "float32", [third, { id: 2, op: "roundTo", dtype: "float32", to: "bfloat16", args: [1] }]),
    ).toEqual([0.333984375]);
    const positive: Instruction[] = [
      v,
      { id: 1, op: "constant", dtype: "float32", value: 0 },
      { id: 2, op: "less", dtype: "bool", args: [1, 0] },
      { id: 3, op: "log", dtype: "float32", args: [0] },
      { id: 4, op: "where", dtype: "float32", args: [2, 3, 1] },
    ];
    expect(elementwise(3, [x], "float32", positive)).toEqual([0, Math.fround(Math.log(0.5)), Math.fround(Math.log(3))]);
  });

  test("integers wrap", () => {
    const body: Instruction[] = [load(0, 0, "int32"), { id: 1, op: "mul", dtype: "int32", args: [0, 0] }];
    expect(elementwise(2, [i32(65537, -5)], "int32", body)).toEqual([131073, 25]);
  });

  test("comparisons of float32 round their operands", () => {
    const body: Instruction[] = [
      { id: 0, op: "constant", dtype: "float32", value: 1 },
      { id: 1, op: "constant", dtype: "float32", value: 2 ** -30 },
      { id: 2, op: "add", dtype: "float32", args: [0, 1] },
      { id: 3, op: "equal", dtype: "bool", args: [0, 2] },
    ];
    expect(elementwise(1, [], "bool", body)).toEqual([1]);
    const wide = body.map((i) => (i.op === "equal" ? i : { ...i, dtype: "float64" })) as Instruction[];
    expect(elementwise(1, [], "bool", wide)).toEqual([0]);
  });

  test("philox gives word i of the stream", () => {
    const word = (id: number, value: number): Instruction => ({ id, op: "constant", dtype: "uint32", value });
    const body: Instruction[] = [
      { id: 0, op: "index", dtype: "int32", affine: affine(0, 1) },
      word(1, 11),
      word(2, 22),
      word(3, 33),
      word(4, 44),
      { id: 5, op: "philox", dtype: "uint32", args: [0, 1, 2, 3, 4] },
    ];
    expect(elementwise(6, [], "uint32", body)).toEqual([0, 1, 2, 3, 4, 5].map((i) => philoxWord(i, 11, 22, 33, 44)));
  });

  test("gathers by a dynamic index, and refuses one out of range", () => {
    const at: Affine = { offset: 0, strides: [0], dynamic: [{ value: 0, stride: 2, size: 3 }] };
    const body = [load(0, 1, "int32"), load(1, 0, "float32", at)];
    const x = f32(10, 11, 20, 21, 30, 31);
    expect(elementwise(3, [x, i32(2, 0, 1)], "float32", body)).toEqual([30, 10, 20]);
    const bad = () => elementwise(3, [x, i32(2, 3, 1)], "float32", body);
    expect(bad).toThrow(IndexError);
    expect(bad).toThrow("test loop: index 3 is out of range for size 3");
    expect(() => elementwise(1, [x, i32(-1)], "float32", body)).toThrow("index -1 is out of range for size 3");
  });

  test("16-bit storage rounds, float32 storage only when asked", () => {
    const tenth: Instruction[] = [{ id: 0, op: "constant", dtype: "float32", value: 0.1 }];
    expect(elementwise(1, [], "float16", tenth)).toEqual([0x2e66]);
    expect(elementwise(1, [], "bfloat16", tenth)).toEqual([0x3dcd]);
    // 1e8 + 1 - 1e8 through a float32 temporary.
    const [sum, rest] = [
      loop(
        [1],
        [],
        [
          outer(
            load(0, 0, "float32"),
            load(1, 1, "float32"),
            { id: 2, op: "add", dtype: "float32", args: [0, 1] },
            { id: 3, op: "store", slot: 2, at: affine(0, 1), value: 2 },
          ),
        ],
        [0, 1, 3],
      ),
      loop(
        [1],
        [],
        [
          outer(
            load(0, 0, "float32"),
            load(1, 1, "float32"),
            { id: 2, op: "sub", dtype: "float32", args: [1, 0] },
            { id: 3, op: "store", slot: 2, at: affine(0, 1), value: 2 },
          ),
        ],
        [0, 3, 2],
      ),
    ];
    const through = (rounding: boolean) =>
      execute({
        bound: [f32(1e8), f32(1)],
        outputs: [["float32", 1]],
        temporaries: [{ dtype: "float32", size: 1, kind: "temporary", offset: 0 }],
        kernels: [sum, rest],
        options: { rounding },
      });
    expect(through(false)).toEqual([[1]]);
    expect(through(true)).toEqual([[0]]);
  });
});

describe("stages", () => {
  const reduced = (fn: ReduceOp, values: number[], rows: number, dtype: DType = "float32"): number[] => {
    const columns = values.length / rows;
    const gives = fn.startsWith("arg") ? "int32" : dtype;
    const kernel = loop(
      [rows],
      [columns],
      [
        inner(load(0, 0, dtype as ComputeDType, affine(0, columns, 1)), {
          id: 1,
          op: "reduce",
          dtype: gives as ComputeDType,
          fn,
          value: 0,
        }),
        outer({ id: 2, op: "store", slot: 1, at: affine(0, 1, 0), value: 1 }),
      ],
      [0, 1],
    );
    return execute({ bound: [{ dtype, values }], outputs: [[gives, rows]], kernels: [kernel] })[0] as number[];
  };

  test("reductions", () => {
    expect(reduced("sum", [1, 2, 3, 4, 5, 6], 2)).toEqual([6, 15]);
    expect(reduced("prod", [1, 2, 3, 4, 5, 6], 2)).toEqual([6, 120]);
    expect(reduced("max", [1, Number.NaN, 3, 4, 6, 5], 2)).toEqual([Number.NaN, 6]);
    expect(reduced("min", [1, 2, -3, 4, 5, 6], 2)).toEqual([-3, 4]);
    expect(reduced("argMax", [1, 3, 3, 2, Number.NaN, 9], 2)).toEqual([1, 1]);
    expect(reduced("argMin", [1, 0, 0, 7, 8, 7], 2)).toEqual([1, 0]);
    expect(reduced("sum", [2 ** 31 - 1, 1], 1, "int32")).toEqual([-(2 ** 31)]);
  });

  test("of nothing give the identity", () => {
    const over = (fn: ReduceOp, dtype: ComputeDType) => {
      const gives = fn.startsWith("arg") ? "int32" : dtype;
      const kernel = loop(
        [2],
        [0],
        [
          inner(load(0, 0, dtype, affine(0, 0, 1)), { id: 1, op: "reduce", dtype: gives, fn, value: 0 }),
          outer({ id: 2, op: "store", slot: 1, at: affine(0, 1, 0), value: 1 }),
        ],
        [0, 1],
      );
      return (execute({ bound: [{ dtype, values: [] }], outputs: [[gives, 2]], kernels: [kernel] })[0] as number[])[1];
    };
    expect(over("sum", "float32")).toBe(0);
    expect(over("prod", "float64")).toBe(1);
    expect(over("max", "float32")).toBe(Number.NEGATIVE_INFINITY);
    expect(over("min", "int32")).toBe(2 ** 31 - 1);
    expect(over("max", "bool")).toBe(0);
  });

  test("a row program: softmax, in three passes", () => {
    const at = affine(0, 3, 1);
    const stages = [
      inner(load(0, 0, "float64", at), { id: 1, op: "reduce", dtype: "float64", fn: "max", value: 0 }),
      inner(
        load(2, 0, "float64", at),
        { id: 3, op: "sub", dtype: "float64", args: [2, 1] },
        { id: 4, op: "exp", dtype: "float64", args: [3] },
        { id: 5, op: "reduce", dtype: "float64", fn: "sum", value: 4 },
        { id: 6, op: "store", slot: 1, at, value: 4 },
      ),
      outer({ id: 7, op: "reciprocal", dtype: "float64", args: [5] }),
      inner(
        load(8, 1, "float64", at),
        { id: 9, op: "mul", dtype: "float64", args: [8, 7] },
        { id: 10, op: "store", slot: 1, at, value: 9 },
      ),
    ];
    const [y] = execute({
      bound: [{ dtype: "float64", values: [1, 2, 3, 1000, 1000, 1000] }],
      outputs: [["float64", 6]],
      kernels: [loop([2], [3], stages, [0, 1])],
    }) as [number[]];
    const e = [Math.exp(-2), Math.exp(-1), 1];
    const sum = e.reduce((a, b) => a + b);
    for (const [i, expected] of [...e.map((x) => x / sum), 1 / 3, 1 / 3, 1 / 3].entries()) {
      expect(y[i]).toBeCloseTo(expected, 14);
    }
  });

  test("a parameter is updated in place", () => {
    const body = [
      load(0, 0, "float32"),
      load(1, 1, "float32"),
      { id: 2, op: "sub", dtype: "float32", args: [0, 1] } as const,
    ];
    const kernel = loop([3], [], [outer(...body, { id: 3, op: "store", slot: 0, at: affine(0, 1), value: 2 })], [0, 1]);
    expect(
      execute({ bound: [{ ...f32(5, 6, 7), kind: "parameter" }, f32(1, 2, 3)], kernels: [kernel, kernel] }),
    ).toEqual([[3, 2, 1]]);
  });

  test("segments: one body over several sets of buffers, scalars broadcast", () => {
    const body: Instruction[] = [
      load(0, 0, "float32"),
      load(1, 1, "float32", affine(0, 0)),
      { id: 2, op: "mul", dtype: "float32", args: [0, 1] },
      { id: 3, op: "store", slot: 0, at: affine(0, 1), value: 2 },
    ];
    const kernel: LoopKernel = {
      ...loop([5], [], [outer(...body)], []),
      segments: [
        { size: 2, buffers: [0, 2] },
        { size: 3, buffers: [1, 2] },
      ],
    };
    const parameter = (...values: number[]): Bound => ({ ...f32(...values), kind: "parameter" });
    expect(execute({ bound: [parameter(1, 2), parameter(3, 4, 5), f32(10)], kernels: [kernel] })).toEqual([
      [10, 20],
      [30, 40, 50],
    ]);
  });

  test("zero sizes and rank 0", () => {
    expect(elementwise(0, [f32()], "float32", [load(0, 0, "float32")])).toEqual([]);
    const scalar = loop(
      [],
      [],
      [outer(load(0, 0, "float32", affine(0)), { id: 1, op: "store", slot: 1, at: affine(0), value: 0 })],
      [0, 1],
    );
    expect(execute({ bound: [f32(4)], outputs: [["float32", 1]], kernels: [scalar] })).toEqual([[4]]);
  });
});

describe("contractions", () => {
  const sequence = (n: number, f = (i: number) => ((i * 7 + 3) % 11) - 5): number[] =>
    Array.from({ length: n }, (_, i) => f(i));

  test("batched matmul of transposed operands, with an epilogue", () => {
    const [batch, m, n, k] = [2, 3, 4, 5];
    const [a, b, bias] = [sequence(batch * k * m), sequence(n * k, (i) => (i % 5) - 2), [1, 2, 3, 4]];
    const strides = contiguousStrides([batch, m, n]);
    const kernel: Kernel = {
      kind: "matmul",
      label: "linear",
      dtype: "float32",
      batch: [batch],
      m,
      n,
      k,
      a: { buffer: 0, offset: 0, strides: [k * m, 1, m] },
      b: { buffer: 1, offset: 0, strides: [0, 1, k] },
      epilogue: {
        body: [
          { id: 0, op: "accumulator", dtype: "float32" },
          load(1, 1, "float32", affine(0, 0, 0, 1)),
          { id: 2, op: "add", dtype: "float32", args: [0, 1] },
          { id: 3, op: "relu", dtype: "float32", args: [2] },
          { id: 4, op: "store", slot: 0, at: affine(0, ...strides), value: 3 },
          { id: 5, op: "store", slot: 2, at: affine(0, m * n, 1, m), value: 0 },
        ],
        buffers: [3, 2, 4],
      },
    };
    const [relu, transposed] = execute({
      bound: [f32(...a), f32(...b), f32(...bias)],
      outputs: [
        ["float32", batch * m * n],
        ["float32", batch * m * n],
      ],
      kernels: [kernel],
    }) as [number[], number[]];
    for (let g = 0; g < batch; g++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let c = 0; c < k; c++) sum += (a[(g * k + c) * m + i] as number) * (b[j * k + c] as number);
          expect(relu[(g * m + i) * n + j]).toBe(Math.max(0, sum + (bias[j] as number)));
          expect(transposed[(g * n + j) * m + i]).toBe(sum);
        }
  });

  test("a matmul over nothing gives zeros", () => {
    const empty: Kernel = {
      kind: "matmul",
      label: "empty",
      dtype: "float32",
      batch: [],
      m: 2,
      n: 2,
      k: 0,
      a: { buffer: 0, offset: 0, strides: [0, 1] },
      b: { buffer: 0, offset: 0, strides: [2, 1] },
      epilogue: {
        body: [
          { id: 0, op: "accumulator", dtype: "float32" },
          { id: 1, op: "store", slot: 0, at: affine(0, 2, 1), value: 0 },
        ],
        buffers: [1],
      },
    };
    expect(execute({ bound: [f32()], outputs: [["float32", 4]], kernels: [empty] })).toEqual([[0, 0, 0, 0]]);
  });

  test.each([
    { name: "plain", stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 },
    { name: "stride, padding, dilation and groups", stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 },
    { name: "depthwise, stride over the end", stride: [3, 2], padding: [2, 0], dilation: [2, 1], groups: 4 },
  ] as const)("the three convolutions: $name", ({ stride, padding, dilation, groups }) => {
    const [N, C, H, W, O, KH, KW] = [2, 4, 7, 6, 8, 3, 2];
    const out = (axis: 0 | 1, size: number, k: number) =>
      Math.floor((size + 2 * padding[axis] - dilation[axis] * (k - 1) - 1) / stride[axis]) + 1;
    const [OH, OW, CG, OG] = [out(0, H, KH), out(1, W, KW), C / groups, O / groups];
    const x = sequence(N * C * H * W);
    const w = sequence(O * CG * KH * KW, (i) => (i % 7) - 3);
    const dy = sequence(N * O * OH * OW, (i) => (i % 9) - 4);
    const y = new Array<number>(dy.length).fill(0);
    const dx = new Array<number>(x.length).fill(0);
    const dw = new Array<number>(w.length).fill(0);
    for (let n = 0; n < N; n++)
      for (let o = 0; o < O; o++)
        for (let oh = 0; oh < OH; oh++)
          for (let ow = 0; ow < OW; ow++)
            for (let c = 0; c < CG; c++)
              for (let i = 0; i < KH; i++)
                for (let j = 0; j < KW; j++) {
                  const h = oh * stride[0] - padding[0] + i * dilation[0];
                  const v = ow * stride[1] - padding[1] + j * dilation[1];
                  if (h < 0 || h >= H || v < 0 || v >= W) continue;
                  const xi = ((n * C + Math.floor(o / OG) * CG + c) * H + h) * W + v;
                  const wi = ((o * CG + c) * KH + i) * KW + j;
                  const yi = ((n * O + o) * OH + oh) * OW + ow;
                  y[yi] = (y[yi] as number) + (x[xi] as number) * (w[wi] as number);
                  dx[xi] = (dx[xi] as number) + (dy[yi] as number) * (w[wi] as number);
                  dw[wi] = (dw[wi] as number) + (dy[yi] as number) * (x[xi] as number);
                }
    const shapes = { x: [N, C, H, W], weight: [O, CG, KH, KW], y: [N, O, OH, OW] } as const;
    const kernel = (
      kind: ConvolutionKernel["kind"],
      a: number,
      b: number,
      target: number,
      result: readonly number[],
    ): Kernel => ({
      kind,
      label: kind,
      dtype: "float32",
      geometry: { stride, padding, dilation, groups },
      ...shapes,
      a,
      b,
      epilogue: {
        body: [
          { id: 0, op: "accumulator", dtype: "float32" },
          { id: 1, op: "neg", dtype: "float32", args: [0] },
          { id: 2, op: "store", slot: 0, at: affine(0, ...contiguousStrides(result)), value: 1 },
        ],
        buffers: [target],
      },
    });
    const negative = (values: readonly number[]) => values.map((value) => 0 - value);
    const plusZero = (values: readonly number[]) => values.map((value) => value + 0);
    const results = execute({
      bound: [f32(...x), f32(...w), f32(...dy)],
      outputs: [
        ["float32", y.length],
        ["float32", dx.length],
        ["float32", dw.length],
      ],
      kernels: [
        kernel("conv2d", 0, 1, 3, shapes.y),
        kernel("conv2dInputGradient", 2, 1, 4, shapes.x),
        kernel("conv2dWeightGradient", 0, 2, 5, shapes.weight),
      ],
    });
    expect(results.map(plusZero)).toEqual([y, dx, dw].map(negative));
  });
});

describe("indexed kernels", () => {
  const copy = (size: number, from: number, to: number): Kernel =>
    loop(
      [size],
      [],
      [outer(load(0, 0, "float32"), { id: 1, op: "store", slot: 1, at: affine(0, 1), value: 0 })],
      [from, to],
    );

  test("scatterAdd into a larger target, by an expanded index", () => {
    // x [3, 4] plus rows of source [2, 3] (a wider buffer of row 5), at rows 2 and 0; and row 2 again.
    const kernel: Kernel = {
      kind: "scatterAdd",
      label: "rows",
      axis: 0,
      targetShape: [3, 4],
      shape: [3, 3],
      target: 3,
      index: { buffer: 1, offset: 1, strides: [1, 0] },
      source: { buffer: 2, offset: 1, strides: [5, 1] },
    };
    const bound = (...rows: number[]) => [
      f32(...new Array(12).fill(100)),
      i32(9, ...rows),
      f32(...Array.from({ length: 15 }, (_, i) => i)),
    ];
    const scatter = (...rows: number[]) =>
      execute({ bound: bound(...rows), outputs: [["float32", 12]], kernels: [copy(12, 0, 3), kernel] });
    expect(scatter(2, 0, 2)).toEqual([[106, 107, 108, 100, 100, 100, 100, 100, 112, 114, 116, 100]]);
    expect(() => scatter(2, 0, 3)).toThrow("rows: index 3 is out of range for size 3");
  });

  test("cumSum along the middle axis", () => {
    const kernel: Kernel = { kind: "cumSum", label: "cumSum", outer: 2, size: 3, inner: 2, input: 0, output: 1 };
    const x = f32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    expect(execute({ bound: [x], outputs: [["float32", 12]], kernels: [kernel] })).toEqual([
      [1, 2, 4, 6, 9, 12, 7, 8, 16, 18, 27, 30],
    ]);
  });

  test("argSort is stable, NaN largest", () => {
    const sort = (descending: boolean) =>
      execute({
        bound: [f32(2, Number.NaN, 1, 2, -0, Number.NaN, 0)],
        outputs: [["int32", 7]],
        kernels: [{ kind: "argSort", label: "argSort", outer: 1, size: 7, inner: 1, descending, input: 0, output: 1 }],
      })[0];
    expect(sort(false)).toEqual([4, 6, 2, 0, 3, 1, 5]);
    expect(sort(true)).toEqual([1, 5, 0, 3, 2, 4, 6]);
    const columns: Kernel = {
      kind: "argSort",
      label: "argSort",
      outer: 1,
      size: 2,
      inner: 3,
      descending: false,
      input: 0,
      output: 1,
    };
    expect(execute({ bound: [i32(3, 1, 2, 1, 2, 2)], outputs: [["int32", 6]], kernels: [columns] })).toEqual([
      [1, 0, 0, 0, 1, 1],
    ]);
  });

  test("over nothing", () => {
    const kernel: Kernel = {
      kind: "argSort",
      label: "argSort",
      outer: 3,
      size: 0,
      inner: 2,
      descending: false,
      input: 0,
      output: 1,
    };
    expect(execute({ bound: [f32()], outputs: [["int32", 0]], kernels: [kernel] })).toEqual([[]]);
  });
});

describe("the backend", () => {
  const backend = referenceBackend({ kernels: ["matmul"] });
  const double: Program = {
    buffers: [
      { dtype: "float32", size: 2, kind: "input" },
      { dtype: "float32", size: 2, kind: "output" },
    ],
    uniforms: [],
    arenaBytes: 0,
    kernels: [
      loop(
        [2],
        [],
        [
          outer(
            load(0, 0, "float32"),
            { id: 1, op: "add", dtype: "float32", args: [0, 0] },
            { id: 2, op: "store", slot: 1, at: affine(0, 1), value: 1 },
          ),
        ],
        [0, 1],
      ),
    ],
  };

  test("admits to the kernels it was told to", () => {
    expect([...backend.capabilities.kernels]).toEqual(["loop", "matmul"]);
    const kernel: Kernel = { kind: "cumSum", label: "c", outer: 1, size: 2, inner: 1, input: 0, output: 1 };
    expect(() => backend.compile({ ...double, kernels: [kernel] })).toThrow(BackendError);
  });

  test("allocates, writes, reads, frees and counts", async () => {
    const b = referenceBackend();
    const x = b.allocate("float16", 3);
    expect(b.memory()).toEqual({ bufferBytes: 6, buffers: 1, arenaBytes: 0 });
    expect(await b.read(x)).toEqual(new Uint16Array(3));
    b.write(x, new Uint16Array([0x3c00, 0xc000, 0x7e00]));
    expect(await b.read(x)).toEqual(new Uint16Array([0x3c00, 0xc000, 0x7e00]));
    expect(() => b.write(x, new Float32Array(3))).toThrow(
      "reference: write: got Float32Array of 3, expected Uint16Array of 3",
    );
    expect(() => b.write(x, new Uint16Array(2))).toThrow(BackendError);
    b.free(x);
    expect(b.memory().buffers).toBe(0);
    expect(() => b.free(x)).toThrow("reference: the buffer was freed");
    expect(() => b.write({}, new Uint16Array(2))).toThrow("reference: the buffer is another backend's");
    b.dispose();
    expect(() => b.allocate("bool", 1)).toThrow("reference: used after it was disposed");
  });

  test("refuses bindings that do not fit", () => {
    const executable = backend.compile(double);
    const [x, y, short] = [
      backend.allocate("float32", 2),
      backend.allocate("float32", 2),
      backend.allocate("float32", 1),
    ];
    backend.write(x, new Float32Array([1, 2]));
    backend.run(executable, [x, y], []);
    expect(backend.readSync?.(y)).toEqual(new Float32Array([2, 4]));
    expect(() => backend.run(executable, [x], [])).toThrow("run: got 1 buffers, none for b1 (output)");
    expect(() => backend.run(executable, [x, y, y], [])).toThrow("run: got 3 buffers, the program binds 2");
    expect(() => backend.run(executable, [x, short], [])).toThrow(
      "run: b1 (output): got float32 of 1, expected float32 of 2",
    );
    expect(() => backend.run(executable, [x, y], [1])).toThrow("run: got 1 uniforms, the program has 0");
    expect(() => backend.run({ program: double }, [x, y], [])).toThrow("the executable is another backend's");
  });

  test("validates what it compiles", () => {
    const wrong = {
      ...double,
      buffers: [{ dtype: "float32", size: 1, kind: "input" }, double.buffers[1] as BufferSpec],
    } as const;
    expect(() => backend.compile(wrong)).toThrow(ProgramError);
  });
});
