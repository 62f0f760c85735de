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
