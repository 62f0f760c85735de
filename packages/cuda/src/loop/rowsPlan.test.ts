import type { LoopKernel, Program } from "@thalweg/core/backend";
import { describe, expect, test } from "vitest";
import type { KernelLaunch } from "../kernel/launch.ts";
import { testTarget } from "../testKernel.ts";
import { at, buffer, load, loopProgram, reduce, store } from "../testLoops.ts";
import { compileRows } from "./rows.ts";
import { keptChoices } from "./rowsKept.ts";
import { planRows } from "./rowsPlan.ts";
import { reduction, softmax } from "./testRows.ts";

const layoutOf = (program: Program) => {
  const { outer, inner, stages, segments } = program.kernels[0] as LoopKernel;
  const dtypes = program.buffers.map(({ dtype }) => dtype);
  const choices = keptChoices(
    stages,
    outer.length,
    dtypes,
    (a, b) => segments[0]?.buffers[a] === segments[0]?.buffers[b],
  );
  const { plan } = planRows({ outer, inner, stages }, dtypes, choices, true, testTarget.sharedBytesPerBlock);
  const { mode, width, team, teams, splits, keep } = plan;
  return { mode, width, team, teams, splits, keep };
};

const launchesOf = (program: Program): readonly KernelLaunch[] =>
  compileRows(program.kernels[0] as LoopKernel, { program, target: testTarget, guarded: false })
    .launches as readonly KernelLaunch[];

describe("which threads share a row", () => {
  test("a part of a warp, a warp, a block; what is read again stays in registers, then in shared memory", () => {
    const rows = { mode: "rows", splits: 1, width: 4 };
    expect(layoutOf(softmax(1 << 20, 4, 4, 1))).toEqual({ ...rows, team: 1, teams: 128, keep: "registers" });
    expect(layoutOf(softmax(1 << 20, 64, 64, 1))).toEqual({ ...rows, team: 16, teams: 16, keep: "registers" });
    expect(layoutOf(softmax(65_536, 1024, 1024, 1))).toEqual({ ...rows, team: 32, teams: 8, keep: "registers" });
    expect(layoutOf(softmax(16_384, 4096, 4096, 1))).toEqual({ ...rows, team: 256, teams: 1, keep: "registers" });
    expect(layoutOf(softmax(8192, 50_257, 50_257, 1))).toEqual({
      ...rows,
      width: 1,
      team: 1024,
      teams: 1,
      keep: "shared",
    });
  });

  test("sixteen bytes of any storage dtype", () => {
    expect(layoutOf(softmax(65_536, 1024, 1024, 1, "bfloat16")).width).toBe(8);
    expect(layoutOf(reduction("sum", 4096, 4096, [4096, 1], "float64")).width).toBe(2);
    expect(layoutOf(reduction("sum", 4096, 4098, [4098, 1])).width).toBe(2);
  });

  test("columns: threads along the row that is contiguous, several blocks where there are few", () => {
    const columns = { mode: "columns", width: 4, teams: 32, team: 8, keep: "nowhere" };
    expect(layoutOf(reduction("sum", 768, 8192, [1, 768]))).toEqual({ ...columns, splits: 128 });
    expect(layoutOf(reduction("sum", 1 << 16, 1024, [1, 1 << 16]))).toEqual({ ...columns, splits: 1 });
    expect(layoutOf(reduction("sum", 1 << 20, 3, [3, 1]))).toMatchObject({ mode: "columns", team: 1, width: 1 });
  });

  test("a whole reduction is cut by its size alone", () => {
    const { team, teams, splits, width } = layoutOf(reduction("sum", 1, 1 << 26, [1 << 26, 1]));
    expect({ team, teams, width }).toEqual({ team: 256, teams: 1, width: 4 });
    expect(splits).toBeGreaterThan(1000);
    expect(layoutOf(reduction("sum", 1, 1000, [1000, 1])).splits).toBe(1);
  });
});

test("elements are read from memory once", () => {
  for (const program of [
    softmax(65_536, 1024, 1024, 1),
    softmax(8192, 50_257, 50_257, 1),
    softmax(8192, 64, 1, 8192),
  ]) {
    const [launch] = launchesOf(program);
    // Every load of the row is in the first pass: none after the first result of a reduction.
    const [, after = ""] = (launch as KernelLaunch).source.split(/ v1_0 = /);
    expect(after).toMatch(/store/);
    expect(after).not.toMatch(/load/);
  }
});

test("offsets beyond 32 bits", () => {
  const huge = reduction("sum", 1, 3_000_000_000, [1, 1]);
  expect(launchesOf(huge)[0]?.source).toMatch(/const long long begin/);
  expect(launchesOf(reduction("sum", 1, 1 << 20, [1, 1]))[0]?.source).not.toMatch(/long long/);
});

test("a row of several launches leaves its results to the next", () => {
  const size = 1 << 20;
  const program = loopProgram({
    buffers: [buffer(size), buffer(size, "output")],
    outer: [],
    inner: [size],
    stages: [
      ["inner", [load(0, at([1])), reduce("max", 0)]],
      ["inner", [load(0, at([1])), { op: "sub", dtype: "float32", args: [2, 1] }, store(1, at([1]), 3)]],
    ],
  });
  const launches = launchesOf(program);
  expect(launches.length).toBe(2);
  expect(launches[0]?.arguments.map(({ kind }) => kind)).toEqual(["buffer", "scratch", "counters", "scratch"]);
  expect(launches[1]?.arguments.map(({ kind }) => kind)).toEqual(["buffer", "buffer", "scratch"]);
});
