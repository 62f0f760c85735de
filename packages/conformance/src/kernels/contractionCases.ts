/** Matrix products: sizes about block edges, transposed, batched and strided operands, dtypes, epilogues. */
import { type ComputeDType, contiguousStrides, type DType, type MatmulKernel, sizeOf } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { tolerances } from "../tolerances.ts";
import { checkAll, checkProgram, type Expectation } from "./checkProgram.ts";
import { epilogues, type Finish } from "./epilogues.ts";
import { viewOf } from "./loopCases.ts";
import { Draft } from "./programs.ts";
import { counting, fewBits, spread } from "./values.ts";

const matmulCase = (name: string, drafts: () => Iterable<Draft>, expectation?: Expectation): Case => ({
  layer: "kernels",
  name: `matmul: ${name}`,
  run: ({ backend }) => checkAll(backend, drafts(), expectation),
});

export interface Product {
  readonly batch?: readonly number[];
  readonly dtype?: ComputeDType;
  /** How the operands are kept, where that is another dtype. */
  readonly storage?: DType;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Strides over the batch, in matrices; default contiguous. */
  readonly batchOfA?: readonly number[];
  readonly batchOfB?: readonly number[];
  /** Every stride of the operands is so many times as large. */
  readonly step?: number;
  /** Elements before the first of each operand. */
  readonly spare?: number;
  /** What the operands hold; default few bits. */
  readonly values?: (size: number, seed: number) => readonly number[];
}

/** Stores the sum as it is. */
const plain: Finish = (draft, shape, dtype) => {
  const output = draft.output(dtype, sizeOf(shape));
  return (body) => body.store(output, contiguousStrides(shape), body.accumulator(dtype));
};

function product(m: number, n: number, k: number, options: Product = {}, finish: Finish = plain): Draft {
  const { batch = [], dtype = "float32", storage = dtype, step = 1, spare = 0, values } = options;
  const contents = values ?? ((size: number, seed: number) => fewBits(storage, size, seed));
  const draft = new Draft();
  const operand = (rows: number, columns: number, transposed: boolean, repeats: readonly number[], seed: number) => {
    const matrix = transposed ? [1, rows] : [columns, 1];
    const strides = [...repeats.map((count) => count * rows * columns), ...matrix].map((stride) => stride * step);
    const view = viewOf([...batch, rows, columns], strides, spare);
    const buffer = draft.input(storage, contents(view.size, seed));
    return { buffer, offset: view.offset, strides };
  };
  const inOrder = contiguousStrides(batch);
  const a = operand(m, k, options.transposeA ?? false, options.batchOfA ?? inOrder, 3);
  const b = operand(k, n, options.transposeB ?? false, options.batchOfB ?? inOrder, 4);
  const write = finish(draft, [...batch, m, n], dtype);
  const kernel: Omit<MatmulKernel, "kind" | "label" | "epilogue"> = { dtype, batch, m, n, k, a, b };
  return draft.matmul(kernel, write);
}

const both = [false, true];
const transposes = both.flatMap((transposeA) => both.map((transposeB) => ({ transposeA, transposeB })));

type Sizes = readonly [m: number, n: number, k: number];

const tiny: readonly Sizes[] = [
  [1, 1, 1],
  [1, 1, 37],
  [3, 5, 8],
  [5, 3, 1],
  [8, 8, 8],
  [7, 9, 5],
  [4, 4, 4],
  [2, 2, 3],
];
const skinny: readonly Sizes[] = [
  [1, 8, 16],
  [1, 130, 17],
  [130, 1, 17],
  [33, 1, 1],
  [1, 33, 1],
  [17, 16, 1],
  [2, 65, 5],
  [65, 2, 3],
  [3, 1, 130],
  [1, 3, 130],
  [1, 500, 13],
];
const edges: readonly Sizes[] = [
  [16, 16, 16],
  [17, 17, 17],
  [15, 31, 33],
  [33, 20, 27],
  [32, 32, 32],
  [65, 16, 9],
  [16, 65, 9],
  [64, 8, 33],
  [5, 130, 33],
  [130, 5, 33],
  [24, 24, 65],
];
const large: readonly Sizes[] = [
  [33, 41, 130],
  [130, 65, 16],
  [10, 250, 40],
  [9, 9, 1025],
  [195, 69, 9],
];

const sizeCases: Case[] = (
  [
    ["small", tiny],
    ["skinny", skinny],
    ["at the edges of blocks", edges],
    ["larger than blocks", large],
  ] as const
).map(([name, list]) =>
  matmulCase(`${name}, both operands as they are and transposed`, () =>
    list.flatMap(([m, n, k]) =>
      // The reference is slow: of the largest, two will do.
      transposes
        .filter(({ transposeA, transposeB }) => list !== large || transposeA === transposeB)
        .map((options) => product(m, n, k, options)),
    ),
  ),
);

const emptyCases: Case[] = [
  matmulCase("without rows or columns", () =>
    (
      [
        [0, 5, 3],
        [5, 0, 3],
        [0, 0, 0],
      ] as const
    ).map(([m, n, k]) => product(m, n, k)),
  ),
  {
    layer: "kernels",
    name: "matmul: over nothing gives 0",
    run: async ({ backend }) => {
      for (const [m, n] of [
        [1, 1],
        [5, 3],
        [40, 33],
      ] as const) {
        const draft = product(m, n, 0, { spare: 1 });
        const output = draft.program.buffers.length - 1;
        await checkProgram(backend, draft, { known: [[output, new Array<number>(m * n).fill(0)]] });
      }
    },
  },
  {
    layer: "kernels",
    name: "matmul: two by three by two, by hand",
    run: async ({ backend }) => {
      for (const dtype of ["float32", "float64", "int32", "uint32"] as const) {
        if (!backend.capabilities.dtypes.has(dtype)) continue;
        const draft = product(2, 2, 3, { dtype, values: counting });
        await checkProgram(backend, draft, { known: [[2, [22, 28, 49, 64]]] });
      }
    },
  },
];

const dtypeCases: Case[] = [
  ...(["float64", "int32", "uint32"] as const).map((dtype) =>
    matmulCase(`of ${dtype}`, () =>
      (
        [
          [3, 4, 20],
          [35, 26, 50],
          [1, 65, 33],
          [65, 1, 33],
        ] as const
      ).flatMap(([m, n, k]) => transposes.map((options) => product(m, n, k, { ...options, dtype }))),
    ),
  ),
  ...(["int32", "uint32"] as const).map((dtype) =>
    matmulCase(`of ${dtype} that wraps`, () =>
      [3, 30].map((size) =>
        product(size, size, size, {
          dtype,
          values: (length, seed) => Array.from({ length }, (_, i) => Math.imul(i * 7 + seed, 0x9e3779b1)),
        }),
      ),
    ),
  ),
  ...(["bfloat16", "float16"] as const).map((storage) =>
    matmulCase(`of operands kept as ${storage}`, () =>
      (
        [
          [2, 3, 5],
          [30, 31, 32],
          [1, 40, 9],
        ] as const
      ).flatMap(([m, n, k]) => [
        product(m, n, k, { storage }),
        product(m, n, k, { storage, transposeA: true, transposeB: true, spare: 1 }),
      ]),
    ),
  ),
  matmulCase(
    "of numbers with long fractions",
    () =>
      (
        [
          [20, 33, 129],
          [1, 17, 1000],
          [17, 1, 1000],
        ] as const
      ).map(([m, n, k]) => product(m, n, k, { values: (size, seed) => spread(size, 4, seed) })),
    { allow: { ulp: tolerances.get("matmul")?.output.ulp(1000) ?? 0, scale: 16 } },
  ),
  matmulCase(
    "of float64 with long fractions",
    () => [product(20, 33, 65, { dtype: "float64", values: (size, seed) => spread(size, 4, seed) })],
    { allow: { ulp: 1, scale: 16 } },
  ),
];

const viewCases: Case[] = [
  matmulCase("batches, of every rank", () =>
    ([[1], [3], [2, 3], [2, 1, 3]] as const).flatMap((batch) =>
      (
        [
          [3, 5, 4],
          [17, 16, 9],
        ] as const
      ).flatMap(([m, n, k]) => transposes.map((options) => product(m, n, k, { ...options, batch }))),
    ),
  ),
  matmulCase("an empty batch", () => [product(3, 4, 5, { batch: [0] }), product(3, 4, 5, { batch: [2, 0] })]),
  matmulCase("batches that share an operand, or lie in another order", () =>
    (
      [
        [4, 5, 6],
        [18, 20, 17],
        [1, 9, 8],
      ] as const
    ).flatMap(([m, n, k]) => [
      product(m, n, k, { batch: [4], batchOfB: [0] }),
      product(m, n, k, { batch: [4], batchOfA: [0] }),
      product(m, n, k, { batch: [2, 3], batchOfA: [1, 0], batchOfB: [0, 1] }),
      product(m, n, k, { batch: [2, 3], batchOfA: [1, 2], batchOfB: [-3, 1] }),
    ]),
  ),
  matmulCase("operands with offsets, steps and gaps", () =>
    (
      [
        [5, 6, 7],
        [33, 20, 18],
        [1, 17, 9],
        [17, 1, 9],
      ] as const
    ).flatMap(([m, n, k]) =>
      transposes.flatMap((options) => [
        product(m, n, k, { ...options, spare: 5 }),
        product(m, n, k, { ...options, step: 3, spare: 2 }),
        product(m, n, k, { ...options, step: -1, spare: 1 }),
      ]),
    ),
  ),
  matmulCase("operands that repeat rows, columns or one number", () => {
    const views = [
      [
        [0, 1],
        [1, 0],
      ],
      [
        [1, 0],
        [0, 1],
      ],
      [
        [0, 0],
        [5, 1],
      ],
      [
        [1, 1],
        [1, 1],
      ],
      [
        [-9, 1],
        [1, -7],
      ],
    ] as const;
    return (
      [
        [4, 5, 6],
        [20, 17, 16],
      ] as const
    ).flatMap(([m, n, k]) =>
      views.map(([left, right]) => {
        const draft = new Draft();
        const [a, b] = [viewOf([m, k], left, 1), viewOf([k, n], right, 2)];
        const x = draft.input("float32", fewBits("float32", a.size, 5));
        const y = draft.input("float32", fewBits("float32", b.size, 6));
        const output = draft.output("float32", m * n);
        const operands = {
          a: { buffer: x, offset: a.offset, strides: left },
          b: { buffer: y, offset: b.offset, strides: right },
        };
        return draft.matmul({ dtype: "float32", batch: [], m, n, k, ...operands }, (body) =>
          body.store(output, [n, 1], body.accumulator("float32")),
        );
      }),
    );
  }),
  matmulCase("a buffer multiplied with itself", () =>
    [6, 33].map((n) => {
      const draft = new Draft();
      const x = draft.input("float32", fewBits("float32", n * n, 9));
      const output = draft.output("float32", n * n);
      const operands = {
        a: { buffer: x, offset: 0, strides: [n, 1] },
        b: { buffer: x, offset: 0, strides: [1, n] },
      };
      return draft.matmul({ dtype: "float32", batch: [], m: n, n, k: n, ...operands }, (body) =>
        body.store(output, [n, 1], body.accumulator("float32")),
      );
    }),
  ),
];

const finishSizes: readonly Sizes[] = [
  [3, 4, 5],
  [1, 33, 9],
  [33, 1, 9],
  [17, 18, 33],
  [40, 31, 29],
  [6, 9, 0],
];

const epilogueCases: Case[] = Object.entries(epilogues).map(([name, finish]) =>
  matmulCase(`followed by ${name}`, () => [
    ...finishSizes.map(([m, n, k]) => product(m, n, k, {}, finish)),
    product(5, 6, 7, { batch: [3], transposeB: true }, finish),
    product(20, 18, 17, { batch: [2, 2], transposeA: true }, finish),
    product(9, 10, 11, { dtype: "int32" }, finish),
    product(35, 26, 9, { dtype: "int32", transposeB: true }, finish),
  ]),
);

const specialCases: Case[] = [
  {
    layer: "kernels",
    name: "matmul: NaN and infinity reach their row or column, and 0 · ∞ is NaN",
    run: async ({ backend }) => {
      for (const size of [4, 17, 40]) {
        for (const options of transposes) {
          const draft = product(size, size, size, {
            ...options,
            values: (length, seed) => {
              const ones = new Array<number>(length).fill(1);
              if (seed === 3) ones[0] = 0;
              else {
                ones[options.transposeB ? size : 1] = Number.POSITIVE_INFINITY;
                ones[options.transposeB ? 2 * size : 2] = Number.NaN;
              }
              return ones;
            },
          });
          const known = Array.from({ length: size * size }, (_, i) => {
            const [row, column] = [Math.floor(i / size), i % size];
            if (column === 2) return Number.NaN;
            if (column === 1) return row === 0 ? Number.NaN : Number.POSITIVE_INFINITY;
            return row === 0 ? size - 1 : size;
          });
          await checkProgram(backend, draft, { known: [[2, known]] });
        }
      }
    },
  },
  matmulCase("NaN and infinity at single places", () =>
    (
      [
        [5, 7, 6],
        [33, 18, 35],
        [1, 20, 9],
        [20, 1, 9],
      ] as const
    ).flatMap(([m, n, k]) =>
      [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].flatMap((special) =>
        [0, 1].map((last) =>
          product(m, n, k, {
            values: (size, seed) => {
              const values = fewBits("float32", size, seed + m);
              values[last === 1 ? size - 1 : seed % size] = special;
              return values;
            },
          }),
        ),
      ),
    ),
  ),
];

export const contractionCases: readonly Case[] = [
  ...sizeCases,
  ...emptyCases,
  ...dtypeCases,
  ...viewCases,
  ...epilogueCases,
  ...specialCases,
];
