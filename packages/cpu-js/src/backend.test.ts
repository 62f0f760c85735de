import {
  type Affine,
  type Backend,
  BackendError,
  type BufferSpec,
  type HostArray,
  IndexError,
  type Instruction,
  type Kernel,
  type LoopKernel,
  type Program,
  philoxWord,
  referenceBackend,
  validateProgram,
} from "@thalweg/core/backend";
import { afterEach, describe, expect, test, vi } from "vitest";
import { cpu, cpuSync } from "./index.ts";
import { philox } from "./philox.ts";

type Loose = { readonly op: string } & Readonly<Record<string, unknown>>;

/** Instructions numbered from `first`; stores may leave their number out like everything else. */
const body = (first: number, ...instructions: readonly Loose[]): Instruction[] =>
  instructions.map((instruction, i) => ({ id: first + i, ...instruction }) as unknown as Instruction);

const at = (strides: readonly number[], offset = 0): Affine => ({ offset, strides });
const load = (slot: number, strides: readonly number[], more: object = {}): Loose => ({
  op: "load",
  dtype: "float32",
  slot,
  at: at(strides),
  ...more,
});
const store = (slot: number, strides: readonly number[], value: number): Loose => ({
  op: "store",
  slot,
  at: at(strides),
  value,
});
const op = (name: string, ...args: readonly number[]): Loose => ({ op: name, dtype: "float32", args });
const reduce = (fn: string, value: number, dtype = "float32"): Loose => ({ op: "reduce", dtype, fn, value });
const buffer = (
  size: number,
  kind: BufferSpec["kind"] = "input",
  dtype: BufferSpec["dtype"] = "float32",
): BufferSpec => ({
  dtype,
  size,
  kind,
});

function loop(
  outer: readonly number[],
  inner: readonly number[],
  stages: readonly (readonly ["outer" | "inner", Instruction[]])[],
  buffers: readonly number[],
): LoopKernel {
  const segments = [{ size: outer.reduce((a, b) => a * b, 1), buffers }];
  return {
    kind: "loop",
    label: "test",
    outer,
    inner,
    stages: stages.map(([over, b]) => ({ over, body: b })),
    segments,
  };
}

const program = (buffers: readonly BufferSpec[], kernels: readonly Kernel[], more: Partial<Program> = {}): Program => ({
  buffers,
  uniforms: [],
  kernels,
  arenaBytes: 0,
  ...more,
});

/** Contents of every bound buffer after a run. */
function run(
  backend: Backend,
  p: Program,
  inputs: readonly HostArray[],
  uniforms: readonly number[] = [],
): HostArray[] {
  validateProgram(p);
  const bound = p.buffers.filter(({ kind }) => kind !== "temporary");
  const handles = bound.map(({ dtype, size }, i) => {
    const handle = backend.allocate(dtype, size);
    const data = inputs[i];
    if (data) backend.write(handle, data);
    return handle;
  });
  backend.run(backend.compile(p), handles, uniforms);
  return handles.map((handle) => backend.readSync?.(handle) as HostArray);
}

const wave = (n: number, shift = 0): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.7 + shift) * 3);

function agrees(p: Program, inputs: readonly HostArray[], uniforms: readonly number[] = []): HostArray[] {
  const got = run(cpuSync(), p, inputs, uniforms);
  const want = run(referenceBackend({ rounding: true }), p, inputs, uniforms);
  got.forEach((array, i) => {
    array.forEach((x, k) => {
      const y = (want[i] as HostArray)[k] as number;
      if (!Object.is(x, y))
        expect(Math.abs(x - y), `b${i}[${k}]: ${x} against ${y}`).toBeLessThanOrEqual(2e-7 * Math.abs(y));
    });
  });
  return got;
}

describe("loop kernels", () => {
  test("softmax over rows, and over columns, several at once with their exponentials kept", () => {
    for (const [outer, inner, strides] of [
      [7, 300, [300, 1]],
      [37, 20, [1, 37]],
    ] as const) {
      const p = program(
        [buffer(outer * inner), buffer(outer * inner, "output")],
        [
          loop(
            [outer],
            [inner],
            [
              ["inner", body(0, load(0, strides), reduce("max", 0))],
              ["inner", body(2, load(0, strides), op("sub", 2, 1), op("exp", 3), reduce("sum", 4))],
              [
                "inner",
                body(6, load(0, strides), op("sub", 6, 1), op("exp", 7), op("div", 8, 5), store(1, strides, 9)),
              ],
            ],
            [0, 1],
          ),
        ],
      );
      const [, y] = agrees(p, [wave(outer * inner)]);
      let sum = 0;
      for (let j = 0; j < inner; j++) sum += (y as HostArray)[3 * strides[0] + j * strides[1]] as number;
      expect(sum).toBeCloseTo(1, 6);
    }
  });

  test("two values kept in different scratch rows", () => {
    const p = program(
      [buffer(200), buffer(200, "output"), buffer(200, "output")],
      [
        loop(
          [4],
          [50],
          [
            ["inner", body(0, load(0, [50, 1]), op("exp", 0), op("tanh", 0), reduce("sum", 1), reduce("sum", 2))],
            [
              "inner",
              body(
                5,
                load(0, [50, 1]),
                op("tanh", 5),
                op("exp", 5),
                op("div", 6, 4),
                op("div", 7, 3),
                store(1, [50, 1], 8),
                store(2, [50, 1], 9),
              ),
            ],
          ],
          [0, 1, 2],
        ),
      ],
    );
    agrees(p, [wave(200)]);
  });

  test("in place: what a stage overwrites is not taken from before", () => {
    const p = program(
      [buffer(100, "parameter"), buffer(100, "output")],
      [
        loop(
          [],
          [100],
          [
            ["inner", body(0, load(0, [1]), op("exp", 0), store(0, [1], 1))],
            ["inner", body(3, load(0, [1]), op("exp", 3), store(1, [1], 4))],
          ],
          [0, 1],
        ),
      ],
    );
    agrees(p, [wave(100)]);
  });

  test("padding: no access outside, zeros there", () => {
    const inside = (offset: number, strides: readonly number[], hi: number) => ({
      affine: at(strides, offset),
      lo: 0,
      hi,
    });
    const conditions = [inside(-2, [1, 0], 3), inside(-1, [0, 1], 4)];
    const p = program(
      [buffer(12), buffer(42, "output")],
      [
        loop(
          [6, 7],
          [],
          [["outer", body(0, { ...load(0, [4, 1]), at: at([4, 1], -9), conditions }, store(1, [7, 1], 0))]],
          [0, 1],
        ),
      ],
    );
    const [, y] = agrees(p, [Float32Array.from({ length: 12 }, (_, i) => i + 1)]);
    expect(Array.from((y as HostArray).slice(14, 28))).toEqual([0, 1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 0, 0]);
  });

  test("column sums, several columns at once and the rest after them", () => {
    for (const columns of [3, 10, 67]) {
      const p = program(
        [buffer(columns * 33), buffer(columns, "output")],
        [
          loop(
            [columns],
            [33],
            [
              ["inner", body(0, load(0, [1, columns]), reduce("sum", 0))],
              ["outer", body(2, store(1, [1, 0], 1))],
            ],
            [0, 1],
          ),
        ],
      );
      agrees(p, [wave(columns * 33)]);
    }
  });

  test("first of equal extremes; NaN before all", () => {
    const x = Float32Array.of(1, 5, 5, 2, 3, Number.NaN, 9, Number.NaN, -1, -1, -2, -2);
    const p = program(
      [buffer(12), buffer(3, "output", "int32"), buffer(3, "output", "int32")],
      [
        loop(
          [3],
          [4],
          [
            ["inner", body(0, load(0, [4, 1]), reduce("argMax", 0, "int32"), reduce("argMin", 0, "int32"))],
            ["outer", body(3, store(1, [1, 0], 1), store(2, [1, 0], 2))],
          ],
          [0, 1, 2],
        ),
      ],
    );
    const [, most, least] = agrees(p, [x]);
    expect(Array.from(most as HostArray)).toEqual([1, 1, 0]);
    expect(Array.from(least as HostArray)).toEqual([0, 1, 2]);
  });

  test("nothing to reduce gives identities; nothing to do does nothing", () => {
    const stages = [
      ["inner", body(0, load(0, [0, 1]), reduce("sum", 0), reduce("max", 0))],
      ["outer", body(3, store(1, [1, 0], 1), store(2, [1, 0], 2))],
    ] as const;
    const p = program([buffer(1), buffer(2, "output"), buffer(2, "output")], [loop([2], [0], stages, [0, 1, 2])]);
    const [, sums, most] = agrees(p, [wave(1)]);
    expect(Array.from(sums as HostArray)).toEqual([0, 0]);
    expect(Array.from(most as HostArray)).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    agrees(
      program(
        [buffer(1), buffer(0, "output")],
        [loop([0], [], [["outer", body(0, load(0, [0]), store(1, [1], 0))]], [0, 1])],
      ),
      [wave(1)],
    );
  });

  test("segments share one function; uniforms reach every one", () => {
    const sizes = [5, 0, 64, 3];
    const buffers = sizes.flatMap((size) => [buffer(size, "parameter"), buffer(size)]);
    const segments = sizes.map((size, i) => ({ size, buffers: [2 * i, 2 * i + 1] }));
    const update = body(
      0,
      load(0, [1]),
      load(1, [1]),
      { op: "uniform", dtype: "float32", uniform: 0 },
      op("mul", 1, 2),
      op("sub", 0, 3),
      store(0, [1], 4),
    );
    const kernel: LoopKernel = {
      kind: "loop",
      label: "sgd",
      outer: [72],
      inner: [],
      stages: [{ over: "outer", body: update }],
      segments,
    };
    const inputs = buffers.map(({ size }, i) => wave(size, i));
    const p = program(buffers, [kernel], { uniforms: [{ name: "lr", dtype: "float32" }] });
    const got = agrees(p, inputs, [0.5]);
    expect(got[6]?.[2]).toBeCloseTo((inputs[6]?.[2] as number) - 0.5 * (inputs[7]?.[2] as number), 6);
  });

  test("gathered rows; an index out of range names kernel, index and size", () => {
    const p = program(
      [buffer(3, "input", "int32"), buffer(20), buffer(12, "output")],
      [
        loop(
          [3, 4],
          [],
          [
            [
              "outer",
              body(
                0,
                { ...load(0, [1, 0]), dtype: "int32" },
                load(1, [0, 1], { at: { ...at([0, 1]), dynamic: [{ value: 0, stride: 4, size: 5 }] } }),
                store(2, [4, 1], 1),
              ),
            ],
          ],
          [0, 1, 2],
        ),
      ],
    );
    const [, , y] = agrees(p, [Int32Array.of(4, 0, 2), Float32Array.from({ length: 20 }, (_, i) => i)]);
    expect(Array.from((y as HostArray).slice(0, 4))).toEqual([16, 17, 18, 19]);
    for (const bad of [5, -1]) {
      const attempt = () => run(cpuSync(), p, [Int32Array.of(0, bad, 0), wave(20)]);
      expect(attempt).toThrow(IndexError);
      expect(attempt).toThrow(`test: index ${bad} is out of range for size 5`);
    }
  });
});

describe("random words", () => {
  test("the published first block, and agreement with core in any order", () => {
    expect([0, 1, 2, 3].map((i) => philox(i, 0, 0, 0, 0))).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    const cases: [number, number, number, number, number][] = [
      [7, 1, 2, 3, 4],
      [6, 1, 2, 3, 4],
      [123456789, 0xffffffff, 0x80000000, 0xdeadbeef, 5],
      [6, 1, 2, 3, 5],
    ];
    for (const words of cases) expect(philox(...words)).toBe(philoxWord(...words));
  });
});

describe("indexed kernels", () => {
  test("cumSum and argSort along a middle axis", () => {
    const x = Float32Array.of(3, 1, Number.NaN, 1, 2, 1, 0, -0, 5, 5, -1, Number.NaN);
    for (const descending of [false, true]) {
      agrees(
        program(
          [buffer(12), buffer(12, "output", "int32")],
          [{ kind: "argSort", label: "sort", outer: 2, size: 3, inner: 2, descending, input: 0, output: 1 }],
        ),
        [x],
      );
    }
    const many = Float32Array.from({ length: 500 }, (_, i) => (i * 7919) % 101);
    agrees(
      program(
        [buffer(500), buffer(500, "output", "int32")],
        [{ kind: "argSort", label: "sort", outer: 1, size: 500, inner: 1, descending: true, input: 0, output: 1 }],
      ),
      [many],
    );
    const [, sums] = agrees(
      program(
        [buffer(12), buffer(12, "output")],
        [{ kind: "cumSum", label: "cumSum", outer: 2, size: 3, inner: 2, input: 0, output: 1 }],
      ),
      [wave(12)],
    );
    expect((sums as HostArray)[4]).toBeCloseTo(
      (wave(12)[0] as number) + (wave(12)[2] as number) + (wave(12)[4] as number),
      5,
    );
  });

  test("scatterAdd adds repeated indices and checks them", () => {
    const kernel: Kernel = {
      kind: "scatterAdd",
      label: "scatter",
      axis: 0,
      targetShape: [4, 3],
      shape: [3, 2],
      target: 0,
      index: { buffer: 1, offset: 0, strides: [1, 0] },
      source: { buffer: 2, offset: 1, strides: [2, 1] },
    };
    const p = program([buffer(12, "parameter"), buffer(3, "input", "int32"), buffer(7)], [kernel]);
    const [y] = agrees(p, [new Float32Array(12), Int32Array.of(2, 0, 2), Float32Array.of(9, 1, 2, 3, 4, 5, 6)]);
    expect(Array.from(y as HostArray)).toEqual([3, 4, 0, 0, 0, 0, 6, 8, 0, 0, 0, 0]);
    expect(() => run(cpuSync(), p, [new Float32Array(12), Int32Array.of(2, 4, 2), new Float32Array(7)])).toThrow(
      "scatter: index 4 is out of range for size 4",
    );
  });
});

const addOne = (size: number): Program =>
  program(
    [buffer(size), { ...buffer(size, "temporary"), offset: 0 }, buffer(size, "output")],
    [
      loop(
        [size],
        [],
        [
          [
            "outer",
            body(0, load(0, [1]), { op: "constant", dtype: "float32", value: 1 }, op("add", 0, 1), store(1, [1], 2)),
          ],
        ],
        [0, 1],
      ),
      loop([size], [], [["outer", body(0, load(0, [1]), op("neg", 0), store(1, [1], 1))]], [1, 2]),
    ],
    { arenaBytes: Math.ceil(size / 16) * 64 },
  );

describe("the backend", () => {
  test("counts its memory, and keeps one arena as large as the largest need", async () => {
    const backend = await cpu();
    expect(backend.name).toBe("cpu-js");
    expect(backend.description).toMatch(/V8/);
    const [small, large] = [addOne(10), addOne(1000)].map((p) => backend.compile(p));
    const handles = [10, 10, 1000, 1000].map((size) => backend.allocate("float32", size));
    expect(backend.memory()).toEqual({ bufferBytes: 8080, buffers: 4, arenaBytes: 0 });
    backend.write(handles[0] as object, new Float32Array(10).fill(3));
    for (let i = 0; i < 3; i++) {
      // The second Program grows the arena, so the first has to find it anew.
      backend.run(small as object as never, [handles[0] as object, handles[1] as object], []);
      backend.run(large as object as never, [handles[2] as object, handles[3] as object], []);
      expect(backend.memory().arenaBytes).toBe(4032);
    }
    expect(Array.from(await backend.read(handles[1] as object))).toEqual(new Array(10).fill(-4));
    for (const handle of handles) backend.free(handle);
    expect(backend.memory()).toMatchObject({ bufferBytes: 0, buffers: 0 });
    expect(() => backend.free(handles[0] as object)).toThrow(BackendError);
    expect(() => backend.run(small as object as never, handles.slice(0, 2) as object[], [])).toThrow("freed");
    backend.dispose();
    expect(() => backend.allocate("float32", 1)).toThrow("disposed");
  });

  test("writes only what fits", () => {
    const backend = cpuSync();
    const handle = backend.allocate("int32", 2);
    expect(() => backend.write(handle, new Float32Array(2))).toThrow(
      "write: got Float32Array of 2, expected Int32Array of 2",
    );
    expect(() => backend.write(handle, new Int32Array(3))).toThrow("got Int32Array of 3");
  });

  test("the same Program gives the same bits", () => {
    const p = program(
      [buffer(10007), buffer(1, "output")],
      [
        loop(
          [],
          [10007],
          [
            ["inner", body(0, load(0, [1]), op("exp", 0), op("mul", 1, 0), reduce("sum", 2))],
            ["outer", body(4, store(1, [0], 3))],
          ],
          [0, 1],
        ),
      ],
    );
    const results = [1, 2, 3].map(() => Array.from(run(cpuSync(), p, [wave(10007)])[1] as HostArray));
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});

describe("where code may not be generated", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test("Programs are interpreted, with one warning", () => {
    vi.stubGlobal("Function", () => {
      throw new EvalError("Code generation from strings disallowed for this context");
    });
    const warn = vi.fn<(message: string) => void>();
    vi.stubGlobal("console", { warn });
    const backends = [cpuSync(), cpuSync()];
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toContain("content-security policy");
    for (const backend of backends) {
      expect(backend.name).toBe("cpu-js");
      expect(backend.description).toContain("interpreted");
      const [, y] = run(backend, addOne(3), [Float32Array.of(1, 2, 3)]);
      expect(Array.from(y as HostArray)).toEqual([-2, -3, -4]);
    }
  });
});
