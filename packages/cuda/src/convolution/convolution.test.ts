import type { ConvolutionKernel, DType } from "@thalweg/core/backend";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { runProgram, testTarget } from "../testKernel.ts";
import { compileConvolution } from "./index.ts";
import {
  type Body,
  bodies,
  type Case,
  check,
  compile,
  type Geometry,
  inputsOf,
  kinds,
  programOf,
} from "./testConvolution.ts";

describe("convolution", () => {
  it("gives the sums of literal images", () => {
    const geometry: Geometry = { x: [1, 1, 3, 3], o: 1, kernel: [2, 2] };
    const program = programOf(kinds.map((kind) => ({ kind, geometry, body: "plain" })));
    const inputs = inputsOf(program);
    const x = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
    const taps = Float32Array.of(1, 10, 100, 1000);
    const gradient = Float32Array.of(1, 0, 0, 2);
    for (const [i, operands] of [
      [x, taps],
      [gradient, taps],
      [x, gradient],
    ].entries()) {
      inputs.splice(5 * i, 2, ...operands);
    }
    const got = runProgram(program, inputs, [3, 3, 3]);
    expect(Array.from(got[4] ?? [])).toEqual([5421, 6532, 8754, 9865]);
    expect(Array.from(got[9] ?? [])).toEqual([1, 10, 0, 100, 1002, 20, 0, 200, 2000]);
    expect(Array.from(got[14] ?? [])).toEqual([11, 14, 20, 23]);
  });

  const geometries: Readonly<Record<string, readonly Geometry[]>> = {
    padding: [
      { x: [2, 3, 8, 8], o: 6, kernel: [3, 3], padding: [1, 1] },
      { x: [2, 6, 5, 9], o: 9, kernel: [3, 2], padding: [1, 0] },
      { x: [1, 5, 6, 6], o: 8, kernel: [3, 3], padding: [3, 4] },
    ],
    "stride and dilation": [
      { x: [2, 6, 9, 13], o: 7, kernel: [2, 3], stride: [2, 1], padding: [0, 2], dilation: [1, 2] },
      { x: [1, 6, 12, 12], o: 5, kernel: [3, 3], stride: [2, 2], dilation: [2, 4], padding: [1, 3] },
      { x: [2, 5, 10, 20], o: 6, kernel: [2, 1], stride: [3, 3] },
    ],
    "strides of many phases": [{ x: [2, 5, 13, 17], o: 6, kernel: [5, 6], stride: [4, 3], padding: [1, 2] }],
    "1×1": [
      { x: [3, 5, 6, 5], o: 7, kernel: [1, 1] },
      { x: [2, 12, 4, 5], o: 10, kernel: [1, 1], groups: 2 },
      { x: [1, 6, 4, 5], o: 7, kernel: [1, 1], less: [1, 1] },
      { x: [2, 5, 7, 8], o: 7, kernel: [1, 1], stride: [2, 2] },
    ],
    "one dimension": [
      { x: [2, 5, 1, 40], o: 12, kernel: [1, 5], padding: [0, 2] },
      { x: [2, 5, 40, 1], o: 12, kernel: [5, 1], padding: [2, 0] },
    ],
    "windows left out": [{ x: [2, 5, 12, 12], o: 6, kernel: [3, 3], padding: [1, 1], less: [2, 3] }],
    "one pixel": [{ x: [2, 8, 3, 3], o: 8, kernel: [3, 3] }],
    groups: [
      { x: [2, 15, 6, 6], o: 18, kernel: [3, 3], padding: [1, 1], groups: 3 },
      { x: [2, 6, 6, 7], o: 4, kernel: [3, 3], padding: [1, 1], groups: 2 },
    ],
    depthwise: [
      { x: [2, 6, 7, 9], o: 6, kernel: [3, 3], padding: [1, 1], groups: 6 },
      { x: [1, 3, 7, 20], o: 9, kernel: [3, 3], padding: [1, 0], groups: 3 },
      { x: [1, 5, 9, 30], o: 10, kernel: [3, 3], stride: [2, 2], padding: [1, 1], groups: 5 },
      { x: [1, 2, 12, 18], o: 2, kernel: [9, 9], padding: [4, 4], groups: 2 },
    ],
    "few channels": [
      { x: [1, 20, 16, 16], o: 1, kernel: [3, 3], padding: [1, 1] },
      { x: [3, 1, 12, 12], o: 32, kernel: [5, 5], padding: [2, 2] },
    ],
    "no images": [{ x: [0, 5, 6, 6], o: 6, kernel: [3, 3] }],
  };

  it.each(Object.entries(geometries))("with %s", (_, some) => {
    const cases = some.flatMap((geometry, g) =>
      kinds.flatMap((kind, k) =>
        [0, 3].map((half): Case => ({ kind, geometry, body: bodies[(g + k + half) % 6] as Body })),
      ),
    );
    check(cases);
  });

  it.each(kinds)("%s: of every dtype", (kind) => {
    const geometry: Geometry = { x: [2, 6, 9, 10], o: 8, kernel: [3, 3], padding: [1, 1] };
    const depthwise: Geometry = { x: [2, 3, 9, 10], o: 3, kernel: [3, 3], stride: [2, 1], groups: 3 };
    check(
      [geometry, depthwise].flatMap((some) => [
        ...(["float16", "bfloat16"] as const).map(
          (storage): Case => ({ kind, geometry: { ...some, storage }, body: "biasRelu" }),
        ),
        ...(["float64", "int32"] as const).map(
          (dtype): Case => ({ kind, geometry: { ...some, dtype }, body: "residual" }),
        ),
      ]),
    );
  });

  it.each(kinds)("%s: by tensor cores", (kind) => {
    const strided = { x: [2, 20, 11, 9], o: 40, kernel: [3, 3], stride: [2, 1], padding: [1, 1] } as const;
    const grouped = { x: [1, 36, 8, 8], o: 40, kernel: [2, 2], groups: 2 } as const;
    const cases = (storage: DType): Case[] => [
      { kind, geometry: { ...strided, storage }, body: "long" },
      { kind, geometry: { ...grouped, storage }, body: "plain" },
    ];
    const all = [...cases("float32"), ...cases("float16"), ...cases("bfloat16")];
    for (const some of all) {
      const [launch] = compile(some, { precision: "tf32" }).launches;
      expect(launch?.kind === "kernel" && launch.source).toMatch(/TensorCore</);
    }
    check(all, { precision: "tf32" });
  });

  it.each(kinds)("%s: tiles of every size, whole and with edges, sums in one part and in several", (kind) => {
    const geometries: readonly Geometry[] = [
      { x: [3, 6, 18, 18], o: 130, kernel: [2, 2] },
      { x: [1, 70, 9, 9], o: 70, kernel: [3, 3], padding: [1, 1] },
      { x: [3, 130, 13, 13], o: 6, kernel: [2, 2] },
      { x: [1, 150, 4, 7], o: 33, kernel: [2, 2] },
    ];
    const tiles = new Set<string>();
    let split = 0;
    for (const multiprocessors of [1, 132]) {
      const cases = geometries.map((geometry): Case => ({ kind, geometry, body: "biasRelu" }));
      for (const some of cases) {
        const { launches, counterBytes } = compile(some, { multiprocessors });
        if (counterBytes > 0) split++;
        for (const launch of launches)
          if (launch.kind === "kernel") tiles.add(/Core<.*>/.exec(launch.source)?.[0] ?? "");
      }
      check(cases, { multiprocessors });
    }
    expect(tiles.size).toBeGreaterThan(1);
    expect(split).toBeGreaterThan(0);
  });

  it("adds up the pixels of a depthwise weight's gradient in several parts, always in the same order", () => {
    const some: Case = {
      kind: "conv2dWeightGradient",
      geometry: { x: [9, 2, 34, 34], o: 2, kernel: [3, 3], groups: 2 },
      body: "plain",
    };
    expect(compile(some).counterBytes).toBeGreaterThan(0);
    check([some]);
  });

  it("gives the same bits in whatever order blocks and threads run", () => {
    const geometries: readonly Geometry[] = [
      { x: [3, 6, 18, 18], o: 33, kernel: [2, 2] },
      { x: [9, 2, 34, 34], o: 2, kernel: [3, 3], groups: 2 },
    ];
    const program = programOf(
      geometries.flatMap((geometry) => kinds.map((kind): Case => ({ kind, geometry, body: "plain" }))),
    );
    const inputs = inputsOf(program).map((array) => array.map((value, i) => Math.fround(value / (3 + (i % 7)))));
    const [forward, reverse] = ["forward", "reverse"].map((order) => {
      vi.stubEnv("THALWEG_CUDA_EMULATION_ORDER", order);
      return runProgram(program, inputs, [3, 3, 3]);
    });
    vi.unstubAllEnvs();
    expect(reverse).toEqual(forward);
  });

  it("computes every phase of a strided input's gradient with its own taps", () => {
    const some = (stride: number): Case => ({
      kind: "conv2dInputGradient",
      geometry: { x: [1, 8, 9, 9], o: 8, kernel: [3, 3], stride: [stride, stride], padding: [1, 1] },
      body: "plain",
    });
    expect(compile(some(1)).launches.length).toBe(1);
    expect(compile(some(2)).launches.length).toBe(4);
  });

  it.each(["conv2d", "conv2dInputGradient"] as const)("%s: large sums through one tap after another", (kind) => {
    const target = { multiprocessors: 1 };
    const geometries: readonly Geometry[] = [
      { x: [2, 64, 9, 8], o: 64, kernel: [3, 3], padding: [1, 1], storage: "bfloat16" },
      { x: [2, 60, 13, 12], o: 62, kernel: [3, 4], stride: [2, 1], padding: [2, 1], storage: "float16" },
      { x: [2, 60, 8, 9], o: 60, kernel: [3, 3], padding: [1, 2], dilation: [1, 2], groups: 2, storage: "bfloat16" },
    ];
    const cases = geometries.map((geometry): Case => ({ kind, geometry, body: "biasRelu" }));
    for (const some of cases) {
      const sources = compile(some, target).launches.map((launch) => launch.kind === "kernel" && launch.source);
      expect(sources.some((source) => /TapLoader</.test(source || ""))).toBe(true);
    }
    check(cases, target);
  });

  it("shares its text between kernels of equal sizes on other buffers, and not between different ones", () => {
    const texts = (some: Case, a = 0): unknown[] => {
      const program = programOf([some, some]);
      const kernel = { ...(program.kernels[0] as ConvolutionKernel), a };
      const { launches } = compileConvolution(kernel, { program, target: testTarget, guarded: false });
      return launches.map((launch) => launch.kind === "kernel" && launch.source);
    };
    const geometry: Geometry = { x: [1, 8, 6, 6], o: 8, kernel: [3, 3], padding: [1, 1] };
    for (const kind of kinds) {
      expect(texts({ kind, geometry, body: "plain" }, 5)).toEqual(texts({ kind, geometry, body: "plain" }));
      expect(texts({ kind, geometry: { ...geometry, padding: [1, 0] }, body: "plain" })).not.toEqual(
        texts({ kind, geometry, body: "plain" }),
      );
    }
  });

  it("holds for any geometry", () => {
    const pairOf = (max: number, min = 1) =>
      fc.tuple(fc.integer({ min, max }), fc.integer({ min, max })) as fc.Arbitrary<[number, number]>;
    const geometry = fc
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
    const some = fc.record({ kind: fc.constantFrom(...kinds), geometry, body: fc.constantFrom(...bodies) });
    // Many in one run of the compiler.
    fc.assert(
      fc.property(fc.array(some, { minLength: 20, maxLength: 20 }), (cases) => check(cases)),
      { numRuns: 3, endOnFailure: true },
    );
  });
});
