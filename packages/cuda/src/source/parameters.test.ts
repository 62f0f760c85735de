import type { BufferSpec, DType, Instruction, Program } from "@thalweg/core/backend";
import { expect, it } from "vitest";
import { bodyNeeds, bodyParameters } from "./index.ts";

const at = { offset: 0, strides: [1] };
const load = (id: number, slot: number): Instruction => ({ id, op: "load", dtype: "float32", slot, at });
const store = (id: number, slot: number): Instruction => ({ id, op: "store", slot, at, value: 0 });
const buffer = (dtype: DType, offset?: number): BufferSpec =>
  offset === undefined ? { dtype, size: 16, kind: "parameter" } : { dtype, size: 16, kind: "temporary", offset };
const program = (...buffers: BufferSpec[]): Program => ({ buffers, uniforms: [], kernels: [], arenaBytes: 4096 });

it("one for each buffer that is named; what is only read is const", () => {
  const { parameters, slots } = bodyParameters(
    [
      [load(0, 3), load(1, 1)],
      [store(2, 2), load(3, 0)],
    ],
    [1, 0, 2, 1, 0],
    program(buffer("bfloat16"), buffer("float32"), buffer("bool")),
  );
  expect(parameters).toEqual([
    { type: "const float*", name: "p0", argument: { kind: "buffer", buffer: 1 }, restrict: true },
    { type: "const unsigned short*", name: "p1", argument: { kind: "buffer", buffer: 0 }, restrict: true },
    { type: "unsigned char*", name: "p2", argument: { kind: "buffer", buffer: 2 }, restrict: true },
  ]);
  expect(slots).toEqual([
    { pointer: "p0", dtype: "float32", readOnly: true },
    { pointer: "p1", dtype: "bfloat16", readOnly: true },
    { pointer: "p2", dtype: "bool", readOnly: false },
    { pointer: "p0", dtype: "float32", readOnly: true },
    { pointer: "p1", dtype: "bfloat16", readOnly: true },
  ]);
});

it("what is written in place, or overlaps what is, may change", () => {
  const buffers = [buffer("float32"), buffer("float32", 0), buffer("float32", 0), buffer("float32", 64)];
  const { parameters, slots } = bodyParameters(
    [[load(0, 0), load(1, 1), load(2, 3), store(3, 0), store(4, 2)]],
    [0, 1, 2, 3],
    program(...buffers),
  );
  expect(parameters.map(({ type, restrict }) => [type, restrict])).toEqual([
    ["float*", true],
    ["const float*", false],
    ["const float*", true],
    ["float*", false],
  ]);
  expect(slots.map(({ readOnly }) => readOnly)).toEqual([false, false, false, true]);
});

it("uniforms and status where they are used", () => {
  const dynamic = { ...at, dynamic: [{ value: 0, stride: 1, size: 16 }] };
  const gather: Instruction = { id: 1, op: "load", dtype: "float32", slot: 0, at: dynamic };
  const decides: Instruction = { id: 1, op: "inside", dtype: "bool", conditions: [{ affine: dynamic, lo: 0, hi: 1 }] };
  const uniform: Instruction = { id: 2, op: "uniform", dtype: "float32", uniform: 0 };
  expect(bodyNeeds([decides])).toEqual({ uniforms: false, status: false });
  expect(bodyNeeds([gather])).toEqual({ uniforms: false, status: true });
  expect(bodyNeeds([uniform, store(3, 0)])).toEqual({ uniforms: true, status: false });
  const { parameters } = bodyParameters([[gather], [uniform]], [0], program(buffer("float32")));
  expect(parameters.slice(1)).toEqual([
    { type: "const unsigned char*", name: "uniforms", argument: { kind: "uniforms" }, restrict: true },
    { type: "Status*", name: "status", argument: { kind: "status" } },
  ]);
});
