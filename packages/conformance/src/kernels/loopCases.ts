/** Element-wise loops: ranks and sizes, views of every kind, masks, gathered indices, several stores, in place. */
import { type Condition, contiguousStrides, type DType, dtypes, sizeOf } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { checkAll, checkProgram, type Expectation } from "./checkProgram.ts";
import { at, Draft, gathered, within } from "./programs.ts";
import { counting, fewBits, randomOf } from "./values.ts";

const loopCase = (name: string, drafts: () => Iterable<Draft>, expectation?: Expectation): Case => ({
  layer: "kernels",
  name: `loop: ${name}`,
  run: ({ backend }) => checkAll(backend, drafts(), expectation),
});

const storage = Object.keys(dtypes) as DType[];

/** About the widths that unrolled or vectorised code works in, and some above. */
export const edgeSizes: readonly number[] = [
  0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 257, 1000, 1023, 1025, 4099,
];

function copyOf(dtype: DType, size: number): Draft {
  const draft = new Draft();
  const [x, y] = [draft.input(dtype, fewBits(dtype, size, size + 1)), draft.output(dtype, size)];
  draft.map([size], (body) => body.store(y, [1], body.load(x, [1])));
  return draft;
}

const sizeCases: Case[] = [
  ...storage.map((dtype) => loopCase(`copies of every size, ${dtype}`, () => edgeSizes.map((n) => copyOf(dtype, n)))),
  ...(["float32", "float64", "int32", "uint32"] as const).map((dtype) =>
    loopCase(`sums of every size, ${dtype}`, () =>
      edgeSizes.map((n) => {
        const draft = new Draft();
        const x = draft.input(dtype, fewBits(dtype, n, n + 1));
        const y = draft.input(dtype, fewBits(dtype, n, n + 2));
        const z = draft.output(dtype, n);
        draft.map([n], (body) => {
          const product = body.binary("mul", body.load(x, [1]), body.load(y, [1]));
          body.store(z, [1], body.binary("add", product, body.constant(dtype, 3)));
        });
        return draft;
      }),
    ),
  ),
  loopCase("a hundred thousand elements", () => {
    const draft = new Draft();
    const n = 100_003;
    const [x, y] = [draft.input("float32", fewBits("float32", n)), draft.output("float32", n)];
    draft.map([n], (body) => body.store(y, [1], body.unary("neg", body.load(x, [1]))));
    return [draft];
  }),
  loopCase("many rows, and many columns", () =>
    [
      [15_001, 2],
      [2, 15_001],
      [181, 183],
    ].map((shape) => {
      const draft = new Draft();
      const [rows, columns] = shape as [number, number];
      const x = draft.input("int32", counting(rows * columns));
      const row = draft.input("int32", counting(rows));
      const column = draft.input("int32", counting(columns));
      const y = draft.output("int32", rows * columns);
      draft.map(shape, (body) => {
        const ends = body.binary("mul", body.load(row, [1, 0]), body.load(column, [0, 1]));
        body.store(y, [columns, 1], body.binary("sub", body.load(x, [columns, 1]), ends));
      });
      return draft;
    }),
  ),
];

/** Shapes of rank 0 to 6, with odd and edge sizes. */
const shapes: readonly (readonly number[])[] = [
  [],
  [5],
  [3, 7],
  [17, 9],
  [2, 33, 3],
  [4, 1, 5],
  [3, 5, 2, 9],
  [1, 8, 1, 3],
  [2, 3, 2, 2, 5],
  [2, 3, 1, 4, 2, 3],
  [3, 2, 2, 2, 2, 7],
  [2, 0, 3],
  [1, 1, 1, 1],
];

/** Every order of the axes for small ranks, some for others. */
function ordersOf(rank: number): number[][] {
  const axes = Array.from({ length: rank }, (_, i) => i);
  if (rank <= 1) return [axes];
  const rotated = axes.map((_, shift) => axes.map((i) => (i + shift) % rank));
  return [...rotated, ...rotated.map((order) => [...order].reverse())];
}

/** Strides over `shape` of a buffer in which the axes lie in `order`, the last of them side by side. */
function stridesInOrder(shape: readonly number[], order: readonly number[]): number[] {
  const inOrder = contiguousStrides(order.map((axis) => shape[axis] as number));
  return shape.map((_, axis) => inOrder[order.indexOf(axis)] as number);
}

interface View {
  readonly offset: number;
  readonly strides: readonly number[];
  /** Elements of the smallest buffer that has room for it, and some to spare. */
  readonly size: number;
}

/** A view of `shape` by these strides that starts as far in as negative ones need. */
export function viewOf(shape: readonly number[], strides: readonly number[], spare = 3): View {
  let [low, high] = [0, 0];
  for (const [axis, stride] of strides.entries()) {
    const reach = stride * Math.max((shape[axis] as number) - 1, 0);
    if (reach < 0) low += reach;
    else high += reach;
  }
  return { offset: spare - low, strides, size: high - low + 1 + 2 * spare };
}

function viewDraft(shape: readonly number[], from: View, to: View): Draft {
  const draft = new Draft();
  const [x, y] = [draft.input("int32", counting(from.size)), draft.output("int32", to.size)];
  draft.map(shape, (body) => body.store(y, to, body.load(x, from)));
  return draft;
}

const viewCases: Case[] = [
  loopCase("every rank, axes in every order, read and written", () =>
    shapes.flatMap((shape) => {
      const plain = viewOf(shape, contiguousStrides(shape), 0);
      return ordersOf(shape.length).flatMap((order) => {
        const permuted = viewOf(shape, stridesInOrder(shape, order), 0);
        return [viewDraft(shape, permuted, plain), viewDraft(shape, plain, permuted)];
      });
    }),
  ),
  loopCase("steps, gaps and offsets", () =>
    shapes.flatMap((shape) => {
      const wide = contiguousStrides(shape).map((stride) => stride * 3);
      const plain = contiguousStrides(shape);
      return [
        viewDraft(shape, viewOf(shape, wide, 2), viewOf(shape, plain, 5)),
        viewDraft(shape, viewOf(shape, plain, 1), viewOf(shape, wide, 4)),
      ];
    }),
  ),
  loopCase("axes in reverse", () =>
    shapes.flatMap((shape) => {
      const plain = contiguousStrides(shape);
      return shape.map((_, axis) => {
        const reversed = plain.map((stride, i) => (i === axis || i === 0 ? -stride : stride));
        return viewDraft(shape, viewOf(shape, reversed, 1), viewOf(shape, axis % 2 === 0 ? plain : reversed, 1));
      });
    }),
  ),
  loopCase("axes repeated by stride 0", () =>
    shapes.flatMap((shape) => {
      const plain = contiguousStrides(shape);
      const masks = [1, 2, 3, 5, 2 ** shape.length - 1];
      return masks.map((mask) => {
        const repeated = plain.map((stride, i) => ((mask >> i) & 1 ? 0 : stride));
        return viewDraft(shape, viewOf(shape, repeated, 1), viewOf(shape, plain, 0));
      });
    }),
  ),
  loopCase("overlapping windows", () => [
    viewDraft([30, 5], { offset: 0, strides: [2, 1], size: 63 }, viewOf([30, 5], [5, 1], 0)),
    viewDraft([4, 4, 3, 3], { offset: 0, strides: [6, 1, 6, 1], size: 36 }, viewOf([4, 4, 3, 3], [36, 9, 3, 1], 0)),
    viewDraft([7, 7], { offset: 6, strides: [1, -1], size: 13 }, viewOf([7, 7], [7, 1], 0)),
  ]),
];

/** Loads that happen only where conditions hold; elsewhere they give 0 and touch nothing. */
function maskedDraft(
  shape: readonly number[],
  size: number,
  from: { readonly offset: number; readonly strides: readonly number[] },
  conditions: readonly Condition[],
): Draft {
  const draft = new Draft();
  const [x, y] = [draft.input("int32", counting(size)), draft.output("int32", sizeOf(shape))];
  draft.map(shape, (body) => body.store(y, contiguousStrides(shape), body.load(x, from, ...conditions)));
  return draft;
}

const maskCases: Case[] = [
  loopCase("padding before and after, of every width", () => {
    const drafts: Draft[] = [];
    for (const size of [0, 1, 7, 8, 16, 33]) {
      for (const before of [0, 1, 2, 9]) {
        for (const after of [0, 1, 8]) {
          const condition = within(at(-before, 1), 0, size);
          drafts.push(maskedDraft([before + size + after], size, at(-before, 1), [condition]));
        }
      }
    }
    return drafts;
  }),
  loopCase("one condition, at both its edges", () => {
    const drafts: Draft[] = [];
    for (const [lo, hi] of [
      [0, 10],
      [0, 9],
      [1, 10],
      [3, 7],
      [4, 5],
      [5, 5],
      [-3, 4],
      [8, 20],
      [-5, 0],
      [10, 12],
    ] as const) {
      drafts.push(maskedDraft([10], 10, at(0, 1), [within([1], lo, hi)]));
      drafts.push(maskedDraft([10], 10, at(9, -1), [within(at(9, -1), lo, hi)]));
      drafts.push(maskedDraft([10], 10, at(0, 1), [within(at(1, 2), lo, hi)]));
      drafts.push(maskedDraft([3, 10], 30, at(0, 10, 1), [within([3, 1], lo, hi)]));
      drafts.push(maskedDraft([10, 3], 30, at(0, 3, 1), [within([1, 0], lo, hi)]));
    }
    return drafts;
  }),
  loopCase("several conditions, on one axis and across axes", () => [
    maskedDraft([6, 7], 12, at(-9, 4, 1), [within(at(-2, 1, 0), 0, 3), within(at(-1, 0, 1), 0, 4)]),
    maskedDraft([9, 9], 81, at(0, 9, 1), [within([1, -1], 0, 9), within([1, 1], 3, 12)]),
    maskedDraft([9, 9], 81, at(0, 9, 1), [within([1, -1], -2, 3), within([0, 1], 1, 8), within([1, 0], 2, 9)]),
    maskedDraft([40], 40, at(0, 1), [within([1], 3, 30), within(at(-20, 1), -10, 5), within(at(0, -1), -28, 0)]),
    maskedDraft([3, 4, 5, 6], 360, at(0, 120, 30, 6, 1), [within([0, 1, 0, 0], 1, 3), within([0, 0, 1, 1], 2, 8)]),
    maskedDraft([12], 0, at(0, 1), [within([1], 12, 20)]),
  ]),
  loopCase("condition that holds at some elements between others", () => [
    // Multiples only: a strided window put back, as the derivative of a step does.
    ...[2, 3].map((step) => {
      const draft = new Draft();
      const [x, y] = [draft.input("int32", counting(40)), draft.output("int32", 40)];
      draft.map([40], (body) => {
        const i = body.index([1]);
        const rest = body.binary("mod", i, body.constant("int32", step));
        const zero = body.binary("equal", rest, body.constant("int32", 0));
        body.store(y, [1], body.where(zero, body.load(x, [1]), body.constant("int32", -5)));
      });
      return draft;
    }),
  ]),
  loopCase("masked loads side by side, joined", () => {
    const draft = new Draft();
    const [a, b, c] = [counting(10), counting(5), counting(18)].map((values) => draft.input("float32", values)) as [
      number,
      number,
      number,
    ];
    const y = draft.output("float32", 33);
    draft.map([33], (body) => {
      const first = body.load(a, [1], within([1], 0, 10));
      const second = body.load(b, at(-10, 1), within([1], 10, 15));
      const third = body.load(c, at(-15, 1), within([1], 15, 33));
      body.store(y, [1], body.binary("add", body.binary("add", first, second), third));
    });
    return [draft];
  }),
];

function gatherDraft(rows: number, columns: number, indices: readonly number[], dtype: "int32" | "uint32"): Draft {
  const draft = new Draft();
  const index = draft.input(dtype, indices);
  const x = draft.input("float32", counting(rows * columns));
  const y = draft.output("float32", indices.length * columns);
  draft.map([indices.length, columns], (body) => {
    const row = { value: body.load(index, [1, 0]), stride: columns, size: rows };
    body.store(y, [columns, 1], body.load(x, gathered([0, 1], row)));
  });
  return draft;
}

const gatherCases: Case[] = [
  loopCase("gathered rows", () => [
    gatherDraft(5, 4, [4, 0, 2, 2, 4, 1, 3], "int32"),
    gatherDraft(5, 1, [0, 4, 4, 0, 3], "uint32"),
    gatherDraft(1, 33, [0, 0, 0], "int32"),
    gatherDraft(
      100,
      17,
      Array.from({ length: 65 }, (_, i) => (i * 37) % 100),
      "int32",
    ),
    gatherDraft(3, 2, [], "int32"),
  ]),
  loopCase("two gathered indices, and a gathered condition", () => {
    const draft = new Draft();
    const random = randomOf(3);
    const of = (below: number) => Array.from({ length: 50 }, () => random(below));
    const [i, j] = [draft.input("int32", of(6)), draft.input("int32", of(9))];
    const x = draft.input("float32", counting(54));
    const [y, z] = [draft.output("float32", 50), draft.output("float32", 50)];
    draft.map([50], (body) => {
      const row = { value: body.load(i, [1]), stride: 9, size: 6 };
      const column = { value: body.load(j, [1]), stride: -1, size: 9 };
      body.store(y, [1], body.load(x, gathered(at(8, 0), row, column)));
      const lower = within(gathered([0], { ...row, stride: 2 }, { ...column, stride: 1 }), 3, 11);
      body.store(z, [1], body.load(x, gathered(at(8, 0), row, column), lower));
    });
    return [draft];
  }),
  loopCase("an index found through an index", () => {
    const draft = new Draft();
    const [p, q] = [draft.input("int32", [3, 1, 0, 2, 3]), draft.input("int32", [5, 0, 2, 4])];
    const x = draft.input("float64", counting(6));
    const y = draft.output("float64", 5);
    draft.map([5], (body) => {
      const first = body.load(p, [1]);
      const second = body.load(q, gathered([0], { value: first, stride: 1, size: 4 }));
      body.store(y, [1], body.load(x, gathered([0], { value: second, stride: 1, size: 6 })));
    });
    return [draft];
  }),
  loopCase("an index out of range where no access happens", () => {
    const draft = new Draft();
    const index = draft.input("int32", [2, 99, -7, 0, 1]);
    const x = draft.input("float32", [10, 20, 30]);
    const y = draft.output("float32", 5);
    draft.map([5], (body) => {
      const value = body.load(index, [1]);
      const term = { value, stride: 1, size: 3 };
      body.store(y, [1], body.load(x, gathered([0], term), within(gathered([0], term), 0, 3)));
    });
    return [draft];
  }),
  {
    layer: "kernels",
    name: "loop: an index computed in the kernel",
    run: async ({ backend }) => {
      const draft = new Draft();
      const x = draft.input("float32", counting(7));
      const y = draft.output("float32", 20);
      draft.map([20], (body) => {
        const value = body.binary("mod", body.index(at(-9, 3)), body.constant("int32", 7));
        body.store(y, [1], body.load(x, gathered([0], { value, stride: 1, size: 7 })));
      });
      const known = Array.from({ length: 20 }, (_, i) => ((((3 * i - 9) % 7) + 7) % 7) + 1);
      await checkProgram(backend, draft, { known: [[y, known]] });
    },
  },
];

const storeCases: Case[] = [
  loopCase("several stores of different values, dtypes and orders", () => {
    const draft = new Draft();
    const [rows, columns] = [13, 21];
    const x = draft.input("float32", fewBits("float32", rows * columns));
    const names = ["float32", "float64", "int32", "uint32", "bool", "float16", "bfloat16"] as const;
    const outputs = names.map((dtype) => draft.output(dtype, rows * columns + 4));
    draft.map([rows, columns], (body) => {
      const value = body.load(x, [columns, 1]);
      const square = body.binary("mul", value, value);
      const given = [
        square,
        body.cast("float64", value),
        body.cast("int32", square),
        body.cast("uint32", square),
        body.binary("less", value, square),
        body.unary("neg", value),
        body.binary("add", value, square),
      ];
      for (const [i, value] of given.entries()) {
        body.store(outputs[i] as number, at(i % 5, ...(i % 2 === 0 ? [columns, 1] : [1, rows])), value);
      }
    });
    return [draft];
  }),
  loopCase("one buffer, written in two halves", () => {
    const draft = new Draft();
    const x = draft.input("float32", counting(20));
    const y = draft.output("float32", 40);
    draft.map([20], (body) => {
      const value = body.load(x, [1]);
      body.store(y, [1], value);
      body.store(y, at(39, -1), body.unary("neg", value));
    });
    return [draft];
  }),
  loopCase("in place: what is stored was loaded from there", () =>
    (["float32", "float16", "int32"] as const).flatMap((dtype) =>
      [1, 17, 130].map((n) => {
        const draft = new Draft();
        const p = draft.parameter(dtype, fewBits(dtype, n, 4));
        const g = draft.input(dtype, fewBits(dtype, n, 5));
        const before = draft.output(dtype, n);
        draft.map([n], (body) => {
          const value = body.load(p, [1]);
          body.store(p, [1], body.binary("sub", value, body.load(g, [1])));
          body.store(before, [1], value);
        });
        return draft;
      }),
    ),
  ),
  loopCase("in place: what was stored is loaded again", () => {
    const draft = new Draft();
    const p = draft.parameter("float32", fewBits("float32", 35));
    const y = draft.output("float32", 35);
    draft.map([5, 7], (body) => {
      const value = body.load(p, [7, 1]);
      body.store(p, [7, 1], body.binary("add", value, value));
      body.store(y, [1, 5], body.unary("neg", body.load(p, [7, 1])));
    });
    return [draft];
  }),
  loopCase("in place through a view in another order", () => {
    const draft = new Draft();
    const p = draft.parameter("float32", counting(48));
    draft.map([4, 6], (body) => {
      const value = body.load(p, at(1, 2, 8));
      body.store(p, at(1, 2, 8), body.unary("neg", value));
    });
    return [draft];
  }),
  loopCase("outputs that are read again by the next kernel", () => {
    const draft = new Draft();
    const x = draft.input("float32", counting(30));
    const [y, z] = [draft.output("float32", 30), draft.output("float32", 30)];
    draft.map([30], (body) => body.store(y, [1], body.unary("neg", body.load(x, [1]))));
    draft.map([30], (body) => body.store(z, [1], body.binary("sub", body.load(y, at(29, -1)), body.load(x, [1]))));
    return [draft];
  }),
];

export const loopCases: readonly Case[] = [...sizeCases, ...viewCases, ...maskCases, ...gatherCases, ...storeCases];
