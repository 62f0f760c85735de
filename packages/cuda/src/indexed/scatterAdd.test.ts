import { contiguousStrides, type DType, type IndexedKernel, type Program, sizeOf } from "@thalweg/core/backend";
import { describe, expect, it, vi } from "vitest";
import { runProgram, TestIndexError } from "../testKernel.ts";
import { scatterShape, scatterWay } from "./scatterShape.ts";
import { bitsOf, expectReference, type IndexedCase, runIndexed } from "./testIndexed.ts";

type ScatterAdd = Extract<IndexedKernel, { kind: "scatterAdd" }>;
interface View {
  readonly offset: number;
  readonly strides: readonly number[];
  readonly size: number;
}
interface Options {
  readonly axis: number;
  readonly target: readonly number[];
  readonly shape: readonly number[];
  readonly index?: View;
  readonly source?: View;
  readonly dtype?: DType;
  readonly sourceDType?: DType;
  readonly indexDType?: "int32" | "uint32";
  readonly indices?: (i: number) => number;
}

/** A number of few bits for every i, negative ones among them, without a pattern that a mistake could share. */
const value = (dtype: DType, i: number): number => {
  const whole = (bitsOf(i) >>> 20) % 97;
  return dtype === "uint32" ? whole : dtype === "int32" ? whole - 48 : (whole - 48) / 8;
};

const whole = (shape: readonly number[]): View => ({
  offset: 0,
  strides: contiguousStrides(shape),
  size: sizeOf(shape),
});

function scatter(options: Options): IndexedCase & { readonly kernel: ScatterAdd } {
  const { axis, target, shape, dtype = "float32", sourceDType = dtype, indexDType = "int32" } = options;
  const { index = whole(shape), source = whole(shape) } = options;
  const { indices = (i) => (Math.imul(i + 7, 0x85ebca6b) >>> 8) % (target[axis] as number) } = options;
  const numbers = (of: DType, size: number, from: number) =>
    Array.from({ length: size }, (_, i) => value(of, from + i));
  return {
    kernel: {
      kind: "scatterAdd",
      label: "scatter",
      axis,
      targetShape: target,
      shape,
      target: 0,
      index: { buffer: 1, offset: index.offset, strides: index.strides },
      source: { buffer: 2, offset: source.offset, strides: source.strides },
    },
    buffers: [
      { dtype, values: numbers(dtype, sizeOf(target), 0) },
      { dtype: indexDType, values: Array.from({ length: index.size }, (_, i) => indices(i)) },
      { dtype: sourceDType, values: numbers(sourceDType, source.size, 1000) },
    ],
  };
}

const expectSums = (...options: readonly Options[]): void => expectReference(options.map(scatter));
const wayOf = (options: Options) => scatterWay(scatterShape(scatter(options).kernel));
const perRow = (rows: number): View => ({ offset: 0, strides: [1, 0], size: rows });

const ways: Readonly<Record<"threads" | "warps" | "owners" | "columns" | "runs", readonly Options[]>> = {
  threads: [
    { axis: 0, target: [5], shape: [9] },
    { axis: 0, target: [7, 6], shape: [7, 6] },
    { axis: 1, target: [300, 9], shape: [300, 1] },
    { axis: 1, target: [3, 8, 5], shape: [3, 14, 5] },
    { axis: 0, target: [5, 70], shape: [3, 64], index: perRow(3) },
  ],
  warps: [
    { axis: 0, target: [5], shape: [33] },
    { axis: 1, target: [4, 9], shape: [4, 170] },
    { axis: 2, target: [2, 3, 60], shape: [2, 3, 40] },
    { axis: 0, target: [7, 6], shape: [33, 6] },
    { axis: 0, target: [7, 6], shape: [33, 6], index: perRow(33) },
    { axis: 0, target: [3], shape: [100], indices: () => 1 },
  ],
  columns: [
    { axis: 0, target: [65, 33], shape: [2100, 33], index: perRow(2100) },
    { axis: 0, target: [3000, 32], shape: [2050, 32], index: perRow(2050) },
  ],
  owners: [
    { axis: 0, target: [65, 128], shape: [100, 128], index: perRow(100) },
    { axis: 0, target: [3, 33], shape: [50, 33], index: perRow(50) },
    { axis: 0, target: [40, 300], shape: [19, 300], index: perRow(19) },
    { axis: 1, target: [2, 9, 40], shape: [2, 30, 40], index: { offset: 0, strides: [30, 1, 0], size: 60 } },
    { axis: 1, target: [2, 9, 40], shape: [2, 30, 40], index: { offset: 0, strides: [0, 1, 0], size: 30 } },
  ],
  runs: [
    { axis: 0, target: [10], shape: [4200] },
    { axis: 0, target: [5000], shape: [4100] },
    { axis: 0, target: [3, 2], shape: [4100, 2], index: perRow(4100) },
    { axis: 1, target: [2, 500], shape: [2, 4200] },
    { axis: 0, target: [2], shape: [4100], indices: () => 0 },
  ],
};

describe("scatterAdd", () => {
  it("adds rows that come several times, by hand", () => {
    const kernel: ScatterAdd = {
      kind: "scatterAdd",
      label: "rows",
      axis: 0,
      targetShape: [3, 2],
      shape: [4, 2],
      target: 0,
      index: { buffer: 1, offset: 0, strides: [1, 0] },
      source: { buffer: 2, offset: 0, strides: [2, 1] },
    };
    const [buffers] = runIndexed([
      {
        kernel,
        buffers: [
          { dtype: "float32", values: [100, 200, 300, 400, 500, 600] },
          { dtype: "int32", values: [2, 0, 2, 2] },
          { dtype: "float32", values: [1, 2, 3, 4, 5, 6, 7, 8] },
        ],
      },
    ]);
    expect(buffers?.[0]).toEqual([103, 204, 300, 400, 513, 616]);
  });

  it("chooses how to add by sizes", () => {
    for (const options of ways.threads) expect(wayOf(options)).toBe("threads");
    for (const options of ways.warps) expect(wayOf(options)).toBe("warps");
    for (const options of ways.owners) expect(wayOf(options)).toBe("owners");
    for (const options of [...ways.columns, ...ways.runs]) expect(wayOf(options)).toBe("sorted");
    expect(wayOf({ axis: 1, target: [128, 20, 128], shape: [128, 50, 128] })).toBe("threads");
  });

  it.each(["float32", "float64", "int32", "uint32", "bfloat16", "float16"] as const)("of %s, in every way", (dtype) => {
    const some = Object.values(ways).flatMap((options) => (dtype === "float32" ? options : options.slice(0, 2)));
    expectSums(...some.map((options) => ({ ...options, dtype })));
  });

  it("adds to one element in the order of the source, each sum rounded", () => {
    const order = [2 ** 24, 1, 1, -(2 ** 24), 1];
    const ordered = (options: Options): IndexedCase => {
      const { kernel, buffers } = scatter({ ...options, indices: () => 1 });
      const [target, index, source] = buffers as [
        IndexedCase["buffers"][0],
        IndexedCase["buffers"][0],
        IndexedCase["buffers"][0],
      ];
      const zeros = { ...target, values: target.values.map(() => 0) };
      return {
        kernel,
        buffers: [zeros, index, { ...source, values: source.values.map((_, i) => order[i % 5] as number) }],
      };
    };
    const cases = [
      { axis: 0, target: [2], shape: [5] },
      { axis: 0, target: [2], shape: [200] },
      {
        axis: 0,
        target: [2, 32],
        shape: [160, 32],
        index: perRow(160),
        source: { offset: 0, strides: [1, 0], size: 160 },
      },
      {
        axis: 0,
        target: [2, 32],
        shape: [2100, 32],
        index: perRow(2100),
        source: { offset: 0, strides: [1, 0], size: 2100 },
      },
      { axis: 0, target: [2], shape: [5000] },
    ].map(ordered);
    for (const buffers of runIndexed(cases)) {
      expect(buffers[0]?.slice(buffers[0].length / 2)).toEqual(new Array((buffers[0]?.length as number) / 2).fill(1));
    }
    expectReference(cases);
  });

  it("gives the same bits in whatever order blocks and threads run", () => {
    const cases = Object.values(ways).map(([options]) => {
      const { kernel, buffers } = scatter(options as Options);
      return {
        kernel,
        buffers: buffers.map((some, b) => (b === 2 ? { ...some, values: some.values.map((x) => x / 7) } : some)),
      };
    });
    const [forward, reverse] = ["forward", "reverse"].map((order) => {
      vi.stubEnv("THALWEG_CUDA_EMULATION_ORDER", order);
      return runIndexed(cases);
    });
    vi.unstubAllEnvs();
    expect(reverse).toEqual(forward);
  });

  it("wraps integers", () => {
    for (const [dtype, most, wrapped] of [
      ["int32", 2 ** 31 - 1, -(2 ** 31) + 2],
      ["uint32", 2 ** 32 - 1, 2],
    ] as const) {
      const { kernel } = scatter({ axis: 0, target: [2, 4], shape: [1, 4], index: perRow(1), dtype });
      const [buffers] = runIndexed([
        {
          kernel,
          buffers: [
            { dtype, values: new Array<number>(8).fill(most) },
            { dtype: "int32", values: [1] },
            { dtype, values: new Array<number>(4).fill(3) },
          ],
        },
      ]);
      expect(buffers?.[0]).toEqual([...new Array(4).fill(most), ...new Array(4).fill(wrapped)]);
    }
  });

  it("of a source stored in another way than the target", () => {
    const stored = [
      ["float32", "bfloat16"],
      ["float16", "float32"],
      ["bfloat16", "float16"],
    ] as const;
    expectSums(
      ...stored.flatMap(([dtype, sourceDType]) =>
        Object.values(ways).flatMap((options) => [{ ...(options[0] as Options), dtype, sourceDType }]),
      ),
    );
  });

  it("into a target larger on every axis", () => {
    expectSums(
      { axis: 0, target: [6, 9], shape: [4, 5] },
      { axis: 1, target: [5, 7, 8], shape: [2, 9, 3] },
      { axis: 1, target: [5, 7, 8], shape: [2, 40, 3] },
      { axis: 0, target: [6, 59], shape: [24, 48], index: perRow(24) },
    );
  });

  it("of strided, turned and repeated operands", () => {
    const turned = { offset: 0, strides: [1, 30], size: 1200 };
    const one = { offset: 0, strides: [0, 0], size: 1 };
    expectSums(
      {
        axis: 0,
        target: [3, 4],
        shape: [3, 3],
        index: { offset: 1, strides: [1, 0], size: 4 },
        source: { offset: 1, strides: [5, 1], size: 15 },
      },
      {
        axis: 1,
        target: [4, 6],
        shape: [4, 5],
        index: { offset: 19, strides: [-5, -1], size: 20 },
        source: { offset: 19, strides: [-5, -1], size: 20 },
      },
      {
        axis: 1,
        target: [4, 6],
        shape: [4, 50],
        index: { offset: 199, strides: [-50, -1], size: 200 },
        source: { offset: 199, strides: [-50, -1], size: 200 },
      },
      { axis: 0, target: [9, 40], shape: [30, 40], index: perRow(30), source: turned },
      { axis: 0, target: [9, 40], shape: [30, 40], index: perRow(30), source: one },
      { axis: 0, target: [9, 40], shape: [30, 40], index: one },
      { axis: 1, target: [7, 5], shape: [7, 11], index: { offset: 0, strides: [0, 1], size: 11 } },
      {
        axis: 0,
        target: [9],
        shape: [4200],
        index: { offset: 4199, strides: [-1], size: 4200 },
        source: { offset: 0, strides: [0], size: 1 },
      },
    );
  });

  it("leaves all as it is where there is nothing to add, and takes axes of one element", () => {
    expectSums(
      { axis: 0, target: [3, 4], shape: [0, 4] },
      { axis: 0, target: [3, 0], shape: [5, 0] },
      { axis: 1, target: [1, 5, 1], shape: [1, 1, 1] },
      { axis: 1, target: [3, 1, 4], shape: [3, 1, 4] },
      { axis: 0, target: [1], shape: [9] },
    );
  });

  it.each([
    ["int32", -1],
    ["int32", -(2 ** 31)],
    ["uint32", 2 ** 32 - 1],
  ] as const)("reports an index out of range: %s %i", (indexDType, wrong) => {
    const bad = (options: Options): (() => unknown) => {
      const indices = (i: number) => (i === 3 ? wrong : i % (options.target[options.axis] as number));
      return () => runIndexed([scatter({ ...options, indexDType, indices })]);
    };
    for (const [options] of wrong === -1 ? Object.values(ways) : [ways.warps]) {
      const size = options?.target[options.axis];
      expect(bad(options as Options)).toThrow(new TestIndexError(`index ${wrong} is out of range for size ${size}`));
    }
  });

  it("adds to temporaries without looking at all indices first", () => {
    const program: Program = {
      buffers: [
        { dtype: "float32", size: 3, kind: "temporary", offset: 0 },
        { dtype: "int32", size: 2, kind: "input" },
        { dtype: "float32", size: 2, kind: "input" },
        { dtype: "float32", size: 3, kind: "output" },
      ],
      uniforms: [],
      kernels: [
        {
          kind: "cumSum",
          label: "",
          outer: 3,
          size: 1,
          inner: 1,
          input: 3,
          output: 0,
        },
        {
          kind: "scatterAdd",
          label: "",
          axis: 0,
          targetShape: [3],
          shape: [2],
          target: 0,
          index: { buffer: 1, offset: 0, strides: [1] },
          source: { buffer: 2, offset: 0, strides: [1] },
        },
        { kind: "cumSum", label: "", outer: 3, size: 1, inner: 1, input: 0, output: 3 },
      ],
      arenaBytes: 64,
    };
    const inputs = [Int32Array.of(2, 0), Float32Array.of(10, 20), Float32Array.of(1, 2, 3)];
    expect(Array.from(runProgram(program, inputs)[2] ?? [])).toEqual([21, 2, 13]);
  });
});
