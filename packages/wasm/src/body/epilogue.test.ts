import type { Epilogue, Program } from "@thalweg/core/backend";
import { expect, test } from "vitest";
import type { Local } from "../emit/index.ts";
import { loadVector } from "../storage/index.ts";
import { testFeatures, testFunction } from "../testFunction.ts";
import { at, buffer } from "../testLoops.ts";
import { epilogueWriter, usesUniforms } from "./index.ts";

/** relu(sum + bias[j]) · u0, plus what the result held before. */
const epilogue: Epilogue = {
  body: [
    { id: 0, op: "accumulator", dtype: "float32" },
    { id: 1, op: "load", dtype: "float32", slot: 0, at: at([0, 1]) },
    { id: 2, op: "add", dtype: "float32", args: [0, 1] },
    { id: 3, op: "relu", dtype: "float32", args: [2] },
    { id: 4, op: "uniform", dtype: "float32", uniform: 0 },
    { id: 5, op: "mul", dtype: "float32", args: [3, 4] },
    { id: 6, op: "load", dtype: "float32", slot: 1, at: at([16, 1]) },
    { id: 7, op: "add", dtype: "float32", args: [5, 6] },
    { id: 8, op: "store", slot: 1, at: at([16, 1]), value: 7 },
  ],
  buffers: [0, 1],
};
const program: Program = {
  buffers: [buffer(16), buffer(64, "parameter")],
  uniforms: [{ name: "scale", dtype: "float32" }],
  kernels: [],
  arenaBytes: 0,
};

test.each(testFeatures)("$name: elements of a tile, whole vectors and parts of them", ({ features }) => {
  const [bias, result, uniforms, sums] = [256, 512, 1024, 2048];
  const { memory, call } = testFunction(features, 5, (f, code) => {
    const lanes = code.lanes(f);
    const parameters = [0, 1, 2, 3, 4].map((index) => f.parameter(index, "i32"));
    const [first, second, scale, given, row] = parameters as [Local<"i32">, ...Local<"i32">[]] as Local<"i32">[];
    const slots = [first, second] as Local<"i32">[];
    const writer = epilogueWriter(code, lanes, epilogue, program, slots, scale);
    // Rows row and row + 1, columns 4 … 10.
    writer.begin([row as Local<"i32">, 4], 1);
    for (const add of [0, 1]) {
      for (let column = 0; column < 7; column += lanes.count) {
        const count = Math.min(lanes.count, 7 - column);
        const sum = loadVector(lanes, "float32", given as Local<"i32">, 4 * (7 * add + column), count);
        writer.write([add, column], count, f.let(sum.parts[0] as Local));
      }
    }
  });
  const of = (address: number, length: number) => new Float32Array(memory, address, length);
  of(bias, 16).set(Array.from({ length: 16 }, (_, i) => i / 4));
  of(result, 64).fill(100);
  of(uniforms, 1)[0] = 0.5;
  of(sums, 14).set(Array.from({ length: 14 }, (_, i) => i - 4));
  call(bias, result, uniforms, sums, 2);
  const expected = new Array<number>(64).fill(100);
  for (let i = 0; i < 14; i++) {
    const column = 4 + (i % 7);
    expected[(2 + Math.floor(i / 7)) * 16 + column] = 100 + 0.5 * Math.max(0, i - 4 + column / 4);
  }
  expect(Array.from(of(result, 64))).toEqual(expected);
});

test("whether a body reads uniforms", () => {
  expect(usesUniforms(epilogue.body)).toBe(true);
  expect(usesUniforms(epilogue.body.slice(0, 4))).toBe(false);
});
