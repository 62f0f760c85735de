import {
  allocateHost,
  type BufferSpec,
  type HostArray,
  type Instruction,
  type MatmulKernel,
  type Operand,
  type Program,
  referenceBackend,
  sizeOf,
  validateProgram,
} from "@thalweg/core/backend";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { detectFeatures } from "../features.ts";
import { runProgram } from "../testKernel.ts";
import { compileContraction } from "./index.ts";
import { planOf } from "./plan.ts";

type Body = "plain" | "biasRelu" | "two" | "long" | "inPlace";
/** How an operand of lines × k lies: which axis is contiguous, or neither. */
type Layout = "lines" | "k" | "neither" | "backwards";

interface Options {
  readonly batch?: readonly number[];
  readonly a?: Layout;
  readonly b?: Layout;
  /** Batch axes along which the operand is the same. */
  readonly broadcastA?: readonly number[];
  readonly broadcastB?: readonly number[];
  readonly body?: Body;
  /** The result is stored with i contiguous. */
  readonly transposed?: boolean;
  readonly dtype?: "float32" | "float64" | "int32" | "uint32";
}

/** A view of [batch…, lines, k] with gaps round it, and the elements its buffer has to have. */
function operand(
  buffer: number,
  layout: Layout,
  batch: readonly number[],
  broadcast: readonly number[],
  lines: number,
  k: number,
): { readonly view: Operand; readonly size: number } {
  const [line, depth] = { lines: [1, lines + 3], k: [k + 1, 1], neither: [2 * k + 1, 2], backwards: [-(k + 2), 1] }[
    layout
  ] as [number, number];
  const offset = 5 + (layout === "backwards" ? (k + 2) * Math.max(0, lines - 1) : 0);
  let next = 7 + Math.abs(line) * lines + Math.abs(depth) * k;
  const strides: number[] = [];
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    strides.unshift(broadcast.includes(axis) ? 0 : next);
    next *= batch[axis] as number;
  }

  return { view: { buffer, offset, strides: [...strides, line, depth] }, size: offset + next };
}

/** Buffers: a, b, bias, result, second result. The result has gaps, which must stay as they are. */
function matmulProgram(m: number, n: number, k: number, options: Options = {}): Program {
  const { batch = [], body = "plain", dtype = "float32", transposed = false } = options;
  const a = operand(0, options.a ?? "k", batch, options.broadcastA ?? [], m, k);
  const b = operand(1, options.b ?? "lines", batch, options.broadcastB ?? [], n, k);
  const rank = batch.length;
  const swapLast = (strides: readonly number[]): number[] => {
    const [line, depth] = strides.slice(rank) as [number, number];
    return [...strides.slice(0, rank), depth, line];
  };
  const [row, column] = transposed ? [1, m + 2] : [n + 2, 1];
  const elementStride = (m + 2) * (n + 2);
  const outer = batch.map((_, axis) => elementStride * batch.slice(axis + 1).reduce((x, y) => x * y, 1));
  const out = { offset: 3, strides: [...outer, row, column] };
  const bias = { offset: 0, strides: [...batch.map(() => 0), 0, 1] };
  const sum = { id: 0, op: "accumulator", dtype } as const;
  const constant = (id: number, value: number): Instruction => ({ id, op: "constant", dtype, value });
  const bodies: Record<Body, Instruction[]> = {
    plain: [sum, { id: 1, op: "store", slot: 1, at: out, value: 0 }],
    biasRelu: [
      sum,
      { id: 1, op: "load", dtype, slot: 0, at: bias },
      { id: 2, op: "add", dtype, args: [0, 1] },
      { id: 3, op: "relu", dtype, args: [2] },
      { id: 4, op: "store", slot: 1, at: out, value: 3 },
    ],
    two: [
      sum,
      { id: 1, op: "uniform", dtype, uniform: 0 },
      { id: 2, op: "mul", dtype, args: [0, 1] },
      { id: 3, op: "store", slot: 1, at: out, value: 0 },
      { id: 4, op: "store", slot: 2, at: out, value: 2 },
    ],
    long: [
      sum,
      { id: 1, op: "load", dtype, slot: 0, at: bias },
      { id: 2, op: "add", dtype, args: [0, 1] },
      { id: 3, op: "index", dtype: "int32", affine: { offset: 1, strides: [...batch.map(() => 2), 3, -1] } },
      { id: 4, op: "cast", dtype, args: [3] },
      { id: 5, op: "mul", dtype, args: [2, 4] },
      constant(6, 4),
      { id: 7, op: "maximum", dtype, args: [5, 6] },
      constant(8, 4096),
      { id: 9, op: "minimum", dtype, args: [7, 8] },
      { id: 10, op: "add", dtype, args: [9, 0] },
      { id: 11, op: "sub", dtype, args: [10, 6] },
      { id: 12, op: "relu", dtype, args: [11] },
      { id: 13, op: "store", slot: 1, at: out, value: 12 },
    ],
    inPlace: [
      sum,
      { id: 1, op: "load", dtype, slot: 1, at: out },
      { id: 2, op: "add", dtype, args: [1, 0] },
      { id: 3, op: "store", slot: 1, at: out, value: 2 },
    ],
  };
  const size = 3 + elementStride * sizeOf(batch);
  const buffers: BufferSpec[] = [
    { dtype, size: a.size, kind: "input" },
    { dtype, size: b.size, kind: "input" },
    { dtype, size: n, kind: "input" },
    { dtype, size, kind: "parameter" },
    { dtype, size, kind: "parameter" },
  ];
  const kernel: MatmulKernel = {
    kind: "matmul",
    label: "",
    dtype,
    batch,
    m,
    n,
    k,
    a: a.view,
    b: { ...b.view, strides: swapLast(b.view.strides) },
    epilogue: { body: bodies[body], buffers: [2, 3, 4] },
  };
  return { buffers, uniforms: [{ name: "scale", dtype }], kernels: [kernel], arenaBytes: 0 };
}

/** Numbers with few bits: sums of their products are exact, so that bits can be compared. */
function inputsOf(program: Program, seed: number): HostArray[] {
  let state = (seed * 2654435761 + 1) >>> 0;
  return program.buffers.map(({ dtype, size }) => {
    const array = allocateHost(dtype, size);
    for (let i = 0; i < size; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const value = ((state >>> 20) % 9) - 4;
      array[i] = dtype === "uint32" ? Math.abs(value) : value;
    }
    return array;
  });
}

function reference(program: Program, inputs: readonly HostArray[]): HostArray[] {
  const backend = referenceBackend();
  const handles = program.buffers.map(({ dtype, size }, index) => {
    const handle = backend.allocate(dtype, size);
    backend.write(handle, inputs[index] as HostArray);
    return handle;
  });
  backend.run(backend.compile(program), handles, [3]);
  return handles.map((handle) => backend.readSync?.(handle) as HostArray);
}

function check(program: Program, features = {}, seed = 1): void {
  validateProgram(program);
  const inputs = inputsOf(program, seed);
  expect(runProgram(program, inputs, [3], features)).toEqual(reference(program, inputs));
}

const layouts: readonly Layout[] = ["lines", "k", "neither", "backwards"];
const planFor = (program: Program) => planOf(program.kernels[0] as MatmulKernel);
const blockingFor = (program: Program) => {
  const plan = planFor(program);
  if (plan.kind !== "blocked") throw new Error(`a ${plan.kind} plan`);
  return plan.blocking;
};

describe("matmul", () => {
  it("gives the sums of literal matrices", () => {
    const program = matmulProgram(2, 2, 3);
    const [a, b] = [new Float32Array(program.buffers[0]?.size ?? 0), new Float32Array(program.buffers[1]?.size ?? 0)];
    // [[1, 2, 3], [4, 5, 6]] · [[1, 2], [3, 4], [5, 6]]
    a.set([1, 2, 3, 0, 4, 5, 6], 5);
    b.set([1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 5, 6], 5);
    const result = runProgram(program, [
      a,
      b,
      new Float32Array(2),
      ...[3, 4].map((i) => new Float32Array(program.buffers[i]?.size ?? 0)),
    ])[3];
    expect([...(result as Float32Array).slice(3, 9)]).toEqual([22, 28, 0, 0, 49, 64]);
  });

  it.each(layouts.flatMap((a) => layouts.map((b) => [a, b] as const)))("reads A by %s, B by %s", (a, b) => {
    check(matmulProgram(23, 29, 19, { a, b }));
    check(matmulProgram(4, 12, 9, { a, b, body: "biasRelu", transposed: true }));
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17])("has odd sizes: %i", (size) => {
    for (const b of ["lines", "k"] as const) {
      check(matmulProgram(size, 5, 7, { b }));
      check(matmulProgram(5, size, 7, { b, a: "lines" }));
      check(matmulProgram(6, 9, size, { b }));
      check(matmulProgram(size, size, size, { b, body: "biasRelu" }));
    }
  });

  it.each([1, 2, 3])("multiplies few rows: %i", (few) => {
    for (const many of [1, 4, 5, 8, 15, 16, 23, 48, 50, 97, 130]) {
      for (const [a, b] of [
        ["k", "lines"],
        ["k", "k"],
        ["lines", "neither"],
      ] as const) {
        check(matmulProgram(few, many, 21, { a, b, body: "biasRelu" }));
        check(matmulProgram(many, few, 22, { a: b, b: a, body: "biasRelu" }));
      }
    }
  });

  it("has batches, and operands that are the same for some of them", () => {
    check(matmulProgram(5, 9, 6, { batch: [2, 3], b: "k" }));
    check(matmulProgram(5, 9, 6, { batch: [2, 3], broadcastA: [0], broadcastB: [1] }));
    check(matmulProgram(7, 8, 6, { batch: [1, 4, 1], broadcastB: [0, 1, 2], body: "long" }));
    check(matmulProgram(1, 8, 6, { batch: [3, 2], b: "k" }));
    // More elements than tasks.
    check(matmulProgram(16, 16, 32, { batch: [7, 23], a: "lines", body: "two" }));
  });

  it.each(["plain", "biasRelu", "two", "long", "inPlace"] as const)("continues with a body: %s", (body) => {
    for (const transposed of [false, true]) {
      check(matmulProgram(13, 19, 5, { body, transposed }));
      check(matmulProgram(1, 19, 8, { body, transposed, b: "k" }));
      check(matmulProgram(64, 3, 8, { body, transposed }));
    }
  });

  it("gives the empty sum 0, and nothing where there is nothing", () => {
    check(matmulProgram(5, 9, 0, { body: "biasRelu" }));
    check(matmulProgram(1, 1, 0));
    check(matmulProgram(0, 4, 3));
    check(matmulProgram(3, 0, 3));
    check(matmulProgram(3, 4, 3, { batch: [2, 0] }));
  });

  it("cuts large products into tasks, and packs ahead what several of them read", () => {
    const one = matmulProgram(50, 24, 3000, { b: "k", body: "biasRelu" });
    expect(blockingFor(one)).toMatchObject({ a: "direct", b: "launch", batchParts: 1 });
    expect(blockingFor(one).rowParts).toBeGreaterThan(1);
    expect(blockingFor(one).columnParts).toBeGreaterThan(1);
    check(one);
    const other = matmulProgram(60, 75, 130, { a: "lines", body: "long" });
    expect(blockingFor(other)).toMatchObject({ a: "task", b: "launch", columnParts: 1 });
    check(other);
    const both = matmulProgram(50, 55, 2500, { a: "lines" });
    expect(blockingFor(both)).toMatchObject({ a: "launch", b: "launch" });
    check(both);
  });

  it.each(["plain", "long"] as const)("puts sums aside between blocks of k: %s", (body) => {
    for (const [m, n] of [
      [7, 9],
      [2, 300],
      [1, 40],
    ] as const) {
      const program = matmulProgram(m, n, 4101, { body, a: "lines" });
      const blocking = blockingFor(program);
      expect(blocking.kBlock).toBeLessThan(2000);
      check(program);
    }
    check(matmulProgram(31, 12, 4100, { body, b: "k", a: "k" }));
  });

  it("takes narrower tiles where columns fill them better", () => {
    const program = matmulProgram(128, 10, 40, { b: "k", body: "biasRelu" });
    expect(blockingFor(program)).toMatchObject({ tileRows: 3, vectors: 3 });
    check(program);
  });

  it("cuts the elements of a small batch, too", () => {
    const program = matmulProgram(64, 96, 128, { b: "k", batch: [2] });
    expect(blockingFor(program)).toMatchObject({ b: "task", batchParts: 2, rowParts: 1, columnParts: 3 });
    check(program);
    check(matmulProgram(64, 96, 128, { a: "lines", b: "k", batch: [2], body: "long" }));
  });

  it("reads a large B row by row where few rows use it", () => {
    const program = matmulProgram(1, 1030, 140, { body: "biasRelu" });
    expect(blockingFor(program)).toMatchObject({ b: "direct", kBlock: 8, vectors: 8 });
    check(program);
    check(matmulProgram(3, 1030, 131, { body: "long" }));
    check(matmulProgram(1030, 2, 131, { a: "lines" }));
  });

  it("takes vectors along k where few rows meet columns that lie along k", () => {
    expect(planFor(matmulProgram(1, 50, 40, { b: "k" })).kind).toBe("dot");
    expect(planFor(matmulProgram(50, 2, 40, { a: "k", b: "k" })).kind).toBe("dot");
    expect(planFor(matmulProgram(50, 50, 40, { b: "k" })).kind).toBe("blocked");
    for (const k of [4, 5, 6, 7, 8, 31, 64, 1003]) {
      check(matmulProgram(1, 1, k, { b: "k" }));
      check(matmulProgram(2, 7, k, { b: "k" }));
      check(matmulProgram(11, 3, k, { b: "k", batch: [2] }));
    }
    check(matmulProgram(1, 1200, 700, { b: "k" }));
  });

  it("gives the same bits whatever the place in a tile", () => {
    // One row, repeated: every row of the result has to be the same, and so every column of equal columns of B.
    const [m, n, k] = [23, 21, 50];
    const program = matmulProgram(m, n, k);
    const inputs = inputsOf(program, 3);
    const [a, b] = inputs as [Float32Array, Float32Array];
    for (let i = 0; i < m; i++) for (let c = 0; c < k; c++) a[5 + i * (k + 1) + c] = Math.sin(c);
    for (let c = 0; c < k; c++) for (let j = 0; j < n; j++) b[5 + c * (n + 3) + j] = Math.cos(3 * c);
    const result = runProgram(program, inputs, [3])[3] as Float32Array;
    const values = new Set<number>();
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) values.add(result[3 + i * (n + 2) + j] as number);
    expect(values.size).toBe(1);
  });

  it("has all dtypes, and engines without SIMD", () => {
    for (const dtype of ["float64", "int32", "uint32"] as const) {
      check(matmulProgram(5, 7, 9, { dtype, b: "k", batch: [2] }));
      check(matmulProgram(1, 7, 3, { dtype, body: "long" }));
    }
    for (const body of ["plain", "long"] as const) {
      check(matmulProgram(5, 7, 9, { body }), { simd: false, relaxed: false });
      check(matmulProgram(5, 7, 9, { body }), { relaxed: false });
    }
  });

  it("shares code between kernels of equal sizes on other buffers, and not between different ones", () => {
    const keys = (program: Program): string[] =>
      compileContraction(program.kernels[0] as MatmulKernel, program, detectFeatures()).launches.map(({ key }) => key);
    const program = matmulProgram(12, 16, 20);
    const kernel = program.kernels[0] as MatmulKernel;
    const moved: Program = {
      ...program,
      buffers: [...program.buffers, program.buffers[0] as BufferSpec],
      kernels: [{ ...kernel, label: "other", a: { ...kernel.a, buffer: 5 } }],
    };
    expect(keys(moved)).toEqual(keys(program));
    expect(keys(matmulProgram(12, 16, 21))).not.toEqual(keys(program));
    expect(keys(matmulProgram(12, 16, 20, { body: "biasRelu" }))).not.toEqual(keys(program));
  });

  it("holds for any shape", () => {
    const size = fc.integer({ min: 1, max: 40 });
    const layout = fc.constantFrom(...layouts);
    fc.assert(
      fc.property(
        fc.record({ m: size, n: size, k: fc.integer({ min: 0, max: 70 }) }),
        fc.record({
          batch: fc.constantFrom([], [2], [2, 2]),
          a: layout,
          b: layout,
          broadcastB: fc.constantFrom([], [0]),
          body: fc.constantFrom<Body>("plain", "biasRelu", "two", "long", "inPlace"),
          transposed: fc.boolean(),
        }),
        ({ m, n, k }, options) => check(matmulProgram(m, n, k, options), {}, m + n),
      ),
      { numRuns: 60, seed: 1 },
    );
  });
});
