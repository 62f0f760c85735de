import type { DType, Program } from "@thalweg/core/backend";
import { expect, test } from "vitest";
import { testTarget } from "../testKernel.ts";
import { at, buffer, differenceOf, load, loopProgram, operation, store } from "../testLoops.ts";
import { elementwiseLaunch } from "./elementwise.ts";

const transposed = (rows: number, columns: number, dtype: DType = "float32"): Program => {
  const of = dtype === "bfloat16" ? "float32" : dtype;
  return loopProgram({
    buffers: [buffer(rows * columns, "input", dtype), buffer(rows * columns, "output", dtype)],
    outer: [rows, columns],
    stages: [["outer", [{ ...load(0, at([1, rows])), dtype: of }, store(1, at([columns, 1]), 0)]]],
  } as Parameters<typeof loopProgram>[0]);
};

/** Of one multiprocessor, so that a few thousand elements are many. */
const small = { ...testTarget, multiprocessors: 1 };

const sourceOf = (program: Program, target = small): string =>
  elementwiseLaunch(
    program.kernels[0] as never,
    program.buffers.map((_, i) => i),
    {
      program,
      target,
      guarded: false,
    },
  )?.source ?? "";

test("transpositions of whole and ragged tiles", () => {
  const programs = [
    transposed(64, 96),
    transposed(53, 61),
    transposed(128, 64),
    transposed(181, 83),
    transposed(600, 17),
    transposed(20, 599),
  ];
  for (const program of programs) expect(sourceOf(program)).toContain("tile0");
  expect(differenceOf(programs, { target: small })).toBeUndefined();
});

test("of every width of element", () => {
  const dtypes = ["float64", "int32", "bool", "bfloat16"] as const;
  const programs = dtypes.flatMap((dtype) => [
    transposed(64, 36, dtype),
    transposed(72, 196, dtype),
    transposed(91, 187, dtype),
  ]);
  for (const program of programs) expect(sourceOf(program)).toContain("tile0");
  expect(differenceOf(programs, { target: small })).toBeUndefined();
});

test("inside of a larger body, in a batch, with conditions, two at once", () => {
  const [n, h, w, c] = [2, 9, 7, 60];
  const total = n * h * w * c;
  // Channels last from channels first, plus a contiguous operand and a bias, in place.
  const toLast = loopProgram({
    buffers: [buffer(total), buffer(total, "parameter"), buffer(c)],
    outer: [n, h, w, c],
    stages: [
      [
        "outer",
        [
          load(0, at([c * h * w, w, 1, h * w])),
          load(1, at([h * w * c, w * c, c, 1])),
          load(2, at([0, 0, 0, 1])),
          operation("add", 0, 1),
          operation("mul", 3, 2),
          store(1, at([h * w * c, w * c, c, 1]), 4),
        ],
      ],
    ],
  });
  const padded = loopProgram({
    buffers: [buffer(90 * 100), buffer(90 * 100), buffer(90 * 100, "output")],
    outer: [100, 90],
    stages: [
      [
        "outer",
        [
          load(0, at([1, 100], -3), { conditions: [{ affine: at([1, 0]), lo: 3, hi: 90 }] }),
          load(1, at([1, 100])),
          operation("sub", 0, 1),
          store(2, at([90, 1]), 2),
        ],
      ],
    ],
  });
  for (const program of [toLast, padded]) expect(sourceOf(program)).toContain("tile0");
  expect(sourceOf(padded)).toContain("tile1");
  expect(differenceOf([toLast, padded], { target: small })).toBeUndefined();
});

test("what is small, or contiguous after all, needs no tiles", () => {
  expect(sourceOf(transposed(64, 64), testTarget)).not.toContain("tile0");
  expect(sourceOf(transposed(10_000, 4))).not.toContain("tile0");
  // Both sides permuted alike: a copy of one dimension.
  const same = loopProgram({
    buffers: [buffer(512 * 512), buffer(512 * 512, "output")],
    outer: [512, 512],
    stages: [["outer", [load(0, at([1, 512])), store(1, at([1, 512]), 0)]]],
  });
  expect(sourceOf(same)).not.toContain("tile0");
  expect(sourceOf(same, testTarget)).toContain("elements");
});
