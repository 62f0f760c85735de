import {
  allocateHost,
  type BufferSpec,
  type ContractionKernel,
  contiguousStrides,
  type DType,
  encode,
  epilogueSizes,
  type HostArray,
  type Instruction,
  type Program,
  referenceBackend,
  sizeOf,
  validateProgram,
} from "@thalweg/core/backend";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { functionOf } from "../codeCache.ts";
import { epilogueEmitter } from "../epilogue.ts";
import { compileContraction } from "./index.ts";

type Body = "plain" | "biasRelu" | "two";

/** A stream of small numbers with few bits, so that float32 sums of products are exact and bits can be compared. */
function numbers(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 20) % 33) - 16;
  };
}

function filled(dtype: DType, size: number, seed: number): HostArray {
  const array = allocateHost(dtype, size);
  const next = numbers(seed);
  for (let i = 0; i < size; i++)
    encode(dtype, array, i, dtype === "float32" || dtype === "float64" ? next() / 4 : Math.abs(next()));
  return array;
}

/** A Program of one contraction; `make` gets the epilogue. Buffers: a, b, bias, first output, second output. */
function programOf(
  dtype: "float32" | "float64" | "int32" | "uint32",
  sizes: readonly [number, number],
  body: Body,
  biasAxis: number,
  make: (epilogue: ContractionKernel["epilogue"]) => ContractionKernel,
  storage: DType = dtype,
): Program {
  const draft = make({ body: [], buffers: [] });
  const shape = epilogueSizes(draft);
  const out = { offset: 0, strides: contiguousStrides(shape) };
  const along = (axis: number) => ({ offset: 0, strides: shape.map((_, i) => (i === axis ? 1 : 0)) });
  const sum = { id: 0, op: "accumulator", dtype } as const;
  const bodies: Record<Body, Instruction[]> = {
    plain: [sum, { id: 1, op: "store", slot: 1, at: out, value: 0 }],
    biasRelu: [
      sum,
      { id: 1, op: "load", dtype, slot: 0, at: along(biasAxis) },
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
  };
  const size = sizeOf(shape);
  const buffers: BufferSpec[] = [
    { dtype: storage, size: sizes[0], kind: "input" },
    { dtype, size: sizes[1], kind: "input" },
    { dtype, size: shape[biasAxis] as number, kind: "input" },
    { dtype, size, kind: "output" },
    ...(body === "two" ? [{ dtype, size, kind: "output" } as const] : []),
  ];
  const kernel = make({ body: bodies[body], buffers: body === "two" ? [2, 3, 4] : [2, 3] });
  return { buffers, uniforms: [{ name: "scale", dtype }], kernels: [kernel], arenaBytes: 0 };
}

const uniforms = new Float64Array([3]);

/** Outputs by the generated code, over buffers that hold garbage before. */
function runGenerated(program: Program, inputs: readonly HostArray[]): HostArray[] {
  const kernel = program.kernels[0] as ContractionKernel;
  const { source, buffers, usesUniforms } = compileContraction(kernel, program, epilogueEmitter(kernel, program));
  const arrays = program.buffers.map(({ dtype, size, kind }, index) =>
    kind === "input" ? (inputs[index] as HostArray) : allocateHost(dtype, size).fill(77),
  );
  functionOf(source)(...buffers.map((buffer) => arrays[buffer]), ...(usesUniforms ? [uniforms] : []));
  return arrays.slice(3);
}

function runReference(program: Program, inputs: readonly HostArray[]): HostArray[] {
  const backend = referenceBackend();
  const handles = program.buffers.map(({ dtype, size, kind }, index) => {
    const handle = backend.allocate(dtype, size);
    backend.write(handle, kind === "input" ? (inputs[index] as HostArray) : allocateHost(dtype, size).fill(77));
    return handle;
  });
  backend.run(backend.compile(program), handles, [...uniforms]);
  return handles.slice(3).map((handle) => backend.readSync?.(handle) as HostArray);
}

function check(program: Program, seed = 1): void {
  validateProgram(program);
  const inputs = program.buffers.slice(0, 3).map(({ dtype, size }, index) => filled(dtype, size, seed + index));
  const [got, expected] = [runGenerated(program, inputs), runReference(program, inputs)];
  expect(got).toEqual(expected);
}

interface MatmulOptions {
  readonly batch?: readonly number[];
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly dtype?: "float32" | "float64" | "int32" | "uint32";
  readonly storage?: DType;
  readonly body?: Body;
}

function matmulProgram(m: number, n: number, k: number, options: MatmulOptions = {}): Program {
  const {
    batch = [],
    transposeA = false,
    transposeB = false,
    dtype = "float32",
    storage = dtype,
    body = "plain",
  } = options;
  const rank = batch.length;
  const strided = (rows: number, columns: number, transposed: boolean) => {
    const strides = contiguousStrides([...batch, ...(transposed ? [columns, rows] : [rows, columns])]);
    if (transposed) strides.push(...strides.splice(rank, 1));
    return strides;
  };
  const count = sizeOf(batch);
  return programOf(
    dtype,
    [count * m * k, count * k * n],
    body,
    rank + 1,
    (epilogue) => ({
      kind: "matmul",
      label: "matmul",
      dtype,
      batch,
      m,
      n,
      k,
      a: { buffer: 0, offset: 0, strides: strided(m, k, transposeA) },
      b: { buffer: 1, offset: 0, strides: strided(k, n, transposeB) },
      epilogue,
    }),
    storage,
  );
}

describe("matmul", () => {
  const sizes: [number, number, number][] = [
    [1, 1, 1],
    [1, 8, 8],
    [1, 1, 37],
    [1, 2, 50],
    [2, 1, 50],
    [1, 500, 13],
    [2, 7, 19],
    [5, 1, 33],
    [9, 1, 40],
    [7, 2, 21],
    [3, 10, 64],
    [4, 5, 6],
    [17, 19, 23],
    [32, 32, 32],
    [33, 20, 27],
    [50, 41, 385],
    [200, 10, 30],
    [10, 250, 40],
    [195, 245, 9],
  ];
  it.each(sizes)("%i × %i over %i", (m, n, k) => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) check(matmulProgram(m, n, k, { transposeA, transposeB }));
    }
  });

  it.each(["plain", "biasRelu", "two"] as const)("epilogue %s, in both plans", (body) => {
    check(matmulProgram(6, 9, 5, { body }));
    check(matmulProgram(40, 31, 29, { body }));
    check(matmulProgram(40, 31, 29, { body, batch: [2, 2] }));
  });

  it("sums float32 in double precision, also across blocks of the depth", () => {
    for (const [m, n] of [
      [1, 1],
      [8, 8],
    ] as const) {
      const k = 3000;
      const program = matmulProgram(m, n, k);
      const a = new Float32Array(m * k).fill(1);
      const b = new Float32Array(k * n).fill(2 ** -24);
      for (let j = 0; j < n; j++) b[j] = 1;
      const [c] = runGenerated(program, [a, b, new Float32Array(n)]) as [HostArray];
      expect(c[m * n - 1]).toBe(Math.fround(1 + (k - 1) * 2 ** -24));
    }
  });

  it("any strides: negative, zero, gaps, offsets", () => {
    fc.assert(
      fc.property(
        fc.record({
          batch: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
          m: fc.integer({ min: 1, max: 45 }),
          n: fc.integer({ min: 1, max: 45 }),
          k: fc.integer({ min: 0, max: 45 }),
          body: fc.constantFrom<Body>("plain", "biasRelu", "two"),
          factors: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 8, maxLength: 8 }),
          order: fc.boolean(),
          seed: fc.integer({ min: 0, max: 1000 }),
        }),
        ({ batch, m, n, k, body, factors, order, seed }) => {
          const operand = (shape: number[], from: number) => {
            const layout = contiguousStrides(order ? shape : [...shape].reverse());
            const strides = (order ? layout : layout.reverse()).map(
              (s, axis) => s * (factors[(from + axis) % 8] as number),
            );
            const reach = strides.map((s, axis) => s * Math.max((shape[axis] as number) - 1, 0));
            const low = reach.reduce((total, r) => total + Math.min(r, 0), 0);
            const high = reach.reduce((total, r) => total + Math.max(r, 0), 0);
            return { offset: 2 - low, strides, size: high - low + 5 };
          };
          const a = operand([...batch, m, k], 0);
          const b = operand([...batch, k, n], 4);
          check(
            programOf("float64", [a.size, b.size], body, batch.length, (epilogue) => ({
              kind: "matmul",
              label: "matmul",
              dtype: "float64",
              batch,
              m,
              n,
              k,
              a: { buffer: 0, offset: a.offset, strides: a.strides },
              b: { buffer: 1, offset: b.offset, strides: b.strides },
              epilogue,
            })),
            seed,
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});

interface ConvolutionOptions {
  readonly n?: number;
  readonly channels?: number;
  readonly outputs?: number;
  readonly size?: readonly [number, number];
  readonly kernel?: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
  readonly body?: Body;
  readonly dtype?: "float32" | "float64" | "int32";
}

const kinds = ["conv2d", "conv2dInputGradient", "conv2dWeightGradient"] as const;

/** `channels` and `outputs` are per group. */
function convolutionProgram(kind: (typeof kinds)[number], options: ConvolutionOptions): Program | undefined {
  const { n = 2, channels = 2, outputs = 3, size = [7, 6], kernel = [3, 2], stride = [1, 1], body = "plain" } = options;
  const { padding = [0, 0], dilation = [1, 1], groups = 1, dtype = "float32" } = options;
  const out = ([0, 1] as const).map((d) =>
    Math.floor((size[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d] + 1),
  ) as [number, number];
  if (out[0] < 1 || out[1] < 1) return undefined;
  const x = [n, channels * groups, ...size] as const;
  const weight = [outputs * groups, channels, ...kernel] as const;
  const y = [n, outputs * groups, ...out] as const;
  const [a, b] = kind === "conv2d" ? [x, weight] : kind === "conv2dInputGradient" ? [y, weight] : [x, y];
  const geometry = { stride, padding, dilation, groups };
  return programOf(dtype, [sizeOf(a), sizeOf(b)], body, kind === "conv2dWeightGradient" ? 0 : 1, (epilogue) => ({
    kind,
    label: kind,
    dtype,
    geometry,
    x,
    weight,
    y,
    a: 0,
    b: 1,
    epilogue,
  }));
}

describe.each(kinds)("%s", (kind) => {
  it("several blocks of everything", () => {
    const options = { n: 3, size: [23, 24], kernel: [5, 5], padding: [2, 2], channels: 18, outputs: 4 } as const;
    for (const body of ["plain", "biasRelu", "two"] as const) {
      check(convolutionProgram(kind, { ...options, body }) as Program);
    }
  });

  it("any geometry", () => {
    const pair = (min: number, max: number) => fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));
    fc.assert(
      fc.property(
        fc.record({
          n: fc.integer({ min: 1, max: 3 }),
          channels: fc.integer({ min: 1, max: 4 }),
          outputs: fc.integer({ min: 1, max: 5 }),
          groups: fc.integer({ min: 1, max: 3 }),
          size: pair(1, 12),
          kernel: pair(1, 4),
          stride: pair(1, 4),
          padding: pair(0, 3),
          dilation: pair(1, 3),
          body: fc.constantFrom<Body>("plain", "biasRelu", "two"),
        }),
        (options) => {
          const program = convolutionProgram(kind, { ...options, dtype: "float64" });
          if (program !== undefined) check(program);
        },
      ),
      { numRuns: 80 },
    );
  });
});

describe("generated code", () => {
  it("gives the same bits whatever ran before in the shared scratch", () => {
    const program = matmulProgram(37, 29, 400, { body: "biasRelu" });
    const inputs = program.buffers.slice(0, 3).map(({ size }, index) => {
      const next = numbers(index);
      return Float32Array.from({ length: size }, () => next() / 7);
    });
    const first = runGenerated(program, inputs);
    check(convolutionProgram("conv2d", { padding: [1, 1] }) as Program);
    expect(runGenerated(program, inputs)).toEqual(first);
  });

  it("does not depend on labels", () => {
    const sourceOf = (label: string) => {
      const program = matmulProgram(30, 30, 30);
      const kernel = { ...(program.kernels[0] as ContractionKernel), label };
      return compileContraction(kernel, program, epilogueEmitter(kernel, program)).source;
    };
    expect(sourceOf("one")).toBe(sourceOf("two"));
  });
});
