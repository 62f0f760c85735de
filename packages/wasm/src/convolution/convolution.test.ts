import {
  allocateHost,
  type ConvolutionKernel,
  contiguousStrides,
  convolutionShapes,
  encode,
  type HostArray,
  type Instruction,
  type Program,
  referenceBackend,
  sizeOf,
  validateProgram,
} from "@thalweg/core/backend";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { detectFeatures, type Features } from "../features.ts";
import { runProgram } from "../testKernel.ts";
import { compileConvolution } from "./index.ts";

type Kind = ConvolutionKernel["kind"];
const kinds: readonly Kind[] = ["conv2d", "conv2dInputGradient", "conv2dWeightGradient"];
type Body = "plain" | "biasRelu" | "transposed" | "residual" | "long" | "inPlace";
const bodies: readonly Body[] = ["plain", "biasRelu", "transposed", "residual", "long", "inPlace"];

interface Geometry {
  /** [n, c, h, w] */
  readonly x: readonly [number, number, number, number];
  readonly o: number;
  readonly kernel: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
  /** Windows left out at the ends. */
  readonly less?: readonly [number, number];
  readonly dtype?: "float32" | "float64";
  /** What the operands are kept in. */
  readonly storage?: "float16" | "bfloat16";
}

/** Buffers: a, b, one number per channel (axis 1 of the result), one per element of the result, the result. */
function convolutionProgram(kind: Kind, geometry: Geometry, body: Body = "plain"): Program {
  const {
    x,
    o,
    kernel,
    stride = [1, 1],
    padding = [0, 0],
    dilation = [1, 1],
    groups = 1,
    dtype = "float32",
  } = geometry;
  const windows = ([0, 1] as const).map((axis) => {
    const room = (x[2 + axis] as number) + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1;
    return Math.floor(room / stride[axis]) + 1 - (geometry.less?.[axis] ?? 0);
  }) as [number, number];
  const convolution: ConvolutionKernel = {
    kind,
    label: "",
    dtype,
    geometry: { stride, padding, dilation, groups },
    x,
    weight: [o, x[1] / groups, ...kernel],
    y: [x[0], o, ...windows],
    a: 0,
    b: 1,
    epilogue: { body: [], buffers: [2, 3, 4] },
  };
  const { a, b, result } = convolutionShapes(convolution);
  const shape = result as [number, number, number, number];
  const strides = contiguousStrides(shape);
  const [s0, s1] = strides as [number, number];
  const at = { offset: 0, strides };
  const byChannel = { offset: 0, strides: [0, 1, 0, 0] };
  const sum = { id: 0, op: "accumulator", dtype } as const;
  const store = (id: number, value: number, to = at): Instruction => ({ id, op: "store", slot: 2, at: to, value });
  const instructions: Record<Body, Instruction[]> = {
    plain: [sum, store(1, 0)],
    biasRelu: [
      sum,
      { id: 1, op: "load", dtype, slot: 0, at: byChannel },
      { id: 2, op: "add", dtype, args: [0, 1] },
      { id: 3, op: "relu", dtype, args: [2] },
      store(4, 3),
    ],
    // The last two axes exchanged: they cannot be numbered through.
    transposed: [sum, store(1, 0, { offset: 0, strides: [s0, s1, 1, shape[2]] })],
    residual: [
      sum,
      { id: 1, op: "load", dtype, slot: 1, at },
      { id: 2, op: "uniform", dtype, uniform: 0 },
      { id: 3, op: "mul", dtype, args: [1, 2] },
      { id: 4, op: "add", dtype, args: [0, 3] },
      store(5, 4),
    ],
    long: [
      sum,
      { id: 1, op: "index", dtype: "int32", affine: { offset: 1, strides: [2, 3, -1, 5] } },
      { id: 2, op: "cast", dtype, args: [1] },
      { id: 3, op: "mul", dtype, args: [0, 2] },
      { id: 4, op: "load", dtype, slot: 1, at },
      { id: 5, op: "maximum", dtype, args: [3, 4] },
      { id: 6, op: "load", dtype, slot: 0, at: byChannel },
      { id: 7, op: "sub", dtype, args: [5, 6] },
      { id: 8, op: "abs", dtype, args: [7] },
      { id: 9, op: "minimum", dtype, args: [8, 2] },
      { id: 10, op: "add", dtype, args: [9, 0] },
      { id: 11, op: "neg", dtype, args: [10] },
      store(12, 11),
    ],
    inPlace: [sum, { id: 1, op: "load", dtype, slot: 2, at }, { id: 2, op: "add", dtype, args: [1, 0] }, store(3, 2)],
  };
  return {
    buffers: [
      { dtype: geometry.storage ?? dtype, size: sizeOf(a), kind: "input" },
      { dtype: geometry.storage ?? dtype, size: sizeOf(b), kind: "input" },
      { dtype, size: shape[1], kind: "input" },
      { dtype, size: sizeOf(shape), kind: "input" },
      { dtype, size: sizeOf(shape), kind: "parameter" },
    ],
    uniforms: [{ name: "scale", dtype }],
    kernels: [{ ...convolution, epilogue: { body: instructions[body], buffers: [2, 3, 4] } }],
    arenaBytes: 0,
  };
}

/** Numbers with few bits: sums of their products are exact, so that bits can be compared. */
function inputsOf(program: Program, seed: number): HostArray[] {
  let state = (seed * 2654435761 + 1) >>> 0;
  return program.buffers.map(({ dtype, size }) => {
    const array = allocateHost(dtype, size);
    for (let i = 0; i < size; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      encode(dtype, array, i, ((state >>> 20) % 9) - 4);
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

function check(kind: Kind, geometry: Geometry, body: Body = "plain", features: Partial<Features> = {}): void {
  const program = convolutionProgram(kind, geometry, body);
  validateProgram(program);
  const inputs = inputsOf(program, 1);
  // Every buffer: operands have to stay as they are. + 0: a sum of nothing may have either sign.
  const plain = (arrays: HostArray[]): number[][] => arrays.map((array) => Array.from(array, (value) => value + 0));
  expect(plain(runProgram(program, inputs, [3], features))).toEqual(plain(reference(program, inputs)));
}

const compile = (program: Program, features = detectFeatures()) =>
  compileConvolution(program.kernels[0] as ConvolutionKernel, program, features);

describe("convolution", () => {
  it("gives the sums of literal images", () => {
    const geometry: Geometry = { x: [1, 1, 3, 3], o: 1, kernel: [2, 2] };
    const x = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const run = (kind: Kind, a: readonly number[], b: readonly number[]): number[] => {
      const program = convolutionProgram(kind, geometry);
      const inputs = inputsOf(program, 1);
      return Array.from(
        runProgram(program, [Float32Array.from(a), Float32Array.from(b), ...inputs.slice(2)], [3])[4] ?? [],
      );
    };
    expect(run("conv2d", x, [1, 10, 100, 1000])).toEqual([5421, 6532, 8754, 9865]);
    expect(run("conv2dInputGradient", [1, 0, 0, 2], [1, 10, 100, 1000])).toEqual([
      1, 10, 0, 100, 1002, 20, 0, 200, 2000,
    ]);
    expect(run("conv2dWeightGradient", x, [1, 0, 0, 2])).toEqual([11, 14, 20, 23]);
  });

  const geometries: Readonly<Record<string, Geometry>> = {
    padding: { x: [2, 3, 8, 8], o: 5, kernel: [3, 3], padding: [1, 1] },
    "rows that are no multiple of a vector": { x: [2, 3, 5, 9], o: 9, kernel: [3, 2], padding: [1, 0] },
    "rows and columns that differ in everything": {
      x: [2, 4, 9, 13],
      o: 7,
      kernel: [2, 3],
      stride: [2, 1],
      padding: [0, 2],
      dilation: [1, 2],
    },
    "padding as large as the kernel": { x: [1, 3, 6, 6], o: 4, kernel: [3, 3], padding: [3, 4] },
    "stride 2": { x: [2, 4, 9, 11], o: 6, kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    "stride 3, larger than the kernel": { x: [2, 4, 10, 20], o: 6, kernel: [2, 1], stride: [3, 3] },
    "strides of many phases": { x: [2, 4, 13, 17], o: 6, kernel: [5, 6], stride: [4, 5], padding: [1, 2] },
    patches: { x: [2, 3, 16, 16], o: 8, kernel: [8, 8], stride: [8, 8] },
    "stride and dilation with a common factor": {
      x: [1, 4, 12, 12],
      o: 5,
      kernel: [3, 3],
      stride: [2, 2],
      dilation: [2, 4],
      padding: [1, 3],
    },
    "1×1": { x: [3, 5, 6, 5], o: 7, kernel: [1, 1] },
    "1×1 with stride": { x: [2, 5, 7, 8], o: 7, kernel: [1, 1], stride: [2, 2] },
    "one dimension": { x: [2, 4, 1, 40], o: 12, kernel: [1, 5], padding: [0, 2] },
    "the other dimension": { x: [2, 4, 40, 1], o: 12, kernel: [5, 1], padding: [2, 0] },
    "windows left out": { x: [2, 4, 12, 12], o: 6, kernel: [3, 3], padding: [1, 1], less: [2, 3] },
    "results smaller than a vector": { x: [2, 4, 4, 4], o: 20, kernel: [3, 3] },
    "one pixel": { x: [2, 8, 3, 3], o: 8, kernel: [3, 3] },
    "large kernels": { x: [1, 4, 9, 50], o: 4, kernel: [7, 40], padding: [1, 2] },
    groups: { x: [2, 12, 6, 6], o: 15, kernel: [3, 3], padding: [1, 1], groups: 3 },
    "groups of few channels": { x: [2, 6, 6, 7], o: 4, kernel: [3, 3], padding: [1, 1], groups: 2 },
    depthwise: { x: [2, 6, 7, 9], o: 6, kernel: [3, 3], padding: [1, 1], groups: 6 },
    "depthwise with several outputs": { x: [1, 3, 7, 20], o: 9, kernel: [3, 3], padding: [1, 0], groups: 3 },
    "depthwise with stride": { x: [1, 5, 9, 30], o: 10, kernel: [3, 3], stride: [2, 2], padding: [1, 1], groups: 5 },
    "depthwise with a large stride": { x: [1, 5, 9, 40], o: 5, kernel: [3, 3], stride: [2, 3], groups: 5 },
    "depthwise with a large kernel": { x: [1, 2, 12, 18], o: 2, kernel: [9, 9], padding: [4, 4], groups: 2 },
    "depthwise 1×1": { x: [2, 3, 5, 6], o: 3, kernel: [1, 1], groups: 3 },
  };

  describe.each(Object.entries(geometries))("with %s", (_, geometry) => {
    it.each(kinds)("%s", (kind) => {
      for (const body of bodies) check(kind, geometry, body);
    });
  });

  describe("with products of pixels read where they are, and of packed ones", () => {
    const sumKinds = ["conv2d", "conv2dInputGradient"] as const;
    const ways = (kind: Kind, geometry: Geometry, body: Body = "plain"): string[] =>
      (compile(convolutionProgram(kind, geometry, body))?.launches ?? [])
        .map(({ key }) => (JSON.parse(key) as [string])[0])
        .filter((way) => way === "pixels" || way === "windows");

    it.each([
      ["many terms", { x: [2, 8, 9, 10], o: 8, kernel: [5, 5], padding: [2, 2] }, ["pixels"], ["pixels"]],
      ["few terms", { x: [4, 1, 14, 14], o: 32, kernel: [3, 3], padding: [1, 1] }, ["windows"], []],
      ["one tap", { x: [4, 16, 14, 14], o: 16, kernel: [1, 1] }, ["windows"], ["windows"]],
      ["one channel more than a panel", { x: [4, 16, 14, 14], o: 9, kernel: [3, 3] }, ["windows"], ["pixels"]],
      ["rows of many taps", { x: [4, 4, 4, 40], o: 8, kernel: [2, 17] }, ["windows"], ["windows"]],
      ["columns of many taps", { x: [4, 4, 40, 4], o: 8, kernel: [17, 2] }, ["windows"], ["windows"]],
      ["stride", { x: [4, 8, 15, 15], o: 8, kernel: [3, 3], stride: [2, 2] }, ["pixels"], undefined],
    ] as readonly [string, Geometry, string[], string[] | undefined][])("%s", (_, geometry, forward, gradient) => {
      expect(ways("conv2d", geometry)).toEqual(forward);
      if (gradient) expect(ways("conv2dInputGradient", geometry)).toEqual(gradient);
      for (const kind of sumKinds) for (const body of bodies) check(kind, geometry, body);
    });

    it("in rows of 1 … 30 pixels, with 1 … 20 channels", () => {
      const met = new Map<string, number>();
      for (let width = 1; width <= 30; width++) {
        const o = 1 + ((7 * width) % 20);
        const spread = 1 + (width % 2);
        const geometry: Geometry = {
          x: [2, 1 + ((3 * width) % 20), 4, width],
          o,
          kernel: [2, 3],
          padding: [1, spread],
          dilation: [1, spread],
        };
        for (const kind of sumKinds) {
          for (const body of ["biasRelu", "transposed", "long"] as const) {
            check(kind, geometry, body);
            for (const way of ways(kind, geometry, body)) met.set(way, (met.get(way) ?? 0) + 1);
          }
        }
      }
      expect(met.get("pixels")).toBeGreaterThan(40);
      expect(met.get("windows")).toBeGreaterThan(40);
    });

    it("with every number of channels up to 20, in groups as well", () => {
      for (let channels = 1; channels <= 20; channels++) {
        for (const kind of sumKinds) {
          check(kind, { x: [1, channels, 5, 7], o: 21 - channels, kernel: [3, 3], padding: [1, 1] }, "residual");
          check(kind, { x: [1, 2 * channels, 5, 5], o: 2 * channels, kernel: [2, 2], groups: 2 }, "inPlace");
        }
      }
    });

    it("of an image whose tiles are shared among several tasks", () => {
      const geometry: Geometry = { x: [1, 5, 43, 41], o: 8, kernel: [3, 5], padding: [1, 2] };
      for (const body of ["plain", "long"] as const) {
        expect(ways("conv2d", geometry, body)).toEqual(["pixels"]);
        expect(compile(convolutionProgram("conv2d", geometry, body))?.launches.at(-1)?.tasks).toBeGreaterThan(1);
        check("conv2d", geometry, body);
      }
    });
  });

  it.each(kinds)("%s: large weights, and rows in several parts", (kind) => {
    check(kind, { x: [1, 200, 4, 7], o: 210, kernel: [2, 2] }, "biasRelu");
  });

  it.each(kinds)("%s: many images, whose sums wait while others are taken", (kind) => {
    check(kind, { x: [70, 4, 9, 9], o: 12, kernel: [2, 2], padding: [1, 1] });
  });

  it.each(kinds)("%s: operands of 16 bits", (kind) => {
    for (const storage of ["float16", "bfloat16"] as const) {
      check(kind, { x: [2, 3, 21, 21], o: 5, kernel: [3, 3], padding: [1, 1], storage }, "biasRelu");
      check(kind, { x: [1, 3, 5, 5], o: 3, kernel: [1, 1], groups: 3, storage });
    }
  });

  it.each(kinds)("%s: a single output channel", (kind) => {
    check(kind, { x: [1, 20, 16, 16], o: 1, kernel: [3, 3], padding: [1, 1] }, "biasRelu");
  });

  it("does not look at elements that no window reaches", () => {
    for (const geometry of [
      { x: [2, 4, 9, 9], o: 5, kernel: [3, 3], stride: [3, 3], less: [1, 1] },
      { x: [2, 4, 9, 9], o: 4, kernel: [3, 3], padding: [1, 1], groups: 4, less: [4, 4] },
      { x: [2, 4, 9, 9], o: 5, kernel: [1, 1], less: [3, 4] },
    ] as const) {
      for (const kind of ["conv2d", "conv2dWeightGradient"] as const) {
        const program = convolutionProgram(kind, geometry);
        const [x, ...others] = inputsOf(program, 1) as [HostArray, ...HostArray[]];
        const spoiled = x.map((value, i) => (i % 9 >= 6 || Math.floor(i / 9) % 9 >= 6 ? Number.NaN : value));
        const [result, expected] = [spoiled, x].map((a) => runProgram(program, [a, ...others], [3])[4] as HostArray);
        expect(result?.every(Number.isFinite)).toBe(true);
        expect(result).toEqual(expected);
      }
    }
  });

  it("gives the same bits without relaxed SIMD where sums are exact, and leaves the rest to loops", () => {
    const geometry: Geometry = { x: [1, 3, 6, 6], o: 4, kernel: [3, 3], padding: [1, 1] };
    const features = detectFeatures();
    for (const kind of kinds) {
      check(kind, geometry, "plain", { relaxed: false });
      check(kind, geometry, "plain", { relaxed: false, simd: false });
      check(kind, { ...geometry, dtype: "float64" });
      expect(compile(convolutionProgram(kind, geometry), { ...features, simd: false })).toBeUndefined();
      expect(compile(convolutionProgram(kind, { ...geometry, dtype: "float64" }))).toBeUndefined();
      check(kind, { ...geometry, x: [0, 3, 6, 6] });
    }
  });

  it("copies the image only where windows reach beyond it", () => {
    const bytes = (geometry: Geometry) => compile(convolutionProgram("conv2d", geometry))?.scratchBytes;
    expect(bytes({ x: [2, 8, 6, 6], o: 8, kernel: [1, 1] })).toBe(0);
    expect(bytes({ x: [2, 8, 6, 6], o: 8, kernel: [3, 3], stride: [2, 2] })).toBe(0);
    expect(bytes({ x: [2, 8, 6, 6], o: 8, kernel: [3, 3], padding: [1, 1] })).toBeGreaterThanOrEqual(4 * 2 * 8 * 8 * 8);
  });

  it("shares code between kernels of equal sizes on other buffers, and not between different ones", () => {
    const keys = (program: Program) => compile(program)?.launches.map(({ key }) => key);
    for (const kind of kinds) {
      const geometry: Geometry = { x: [1, 4, 6, 6], o: 4, kernel: [3, 3], padding: [1, 1] };
      const program = convolutionProgram(kind, geometry);
      const kernel = program.kernels[0] as ConvolutionKernel;
      const moved: Program = {
        ...program,
        buffers: [...program.buffers, program.buffers[0] as Program["buffers"][number]],
        kernels: [{ ...kernel, label: "other", a: 5 }],
      };
      expect(keys(moved)).toEqual(keys(program));
      expect(keys(convolutionProgram(kind, { ...geometry, padding: [1, 0] }))).not.toEqual(keys(program));
      expect(keys(convolutionProgram(kind, geometry, "biasRelu"))).not.toEqual(keys(program));
    }
  });

  it("holds for any geometry", () => {
    const pairOf = (max: number, min = 1) =>
      fc.tuple(fc.integer({ min, max }), fc.integer({ min, max })) as fc.Arbitrary<[number, number]>;
    const geometries = fc
      .record({
        images: fc.integer({ min: 1, max: 3 }),
        channels: pairOf(7),
        groups: fc.integer({ min: 1, max: 3 }),
        size: pairOf(12),
        kernel: pairOf(4),
        stride: pairOf(3),
        padding: pairOf(2, 0),
        dilation: pairOf(2),
        less: pairOf(1, 0),
      })
      .map(({ images, channels, groups, size, ...rest }) => ({
        ...rest,
        groups,
        x: [images, channels[0] * groups, ...size] as [number, number, number, number],
        o: channels[1] * groups,
      }))
      .filter((g) =>
        ([0, 1] as const).every(
          (axis) =>
            (g.x[2 + axis] as number) + 2 * g.padding[axis] - g.dilation[axis] * (g.kernel[axis] - 1) - 1 >=
            g.stride[axis] * g.less[axis],
        ),
      );
    fc.assert(
      fc.property(geometries, fc.constantFrom(...kinds), fc.constantFrom(...bodies), (geometry, kind, body) => {
        check(kind, geometry, body);
      }),
      { numRuns: 150 },
    );
  });
});
