import type { Instruction, MatmulKernel, Program } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import type { CompiledKernel, KernelContext, ProductLaunch } from "../kernel/launch.ts";
import { testTarget } from "../testKernel.ts";
import { compileMatmul } from "./index.ts";
import { productProgram } from "./testProducts.ts";

function compile(program: Program, context: Partial<KernelContext> = {}): CompiledKernel {
  const target = { ...testTarget, cublasLt: true, ...context.target };
  return compileMatmul(program.kernels[0] as MatmulKernel, { program, guarded: false, ...context, target });
}

function productOf({ launches }: CompiledKernel): ProductLaunch {
  const [launch] = launches;
  if (launch?.kind !== "product") throw new Error(`a ${launch?.kind} launch`);
  return launch;
}

const packed = { packed: true } as const;
const workspace = 32 * 2 ** 20;

describe("products by cuBLASLt", () => {
  it("describes row-major operands as column-major ones, exchanged", () => {
    // a [4096, 2048], b [2048, 1024] → [4096, 1024]
    const compiled = compile(productProgram(4096, 1024, 2048, packed));
    expect(compiled.launches).toHaveLength(1);
    const { description, a, b, d, workspace: place } = productOf(compiled);
    expect(description).toEqual({
      m: 1024,
      n: 4096,
      k: 2048,
      batch: 1,
      computeType: 68,
      scaleType: 0,
      alpha: 1,
      beta: 0,
      a: { type: 0, transposed: false, leading: 1024, batchStride: 0 },
      b: { type: 0, transposed: false, leading: 2048, batchStride: 0 },
      d: { type: 0, transposed: false, leading: 1024, batchStride: 0 },
      epilogue: 1,
      biasType: 0,
      workspaceBytes: workspace,
      choice: 0,
      alignment: 16,
    });
    expect([a, b, d]).toEqual([1, 0, 3].map((buffer) => ({ kind: "buffer", buffer, offset: 0 })));
    expect(place).toEqual({ kind: "scratch", offset: 0 });
    expect(compiled.scratchBytes).toBe(workspace);
  });

  it("transposes operands that lie along the other axis, and results", () => {
    const options = { ...packed, a: "packedLines", b: "packedK" } as const;
    expect(productOf(compile(productProgram(4096, 1024, 2048, options))).description).toMatchObject({
      a: { transposed: true, leading: 2048 },
      b: { transposed: true, leading: 4096 },
    });
    const stored = productOf(compile(productProgram(4096, 1024, 2048, { ...options, transposed: true })));
    expect(stored.description).toMatchObject({
      m: 4096,
      n: 1024,
      a: { transposed: false, leading: 4096 },
      b: { transposed: false, leading: 2048 },
      d: { leading: 4096 },
    });
    expect([stored.a, stored.b]).toMatchObject([{ buffer: 0 }, { buffer: 1 }]);
  });

  it("has batches of equal distances, and operands that all share", () => {
    const { description } = productOf(
      compile(productProgram(1024, 1024, 512, { ...packed, batch: [4, 3], broadcastA: [0, 1] })),
    );
    expect(description).toMatchObject({
      batch: 12,
      a: { batchStride: 512 * 1024 },
      b: { batchStride: 0 },
      d: { batchStride: 1024 * 1024 },
    });
  });

  it("knows the types of operands and results", () => {
    const describe = (options: object, target = {}) =>
      productOf(compile(productProgram(4096, 4096, 2048, { ...packed, ...options }), { target: target as never }))
        .description;
    expect(describe({ storage: ["bfloat16", "bfloat16", "float32"] })).toMatchObject({
      computeType: 68,
      scaleType: 0,
      a: { type: 14 },
      b: { type: 14 },
      d: { type: 0 },
    });
    expect(describe({ storage: ["float16", "float16", "float16"] })).toMatchObject({ a: { type: 2 }, d: { type: 2 } });
    expect(describe({}, { precision: "tf32" })).toMatchObject({ computeType: 77, a: { type: 0 } });
    expect(describe({ dtype: "float64" })).toMatchObject({ computeType: 70, scaleType: 1, d: { type: 1 } });
  });

  it("does scale, bias and residual in the product", () => {
    const shape = [4096, 1024, 2048] as const;
    const bias = productOf(compile(productProgram(...shape, { ...packed, body: "bias" })));
    expect(bias).toMatchObject({ description: { epilogue: 4, beta: 0 }, bias: { buffer: 2 } });
    const scaled = productOf(compile(productProgram(...shape, { ...packed, body: "scaled" })));
    expect(scaled.description).toMatchObject({ alpha: 0.5, epilogue: 1 });
    const residual = productOf(compile(productProgram(...shape, { ...packed, body: "residual" })));
    expect(residual).toMatchObject({ description: { beta: 1 }, c: { buffer: 4 }, d: { buffer: 3 } });
    const inPlace = productOf(compile(productProgram(...shape, { ...packed, body: "inPlace" })));
    expect(inPlace).toMatchObject({ description: { beta: 1 }, c: { buffer: 3 }, d: { buffer: 3 } });
  });

  it("leaves relu to a loop, which keeps a NaN", () => {
    const compiled = compile(productProgram(4096, 4096, 2048, { ...packed, body: "biasRelu" }));
    expect(productOf(compiled).description.epilogue).toBe(1);
    expect(compiled.launches.map(({ kind }) => kind)).toEqual(["product", "kernel"]);
  });

  it("puts the product aside for other epilogues, and a loop continues", () => {
    const compiled = compile(productProgram(4096, 4096, 2048, { ...packed, body: "gelu" }));
    const { description, d, workspace: place } = productOf(compiled);
    expect(description).toMatchObject({ epilogue: 1, d: { type: 0, leading: 4096 } });
    expect([d, place]).toEqual([
      { kind: "scratch", offset: 0 },
      { kind: "scratch", offset: 4096 * 4096 * 4 },
    ]);
    expect(compiled.launches.slice(1).map(({ kind }) => kind)).toEqual(["kernel"]);
    const [, loop] = compiled.launches;
    expect(loop?.kind === "kernel" && loop.arguments).toContainEqual({ kind: "scratch", offset: 0 });
    expect(compiled.scratchBytes).toBeGreaterThanOrEqual(4096 * 4096 * 4 + workspace);
  });

  it("keeps a product that is rounded first in the 16 bits it is rounded to", () => {
    const program = productProgram(4096, 4096, 2048, { ...packed, storage: ["bfloat16", "bfloat16", "bfloat16"] });
    const kernel = program.kernels[0] as MatmulKernel;
    const at = { offset: 0, strides: [4096, 1] };
    const body: Instruction[] = [
      { id: 0, op: "accumulator", dtype: "float32" },
      { id: 1, op: "roundTo", dtype: "float32", to: "bfloat16", args: [0] },
      { id: 2, op: "load", dtype: "float32", slot: 0, at: { offset: 0, strides: [0, 1] } },
      { id: 3, op: "add", dtype: "float32", args: [1, 2] },
      { id: 4, op: "roundTo", dtype: "float32", to: "bfloat16", args: [3] },
      { id: 5, op: "store", slot: 1, at, value: 4 },
    ];
    const rounded = { ...program, kernels: [{ ...kernel, epilogue: { ...kernel.epilogue, body } }] };
    // The sum with the bias is not what one rounding would give: the product alone is cuBLASLt's.
    const compiled = compile(rounded);
    expect(productOf(compiled).description).toMatchObject({ d: { type: 14 }, epilogue: 1 });
    expect(compiled.launches).toHaveLength(2);
    const plain = body.filter(({ id }) => id < 2).concat({ id: 2, op: "store", slot: 1, at, value: 1 });
    const direct = compile({ ...program, kernels: [{ ...kernel, epilogue: { ...kernel.epilogue, body: plain } }] });
    expect(direct.launches).toHaveLength(1);
    expect(productOf(direct)).toMatchObject({ description: { d: { type: 14 } }, d: { buffer: 3 } });
  });

  it("does not write what a failed run must not touch", () => {
    const compiled = compile(productProgram(4096, 4096, 2048, packed), { guarded: true });
    expect(compiled.launches.every((launch) => launch.kind !== "product" || launch.d.kind === "scratch")).toBe(true);
  });

  it("leaves to our own tiles what is small, not describable or not aligned", () => {
    const kinds = (program: Program) => compile(program).launches.map(({ kind }) => kind);
    expect(kinds(productProgram(128, 128, 128, packed))).toEqual(["kernel"]);
    expect(kinds(productProgram(2048, 2048, 2048, { ...packed, a: "neither" }))).toEqual(["kernel"]);
    expect(kinds(productProgram(2048, 2048, 2048, { ...packed, a: "k" }))).toEqual(["kernel"]);
    expect(kinds(productProgram(2048, 2048, 2048, { ...packed, dtype: "int32" }))).toEqual(["kernel"]);
    expect(kinds(productProgram(2048, 2048, 2048, { ...packed, storage: ["float32", "bfloat16", "float32"] }))).toEqual(
      ["kernel"],
    );
  });
});
