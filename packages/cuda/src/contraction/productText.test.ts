import type { Instruction, MatmulKernel, Program } from "@thalweg/core/backend";
import { expect, it } from "vitest";
import { testTarget } from "../testKernel.ts";
import { compileMatmul } from "./index.ts";
import { productProgram } from "./testProducts.ts";

/** The program with an epilogue that adds what an index from memory points to. */
function gathering(program: Program): MatmulKernel {
  const kernel = program.kernels[0] as MatmulKernel;
  const store = kernel.epilogue.body.at(-1) as Extract<Instruction, { op: "store" }>;
  const [offset, strides] = [0, store.at.strides.map(() => 0)];
  const body: Instruction[] = [
    { id: 0, op: "accumulator", dtype: "float32" },
    { id: 1, op: "constant", dtype: "int32", value: 1 },
    {
      id: 2,
      op: "load",
      dtype: "float32",
      slot: 0,
      at: { offset, strides, dynamic: [{ value: 1, stride: 1, size: 4 }] },
    },
    { id: 3, op: "add", dtype: "float32", args: [0, 2] },
    { ...store, id: 4, value: 3 },
  ];
  return { ...kernel, epilogue: { ...kernel.epilogue, body } };
}

it("lets no block wait for others that may stop since an index was out of range", () => {
  for (const program of [productProgram(64, 64, 8192), productProgram(1, 64, 8192, { b: "packedK" })]) {
    const counters = (kernel: MatmulKernel, guarded: boolean): number =>
      compileMatmul(kernel, { program, target: testTarget, guarded }).counterBytes;
    const [plain, kernel] = [program.kernels[0] as MatmulKernel, gathering(program)];
    expect(counters(plain, true)).toBeGreaterThan(0);
    expect(counters(kernel, false)).toBeGreaterThan(0);
    expect(counters(kernel, true)).toBe(0);
  }
});
