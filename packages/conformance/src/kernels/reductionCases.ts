/** Reductions and row programs: every operation, dtype and length, rows and columns, stages that build on each other. */
import { contiguousStrides, type DType, isFloat, type ReduceOp, reduceOps, sizeOf } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { tolerances } from "../tolerances.ts";
import { checkAll, checkProgram, type Expectation } from "./checkProgram.ts";
import { at, Draft, within } from "./programs.ts";
import { counting, fewBits, spread } from "./values.ts";

const reductionCase = (name: string, drafts: () => Iterable<Draft>, expectation?: Expectation): Case => ({
  layer: "kernels",
  name: `reduction: ${name}`,
  run: ({ backend }) => checkAll(backend, drafts(), expectation),
});

const givesOf = (fn: ReduceOp, dtype: DType): DType => (fn === "argMax" || fn === "argMin" ? "int32" : dtype);

/** Numbers whose products stay exact: 1 and -1, and a 2 or a 1/2 now and then. */
const factors = (dtype: DType, size: number): number[] =>
  Array.from({ length: size }, (_, i) => {
    const sign = dtype !== "uint32" && (i * 7) % 3 === 0 ? -1 : 1;
    if (i % 97 === 3) return 2 * sign;
    return isFloat(dtype) && i % 101 === 50 ? sign / 2 : sign;
  });

/** Reduces `inner` at each point of `outer`; the input is read by `strides` over both. */
function reduceDraft(
  fn: ReduceOp,
  dtype: DType,
  outer: readonly number[],
  inner: readonly number[],
  strides: readonly number[] = contiguousStrides([...outer, ...inner]),
  values: readonly number[] = fn === "prod"
    ? factors(dtype, sizeOf([...outer, ...inner]))
    : fewBits(dtype, sizeOf([...outer, ...inner]), 11),
): { draft: Draft; output: number } {
  const draft = new Draft();
  const x = draft.input(dtype, values);
  const output = draft.output(givesOf(fn, dtype), sizeOf(outer));
  draft.loop(outer, inner, (stages) => {
    const result = stages.inner((body) => body.reduce(fn, body.load(x, strides)));
    stages.outer((body) => body.store(output, [...contiguousStrides(outer), ...inner.map(() => 0)], result));
  });
  return { draft, output };
}

const dtypesOf = (fn: ReduceOp): readonly DType[] =>
  fn === "sum" || fn === "prod"
    ? ["float32", "float64", "int32", "uint32", "bfloat16"]
    : ["float32", "float64", "int32", "uint32", "bool", "float16"];

const lengths: readonly number[] = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 127, 129, 1000, 4097];
const someLengths: readonly number[] = [1, 2, 7, 8, 17, 33, 65, 1000];

const plainCases: Case[] = reduceOps.flatMap((fn) =>
  dtypesOf(fn).flatMap((dtype) => [
    reductionCase(`${fn} of ${dtype}, rows of every length`, () =>
      (dtype === "float32" ? lengths : someLengths).flatMap((n) =>
        (n > 1000 ? [[]] : n % 2 === 0 ? [[], [9]] : [[3]]).map((outer) => reduceDraft(fn, dtype, outer, [n]).draft),
      ),
    ),
    reductionCase(`${fn} of ${dtype}, columns`, () =>
      (dtype === "float32" ? [1, 3, 8, 10, 33, 67] : [3, 33]).flatMap((columns) =>
        [1, 9, 40].map((rows) => reduceDraft(fn, dtype, [columns], [rows], [1, columns]).draft),
      ),
    ),
  ]),
);

const spaces: readonly (readonly [outer: readonly number[], inner: readonly number[]])[] = [
  [[], [3, 5]],
  [[4], [3, 5]],
  [
    [4, 3],
    [2, 9],
  ],
  [[7], [2, 3, 4]],
  [
    [2, 3, 2],
    [3, 2, 5],
  ],
  [[5], [1, 7, 1]],
  [[3], [4, 0]],
  [[0], [4]],
  [[2, 17], [33]],
  [[2, 2, 2, 2, 2], [3]],
];

const spaceCases: Case[] = (["sum", "max", "argMax", "argMin", "prod"] as const).map((fn) =>
  reductionCase(`${fn} over spaces of every rank, axes in several orders`, () =>
    spaces.flatMap(([outer, inner]) => {
      const all = [...outer, ...inner];
      const plain = contiguousStrides(all);
      const backwards = [...contiguousStrides([...all].reverse())].reverse();
      const turned = [...contiguousStrides([...inner, ...outer])];
      const innerFirst = [...turned.slice(inner.length), ...turned.slice(0, inner.length)];
      return [plain, backwards, innerFirst].map((strides) => reduceDraft(fn, "float32", outer, inner, strides).draft);
    }),
  ),
);

const [infinity, nan] = [Number.POSITIVE_INFINITY, Number.NaN];

/** Rows of four (float32) or their results, by hand. */
const rows: readonly (readonly [row: readonly number[], results: Readonly<Partial<Record<ReduceOp, number>>>])[] = [
  [[1, 5, 5, 2], { sum: 13, prod: 50, max: 5, min: 1, argMax: 1, argMin: 0 }],
  [[3, nan, 9, nan], { sum: nan, prod: nan, max: nan, min: nan, argMax: 1, argMin: 1 }],
  [[-1, -1, -2, -2], { sum: -6, prod: 4, max: -1, min: -2, argMax: 0, argMin: 2 }],
  [[7, 7, 7, 7], { sum: 28, max: 7, min: 7, argMax: 0, argMin: 0 }],
  [[nan, infinity, 0, 1], { max: nan, min: nan, argMax: 0, argMin: 0 }],
  [[1, infinity, -infinity, infinity], { sum: nan, max: infinity, min: -infinity, argMax: 1, argMin: 2 }],
  [[-infinity, -infinity, -infinity, -infinity], { max: -infinity, argMax: 0, argMin: 0, sum: -infinity }],
  [[infinity, infinity, infinity, infinity], { min: infinity, argMin: 0, argMax: 0, prod: infinity }],
  [[0, infinity, 1, 1], { prod: nan, sum: infinity }],
  [[0, -0, 0, -0], { argMax: 0, argMin: 0, max: 0, min: 0, sum: 0 }],
  [[-0, 0, -0, 1], { argMax: 3, argMin: 0 }],
  [[1, 2, 3, nan], { argMax: 3, argMin: 3, max: nan }],
  [[-5, -4, -3, -4], { max: -3, argMax: 2, min: -5 }],
];

const knownCases: Case[] = reduceOps.map(
  (fn): Case => ({
    layer: "kernels",
    name: `reduction: ${fn} of rows with ties, zeros, infinities and NaN`,
    run: async ({ backend }) => {
      const chosen = rows.filter(([, results]) => results[fn] !== undefined);
      const expected = chosen.map(([, results]) => results[fn] as number);
      const lying = chosen.flatMap(([row]) => row);
      const { draft, output } = reduceDraft(fn, "float32", [chosen.length], [4], [4, 1], lying);
      await checkProgram(backend, draft, { known: [[output, expected]] });
      const standing = [0, 1, 2, 3].flatMap((i) => chosen.map(([row]) => row[i] as number));
      const columns = reduceDraft(fn, "float32", [chosen.length], [4], [1, chosen.length], standing);
      await checkProgram(backend, columns.draft, { known: [[columns.output, expected]] });
    },
  }),
);

const identities: readonly (readonly [ReduceOp, DType, number])[] = [
  ["sum", "float32", 0],
  ["prod", "float32", 1],
  ["max", "float32", -infinity],
  ["min", "float32", infinity],
  ["max", "float64", -infinity],
  ["min", "float64", infinity],
  ["sum", "int32", 0],
  ["prod", "int32", 1],
  ["max", "int32", -2147483648],
  ["min", "int32", 2147483647],
  ["prod", "uint32", 1],
  ["max", "uint32", 0],
  ["min", "uint32", 4294967295],
  ["max", "bool", 0],
  ["min", "bool", 1],
];

const identityCases: Case[] = identities.map(
  ([fn, dtype, identity]): Case => ({
    layer: "kernels",
    name: `reduction: ${fn} of no ${dtype}`,
    run: async ({ backend }) => {
      const { draft, output } = reduceDraft(fn, dtype, [3], [0], [0, 1], []);
      await checkProgram(backend, draft, { known: [[output, [identity, identity, identity]]] });
    },
  }),
);

const wholeCases: Case[] = [
  ...(["int32", "uint32"] as const).map((dtype) =>
    reductionCase(`sums and products of ${dtype} wrap`, () =>
      (["sum", "prod", "max", "min", "argMax"] as const).map(
        (fn) =>
          reduceDraft(
            fn,
            dtype,
            [5],
            [9],
            [9, 1],
            counting(45).map((i) => Math.imul(i, 0x9e3779b1)),
          ).draft,
      ),
    ),
  ),
  reductionCase("of NaN among many", () =>
    [0, 1, 8, 500, 999].flatMap((place) =>
      (["max", "min", "argMax", "argMin", "sum"] as const).map((fn) => {
        const values = fewBits("float32", 3000);
        values[1000 + place] = nan;
        return reduceDraft(fn, "float32", [3], [1000], [1000, 1], values).draft;
      }),
    ),
  ),
  ...(["max", "min", "argMax", "argMin"] as const).map((fn) =>
    reductionCase(`${fn} of short rows, of some numbers in every order`, () =>
      [1, 2, 3, 4].map((size) => {
        const digits = [0, -0, 1, nan, -1];
        const count = digits.length ** size;
        const values = Array.from({ length: count * size }, (_, i) => {
          const [row, place] = [Math.floor(i / size), i % size];
          return digits[Math.floor(row / digits.length ** place) % digits.length] as number;
        });
        return reduceDraft(fn, "float32", [count], [size], [size, 1], values).draft;
      }),
    ),
  ),
  reductionCase("of an extreme at every place", () =>
    Array.from({ length: 19 }, (_, place) => place).flatMap((place) =>
      (["max", "min", "argMax", "argMin", "sum", "prod"] as const).map((fn) => {
        const values = Array.from({ length: 38 }, (_, i) => (i % 19 === place ? (fn.endsWith("in") ? -3 : 3) : 1));
        return reduceDraft(fn, "float32", [2], [19], [19, 1], values).draft;
      }),
    ),
  ),
  reductionCase("of sixty thousand numbers, and of many rows", () => [
    reduceDraft("sum", "float32", [], [60_001]).draft,
    reduceDraft("max", "float32", [2], [20_003]).draft,
    reduceDraft("sum", "int32", [9001], [7]).draft,
    reduceDraft("argMin", "float32", [7001], [9], [1, 7001]).draft,
  ]),
  reductionCase(
    "sums of numbers with long fractions",
    () =>
      [100, 4097].map((n) => {
        const values = spread(2 * n, 10, n);
        return reduceDraft("sum", "float32", [2], [n], [n, 1], values).draft;
      }),
    { allow: { ulp: tolerances.get("sum")?.output.ulp(4097) ?? 0, scale: 10 } },
  ),
];

const bodyCases: Case[] = [
  reductionCase("several in one stage, of a common value", () =>
    [1, 5, 8, 33, 257].map((n) => {
      const draft = new Draft();
      const x = draft.input("float32", fewBits("float32", 6 * n));
      const outputs = reduceOps.map((fn) => draft.output(givesOf(fn, "float32"), 6));
      draft.loop([6], [n], (stages) => {
        const results = stages.inner((body) => {
          const value = body.load(x, [n, 1]);
          return reduceOps.map((fn) => body.reduce(fn, fn === "prod" ? body.unary("sign", value) : value));
        });
        stages.outer((body) => {
          for (const [i, result] of results.entries()) body.store(outputs[i] as number, [1, 0], result);
        });
      });
      return draft;
    }),
  ),
  reductionCase("of products, with a mask, a condition and an index", () => {
    const draft = new Draft();
    const [rows, columns] = [11, 37];
    const [x, y] = [
      draft.input("float32", fewBits("float32", rows * columns)),
      draft.input("float32", counting(columns)),
    ];
    const [dots, padded, counts, places] = [
      draft.output("float32", rows),
      draft.output("float32", rows),
      draft.output("int32", rows),
      draft.output("int32", rows),
    ];
    draft.loop([rows], [columns], (stages) => {
      const [dot, outside, count, place] = stages.inner((body) => {
        const value = body.load(x, [columns, 1]);
        const shifted = body.load(x, at(-3, columns, 1), within(at(-3, 0, 1), 0, columns - 5));
        const positive = body.binary("less", body.constant("float32", 0), value);
        const where = body.where(positive, body.index([0, 1]), body.constant("int32", -1));
        return [
          body.reduce("sum", body.binary("mul", value, body.load(y, [0, 1]))),
          body.reduce("sum", shifted),
          body.reduce("sum", body.cast("int32", positive)),
          body.reduce("max", where),
        ] as const;
      });
      stages.outer((body) => {
        const half = body.binary("mul", dot, body.constant("float32", 0.5));
        body.store(dots, [1, 0], body.binary("sub", half, body.load(y, [1, 0])));
        body.store(padded, [1, 0], outside);
        body.store(counts, [1, 0], count);
        body.store(places, [1, 0], place);
      });
    });
    return [draft];
  }),
  reductionCase("with a stage before, whose values the inner one uses", () => {
    const draft = new Draft();
    const [rows, columns] = [9, 20];
    const x = draft.input("float32", fewBits("float32", rows * columns));
    const scale = draft.input("float32", fewBits("float32", rows));
    const [y, z] = [draft.output("float32", rows * columns), draft.output("float32", rows)];
    draft.loop([rows], [columns], (stages) => {
      const factor = stages.outer((body) => body.binary("add", body.load(scale, [1, 0]), body.constant("float32", 1)));
      const sum = stages.inner((body) => {
        const scaled = body.binary("mul", body.load(x, [columns, 1]), factor);
        body.store(y, [columns, 1], scaled);
        return body.reduce("sum", scaled);
      });
      stages.outer((body) => body.store(z, [1, 0], body.binary("sub", sum, factor)));
    });
    return [draft];
  }),
  reductionCase("along a view that runs backwards and one that repeats", () => {
    const draft = new Draft();
    const [x, row] = [draft.input("float32", counting(60)), draft.input("float32", fewBits("float32", 12))];
    const y = draft.output("float32", 5);
    draft.loop([5], [12], (stages) => {
      const sum = stages.inner((body) => {
        const [a, b] = [body.load(x, at(59, -12, -1)), body.load(row, at(11, 0, -1))];
        return body.reduce("sum", body.binary("mul", a, b));
      });
      stages.outer((body) => body.store(y, at(4, -1, 0), sum));
    });
    return [draft];
  }),
];

export const reductionCases: readonly Case[] = [
  ...plainCases,
  ...spaceCases,
  ...knownCases,
  ...identityCases,
  ...wholeCases,
  ...bodyCases,
];
