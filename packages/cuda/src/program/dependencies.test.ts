import type { Program } from "@thalweg/core/backend";
import { expect, it } from "vitest";
import { kernelDependencies, launchDependencies } from "./dependencies.ts";

const copy = (from: number, to: number): Program["kernels"][number] => ({
  kind: "loop",
  label: `${from} to ${to}`,
  outer: [4],
  inner: [],
  stages: [
    {
      over: "outer",
      body: [
        { id: 0, op: "load", dtype: "float32", slot: 0, at: { offset: 0, strides: [1] } },
        { id: 1, op: "store", slot: 1, at: { offset: 0, strides: [1] }, value: 0 },
      ],
    },
  ],
  segments: [{ size: 4, buffers: [from, to] }],
});

it("lets kernels run side by side whose memory does not meet", () => {
  const temporary = (offset: number) => ({ dtype: "float32", size: 4, kind: "temporary", offset }) as const;
  const program: Program = {
    buffers: [
      { dtype: "float32", size: 4, kind: "input" },
      temporary(0),
      temporary(64),
      // Shares the bytes of the first temporary.
      temporary(0),
      { dtype: "float32", size: 4, kind: "output" },
      { dtype: "float32", size: 4, kind: "output" },
    ],
    uniforms: [],
    kernels: [copy(0, 1), copy(0, 2), copy(1, 4), copy(2, 3), copy(3, 5), copy(4, 5)],
    arenaBytes: 128,
  };
  // 3 overwrites what 2 reads; 5 waits for 4, and so for all.
  expect(kernelDependencies(program)).toEqual([[], [], [0], [1, 2], [3], [4]]);
  expect(launchDependencies([[], [], [0], [1, 2], [3], [4]], [2, 1, 0, 1, 1, 1])).toEqual([
    [],
    [0],
    [],
    [2, 1],
    [3],
    [4],
  ]);
});

/** As `copy`, of rows that an index picks. */
const gather = (from: number, index: number, to: number): Program["kernels"][number] => ({
  kind: "loop",
  label: `rows of ${from} to ${to}`,
  outer: [4],
  inner: [],
  stages: [
    {
      over: "outer",
      body: [
        { id: 0, op: "load", dtype: "int32", slot: 0, at: { offset: 0, strides: [1] } },
        {
          id: 1,
          op: "load",
          dtype: "float32",
          slot: 1,
          at: { offset: 0, strides: [0], dynamic: [{ value: 0, stride: 1, size: 4 }] },
        },
        { id: 2, op: "store", slot: 2, at: { offset: 0, strides: [1] }, value: 1 },
      ],
    },
  ],
  segments: [{ size: 4, buffers: [index, from, to] }],
});

it("keeps kernels that may fail apart from those that look whether one has", () => {
  const float = { dtype: "float32", size: 4 } as const;
  const temporary = (offset: number) => ({ ...float, kind: "temporary", offset }) as const;
  const program: Program = {
    buffers: [
      { ...float, kind: "input" },
      { dtype: "int32", size: 4, kind: "input" },
      temporary(0),
      temporary(64),
      { ...float, kind: "output" },
      temporary(128),
    ],
    uniforms: [],
    kernels: [gather(0, 1, 2), copy(0, 4), gather(0, 1, 3), copy(0, 5)],
    arenaBytes: 192,
  };
  // 1 writes what outlives the run, so it waits for 0, and 2 for it; 3 has nothing to do with any of them.
  expect(kernelDependencies(program)).toEqual([[], [0], [1], []]);
});

it("keeps kernels apart that share scratch memory", () => {
  const output = { dtype: "float32", size: 4, kind: "output" } as const;
  const program: Program = {
    buffers: [{ dtype: "float32", size: 4, kind: "input" }, output, output, output],
    uniforms: [],
    kernels: [copy(0, 1), copy(0, 2), copy(0, 3)],
    arenaBytes: 0,
  };
  expect(kernelDependencies(program)).toEqual([[], [], []]);
  expect(kernelDependencies(program, [true, false, true])).toEqual([[], [], [0]]);
});
