/** One body over several sets of buffers. */
import type { ComputeDType } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { checkAll, checkProgram } from "./checkProgram.ts";
import { Draft } from "./programs.ts";
import { counting, fewBits } from "./values.ts";

const segmentCase = (name: string, drafts: () => Iterable<Draft>): Case => ({
  layer: "kernels",
  name: `segments: ${name}`,
  run: ({ backend }) => checkAll(backend, drafts()),
});

const sizesOf = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => [5, 0, 64, 1, 3, 17, 129, 8][i % 8] as number);

/** p ← p - rate · g and m ← 2m + g, as an optimizer does it: in place, the rate a uniform, a scalar buffer shared by all. */
function update(count: number, dtype: ComputeDType = "float32", sizes = sizesOf(count)): Draft {
  const draft = new Draft();
  const rate = draft.uniform(dtype, dtype === "float32" || dtype === "float64" ? 0.5 : 3);
  const shared = draft.input(dtype, [2]);
  const rows = sizes.map((size, i) => [
    draft.parameter(dtype, fewBits(dtype, size, 3 * i)),
    draft.parameter(dtype, fewBits(dtype, size, 3 * i + 1)),
    draft.input(dtype, fewBits(dtype, size, 3 * i + 2)),
    shared,
  ]);
  return draft.segments(sizes, rows, (body, [p, m, g, two]) => {
    const gradient = body.load(g as number, [1]);
    const doubled = body.binary("mul", body.load(m as number, [1]), body.load(two as number, [0]));
    body.store(m as number, [1], body.binary("add", doubled, gradient));
    const step = body.binary("mul", body.uniform(rate), gradient);
    body.store(p as number, [1], body.binary("sub", body.load(p as number, [1]), step));
  });
}

/** Each segment its own scalar, and outputs of another dtype. */
function scaled(sizes: readonly number[]): Draft {
  const draft = new Draft();
  const rows = sizes.map((size, i) => [
    draft.input("float32", counting(size)),
    draft.input("float32", [i + 1]),
    draft.output("float32", size),
    draft.output("int32", size),
  ]);
  return draft.segments(sizes, rows, (body, [x, scale, y, z]) => {
    const value = body.binary("mul", body.load(x as number, [1]), body.load(scale as number, [0]));
    body.store(y as number, [1], value);
    body.store(z as number, [1], body.binary("add", body.cast("int32", value), body.index([1])));
  });
}

export const segmentCases: readonly Case[] = [
  segmentCase("one, two, seven and forty of them, updated in place", () => [1, 2, 7, 40].map((n) => update(n))),
  ...(["float64", "int32", "uint32"] as const).map((dtype) =>
    segmentCase(`updated in place, ${dtype}`, () => [update(7, dtype)]),
  ),
  segmentCase("the first or the last of them empty or of one element", () => [
    update(0, "float32", [0, 5]),
    update(0, "float32", [5, 0]),
    update(0, "float32", [1, 1]),
    update(0, "float32", [0, 0, 1]),
    update(0, "float32", [4099, 1, 2000]),
  ]),
  segmentCase("equal sizes", () => [update(0, "float32", [16, 16, 16, 16]), update(0, "float32", [7, 7])]),
  segmentCase("a scalar of its own for each, and two outputs", () => [scaled([3, 0, 1, 40]), scaled([9, 9])]),
  {
    layer: "kernels",
    name: "segments: two and three elements, by hand",
    run: async ({ backend }) => {
      const draft = new Draft();
      const [a, b] = [draft.parameter("float32", [1, 2]), draft.parameter("float32", [3, 4, 5])];
      const ten = draft.input("float32", [10]);
      draft.segments(
        [2, 3],
        [
          [a, ten],
          [b, ten],
        ],
        (body, [p, scale]) => {
          body.store(
            p as number,
            [1],
            body.binary("mul", body.load(p as number, [1]), body.load(scale as number, [0])),
          );
        },
      );
      await checkProgram(backend, draft, {
        known: [
          [a, [10, 20]],
          [b, [30, 40, 50]],
        ],
      });
    },
  },
];
