import type { Instruction, Program } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { canEmulate } from "../testEmulation.ts";
import { runProgram } from "../testKernel.ts";
import { kernelLaunch } from "./kernelLaunch.ts";

const pointer = (buffer: number) =>
  ({ type: "float*", name: `p${buffer}`, argument: { kind: "buffer", buffer } }) as const;

describe("kernelLaunch", () => {
  it("writes the function, its bounds and its parameters", () => {
    const {
      source,
      grid,
      block,
      arguments: list,
    } = kernelLaunch(
      {
        parameters: [{ ...pointer(3), restrict: true }],
        body: "p3[0] = 1;",
        grid: 2,
        block: [32, 4, 1],
        minimumBlocks: 3,
      },
      { guarded: false },
    );
    expect(source).toBe(
      'extern "C" __global__ void __launch_bounds__(128, 3) KERNEL(float* __restrict__ p3) {\np3[0] = 1;\n}\n',
    );
    expect([grid, block, list]).toEqual([[2, 1, 1], [32, 4, 1], [{ kind: "buffer", buffer: 3 }]]);
  });

  it("asks the status once per block where it is guarded", () => {
    const { source, arguments: list } = kernelLaunch(
      { parameters: [pointer(0)], body: "p0[0] = 1;", grid: 1, block: 32 },
      { guarded: true },
    );
    expect(source).toContain("(float* p0, Status* status) {\n__shared__ int failedBefore;");
    expect(source.indexOf("if (failedBefore) return;")).toBeLessThan(source.indexOf("p0[0] = 1;"));
    expect(list).toEqual([{ kind: "buffer", buffer: 0 }, { kind: "status" }]);
  });

  it.skipIf(!canEmulate)("takes more buffers than a function has parameters", () => {
    const count = 130;
    const body: Instruction[] = [{ id: 0, op: "constant", dtype: "float32", value: 0 }];
    const at = { offset: 0, strides: [1] };
    for (let slot = 0; slot < count; slot++) {
      const id = body.length;
      body.push({ id, op: "load", dtype: "float32", slot, at });
      body.push({ id: id + 1, op: "add", dtype: "float32", args: [id - 1, id] });
    }
    body.push({ id: body.length, op: "store", slot: count, at, value: body.length - 1 });
    const program: Program = {
      buffers: Array.from({ length: count + 1 }, (_, i) => ({
        dtype: "float32",
        size: 3,
        kind: i < count ? "input" : "output",
      })),
      uniforms: [],
      kernels: [
        {
          kind: "loop",
          label: "sum of many",
          outer: [3],
          inner: [],
          stages: [{ over: "outer", body }],
          segments: [{ size: 3, buffers: Array.from({ length: count + 1 }, (_, i) => i) }],
        },
      ],
      arenaBytes: 0,
    };
    const inputs = Array.from({ length: count }, (_, i) => Float32Array.of(i, 2 * i, 1));
    const results = runProgram(program, [...inputs, new Float32Array(3)]);
    const total = (count * (count - 1)) / 2;
    expect(Array.from(results[count] as Float32Array)).toEqual([total, 2 * total, count]);
  });
});
