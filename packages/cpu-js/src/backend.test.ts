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

describe("indices out of range", () => {
  test("a gathered row: the error names kernel, index and size", () => {
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
    for (const bad of [5, -1]) {
      const attempt = () => run(cpuSync(), p, [Int32Array.of(0, bad, 0), wave(20)]);
      expect(attempt).toThrow(IndexError);
      expect(attempt).toThrow(`test: index ${bad} is out of range for size 5`);
    }
  });

  test("scatterAdd", () => {
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
    expect(() => run(cpuSync(), p, [new Float32Array(12), Int32Array.of(2, 4, 2), new Float32Array(7)])).toThrow(
      "scatter: index 4 is out of range for size 4",
    );
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
