/** Kernels led by indices: scatterAdd, cumSum, argSort. */
import { contiguousStrides, type DType, sizeOf } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { tolerances } from "../tolerances.ts";
import { checkAll, checkProgram, type Expectation } from "./checkProgram.ts";
import { at, Draft } from "./programs.ts";
import { counting, fewBits, randomOf, spread } from "./values.ts";

const indexedCase = (name: string, drafts: () => Iterable<Draft>, expectation?: Expectation): Case => ({
  layer: "kernels",
  name,
  run: ({ backend }) => checkAll(backend, drafts(), expectation),
});

interface Scatter {
  readonly axis: number;
  readonly target: readonly number[];
  readonly shape: readonly number[];
  /** Strides of the index; default contiguous over `shape`. */
  readonly index?: { readonly offset: number; readonly strides: readonly number[]; readonly size: number };
  readonly source?: { readonly offset: number; readonly strides: readonly number[]; readonly size: number };
  readonly dtype?: DType;
  readonly indexDType?: "int32" | "uint32";
}

const plainView = (shape: readonly number[]) => ({ offset: 0, strides: contiguousStrides(shape), size: sizeOf(shape) });

/** Adds at indices drawn at random, so that some come several times and some never. */
function scatter(options: Scatter): Draft {
  const { axis, target, shape, dtype = "float32", indexDType = "int32" } = options;
  const { index = plainView(shape), source = plainView(shape) } = options;
  const random = randomOf(shape.length + sizeOf(shape));
  const draft = new Draft();
  const p = draft.parameter(dtype, fewBits(dtype, sizeOf(target), 2));
  const rows = draft.input(
    indexDType,
    Array.from({ length: index.size }, () => random(target[axis] as number)),
  );
  const x = draft.input(dtype, fewBits(dtype, source.size, 3));
  return draft.indexed({
    kind: "scatterAdd",
    label: "scatter",
    axis,
    targetShape: target,
    shape,
    target: p,
    index: { buffer: rows, offset: index.offset, strides: index.strides },
    source: { buffer: x, offset: source.offset, strides: source.strides },
  });
}

const scatterCases: Case[] = [
  ...(["float32", "float64", "int32", "uint32"] as const).map((dtype) =>
    indexedCase(`scatterAdd: along every axis, ${dtype}`, () => [
      scatter({ axis: 0, target: [5], shape: [33], dtype }),
      scatter({ axis: 0, target: [7, 6], shape: [7, 6], dtype }),
      scatter({ axis: 1, target: [4, 9], shape: [4, 17], dtype }),
      scatter({ axis: 1, target: [3, 8, 5], shape: [3, 4, 5], dtype }),
      scatter({ axis: 2, target: [2, 3, 6], shape: [2, 3, 40], dtype }),
      scatter({ axis: 0, target: [3], shape: [0], dtype }),
    ]),
  ),
  indexedCase("scatterAdd: into a target larger on every axis", () => [
    scatter({ axis: 0, target: [6, 9], shape: [4, 5] }),
    scatter({ axis: 1, target: [5, 7, 8], shape: [2, 9, 3] }),
  ]),
  indexedCase("scatterAdd: an index repeated along axes, and strided operands", () => [
    scatter({ axis: 0, target: [10, 8], shape: [20, 8], index: { offset: 0, strides: [1, 0], size: 20 } }),
    scatter({
      axis: 0,
      target: [3, 4],
      shape: [3, 3],
      index: { offset: 1, strides: [1, 0], size: 4 },
      source: { offset: 1, strides: [5, 1], size: 15 },
    }),
    scatter({
      axis: 1,
      target: [4, 6],
      shape: [4, 5],
      index: { offset: 19, strides: [-5, -1], size: 20 },
      source: { offset: 0, strides: [1, 4], size: 20 },
    }),
    scatter({
      axis: 0,
      target: [4, 3],
      shape: [6, 3],
      source: { offset: 2, strides: [0, 0], size: 3 },
      indexDType: "uint32",
    }),
  ]),
  {
    layer: "kernels",
    name: "scatterAdd: rows that come several times, by hand",
    run: async ({ backend }) => {
      const draft = new Draft();
      const p = draft.parameter("float32", new Array<number>(12).fill(100));
      const rows = draft.input("int32", [9, 2, 0, 2]);
      const x = draft.input(
        "float32",
        counting(15).map((i) => i - 1),
      );
      draft.indexed({
        kind: "scatterAdd",
        label: "rows",
        axis: 0,
        targetShape: [3, 4],
        shape: [3, 3],
        target: p,
        index: { buffer: rows, offset: 1, strides: [1, 0] },
        source: { buffer: x, offset: 1, strides: [5, 1] },
      });
      const known = [106, 107, 108, 100, 100, 100, 100, 100, 112, 114, 116, 100];
      await checkProgram(backend, draft, { known: [[p, known]] });
    },
  },
  indexedCase("scatterAdd: into what an earlier kernel wrote", () => {
    const draft = new Draft();
    const rows = draft.input("int32", [3, 1, 3, 0]);
    const x = draft.input("float32", counting(8));
    const sums = draft.temporary("float32", 10, 0);
    const output = draft.output("float32", 10);
    draft.map([10], (body) => body.store(sums, [1], body.constant("float32", 0)));
    draft.indexed({
      kind: "scatterAdd",
      label: "scatter",
      axis: 0,
      targetShape: [5, 2],
      shape: [4, 2],
      target: sums,
      index: { buffer: rows, offset: 0, strides: [1, 0] },
      source: { buffer: x, offset: 0, strides: [2, 1] },
    });
    draft.map([10], (body) => body.store(output, [1], body.load(sums, at(9, -1))));
    return [draft];
  }),
];

type Axis = readonly [outer: number, size: number, inner: number];

const axes: readonly Axis[] = [
  [1, 1, 1],
  [1, 2, 1],
  [1, 9, 1],
  [3, 7, 1],
  [2, 3, 2],
  [1, 5, 9],
  [4, 8, 3],
  [1, 65, 1],
  [1, 33, 17],
  [2, 1, 5],
  [3, 0, 2],
  [0, 4, 2],
  [2, 4, 0],
];

function alongAxis(
  kind: "cumSum" | "argSort",
  axis: Axis,
  dtype: DType,
  values: readonly number[],
  descending = false,
) {
  const draft = new Draft();
  const [outer, size, inner] = axis;
  const input = draft.input(dtype, values);
  const output = draft.output(kind === "argSort" ? "int32" : dtype, sizeOf(axis));
  const place = { label: kind, outer, size, inner, input, output };
  draft.indexed(kind === "cumSum" ? { kind, ...place } : { kind, ...place, descending });
  return { draft, output };
}

const sumCases: Case[] = [
  ...(["float32", "float64", "int32", "uint32"] as const).map((dtype) =>
    indexedCase(`cumSum: ${dtype}, axes of every size`, () =>
      axes.map((axis) => alongAxis("cumSum", axis, dtype, fewBits(dtype, sizeOf(axis), 4)).draft),
    ),
  ),
  indexedCase("cumSum: of int32 that wraps, NaN that stays, and many", () => [
    alongAxis(
      "cumSum",
      [1, 9, 2],
      "int32",
      counting(18).map((i) => Math.imul(i, 0x7ffffff1)),
    ).draft,
    alongAxis("cumSum", [2, 5, 1], "float32", [1, Number.NaN, 2, 3, 4, 1, 2, Number.POSITIVE_INFINITY, 3, 4]).draft,
    alongAxis("cumSum", [2, 4097, 1], "float32", fewBits("float32", 8194, 5)).draft,
  ]),
  indexedCase(
    "cumSum: of numbers with long fractions",
    () => [alongAxis("cumSum", [2, 500, 3], "float32", spread(3000, 10)).draft],
    { allow: { ulp: tolerances.get("cumSum")?.output.ulp(500) ?? 0, scale: 100 } },
  ),
  {
    layer: "kernels",
    name: "cumSum: by hand",
    run: async ({ backend }) => {
      const { draft, output } = alongAxis("cumSum", [2, 3, 2], "float32", counting(12));
      await checkProgram(backend, draft, { known: [[output, [1, 2, 4, 6, 9, 12, 7, 8, 16, 18, 27, 30]]] });
    },
  },
];

const [infinity, nan] = [Number.POSITIVE_INFINITY, Number.NaN];

const sortCases: Case[] = [
  ...(["float32", "float64", "int32", "uint32", "float16", "bool"] as const).map((dtype) =>
    indexedCase(`argSort: ${dtype}, axes of every size, many ties`, () =>
      axes.flatMap((axis) =>
        [false, true].map((descending) => {
          const values = fewBits(dtype, sizeOf(axis), 6);
          return alongAxis("argSort", axis, dtype, values, descending).draft;
        }),
      ),
    ),
  ),
  indexedCase("argSort: whole numbers of all sizes", () =>
    [false, true].flatMap((descending) => [
      alongAxis("argSort", [1, 7, 1], "int32", [5, -2147483648, 2147483647, -1, 0, 1, -2147483647], descending).draft,
      alongAxis("argSort", [1, 6, 1], "uint32", [5, 4294967295, 2147483648, 0, 2147483647, 1], descending).draft,
    ]),
  ),
  indexedCase("argSort: five hundred, with and without ties", () =>
    [101, 1009].flatMap((prime) =>
      [false, true].map((descending) => {
        const values = Array.from({ length: 500 }, (_, i) => (i * 7919) % prime);
        return alongAxis("argSort", [1, 500, 1], "float32", values, descending).draft;
      }),
    ),
  ),
  {
    layer: "kernels",
    name: "argSort: NaN counts as the largest, ties keep their order",
    run: async ({ backend }) => {
      const values = [2, nan, 1, 2, -0, nan, 0, infinity, -infinity];
      for (const [descending, order] of [
        [false, [8, 4, 6, 2, 0, 3, 7, 1, 5]],
        [true, [1, 5, 7, 0, 3, 2, 4, 6, 8]],
      ] as const) {
        const { draft, output } = alongAxis("argSort", [1, 9, 1], "float32", values, descending);
        await checkProgram(backend, draft, { known: [[output, order]] });
      }
    },
  },
];

export const indexedCases: readonly Case[] = [...scatterCases, ...sumCases, ...sortCases];
